"""Plays counted together: by copy, by day, by hour of the week, by ending.

A span's counts are those of its months, which are kept with the history, and of copies those of some months in a row:
so a long span costs what is different in it, and not its plays. What is kept is looked at anew where a month has
changed, since a month that changes gets other columns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby

import numpy as np

from pipelines.querying.columns.grouping import least, summed
from pipelines.querying.columns.history import LATE, UNKNOWN, Column, Kept
from pipelines.querying.columns.spans import OfMonth, Span
from pipelines.querying.columns.texts import NULL, numbered

Counts = Mapping[str, Column]
# What a row has of its plays, for each of its key.
TIMES = ("plays", "heard_ms", "estimated_plays", "unknown_plays")
# How many months in a row are kept together, the most first; each is some of the next, and a year is among them.
_TOGETHER = (48, 12, 3)
_HOURS = 7 * 24
# As the part's SQL puts a source before an instant.
_FAR = 1_000_000_000_000_000
_HOUR, _MILLI = 3_600_000_000, 1000


@dataclass(frozen=True)
class Kind:
    """What is counted of plays: ``count`` makes the table of a span, ``together`` one of several, in their order.

    Of each month by itself it is kept, too, ``by_month``.
    """

    name: str
    count: Callable[[Span], Counts]
    together: Callable[[Sequence[Counts]], Counts]
    by_month: bool = True


def copies_of(span: Span) -> Counts:
    """A row for each copy: ``copy``, ``TIMES``, first and last plays, the first day, and the play that is preferred to
    say what its track is: how far it is preferred, the less the more, and when the last of the most preferred was."""
    return _counted(span, _COPIES)


def days_of(span: Span) -> Counts:
    """A row for each day with a play that is heard: ``day``, ``month``, ``TIMES``, skips, the first and last play."""
    return _counted(span, _DAYS)


def songs_of(span: Span) -> Counts:
    """A row for each month with a play that is heard: ``month``, and how many ``songs``."""
    return _counted(span, _SONGS)


def hours_of(span: Span) -> Column:
    """Plays of each hour of the week, from Monday's first."""
    return _counted(span, _HOURS_OF_WEEK)["plays"]


def endings_of(span: Span) -> Counts:
    """A row for each ``reason_end``, NULL being one: ``plays``, ``skipped``, ``skip_known``."""
    return _counted(span, _ENDINGS)


def _counted(span: Span, kind: Kind) -> Counts:
    if kind.name not in span.memo:
        span.memo[kind.name] = _one(tables_of(span, kind), kind)
    return span.memo[kind.name]


