"""Plays counted together: by copy, by day, by hour of the week, by ending.

A span's counts are those of its months, which are kept with the history, and of copies those of some months in a row:
so a long span costs what is different in it, and not its plays. What is kept is looked at anew where a month has
changed, since a month that changes gets other columns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import groupby

import numpy as np

from pipelines.querying.columns.grouping import least
from pipelines.querying.columns.history import UNKNOWN, Column, Kept
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


def copies_of(span: Span) -> Counts:
    """A row for each copy: ``copy``, ``TIMES``, first and last plays, the first day, and the play that is preferred to
    say what its track is: how far it is preferred, the less the more, and when the last of the most preferred was."""
    if "copies" not in span.memo:
        span.memo["copies"] = _one_table(span)
    return span.memo["copies"]


def is_heard(span: Span) -> Column:
    """For each copy of the history whether any play of the span has it."""
    found = np.zeros(len(span.copies["track_id"]), bool)
    for table in _tables_of_copies(span):
        found[table["copy"]] = True
    return found


def days_of(span: Span) -> Counts:
    """A row for each day with a play that is heard: ``day``, ``month``, ``TIMES``, skips, the first and last play."""
    return _joined(of_months(span, "days", _days))


def songs_of(span: Span) -> Counts:
    """A row for each month with a play that is heard: ``month``, and how many ``songs``."""
    return _joined(of_months(span, "songs", _songs))


def hours_of(span: Span) -> Column:
    """Plays of each hour of the week, from Monday's first."""
    return np.sum([one["plays"] for one in of_months(span, "hours", _hours)] or [np.zeros(_HOURS, np.int64)], axis=0)


def endings_of(span: Span) -> Counts:
    """A row for each ``reason_end``, NULL being one: ``plays``, ``skipped``, ``skip_known``."""
    rows = _joined(of_months(span, "endings", _endings))
    reasons, places = np.unique(rows["reason_end"], return_inverse=True)
    names = ("plays", "skipped", "skip_known")
    return {"reason_end": reasons} | {name: _sum(places, rows[name], len(reasons)) for name in names}


def of_months(span: Span, name: str, count: Callable[[Span], Counts]) -> list[Counts]:
    """What is counted of each month of a span, kept of whole ones."""
    made = []
    for month in span.months:
        found = None if month.places is not None else span.kept.get((name, int(month.columns["month"][0]), span.hidden))
        is_same = found and found.columns[0] is month.columns and found.source[0] == month.ended_before
        made.append(found.counts if found and is_same else _kept(span, (month,), name, count))
    return made or [count(span)]


def _kept(span: Span, months: tuple[OfMonth, ...], name: str, count: Callable[[Span], Counts]) -> Counts:
    """What is counted of some months, as it was before if they are the same still."""
    if any(month.places is not None for month in months):
        return count(replace(span, months=months))
    key = name, int(months[0].columns["month"][0]), span.hidden
    source = months[0].ended_before, *(id(month.columns) for month in months)
    found = span.kept.get(key)
    if found and found.source == source:
        return found.counts
    if span.hidden:  # of one choice of what is hidden, the newest
        for old in [one for one in list(span.kept) if one[2] not in (frozenset(), span.hidden)]:
            span.kept.pop(old, None)
    made = Kept(source, count(replace(span, months=months)), tuple(month.columns for month in months))
    span.kept[key] = made
    return made.counts


def _number(month: OfMonth) -> int:
    """Months since the year 0."""
    first = date.fromordinal(date(1970, 1, 1).toordinal() + int(month.columns["month"][0]))
    return first.year * 12 + first.month - 1


def _tables_of_copies(span: Span, sizes: tuple[int, ...] | None = None) -> list[Counts]:
    """Rows of copies, in as few tables as there are kept ones for; what is in none is counted now."""
    if all(month.places is not None for month in span.months):
        return [_copies(span)]
    size, *smaller = sizes or _TOGETHER
    made: list[Counts] = []
    for _, months in groupby(span.months, lambda month: _number(month) // size):
        some = tuple(months)
        if len(some) == size and all(month.places is None for month in some):
            made.append(_kept(span, some, f"copies of {size}", partial(_one_table, sizes=tuple(smaller))))
        else:
            made += _smaller(replace(span, months=some), tuple(smaller))
    return made


def _smaller(span: Span, sizes: tuple[int, ...]) -> list[Counts]:
    return _tables_of_copies(span, sizes) if sizes else [_copies(span)]


def _one_table(span: Span, sizes: tuple[int, ...] | None = None) -> Counts:
    tables = _smaller(span, _TOGETHER if sizes is None else sizes)
    return tables[0] if len(tables) == 1 else _together(tables, len(span.copies["track_id"]))


def _together(tables: Sequence[Counts], most: int) -> Counts:
    """Rows of copies, one for each."""
    rows = _joined(tables)
    copies, places = numbered(rows["copy"], most)
    number = len(copies)

    def lowest(name: str) -> Column:
        return least(places, rows[name], number)

    preference = lowest("preference")
    best = np.flatnonzero(rows["preference"] == preference[places])
    return {
        "copy": copies.astype(np.int32),
        **{name: _sum(places, rows[name], number) for name in TIMES},
        "first_played_at": lowest("first_played_at"),
        "first_played_on": lowest("first_played_on"),
        "last_played_at": -least(places, -rows["last_played_at"], number),
        "preference": preference,
        "preferred_at": -least(places[best], -rows["preferred_at"][best], number),
    }


def _copies(span: Span) -> Counts:
    heard = span.heard
    at = span.of("played_at")[heard]
    row = {
        "copy": span.of("copy")[heard],
        **times_of(span),
        "first_played_at": at,
        "first_played_on": span.of("played_on")[heard].astype(np.int64),
        "last_played_at": at,
        "preference": span.of("source_rank")[heard] * np.int64(_FAR) + span.of("ingested_at")[heard] // _MILLI,
        "preferred_at": at,
    }
    return _together([row], len(span.copies["track_id"]))


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
        **{name: _sum(places, column, number) for name, column in sums.items()},
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
    return {"reason_end": reasons} | {name: _sum(places, column, len(reasons)) for name, column in counted.items()}


def _joined(tables: Sequence[Counts]) -> Counts:
    return (
        {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
        if len(tables) > 1
        else tables[0]
    )


def _sum(places: Column, values: Column, number: int) -> Column:
    """For each place the sum of its values; exact below 2**53."""
    return np.bincount(places, values, number).astype(np.int64)
