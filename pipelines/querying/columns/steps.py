"""Which steps of a cut question are made in columns, and what they made as a table for those that are not."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache, partial
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.domain.month import preceding
from pipelines.querying.columns.answers import ANSWERS
from pipelines.querying.columns.arrays import dates, instants, local_times
from pipelines.querying.columns.asked import Asked
from pipelines.querying.columns.credited import (
    Counted,
    Credits,
    chosen_of,
    credits_of,
    credits_of_counted,
    plays_of_item,
    table_of_credits,
)
from pipelines.querying.columns.history import COPY, UNKNOWN, Column, Connect, Histories, History
from pipelines.querying.columns.ranked import COLUMNS, KINDS, Ranked, ranked_of
from pipelines.querying.columns.searching import holding_of, matching_of
from pipelines.querying.columns.spans import Span, every_play, span_of
from pipelines.querying.columns.texts import numbered
from pipelines.querying.columns.told import told_by_plays
from pipelines.querying.steps import Step
from pipelines.querying.translations import duckdb_question
from pipelines.tables.questions import parameters_of

_WORDS = re.compile(r"\w+")


# Which parts are made in columns, and in which question each reads as it is meant here.
PARTS = {
    "tens": ("span", "credits", "ranked"),
    "item": ("plays_of_item", "credits", "chosen"),
    "history": ("matching",),
    "known": ("told_by_plays",),
    "search": ("every_play", "credits", "holding"),
}
_EMPTY: tuple[frozenset[str], ...] = (frozenset(), frozenset({"hidden"}))


@cache
def _texts() -> frozenset[str]:
    """The steps that are made in columns: a question may have a common table by the name of a part and mean another."""
    return frozenset(
        step.sql
        for question, parts in PARTS.items()
        for empty in _EMPTY
        for step in duckdb_question(question, empty.intersection(parameters_of(question))).steps
        if step.part in parts
    )


# What a step gives: what other steps go on with in columns, or the table.
Made = Span | Counted | Credits | Ranked | pa.Table


class Columns:
    """Makes steps for one database; any number of threads may ask at once."""

    def __init__(self, histories: Histories) -> None:
        self._histories = histories

    def make(
        self,
        cursor: Connect,
        step: Step,
        values: Mapping[str, Any],
        read: Sequence[Made | None],
        months: Mapping[date, int],
    ) -> Made | None:
        """What a step gives; None for one that is DuckDB's, or reads one.

        ``values`` are by the names that they have in its part, ``months`` those of the table ``plays``, which has all
        that it reads. Raises duckdb.Error.
        """
        if step.sql not in _texts():
            return None

        def history(first: date = date.min, last: date = date.max) -> History:
            return self._histories.history(cursor, values["user_id"], months, first, last.replace(day=1))

        match step.part, *read:
            case ["span"]:
                first, last = values["from"], values["to"]
                before = preceding(first.replace(day=1))
                return span_of(history(before, last), first, last, values.get("hidden", ()))
            case ["matching"]:
                first, last = values["from"], values["to"]
                found = history(first.replace(day=1), last)
                return matching_of(found, first, last, values["q"], values["before"], values["limit"])
            case ["told_by_plays"]:
                first, last = values["from"].replace(day=1), values["to"]
                return told_by_plays(history(first, last), values["kind"], values["ids"], first, last)
            case ["every_play"]:
                return every_play(history())
            case ["plays_of_item"] if values["kind"] in KINDS:
                return plays_of_item(history(), values["kind"], values["id"])
            case "credits", Span() as span:
                return credits_of(span)
            case "credits", Counted() as plays:
                return credits_of_counted(plays)
            case "ranked", Span() as span, Credits() as credits:
                return ranked_of(span, credits, values["by"], values["kind"])
            case "chosen", Credits() as credits:
                return chosen_of(history(), credits, values["kind"], values["id"])
            case "holding", Span(), Credits() as credits:
                return holding_of(credits, values["q"])
        return None

    def answer(
        self,
        cursor: Connect,
        question: str,
        values: Mapping[str, Any],
        made: Sequence[Made],
        months: Mapping[date, int],
    ) -> pa.Table | None:
        """The answer of a question from the steps that ``ANSWERS`` names; None where it is DuckDB's."""

        def history(first: date, last: date) -> History:
            return self._histories.history(cursor, values["user_id"], months, first, last)

        return ANSWERS[question].make(Asked(values, tuple(made), history))


def size_of(made: Made) -> int:
    """How many rows there are."""
    match made:
        case Span():
            return made.size
        case Counted():
            return len(made.counts["copy"])
        case Credits():
            return len(made.track_id)
        case Ranked():
            return len(made)
        case _:
            return int(made.num_rows)


def table_of(made: Made, sql: str) -> pa.Table:
    """The rows as a table, plays by themselves. Of many columns only those that are named anywhere in ``sql``."""
    match made:
        case Credits():
            return table_of_credits(made)
        case Ranked():
            words = set(_WORDS.findall(sql))
            return made.table(name for name in COLUMNS if name in words)
        case Span():
            words = set(_WORDS.findall(sql))
            columns = {name: make() for name, make in _of_span(made).items() if name in words}
            return pa.table(columns or {"nothing": pa.nulls(size_of(made), pa.int8())})
    assert isinstance(made, pa.Table), "plays that are counted are for answers in columns"
    return made


def _of_span(span: Span) -> Mapping[str, Any]:
    @cache
    def own() -> tuple[Column, pa.Array]:
        copies, places = numbered(span.of("copy"), len(span.copies["track_id"]))
        return copies, pa.array(places)

    def text(name: str) -> pa.Array:
        """Few texts, each of many plays: DuckDB is given which it is of each, and compares those."""
        copies, places = own()
        return span.texts.array(span.copies[name][copies]).dictionary_encode().take(places)

    return {
        **{name: partial(text, name) for name in COPY},
        "reason_end": lambda: span.texts.array(span.of("reason_end")),
        "played_at": lambda: instants(span.of("played_at")),
        "played_at_local": lambda: local_times(span.of("played_at_local")),
        "ingested_at": lambda: instants(span.of("ingested_at")),
        "played_on": lambda: dates(span.of("played_on")),
        "month": lambda: dates(span.of("month")),
        "skipped": lambda: pa.array(span.of("skipped") == 1, mask=span.of("skipped") < 0),
        "source_rank": lambda: pa.array(span.of("source_rank").astype(np.int64)),
        "heard_ms": lambda: pa.array(span.heard_ms, mask=span.heard_ms == UNKNOWN),
        "is_estimated": lambda: pa.array((span.of("ms_played") == UNKNOWN) & (span.of("duration_ms") != UNKNOWN)),
        "is_unknown": lambda: pa.array((span.of("ms_played") == UNKNOWN) & (span.of("duration_ms") == UNKNOWN)),
        "is_hidden": lambda: pa.array(span.is_hidden),
    }
