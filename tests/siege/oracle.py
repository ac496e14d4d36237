"""What has to be in the tables: plain counting over what is known of the truth, from the rules of docs/import.md alone.

Imports nothing of the project. The truth is what happened (``Heard``) and the order in which it became known.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from tests.siege.world import Heard, Track, instant

# An instant that another play has is moved by milliseconds.
_MOVED_MS = 60
_SOURCES = ("RECENTLY_PLAYED", "EXTENDED_EXPORT", "ACCOUNT_EXPORT")
Key = tuple[str, str, str]  # user, month, kind


class WrongError(AssertionError):
    """The project says something else."""


@dataclass(frozen=True, slots=True)
class Known:
    """A play, and under which instant it first became known."""

    heard: Heard
    at: int


class Ledger:
    """What was given to the project, in order. The first to tell of a play says its instant, for good."""

    def __init__(self) -> None:
        self._known: dict[Heard, int] = {}
        self.sources: dict[Heard, set[str]] = defaultdict(set)
        self._at_once: dict[Heard, set[int]] = {}

    def at_once(self) -> None:
        """What is told from now on is told by several at once: nobody knows who is the first, until it came out."""
        self._at_once = {}

    def came_out(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Of instants that were told at once the one that is there was the first. ``rows`` as ``compare_plays``."""
        there = defaultdict(set)
        for row in rows:
            there[row["user_id"], fold(row["track_name"])].add(round(row["played_at"].timestamp() * 1000))
        for play, told in self._at_once.items():
            of_song = there[play.user, fold(play.track.title)]
            self._known[play] = next(
                (at for at in sorted(told) if any(abs(at - one) <= _MOVED_MS for one in of_song)), self._known[play]
            )
        self._at_once = {}

    def polled(self, plays: Iterable[Heard]) -> None:
        """Spotify listed them."""
        for play in plays:
            assert play.stamp is not None
            self._tell(play, play.stamp, _SOURCES[0])

    def exported(self, plays: Iterable[Heard]) -> None:
        """An extended export has them."""
        for play in plays:
            if play.counts:
                self._tell(play, play.exported_at, _SOURCES[1])

    def in_account_data(self, plays: Iterable[Heard]) -> None:
        """An export of account data has them."""
        for play in plays:
            if play.counts:
                self._tell(play, play.end // 60_000 * 60_000, _SOURCES[2])

    def forget(self, user: str) -> None:
        """What was told of somebody so far is gone."""
        for play in [play for play in self._known if play.user == user]:
            del self._known[play], self.sources[play]
            self._at_once.pop(play, None)

    def plays(self) -> list[Known]:
        """Each play once."""
        return [Known(play, at) for play, at in self._known.items()]

    def _tell(self, play: Heard, at: int, source: str) -> None:
        if play not in self._known:
            self._at_once[play] = set()
        if play in self._at_once:
            self._at_once[play].add(at)
        self._known.setdefault(play, at)
        self.sources[play].add(source)


def fold(text: str) -> str:
    """Compatibility forms, case and white space make no other song."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def month_of(at: int, zone: str) -> str:
    """2026-11, in the zone."""
    return instant(at).astimezone(ZoneInfo(zone)).strftime("%Y-%m")


def compare_plays(ledger: Ledger, rows: Sequence[Mapping[str, Any]]) -> None:
    """``rows`` of ``plays``: user_id, played_at, track_name, artist. Raises WrongError unless each play is there
    once."""
    left: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for row in rows:
        at = round(row["played_at"].timestamp() * 1000)
        left[row["user_id"], fold(row["track_name"]), fold(row["artist"])].append(at)
    lost = []
    for play in sorted(ledger.plays(), key=lambda play: play.at):
        there = left[play.heard.user, fold(play.heard.track.title), fold(play.heard.track.artist)]
        near = [at for at in there if abs(at - play.at) <= _MOVED_MS]
        if near:
            there.remove(min(near, key=lambda at: abs(at - play.at)))
        else:
            lost.append(play)
    if lost:
        raise WrongError(
            f"{len(lost)} plays lost, the first: {lost[0]}; of that song there are {left_of(lost[0], left)}"
        )
    if over := {key: at for key, at in left.items() if at}:
        raise WrongError(f"{sum(map(len, over.values()))} plays too many: {list(over.items())[:3]}")


def left_of(play: Known, left: Mapping[tuple[str, str, str], list[int]]) -> list[str]:
    """Instants that nobody took, for a message."""
    found = left.get((play.heard.user, fold(play.heard.track.title), fold(play.heard.track.artist)), [])
    return [str(instant(at)) for at in found]


def compare_tens(
    ledger: Ledger, rows: Sequence[Mapping[str, Any]], zone: str, months: Iterable[str] | None = None
) -> int:
    """``rows`` of the monthly views with kind, user_id, month, rank, id, name, artist_name, plays, last_played_at.

    Of all months, or of ``months``. Raises WrongError. How many ranks were compared is given back.
    """
    expected = _lines(ledger, zone)
    uncertain = _with_account_data(ledger)
    rows = [row for row in rows if row["kind"] != "album" or row["user_id"] not in uncertain]
    if months is not None:
        wanted = set(months)
        expected = {key: lines for key, lines in expected.items() if key[1] in wanted}
        rows = [row for row in rows if f"{row['month']:%Y-%m}" in wanted]
    found: dict[Key, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["user_id"], f"{row['month']:%Y-%m}", row["kind"]].append(row)
    if extra := found.keys() - expected.keys():
        raise WrongError(f"tens of nobody: {sorted(extra)[:3]}")
    for key, lines in sorted(expected.items()):
        _compare_ten(key, lines, sorted(found.get(key, []), key=lambda row: row["rank"]))
    return sum(map(len, found.values()))


@dataclass(frozen=True, slots=True)
class _Line:
    names: frozenset[str]
    plays: int
    last: int  # second
    ids: frozenset[str]  # it may be shown as one of these; none where only names are known


def _compare_ten(key: Key, lines: list[_Line], rows: list[Mapping[str, Any]]) -> None:
    if [row["rank"] for row in rows] != list(range(1, min(10, len(lines)) + 1)):
        raise WrongError(f"{key}: ranks {[row['rank'] for row in rows]} of {len(lines)} lines")
    shown = [(-row["plays"], -round(row["last_played_at"].timestamp()), row["id"]) for row in rows]
    if shown != sorted(shown):
        raise WrongError(f"{key}: not in order: {shown}")
    left = sorted(lines, key=lambda line: (-line.plays, -line.last))
    for row, (plays, last, _) in zip(rows, shown, strict=True):
        best = left[0]
        if (-best.plays, -best.last) != (plays, last):
            raise WrongError(f"{key}: rank {row['rank']} has {dict(row)}, {best} is better")
        tied = [line for line in left if (line.plays, line.last) == (best.plays, best.last)]
        mine = [line for line in tied if fold(row["name"]) in line.names]
        if not mine:
            raise WrongError(f"{key}: rank {row['rank']} is {dict(row)}, expected one of {tied}")
        if mine[0].ids and row["id"] not in mine[0].ids:
            raise WrongError(f"{key}: {dict(row)} has an id that is none of {set(mine[0].ids)}")
        known = [min(line.ids) for line in tied if len(line.ids) == 1]
        if len(known) == len(tied) and row["id"] != min(known):
            raise WrongError(f"{key}: rank {row['rank']} is {dict(row)}, of equals {min(known)} comes first")
        left.remove(mine[0])


def _lines(ledger: Ledger, zone: str) -> dict[Key, list[_Line]]:
    groups: dict[Key, dict[Any, list[Known]]] = defaultdict(lambda: defaultdict(list))
    with_account_data = _with_account_data(ledger)
    for play in ledger.plays():
        where = play.heard.user, month_of(play.at, zone)
        for kind in ("track", "artist", "album"):
            if kind != "album" or play.heard.user not in with_account_data:
                groups[*where, kind][_key(kind, play.heard.track)].append(play)
    return {
        key: [_line(key[2], some, ledger, is_certain=key[0] not in with_account_data) for some in of_key.values()]
        for key, of_key in groups.items()
    }


def _with_account_data(ledger: Ledger) -> set[str]:
    """Listeners of whom a row names no album. It may or may not take another copy's, so theirs are not judged."""
    return {play.user for play, sources in ledger.sources.items() if _SOURCES[2] in sources}


def _key(kind: str, track: Track) -> tuple[str, ...]:
    if kind == "track":
        return fold(track.title), fold(track.artist)
    if kind == "artist":
        return (fold(track.artist),)
    return fold(track.album), fold(track.artist)


def _line(kind: str, plays: list[Known], ledger: Ledger, *, is_certain: bool) -> _Line:
    """The id is that of the latest play that has one of Spotify's; exports have them for tracks only."""
    names = frozenset(fold(_key(kind, play.heard.track)[0 if kind != "artist" else -1]) for play in plays)
    with_id = [play for play in plays if (kind == "track" and is_certain) or _SOURCES[0] in ledger.sources[play.heard]]
    newest = max((play.at for play in with_id), default=0)
    near = [play for play in with_id if newest - play.at <= _MOVED_MS]
    ids = frozenset(_id(kind, play.heard.track) for play in near) if is_certain and kind == "track" else frozenset()
    return _Line(names, len(plays), max(play.at for play in plays) // 1000, ids)


def _id(kind: str, track: Track) -> str:
    return {"track": track.id, "artist": track.artist_id, "album": track.album_id}[kind]


def repeated(rows: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Identities that rows have more than once."""
    counts = Counter((row["user_id"], row["played_at"]) for row in rows)
    return [identity for identity, count in counts.items() if count > 1]
