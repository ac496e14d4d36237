"""The ranked lines of a span: the part ``ranked``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.querying.columns.credited import Credits
from pipelines.querying.columns.grouping import least, starts_with_names
from pipelines.querying.columns.history import UNKNOWN, Column
from pipelines.querying.columns.spans import Span
from pipelines.querying.columns.texts import EMPTY, NULL, Codes, Texts, numbered

# As the part's SQL puts Spotify's ids before all others.
_FAR = 1_000_000_000_000_000


@dataclass(frozen=True)
class Ranked:
    """The ranked lines of one kind after the other, by rank; columns as the part has them, texts by number."""

    texts: Texts
    kind: tuple[tuple[str, int], ...]
    columns: dict[str, Column]


def ranked_of(span: Span, credited: Credits, by: str, kind: str) -> Ranked:
    """As the part ``ranked``, for one kind or, if it is empty, for all three."""
    texts, number = credited.texts, len(credited.track_id)
    heard, rows = span.heard, credited.rows
    copy, played_at = span.of("copy")[heard], span.of("played_at")[heard]
    heard_ms = span.heard_ms[heard]
    is_said = span.of("ms_played")[heard] != UNKNOWN
    is_long = span.of("duration_ms")[heard] != UNKNOWN
    is_known = heard_ms != UNKNOWN

    def last(codes: Codes) -> tuple[Column, Codes]:
        """For each track the last of its plays that has a text in its copy, its instant, or 0, and the text."""
        places = np.flatnonzero(codes[copy] > EMPTY)
        at, text = np.zeros(number, np.int64), np.full(number, NULL, np.int32)
        at[rows[places]], text[rows[places]] = played_at[places], codes[copy[places]]  # plays are in order
        return at, text

    first, newest = np.empty(number, np.int64), np.empty(number, np.int64)
    first[rows[::-1]], newest[rows] = played_at[::-1], played_at
    album_at, album_name = last(span.copies["album_name"])
    image_at, image_url = last(span.copies["album_image_url"])
    of_tracks = {
        "plays": np.bincount(rows, minlength=number),
        "heard_ms": np.bincount(rows[is_known], heard_ms[is_known], number).astype(np.int64),
        "known_plays": np.bincount(rows[is_known], minlength=number),
        "estimated_plays": np.bincount(rows[~is_said & is_long], minlength=number),
        "unknown_plays": np.bincount(rows[~is_said & ~is_long], minlength=number),
        "first_played_at": first,
        "first_played_on": least(rows, span.of("played_on")[heard].astype(np.int64), number),
        "last_played_at": newest,
        "album_at": album_at,
        "album_name": album_name,
        "image_at": image_at,
        "image_url": image_url,
    }
    every, none = np.ones(number, bool), np.full(number, NULL, np.int32)
    of = credited
    kinds: dict[str, Callable[[], _Counted]] = {
        "track": lambda: _Counted(
            every,
            of.song_id,
            of.track_id,
            ~starts_with_names(texts, of.track_id),
            of.track_name,
            of.artist_name,
            of.artist_key,
        ),
        "artist": lambda: _Counted(
            of.artist_key != NULL, of.artist_key, of.artist_key, every, of.artist_name, none, of.artist_key
        ),
        "album": lambda: _Counted(
            of.album_name != NULL,
            of.album_key,
            of.shown_album_id,
            of.is_album_of_spotify,
            of.album_name,
            of.album_artist,
            none,
        ),
    }
    made = {name: _lines(texts, of_tracks, count(), name, by) for name, count in kinds.items() if kind in ("", name)}
    columns = list(made.values())
    return Ranked(
        texts,
        tuple((name, len(one["rank"])) for name, one in made.items()),
        {name: np.concatenate([one[name] for one in columns]) for name in columns[0]} if columns else {},
    )


@dataclass(frozen=True)
class _Counted:
    """What the tracks count for in one kind, those that do: the part's ``counted``."""

    counts: Column
    key: Codes
    id: Codes
    is_spotifys: Column
    name: Codes
    artist_name: Codes
    artist_key: Codes


_SUMS = ("plays", "heard_ms", "known_plays", "estimated_plays", "unknown_plays")


def _lines(texts: Texts, of_tracks: Mapping[str, Column], of: _Counted, kind: str, by: str) -> dict[str, Column]:
    """The lines of one kind in the order of their ranks."""
    tracks = np.flatnonzero(of.counts)
    distinct, places = numbered(of.key[tracks], len(texts))
    number = len(distinct)

    def of_last(values: Column) -> Column:
        """For each line the track that has the largest of these values, which are different; the last of equals."""
        best = np.flatnonzero(values == -least(places, -values, number)[places])
        found = np.empty(number, np.int64)
        found[places[best]] = tracks[best]
        return found

    shown = of_last(of_tracks["last_played_at"][tracks] // 1000 + np.where(of.is_spotifys[tracks], _FAR, 0))
    made: dict[str, Column] = {
        "key": distinct,
        "id": of.id[shown],
        "name": of.name[shown],
        "artist_name": of.artist_name[shown],
        "artist_key": of.artist_key[shown],
    }
    for text, at, without in (("album_name", "album_at", kind != "track"), ("image_url", "image_at", kind == "artist")):
        none = np.full(number, NULL, np.int32)
        made[text] = none if without else of_tracks[text][of_last(of_tracks[at][tracks])]
    for name in _SUMS:
        made[name] = np.bincount(places, of_tracks[name][tracks], number).astype(np.int64)
    for name in ("first_played_at", "first_played_on"):
        made[name] = least(places, of_tracks[name][tracks], number)
    made["last_played_at"] = -least(places, -of_tracks["last_played_at"][tracks], number) // 1_000_000 * 1_000_000
    made["amount"] = np.where(made["known_plays"] > 0, made["heard_ms"], -1) if by == "time" else made["plays"]
    order = np.lexsort((-made["last_played_at"], -made["amount"]))
    _in_order_of_ids(texts, order, made)
    made = {name: column[order] for name, column in made.items()}
    made["rank"] = np.arange(1, number + 1)
    made["lines"] = np.full(number, number)
    amount = -made["amount"]
    made["is_tied"] = np.append([False], amount[1:] == amount[:-1])[:number]
    made["tied_after"] = np.searchsorted(amount, amount, "right") - made["rank"]
    return made


def _in_order_of_ids(texts: Texts, order: Column, made: dict[str, Column]) -> None:
    """Put lines of one amount and one last second in the order of the texts of their ids; there are few."""
    amount, last = made["amount"][order], made["last_played_at"][order]
    equal = np.flatnonzero((amount[1:] == amount[:-1]) & (last[1:] == last[:-1]))
    begin = 0
    while begin < len(equal):
        end = begin
        while end + 1 < len(equal) and equal[end + 1] == equal[end] + 1:
            end += 1
        some = slice(equal[begin], equal[end] + 2)
        order[some] = sorted(order[some].tolist(), key=lambda row: texts[int(made["id"][row])])
        begin = end + 1
