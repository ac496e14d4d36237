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

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from heapq import nsmallest
from typing import Any, Literal, NamedTuple

from pipelines.domain.instants import from_millis, to_millis
from pipelines.domain.play import Play
from pipelines.domain.song import album_key, is_synthetic, song_key, synthetic_id

Kind = Literal["track", "artist", "album"]
KINDS: tuple[Kind, ...] = ("track", "artist", "album")
TOP = 10

# What ranking needs of a play, as plain values, because this is what a shuffle carries for every play: preference,
# track id and name, artist id and name, album id, name and artist, image.
Entry = tuple[tuple[int, int, str], str, str, str | None, str | None, str | None, str | None, str | None, str | None]
Tally = dict[int, Entry]


class _Copy(NamedTuple):
    """A play by name. What is not known is None, also where it was empty."""

    millis: int
    preference: tuple[int, int, str]
    track_id: str
    track_name: str
    artist_id: str | None
    artist_name: str | None
    album_id: str | None
    album_name: str | None
    album_artist: str | None
    image_url: str | None


class _Heard(NamedTuple):
    """One play in one ranking: what it counts for (``key``), and what may be shown of it."""

    millis: int
    key: str
    id: str
    is_spotifys: bool
    name: str
    artist_name: str | None = None
    album_name: str | None = None
    image_url: str | None = None


# Each play, in the order of time, with the preferred copy of its track id.
_Plays = list[tuple[_Copy, _Copy]]


def entry(play: Play, forgotten_until: datetime | None = None) -> tuple[int, Entry]:
    """The play's key and value in a tally.

    Where its user was forgotten up to an instant before its ingestion, it is preferred to every copy from before.
    """
    rank, ingested, track_id = play.preference
    if forgotten_until is not None:
        rank -= to_millis(forgotten_until)
    return to_millis(play.played_at), (
        (rank, ingested, track_id),
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


def ingested_after(millis: int, tally: Tally) -> Tally:
    """The plays of a tally that were ingested later, in a new one."""
    return {played: entry for played, entry in tally.items() if entry[0][1] > millis}


def merge(tallies: Iterable[Tally]) -> Tally:
    """The union of tallies, in a new one."""
    merged: Tally = {}
    for tally in tallies:
        if not merged:
            merged = dict(tally)
        else:
            for millis, new in tally.items():
                add(merged, millis, new)
    return merged


def top_ten(tally: Tally, kind: Kind) -> list[dict[str, Any]]:
    """The items of a snapshot: rank, id, name, artist_name, album_name, image_url, plays, last_played_at, song_id."""
    return _ten(_with_preferred(tally), kind)


def snapshots(
    user_id: str, month: date, tally: Tally, *, is_final: bool, computed_at: datetime
) -> Iterator[dict[str, Any]]:
    """The three rows of ``top_ten_snapshots``, one for each kind."""
    plays = _with_preferred(tally)
    for kind in KINDS:
        yield {
            "user_id": user_id,
            "month": month,
            "kind": kind,
            "plays_in_month": len(tally),
            "is_final": is_final,
            "computed_at": computed_at,
            "items": _ten(plays, kind),
        }


def _with_preferred(tally: Tally) -> _Plays:
    plays = [_Copy(millis, *tally[millis]) for millis in sorted(tally)]
    preferred = _preferred((play.track_id, play) for play in plays)
    return [(play, preferred[play.track_id]) for play in plays]


def _preferred(copies: Iterable[tuple[str, _Copy]]) -> dict[str, _Copy]:
    """Of each id the preferred copy."""
    best: dict[str, _Copy] = {}
    for of, copy in copies:
        if of not in best or (copy.preference, -copy.millis) < (best[of].preference, -best[of].millis):
            best[of] = copy
    return best


def _ten(plays: _Plays, kind: Kind) -> list[dict[str, Any]]:
    counts: dict[str, int] = {}
    last: dict[str, int] = {}
    shown: dict[str, _Heard] = {}
    albums: dict[str, str] = {}
    images: dict[str, str] = {}
    for heard in _RANKINGS[kind](plays):
        key = heard.key
        counts[key], last[key] = counts.get(key, 0) + 1, heard.millis
        if heard.is_spotifys or key not in shown or not shown[key].is_spotifys:
            shown[key] = heard
        if heard.album_name:
            albums[key] = heard.album_name
        if heard.image_url:
            images[key] = heard.image_url
    best = nsmallest(TOP, counts, key=lambda key: (-counts[key], -(last[key] // 1000), shown[key].id))
    return [
        {
            "rank": rank,
            "id": shown[key].id,
            "name": shown[key].name,
            "artist_name": shown[key].artist_name,
            "album_name": albums.get(key),
            "image_url": images.get(key),
            "plays": counts[key],
            "last_played_at": from_millis(last[key] // 1000 * 1000),
            "song_id": key if kind == "track" else None,
        }
        for rank, key in enumerate(best, start=1)
    ]


def _tracks(plays: _Plays) -> Iterator[_Heard]:
    for own, copy in plays:
        id_, name, artist_name = copy.track_id, copy.track_name, copy.artist_name
        key, is_spotifys = song_key(id_, name, artist_name), not is_synthetic(id_)
        yield _Heard(own.millis, key, id_, is_spotifys, name, artist_name, own.album_name, own.image_url)


def _artists(plays: _Plays) -> Iterator[_Heard]:
    known: dict[str, set[str]] = {}
    for _, copy in plays:
        if copy.artist_name is not None and copy.artist_id is not None:
            known.setdefault(copy.artist_name, set()).add(copy.artist_id)
    for own, copy in plays:
        if copy.artist_name is not None:
            id_ = copy.artist_id or _id_of_name(copy.artist_name, known)
            yield _Heard(own.millis, id_, id_, True, copy.artist_name)


def _id_of_name(artist_name: str, known: Mapping[str, set[str]]) -> str:
    ids = known.get(artist_name, set())
    return next(iter(ids)) if len(ids) == 1 else synthetic_id("artist", artist_name)


def _albums(plays: _Plays) -> Iterator[_Heard]:
    preferred = _preferred((copy.album_id, copy) for _, copy in plays if copy.album_id and copy.album_name)
    for own, copy in plays:
        album = preferred.get(copy.album_id or "", copy)
        if copy.album_name and album.album_name and (key := album_key(album.album_name, album.album_artist)):
            id_, is_spotifys = copy.album_id or key, copy.album_id is not None
            yield _Heard(
                own.millis, key, id_, is_spotifys, album.album_name, album.album_artist, image_url=own.image_url
            )


_RANKINGS = {"track": _tracks, "artist": _artists, "album": _albums}
