"""The ten most played of a month, out of one user's plays of that month.

A tally holds every distinct play of one user and month, by its instant. Adding a play that is already there
changes nothing, and merging tallies is their union, so the ten do not depend on the order of plays, on how
they are split and merged, or on how often one is seen. Rank is plays descending, then last_played_at
descending, then id ascending: a total order.

Exports name artists and albums without Spotify's ids. Where the same month knows exactly one id for those
names, from the API, the play counts for that id; otherwise an id made from the names stands for them.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from heapq import nsmallest
from typing import Any, Literal, NamedTuple

from pipelines.domain.instants import from_millis, to_millis
from pipelines.domain.play import Play, synthetic_id

Kind = Literal["track", "artist", "album"]
KINDS: tuple[Kind, ...] = ("track", "artist", "album")
TOP = 10

# What ranking needs of a play, as plain values, because this is what a shuffle carries for every play:
# preference, track id and name, artist id and name, album id and name, image.
Entry = tuple[tuple[int, int, str], str, str, str | None, str | None, str | None, str | None, str | None]
Tally = dict[int, Entry]


class _Named(NamedTuple):
    """One play's part in one ranking. ``names`` identify the item where ``id`` is not known."""

    id: str | None
    names: tuple[str, ...]
    artist_name: str | None
    album_name: str | None
    image_url: str | None


def entry(play: Play) -> tuple[int, Entry]:
    """The play's key and value in a tally."""
    artist = play.artists[0] if play.artists else None
    return to_millis(play.played_at), (
        play.preference,
        play.track_id,
        play.track_name,
        (artist.id or None) if artist else None,
        artist.name if artist else None,
        play.album_id or None,
        play.album_name,
        play.album_image_url,
    )


def add(tally: Tally, millis: int, new: Entry) -> None:
    """Take a play in. Of two copies of one play the one with the smaller preference stays."""
    known = tally.get(millis)
    if known is None or new[0] < known[0]:
        tally[millis] = new


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
    """The items of a snapshot: rank, id, name, artist_name, album_name, image_url, plays, last_played_at."""
    plays = [(millis, named) for millis, value in sorted(tally.items()) if (named := _NAMED[kind](value))]
    known: dict[tuple[str, ...], set[str]] = {}
    for _, named in plays:
        if named.id is not None:
            known.setdefault(named.names, set()).add(named.id)
    counts: dict[str, int] = {}
    latest: dict[str, tuple[int, _Named]] = {}
    images: dict[str, str] = {}
    for millis, named in plays:
        id_ = named.id or _id_of_names(kind, named.names, known)
        counts[id_] = counts.get(id_, 0) + 1
        latest[id_] = millis, named
        if named.image_url:
            images[id_] = named.image_url
    best = nsmallest(TOP, counts, key=lambda id_: (-counts[id_], -latest[id_][0], id_))
    return [
        {
            "rank": rank,
            "id": id_,
            "name": latest[id_][1].names[-1],
            "artist_name": latest[id_][1].artist_name,
            "album_name": latest[id_][1].album_name,
            "image_url": images.get(id_),
            "plays": counts[id_],
            "last_played_at": from_millis(latest[id_][0]),
        }
        for rank, id_ in enumerate(best, start=1)
    ]


def snapshots(
    user_id: str, month: date, tally: Tally, *, is_final: bool, computed_at: datetime
) -> Iterator[dict[str, Any]]:
    """The three rows of ``top_ten_snapshots``, one for each kind."""
    for kind in KINDS:
        yield {
            "user_id": user_id,
            "month": month,
            "kind": kind,
            "plays_in_month": len(tally),
            "is_final": is_final,
            "computed_at": computed_at,
            "items": top_ten(tally, kind),
        }


def _id_of_names(kind: Kind, names: tuple[str, ...], known: dict[tuple[str, ...], set[str]]) -> str:
    ids = known.get(names, set())
    return next(iter(ids)) if len(ids) == 1 else synthetic_id(kind, *names)


def _track(value: Entry) -> _Named:
    _, track_id, track_name, _, artist_name, _, album_name, image_url = value
    return _Named(track_id, (track_name,), artist_name, album_name, image_url)


def _artist(value: Entry) -> _Named | None:
    _, _, _, artist_id, artist_name, _, _, _ = value
    return None if artist_name is None else _Named(artist_id, (artist_name,), None, None, None)


def _album(value: Entry) -> _Named | None:
    _, _, _, _, artist_name, album_id, album_name, image_url = value
    if album_name is None:
        return None
    return _Named(album_id, (artist_name or "", album_name), artist_name, None, image_url)


_NAMED = {"track": _track, "artist": _artist, "album": _album}
