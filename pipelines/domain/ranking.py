"""The ten most played of a month, out of one user's plays of that month.

A tally holds every distinct play of one user and month, by its instant. Adding a play that is already there
changes nothing, and merging tallies is their union, so the ten do not depend on the order of plays, on how
they are split and merged, or on how often one is seen.

What a play counts for is what the preferred copy of its track id says: of the tally's plays of that id the one with
the smallest ``Play.preference``, of equals the one heard last. So an export's row, which names a compilation's artist,
and the API's, which names the track's, count for the same.

- *Tracks* are songs: their key is that of title and main artist (``song.song_key``).
- *Artists* go by id. A name without one stands for the one id that the tally knows for that name, and otherwise for
  itself.
- *Albums* go by the key of name and album artist (``song.album_key``), an album's id by the key of its preferred copy.

A line shows the id of its last play that has one of Spotify's (else an id made from names), that id's names, and the
newest album and cover that its plays know. Rank is plays descending, then ``last_played_at`` descending, cut to the
second because exports know no more, then the shown id ascending: a total order.

``rebuilding/top_tens.py`` says the same on columns, and ``tables/questions/parts`` over longer spans.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from operator import attrgetter, itemgetter
from typing import Any, Literal, NamedTuple

from pipelines.domain.instants import from_millis, to_millis
from pipelines.domain.play import Play
from pipelines.domain.song import album_key, is_synthetic, song_key, synthetic_id

Kind = Literal["track", "artist", "album"]
KINDS: tuple[Kind, ...] = ("track", "artist", "album")
TOP = 10
# Wide enough for any instant in seconds, below the number of plays.
SECONDS_BITS = 44

# What ranking needs of a play, as plain values, because this is what a shuffle carries for every play: preference,
# track id and name, artist id and name, album id, name and artist, image.
Entry = tuple[tuple[int, int, str], str, str, str | None, str | None, str | None, str | None, str | None, str | None]
Tally = dict[int, Entry]
# Of a snapshot: each has rank, id, name, artist_name, album_name, image_url, plays, last_played_at and song_id.
Items = list[dict[str, Any]]


class Copies(NamedTuple):
    """Plays of one tally whose copies say the same: how many, the last one's instant (milliseconds since 1970), what
    they say, and the smallest preference among them (``Play.preference``, then the later instant as its negative).

    What is not known is None, also where it was empty.
    """

    plays: int
    last: int
    preference: tuple[int, int, str, int]
    track_id: str
    track_name: str
    artist_id: str | None
    artist_name: str | None
    album_id: str | None
    album_name: str | None
    album_artist: str | None
    image_url: str | None


class _Shown(NamedTuple):
    """What a line may show of copies."""

    id: str
    is_spotifys: bool
    name: str
    artist_name: str | None = None
    album_name: str | None = None
    image_url: str | None = None


# Copies in the order of their last plays, each with the copies that have the preferred copy of its track id.
_Pairs = list[tuple[Copies, Copies]]


def entry(play: Play) -> tuple[int, Entry]:
    """The play's key and value in a tally."""
    return to_millis(play.played_at), (
        play.preference,
        play.track_id,
        play.track_name,
        (play.artists[0].id or None) if play.artists else None,
        play.artist_name,
        play.album_id or None,
        play.album_name or None,
        play.album_artist,
        play.album_image_url or None,
    )


def add(tally: Tally, millis: int, new: Entry) -> None:
    """Take a play in. Of two copies of one play the one with the smaller preference stays."""
    known = tally.get(millis)
    if known is None or new[0] < known[0]:
        tally[millis] = new


def copies_of(tally: Tally) -> list[Copies]:
    """A tally's plays by what their copies say."""
    alike: dict[tuple[str | None, ...], list[int]] = {}
    for millis, (_, *said) in tally.items():
        alike.setdefault(tuple(said), []).append(millis)
    return [
        Copies(len(some), max(some), min((*tally[millis][0], -millis) for millis in some), *said)  # type: ignore[arg-type]
        for said, some in alike.items()
    ]


def top_ten(tally: Tally, kind: Kind) -> Items:
    """The items of a snapshot."""
    return ten_of(copies_of(tally), kind)


def ten_of(copies: Iterable[Copies], kind: Kind) -> Items:
    """The same of what copies say, no two of them the same."""
    return _ten(_with_preferred(copies), kind)


def tens_of(copies: Iterable[Copies]) -> dict[Kind, Items]:
    """The same for each kind."""
    pairs = _with_preferred(copies)
    return {kind: _ten(pairs, kind) for kind in KINDS}


def rank_of(item: Mapping[str, Any]) -> int:
    """What an item is ranked by, as one number, but for what decides between equals."""
    return int(item["plays"] << SECONDS_BITS) + to_millis(item["last_played_at"]) // 1000


def snapshots(
    user_id: str, month: date, tally: Tally, *, is_final: bool, computed_at: datetime
) -> Iterator[dict[str, Any]]:
    """The three rows of ``top_ten_snapshots``, one for each kind."""
    tens = tens_of(copies_of(tally))
    return snapshots_of(user_id, month, len(tally), tens, is_final=is_final, computed_at=computed_at)


def snapshots_of(
    user_id: str, month: date, plays: int, tens: Mapping[Kind, Items], *, is_final: bool, computed_at: datetime
) -> Iterator[dict[str, Any]]:
    """``snapshots`` of a month with so many plays, of which the tens are known."""
    for kind in KINDS:
        yield {
            "user_id": user_id,
            "month": month,
            "kind": kind,
            "plays_in_month": plays,
            "is_final": is_final,
            "computed_at": computed_at,
            "items": tens[kind],
        }


