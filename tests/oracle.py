"""The top ten once more, by other means: plain counting over plays, sharing no code with what it judges.

It knows nothing of accumulators, columns or windows, and is as slow as it likes.
A line is (id, name, artist, album, cover, plays, last played, song).
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.domain.play import Play

_RANK = {"RECENTLY_PLAYED": 0, "EXTENDED_EXPORT": 1, "ACCOUNT_EXPORT": 2}


def distinct(plays: Iterable[Play]) -> list[Play]:
    """Each (user, instant) once."""
    kept: dict[tuple[str, datetime], Play] = {}
    for p in sorted(plays, key=lambda p: (_RANK[p.source], p.ingested_at, p.track_id)):
        kept.setdefault((p.user_id, p.played_at), p)
    return list(kept.values())


def month(p: Play, zone: str = "Europe/Paris") -> str:
    """2026-11."""
    return p.played_at.astimezone(ZoneInfo(zone)).strftime("%Y-%m")


def top_tens(plays: Iterable[Play], zone: str = "Europe/Paris") -> dict[tuple[str, str, str], Any]:
    """(user, month, kind) to (plays in the month, lines)."""
    answer: dict[tuple[str, str, str], Any] = {}
    all_plays = distinct(plays)
    for user, when in {(p.user_id, month(p, zone)) for p in all_plays}:
        mine = [p for p in all_plays if p.user_id == user and month(p, zone) == when]
        for kind in ("track", "artist", "album"):
            answer[user, when, kind] = len(mine), ranked(kind, mine)[:10]
    return answer


def ranked(kind: str, plays: Sequence[Play]) -> list[tuple[Any, ...]]:
    """All lines of one user's distinct plays, whatever time they span."""
    groups: dict[str, list[Play]] = {}
    # They are the track's, not the play's: asked for each play, a month of hundreds would take minutes.
    of_track: dict[str, list[Play]] = {}
    for p in plays:
        of_track.setdefault(p.track_id, []).append(p)
    copies = {track_id: _best(some) for track_id, some in of_track.items()}
    keys = {track_id: _key(kind, copy, copies) for track_id, copy in copies.items()}
    for p in sorted(plays, key=lambda p: p.played_at):
        key = keys[p.track_id]
        if key is not None:
            groups.setdefault(key, []).append(p)
    lines = [_line(kind, key, group, copies) for key, group in groups.items()]
    lines.sort(key=lambda line: line[0])
    lines.sort(key=lambda line: line[6], reverse=True)
    lines.sort(key=lambda line: line[5], reverse=True)
    return lines


def _one_a_track(plays: Sequence[Play]) -> Iterable[Play]:
    return {p.track_id: p for p in plays}.values()


def of_rows(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, str, str], Any]:
    """Snapshot rows in the oracle's form; of several for one key the fullest, then the newest."""
    best: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        key = row["user_id"], f"{row['month']:%Y-%m}", row["kind"]
        if key not in best or _fullness(row) > _fullness(best[key]):
            best[key] = row
    return {
        key: (
            row["plays_in_month"],
            [tuple(item[name] for name in LINE) for item in row["items"]],
        )
        for key, row in best.items()
    }


def _fullness(row: dict[str, Any]) -> tuple[int, datetime]:
    return row["plays_in_month"], row["computed_at"]


LINE = "id", "name", "artist_name", "album_name", "image_url", "plays", "last_played_at", "song_id"


def _line(kind: str, key: str, group: list[Play], copies: Mapping[str, Play]) -> tuple[Any, ...]:
    """``group`` is what counts, in the order of time; ``copies`` are what each track id goes by."""
    last = group[-1]
    shown = {p.track_id: _shown_id(kind, p, copies) for p in _one_a_track(group)}
    with_id = [p for p in group if not shown[p.track_id].startswith("names:")]
    if with_id:
        last = with_id[-1]
    of = _copy(last, copies)
    albums = [p.album_name for p in group if p.album_name]
    covers = [p.album_image_url for p in group if p.album_image_url]
    if kind == "album":
        of = _album_copy(of, copies)
    names = {
        "track": (of.track_name, _artist(of)),
        "artist": (_artist(_copy(group[-1], copies)), None),
        "album": (of.album_name, of.album_artist_name or _artist(of)),
    }[kind]
    return (
        _shown_id(kind, last, copies),
        *names,
        albums[-1] if albums and kind == "track" else None,
        covers[-1] if covers and kind != "artist" else None,
        len(group),
        group[-1].played_at.replace(microsecond=0),
        key if kind == "track" else None,
    )


def _key(kind: str, p: Play, copies: Mapping[str, Play]) -> str | None:
    copy = _copy(p, copies)
    if kind == "artist":
        return _artist_id(copy, copies)
    if kind == "album":
        copy = _album_copy(copy, copies)
        of = copy.album_artist_name or _artist(copy) or ""
        return _made("album", _fold(of), _fold(copy.album_name)) if copy.album_name else None
    names = [_fold(_artist(copy) or ""), _fold(copy.track_name)]
    return copy.track_id if {"", "(unknown)"} & set(names) else _made("song", *names)


def _shown_id(kind: str, p: Play, copies: Mapping[str, Play]) -> str:
    if kind == "track":
        return p.track_id
    album_id = copies[p.track_id].album_id if kind == "album" else None
    return album_id or str(_key(kind, p, copies))


def _copy(p: Play, copies: Mapping[str, Play]) -> Play:
    """What the play's track id goes by."""
    return copies[p.track_id]


def _album_copy(copy: Play, copies: Mapping[str, Play]) -> Play:
    """What the album's id goes by."""
    if not copy.album_id or not copy.album_name:
        return copy
    return _best([q for q in copies.values() if q.album_id == copy.album_id and q.album_name])


def _best(copies: list[Play]) -> Play:
    newest_first = sorted(copies, key=lambda q: q.played_at, reverse=True)
    return min(newest_first, key=lambda q: (_RANK[q.source], q.ingested_at, q.track_id))


def _artist(p: Play) -> str | None:
    return (p.artists[0].name or None) if p.artists else None


def _artist_id(copy: Play, copies: Mapping[str, Play]) -> str | None:
    name = _artist(copy)
    if name is None:
        return None
    ids = {q.artists[0].id for q in copies.values() if _artist(q) == name and q.artists[0].id}
    return copy.artists[0].id or (ids.pop() if len(ids) == 1 else _made("artist", name))


def _fold(text: str | None) -> str:
    one = unicodedata.normalize("NFKC", text or "").casefold()
    return " ".join(unicodedata.normalize("NFKC", one).split())


def _made(*names: str) -> str:
    return "names:" + hashlib.sha256("\x1f".join(names).encode()).hexdigest()[:22]