def tables_of(span: Span, kind: Kind, sizes: tuple[int, ...] | None = None) -> list[Counts]:
    """Of one kind, in as few tables as there are kept ones for; what is in none is counted now."""
    if sizes is None:
        sizes = (*_TOGETHER, 1) if kind.by_month else _TOGETHER
    is_ragged = all(month.places is not None for month in span.months)
    if not sizes or not span.months or (is_ragged and not kind.by_month):
        return [kind.count(span)]
    (size, *smaller), made = sizes, []
    for _, months in groupby(span.months, lambda month: _number(month) // size):
        some = replace(span, months=tuple(months))
        if len(some.months) == size and all(month.places is None for month in some.months):
            made.append(_kept(some, kind, size, tuple(smaller)))
        else:
            made += tables_of(some, kind, tuple(smaller))
    return made


def _kept(span: Span, kind: Kind, size: int, smaller: tuple[int, ...]) -> Counts:
    """What is counted of some months, as it was before if they are the same still."""
    months = span.months
    key = f"{kind.name} of {size}", int(months[0].columns["month"][0]), span.hidden
    source = months[0].ended_before, *(id(month.columns) for month in months)
    found = span.kept.get(key)
    if found and found.source == source:
        return found.counts
    if span.hidden:  # of one choice of what is hidden, the newest
        for old in [one for one in list(span.kept) if one[2] not in (frozenset(), span.hidden)]:
            span.kept.pop(old, None)
    made = Kept(source, _one(tables_of(span, kind, smaller), kind), tuple(month.columns for month in months))
    span.kept[key] = made
    return made.counts


def _one(tables: Sequence[Counts], kind: Kind) -> Counts:
    return tables[0] if len(tables) == 1 else kind.together(tables)


def _number(month: OfMonth) -> int:
    """Months since the year 0."""
    first = date.fromordinal(date(1970, 1, 1).toordinal() + int(month.columns["month"][0]))
    return first.year * 12 + first.month - 1


def _copies(span: Span) -> Counts:
    heard = span.heard
    copies, places = numbered(span.of("copy")[heard].astype(np.intp), len(span.copies["track_id"]))
    number, at = len(copies), span.of("played_at")[heard]
    preferences = span.of("source_rank")[heard] * np.int64(_FAR) + span.of("ingested_at")[heard] // _MILLI
    preference = least(places, preferences, number)
    best = np.flatnonzero(preferences == preference[places])
    return {
        "copy": copies,
        **{name: summed(places, column, number) for name, column in times_of(span).items()},
        "first_played_at": least(places, at, number),
        "first_played_on": least(places, span.of("played_on")[heard].astype(np.int64), number),
        "last_played_at": -least(places, -at, number),
        "preference": preference,
        "preferred_at": -least(places[best], -at[best], number),
    }


def _copies_together(tables: Sequence[Counts]) -> Counts:
    is_there = np.zeros(1 + max((int(table["copy"][-1]) for table in tables if len(table["copy"])), default=0), bool)
    for table in tables:
        is_there[table["copy"]] = True
    copies = np.flatnonzero(is_there)
    place, number = np.empty(len(is_there), np.intp), len(copies)
    place[copies] = np.arange(number)
    made = {name: np.zeros(number, np.int64) for name in TIMES}
    made |= {name: np.full(number, LATE) for name in ("first_played_at", "first_played_on", "preference")}
    made |= {name: np.full(number, -LATE) for name in ("last_played_at", "preferred_at")}
    for table in tables:  # in each of them a copy is once
        of = place[table["copy"]]
        for name in TIMES:
            np.add.at(made[name], of, table[name])
        for name in ("first_played_at", "first_played_on"):
            np.minimum.at(made[name], of, table[name])
        np.maximum.at(made["last_played_at"], of, table["last_played_at"])
        preference, preferred_at = made["preference"][of], made["preferred_at"][of]
        is_as_good = (table["preference"] == preference) & (table["preferred_at"] > preferred_at)
        better = np.flatnonzero((table["preference"] < preference) | is_as_good)
        for name in ("preference", "preferred_at"):
            made[name][of[better]] = table[name][better]
    return {"copy": copies, **made}


def times_of(span: Span) -> Counts:
    """``TIMES`` of each play that is heard."""
    heard, heard_ms = span.heard, span.heard_ms[span.heard]
    is_said = span.of("ms_played")[heard] != UNKNOWN
    is_known = heard_ms != UNKNOWN
    return {
        "plays": np.ones(len(heard), np.int64),
        "heard_ms": np.where(is_known, heard_ms, 0),
        "estimated_plays": ~is_said & is_known,
        "unknown_plays": ~is_known,
    }


def _days(span: Span) -> Counts:
    heard = span.heard
    days, places = np.unique(span.of("played_on")[heard], return_inverse=True)
    at, number = span.of("played_at")[heard], len(days)
    sums = {**times_of(span), **_skips(span)}
    return {
        "day": days,
        "month": np.full(number, span.of("month")[0] if number else 0, np.int32),
        **{name: summed(places, column, number) for name, column in sums.items()},
        "first_played_at": least(places, at, number),
        "last_played_at": -least(places, -at, number),
    }


def _skips(span: Span) -> Counts:
    skipped = span.of("skipped")[span.heard]
    return {"skipped": skipped == 1, "skip_known": skipped >= 0}


def _songs(span: Span) -> Counts:
    songs = np.unique(span.of("song_id")[span.heard])
    month = span.of("month")[:1] if len(songs) else np.empty(0, np.int32)
    return {"month": month, "songs": np.full(len(month), np.count_nonzero(songs != NULL))}


def _hours(span: Span) -> Counts:
    heard = span.heard
    weekday = (span.of("played_on")[heard].astype(np.int64) + 3) % 7  # 1970 began on a Thursday
    hour = span.of("played_at_local")[heard] // _HOUR % 24
    return {"plays": np.bincount(weekday * 24 + hour, minlength=_HOURS)}


def _endings(span: Span) -> Counts:
    reasons, places = np.unique(span.of("reason_end")[span.heard], return_inverse=True)
    counted = {"plays": np.ones(len(places), np.int64), **_skips(span)}
    return {"reason_end": reasons} | {name: summed(places, column, len(reasons)) for name, column in counted.items()}


def _endings_together(tables: Sequence[Counts]) -> Counts:
    rows = joined(tables)
    reasons, places = np.unique(rows["reason_end"], return_inverse=True)
    names = ("plays", "skipped", "skip_known")
    return {"reason_end": reasons} | {name: summed(places, rows[name], len(reasons)) for name in names}


def _added(tables: Sequence[Counts]) -> Counts:
    return {name: np.sum([table[name] for table in tables], axis=0) for name in tables[0]}


def joined(tables: Sequence[Counts]) -> Counts:
    """The rows of all tables."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


_COPIES = Kind("copies", _copies, _copies_together, by_month=False)
_DAYS = Kind("days", _days, joined)
_SONGS = Kind("songs", _songs, joined)
_HOURS_OF_WEEK = Kind("hours", _hours, _added)
_ENDINGS = Kind("endings", _endings, _endings_together)
