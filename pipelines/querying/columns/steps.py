"""Which steps of a cut question are made in columns, and what they made as a table for those that are not."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.domain.month import preceding
from pipelines.querying.columns.credited import Credits, credits_of, different_of, known_of
from pipelines.querying.columns.history import COPY, UNKNOWN, Histories
from pipelines.querying.columns.ranked import Ranked, ranked_of
from pipelines.querying.columns.spans import Span, plays_of_item, span_of
from pipelines.querying.columns.texts import Codes, Texts
from pipelines.querying.steps import Step
from pipelines.querying.translations import duckdb_question
from pipelines.tables.questions import parameters_of

_UTC, _LOCAL = pa.timestamp("us", "UTC"), pa.timestamp("us")
_WORDS = re.compile(r"\w+")


# Which parts are made in columns, and in which question each reads as it is meant here.
PARTS = {
    "tens": ("span", "credits", "ranked"),
    "discoveries": ("known",),
    "totals": ("different",),
    "item": ("plays_of_item", "credits"),
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


@dataclass(frozen=True)
class Known:
    """Keys of each kind."""

    texts: Texts
    of: tuple[tuple[str, Codes], ...]


@dataclass(frozen=True)
class Different:
    """How many songs, artists and albums there are."""

    of: Mapping[str, int]


Made = Span | Credits | Ranked | Known | Different


class Columns:
    """Makes steps for one database; any number of threads may ask at once."""

    def __init__(self, histories: Histories) -> None:
        self._histories = histories

    def make(
        self,
        cursor: duckdb.DuckDBPyConnection,
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
        if step.part == "span":
            first, last = values["from"], values["to"]
            history = self._histories.history(
                cursor, values["user_id"], months, preceding(first.replace(day=1)), last.replace(day=1)
            )
            return span_of(history, first, last, values.get("hidden", ()))
        if step.part == "plays_of_item":
            history = self._histories.history(cursor, values["user_id"], months, date.min, date.max)
            return plays_of_item(history, values["kind"], values["id"])
        match step.part, *read:
            case "credits", Span() as span:
                return credits_of(span)
            case "ranked", Span() as span, Credits() as credits:
                return ranked_of(span, credits, values["by"], values["kind"])
            case "known", Credits() as credits:
                first = values["from"]
                history = self._histories.history(cursor, values["user_id"], months, date.min, first.replace(day=1))
                return Known(credits.texts, known_of(history, credits, first))
            case "different", Credits() as credits:
                return Different(different_of(credits))
        return None


def size_of(made: Made) -> int:
    """How many rows there are."""
    match made:
        case Span():
            return made.size
        case Credits():
            return len(made.track_id)
        case Ranked():
            return sum(number for _, number in made.kind)
        case Known():
            return sum(len(keys) for _, keys in made.of)
        case Different():
            return 1


def table_of(made: Made, sql: str) -> pa.Table:
    """The rows as a table. Of many columns only those that are named anywhere in ``sql``."""
    words = set(_WORDS.findall(sql))
    is_wanted = words.__contains__ if isinstance(made, Span | Ranked) else lambda _: True
    columns = {name: make() for name, make in _columns(made).items() if is_wanted(name)}
    return pa.table(columns or {"nothing": pa.nulls(size_of(made), pa.int8())})


def _columns(made: Made) -> Mapping[str, Any]:
    """What makes each column."""
    match made:
        case Span():
            return _of_span(made)
        case Credits():
            texts = made.texts
            return {
                name: (lambda name=name: texts.array(getattr(made, name)))
                for name in (
                    "track_id",
                    "track_name",
                    "song_id",
                    "artist_name",
                    "artist_key",
                    "album_key",
                    "shown_album_id",
                    "album_name",
                    "album_artist",
                )
            } | {"is_album_of_spotify": lambda: pa.array(made.is_album_of_spotify)}
        case Ranked():
            return _of_ranked(made)
        case Known():
            return {
                "kind": lambda: _kinds([(kind, len(keys)) for kind, keys in made.of]),
                "key": lambda: made.texts.array(np.concatenate([keys for _, keys in made.of])),
            }
        case Different():
            return {name: (lambda number=number: pa.array([number])) for name, number in made.of.items()}


def _of_span(span: Span) -> Mapping[str, Any]:
    def instants(name: str, kind: pa.DataType) -> Any:
        return lambda: pa.array(span.of(name)).view(kind)

    return {
        **{name: (lambda name=name: span.texts.array(span.of(name))) for name in (*COPY, "reason_end")},
        "played_at": instants("played_at", _UTC),
        "played_at_local": instants("played_at_local", _LOCAL),
        "ingested_at": instants("ingested_at", _UTC),
        "played_on": lambda: pa.array(span.of("played_on")).view(pa.date32()),
        "month": lambda: _months(span),
        "skipped": lambda: pa.array(span.of("skipped") == 1, mask=span.of("skipped") < 0),
        "source_rank": lambda: pa.array(span.of("source_rank").astype(np.int64)),
        "heard_ms": lambda: pa.array(span.heard_ms, mask=span.heard_ms == UNKNOWN),
        "is_estimated": lambda: pa.array((span.of("ms_played") == UNKNOWN) & (span.of("duration_ms") != UNKNOWN)),
        "is_unknown": lambda: pa.array((span.of("ms_played") == UNKNOWN) & (span.of("duration_ms") == UNKNOWN)),
        "is_hidden": lambda: pa.array(span.is_hidden),
    }


def _months(span: Span) -> pa.Array:
    return pa.array(span.of("month")).view(pa.date32())


def _of_ranked(ranked: Ranked) -> Mapping[str, Any]:
    of, texts = ranked.columns, ranked.texts
    coded = ("key", "id", "name", "artist_name", "artist_key", "album_name", "image_url")
    plain = ("rank", "plays", "estimated_plays", "unknown_plays", "amount", "lines", "is_tied", "tied_after")
    return {
        "kind": lambda: _kinds(ranked.kind),
        **{name: (lambda name=name: texts.array(of[name])) for name in coded},
        **{name: (lambda name=name: pa.array(of[name])) for name in plain},
        "heard_ms": lambda: pa.array(of["heard_ms"], mask=of["known_plays"] == 0),
        "first_played_on": lambda: pa.array(of["first_played_on"].astype(np.int32)).view(pa.date32()),
        **{name: (lambda name=name: pa.array(of[name]).view(_UTC)) for name in ("first_played_at", "last_played_at")},
    }


def _kinds(sizes: Sequence[tuple[str, int]]) -> pa.Array:
    codes = np.repeat(np.arange(len(sizes), dtype=np.int8), [number for _, number in sizes])
    return pa.DictionaryArray.from_arrays(codes, [kind for kind, _ in sizes]).cast(pa.string())
