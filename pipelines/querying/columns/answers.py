"""Whole questions answered in columns: what pages ask. DuckDB would plan each for longer than it takes.

They mean what their SQL says (``pipelines/tables/questions``); tests hold both equal. Where one gives None, it is
DuckDB's.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.domain.month import following, preceding
from pipelines.querying.columns.arrays import dates, instants, local_times, time_heard
from pipelines.querying.columns.asked import Asked
from pipelines.querying.columns.counted import (
    TIMES,
    copies_of,
    days_of,
    endings_of,
    hours_of,
    songs_of,
)
from pipelines.querying.columns.credited import Credits, different_of
from pipelines.querying.columns.grouping import summed
from pipelines.querying.columns.history import Column, day_number
from pipelines.querying.columns.items import item, item_ids, item_months, item_songs
from pipelines.querying.columns.lists import compare, discoveries, tens, tops
from pipelines.querying.columns.sessions import Sessions
from pipelines.querying.columns.shown import edges
from pipelines.querying.columns.spans import Span, every_play, span_of
from pipelines.querying.columns.texts import numbered
from pipelines.querying.columns.told import known

_UTC = pa.timestamp("us", "UTC")
_DAY = 86_400_000_000


def _totals(asked: Asked) -> pa.Table:
    span: Span
    credited: Credits
    span, credited = asked.made
    of = days_of(span)
    plays = int(of["plays"].sum())
    sums = {name: pa.array([int(of[name].sum())]) for name in ("estimated_plays", "unknown_plays")}
    ends = [("first_played_at", np.min), ("last_played_at", np.max)]
    return pa.table(
        {
            "plays": [plays],
            "hidden_plays": [span.size - plays],
            "heard_ms": time_heard({name: of[name].sum(keepdims=True) for name in TIMES}),
            **sums,
            **{name: [number] for name, number in different_of(credited).items()},
            "days": [len(of["day"])],
            **{name: [int(of[name].sum())] for name in ("skipped", "skip_known")},
            **{name: pa.array([int(end(of[name]))] if plays else [None], _UTC) for name, end in ends},
        }
    )


def _days(asked: Asked) -> pa.Table:
    (span,) = asked.made
    of, (first, last) = days_of(span), asked.days
    days = np.arange(day_number(first), day_number(last) + 1, dtype=np.int32)
    places = of["day"] - day_number(first)
    filled = {name: np.zeros(len(days), np.int64) for name in TIMES}
    for name in TIMES:
        filled[name][places] = of[name]
    return pa.table({"played_on": dates(days), **_time_columns(filled)})


def _month_totals(asked: Asked) -> pa.Table:
    (span,) = asked.made
    of, songs = days_of(span), songs_of(span)
    distinct, places = np.unique(of["month"], return_inverse=True)
    sums = {name: summed(places, of[name], len(distinct)) for name in TIMES}
    days = np.bincount(places, minlength=len(distinct))
    return pa.table({"month": dates(distinct), **_time_columns(sums), "songs": songs["songs"], "days": days})


def _clock(asked: Asked) -> pa.Table:
    (span,) = asked.made
    plays = hours_of(span)
    cells = np.flatnonzero(plays)
    return pa.table({"weekday": cells // 24 + 1, "hour": cells % 24, "plays": plays[cells]})


def _endings(asked: Asked) -> pa.Table:
    (span,) = asked.made
    of = endings_of(span)
    texts = span.texts.array(of["reason_end"]).to_pylist()
    order = sorted(range(len(texts)), key=lambda row: (-int(of["plays"][row]), texts[row] is not None, texts[row]))
    columns = {name: of[name][order] for name in ("plays", "skipped", "skip_known")}
    return pa.table({"reason_end": pa.array([texts[row] for row in order], pa.string()), **columns})


def _releases(asked: Asked) -> pa.Table | None:
    (span,) = asked.made
    copy, plays = (copies_of(span)[name] for name in ("copy", "plays"))
    most = len(span.texts) + 1
    released, places = numbered(span.copies["album_release_date"][copy] + 1, most)
    texts = [(text or "")[:4] for text in span.texts.array(released - 1).to_pylist()]
    if any(text and not re.fullmatch("[0-9]+", text) for text in texts):
        return None
    of_dates = np.array([int(text) if text else -1 for text in texts], np.int64)
    years, of_year = np.unique(of_dates, return_inverse=True)
    places = of_year[places]
    pairs, _ = numbered(places * most + span.copies["song_id"][copy], len(years) * most)
    songs = np.bincount(pairs // most, minlength=len(years))
    counted = summed(places, plays, len(years))
    return pa.table({"year": pa.array(years, mask=years < 0), "plays": counted, "songs": songs})


def _streaks(asked: Asked) -> pa.Table:
    (first, last), values = map(day_number, asked.days), asked.values
    played = days_of(every_play(asked.history(date.min, date.max)))["day"].astype(np.int64)
    days = np.union1d(played, np.array([*map(day_number, values["unknown_days"])], np.int64))
    is_played = np.isin(days, played)
    # The places where each run of days begins, of those that have a day with a play.
    begins = np.flatnonzero(np.diff(days, prepend=days[:1] - 2) > 1)
    made = []
    for run, plays in zip(np.split(days, begins[1:]), np.split(is_played, begins[1:]), strict=True):
        own = run[plays]
        inside = own[(own >= first) & (own <= last)]
        if len(inside):
            many = min(own[-1], last) - max(own[0], first) + 1
            is_running = day_number(values["today"]) - run[-1] <= 1
            ends = inside[0], inside[-1], len(inside), many - len(inside), own[0], own[-1]
            made.append((*map(int, ends), bool(is_running)))
    made.sort(key=lambda row: (-row[2], row[0]))
    columns = list(zip(*made[: values["limit"]], strict=True)) or [()] * 7
    names = ("first_day", "last_day", "days", "unknown_days", "since", "until", "is_running")
    table = {name: np.array(column, np.int64) for name, column in zip(names, columns, strict=True)}
    whole: dict[str, Any] = {**table, "is_running": table["is_running"].astype(bool)}
    whole |= {name: dates(table[name]) for name in ("first_day", "last_day", "since", "until")}
    return pa.table(whole)


def _sessions(asked: Asked) -> pa.Table:
    first, last = asked.days
    begin, end = preceding(first.replace(day=1)), following(last.replace(day=1))
    history = asked.history(preceding(begin), end)
    of = Sessions(span_of(history, begin, following(end) - timedelta(days=1), ()))
    local, limit = of.started_at_local, asked.values["limit"]
    places = np.flatnonzero((local >= day_number(first) * _DAY) & (local < (day_number(last) + 1) * _DAY))
    started_at, ended_at = of.started_at[places], of.ended_at[places]
    lasted_ms = ended_at // 1000 - started_at // 1000
    best = np.arange(len(places))
    if limit < len(places):  # to sort all takes longer
        best = np.flatnonzero(lasted_ms >= np.partition(lasted_ms, -limit)[-limit])
    best = best[np.lexsort((started_at[best], -lasted_ms[best]))][:limit]
    rows = of.rows(places[best])
    times = _time_columns(rows)
    columns: dict[str, Any] = {
        "started_at": instants(started_at[best]),
        "ended_at": instants(ended_at[best]),
        "started_at_local": local_times(local[places[best]]),
        "ended_at_local": local_times(rows["ended_at_local"]),
        "started_on": dates(local[places[best]] // _DAY),
        "plays": times.pop("plays"),
        "seconds": lasted_ms[best] // 1000,
        **times,
        "is_at_least": rows["is_at_least"],
        "sessions": np.full(len(best), len(places)),
    }
    return pa.table(columns)


def _time_columns(of: Mapping[str, Column]) -> dict[str, Any]:
    return {name: time_heard(of) if name == "heard_ms" else of[name] for name in TIMES}


@dataclass(frozen=True)
class Answer:
    """What makes a question's answer of which of its steps, by their parts and in their order: those that are made in
    columns, and after them those that DuckDB gives as ``tables``."""

    make: Callable[[Asked], pa.Table | None]
    parts: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


ANSWERS = {
    "totals": Answer(_totals, ("span", "credits")),
    "tens": Answer(tens, ("ranked",)),
    "tops": Answer(tops, ("ranked",)),
    "discoveries": Answer(discoveries, ("credits", "ranked")),
    "compare": Answer(compare, ("ranked",)),
    "days": Answer(_days, ("span",)),
    "month_totals": Answer(_month_totals, ("span",)),
    "clock": Answer(_clock, ("span",)),
    "releases": Answer(_releases, ("span",)),
    "edges": Answer(edges, ("span",)),
    "endings": Answer(_endings, ("span",)),
    "streaks": Answer(_streaks),
    "sessions": Answer(_sessions),
    "known": Answer(known, ("told_by_plays",), tables=("told_by_sources",)),
    "item": Answer(item, ("chosen",)),
    "item_ids": Answer(item_ids, ("chosen",)),
    "item_songs": Answer(item_songs, ("chosen",)),
    "item_months": Answer(item_months, ("chosen",), tables=("in_tens",)),
}