def _with_preferred(copies: Iterable[Copies]) -> _Pairs:
    ordered = sorted(copies, key=attrgetter("last"))
    preferred = _preferred([(some.track_id, some) for some in ordered])
    return [(some, preferred[some.track_id]) for some in ordered]


def _preferred(copies: Sequence[tuple[str, Copies]]) -> dict[str, Copies]:
    """Of each id those with its preferred copy."""
    best = dict(copies)
    if len(best) < len(copies):
        for of, some in copies:
            if some.preference < best[of].preference:
                best[of] = some
    return best


def _ten(pairs: _Pairs, kind: Kind) -> Items:
    keys, show = _RANKINGS[kind](pairs)
    last = dict(zip(keys, [own.last for own, _ in pairs], strict=True))
    counts: dict[str | None, int] = dict.fromkeys(last, 0)
    for key, (own, _) in zip(keys, pairs, strict=True):
        counts[key] += own.plays
    counts.pop(None, None)
    # One number for both: sorting these is most of what a large month takes here.
    ranks = {key: (plays << SECONDS_BITS) + last[key] // 1000 for key, plays in counts.items()}
    # What is shown is looked up for those alone that may be among the ten: the id decides the ties.
    edge = min(sorted(ranks.values(), reverse=True)[:TOP], default=0)
    chosen: dict[str | None, _Pairs] = {key: [] for key, rank in ranks.items() if rank >= edge}
    for key, pair in zip(keys, pairs, strict=True):
        if key in chosen:
            chosen[key].append(pair)
    # An artist has one name, the last one: that is of one play, however many songs there are.
    shown = slice(-1, None) if kind == "artist" else slice(None)
    lines = {key: _line(key, of_key[shown], show) for key, of_key in chosen.items() if key is not None}
    best = sorted([(-ranks[key], line.id, key, line) for key, line in lines.items()], key=itemgetter(0, 1))[:TOP]
    return [
        {
            "rank": rank,
            "id": line.id,
            "name": line.name,
            "artist_name": line.artist_name,
            "album_name": line.album_name,
            "image_url": line.image_url,
            "plays": counts[key],
            "last_played_at": from_millis(last[key] // 1000 * 1000),
            "song_id": key if kind == "track" else None,
        }
        for rank, (_, _, key, line) in enumerate(best, start=1)
    ]


def _line(key: str, pairs: _Pairs, show: "_Show") -> _Shown:
    """What is shown of all that counts for one key: of the last plays that have it."""
    shown = show(key, *pairs[0])
    if len(pairs) == 1:
        return shown
    album, image = shown.album_name, shown.image_url
    for own, copy in pairs[1:]:
        new = show(key, own, copy)
        if new.is_spotifys or not shown.is_spotifys:
            shown = new
        album, image = new.album_name or album, new.image_url or image
    return _Shown(shown.id, shown.is_spotifys, shown.name, shown.artist_name, album, image)


# What each preferred copy counts for, None for nothing; and what may be shown of a key's copies.
_Keys = list[str | None]
_Show = Callable[[str, Copies, Copies], _Shown]


def _tracks(pairs: _Pairs) -> tuple[_Keys, _Show]:
    def show(_key: str, own: Copies, copy: Copies) -> _Shown:
        is_spotifys = not is_synthetic(copy.track_id)
        return _Shown(copy.track_id, is_spotifys, copy.track_name, copy.artist_name, own.album_name, own.image_url)

    return [song_key(copy.track_id, copy.track_name, copy.artist_name) for _, copy in pairs], show


def _artists(pairs: _Pairs) -> tuple[_Keys, _Show]:
    known: dict[str, set[str]] = {}
    if any(copy.artist_id is None for _, copy in pairs):
        for _, copy in pairs:
            if copy.artist_name is not None and copy.artist_id is not None:
                known.setdefault(copy.artist_name, set()).add(copy.artist_id)

    def show(key: str, _own: Copies, copy: Copies) -> _Shown:
        return _Shown(key, True, copy.artist_name or "")

    return [copy.artist_name and (copy.artist_id or _id_of_name(copy.artist_name, known)) for _, copy in pairs], show


def _id_of_name(artist_name: str, known: Mapping[str, set[str]]) -> str:
    ids = known.get(artist_name, set())
    return next(iter(ids)) if len(ids) == 1 else synthetic_id("artist", artist_name)


def _albums(pairs: _Pairs) -> tuple[_Keys, _Show]:
    preferred = _preferred([(copy.album_id, copy) for _, copy in pairs if copy.album_id and copy.album_name])
    of_ids = {id_: album_key(album.album_name, album.album_artist) for id_, album in preferred.items()}

    def show(key: str, own: Copies, copy: Copies) -> _Shown:
        album = preferred.get(copy.album_id or "", copy)
        is_spotifys = copy.album_id is not None
        return _Shown(
            copy.album_id or key, is_spotifys, album.album_name or "", album.album_artist, image_url=own.image_url
        )

    keys = [
        of_ids[copy.album_id] if copy.album_id and copy.album_name else album_key(copy.album_name, copy.album_artist)
        for _, copy in pairs
    ]
    return keys, show


_RANKINGS = {"track": _tracks, "artist": _artists, "album": _albums}
