"""Questions for ranked lines, answered in columns: the first of a span, a page of them, what is new, and two spans."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from datetime import date
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.querying.columns.asked import Asked
from pipelines.querying.columns.counted import TIMES
from pipelines.querying.columns.credited import Credits
from pipelines.querying.columns.firsts import known_of
from pipelines.querying.columns.grouping import in_order_of_texts
from pipelines.querying.columns.history import Column
from pipelines.querying.columns.ranked import Lines, Ranked
from pipelines.querying.columns.spans import every_play

# Of so many lines it is quicker to find them than to sort all.
_FEW = 50
_NUMBERS = ("plays", "estimated_plays", "unknown_plays")
_LINE = ("kind", "key", "id", "name", "artist_name")
_COMPARED = (*_LINE, *TIMES, "rank")
_TEN = (
    "kind",
    "rank",
    "key",
    "id",
    "name",
    "artist_name",
    "artist_key",
    "album_name",
    "image_url",
    *TIMES,
    "first_played_at",
    "last_played_at",
    "is_tied",
    "tied_after",
    "lines",
)


def tens(asked: Asked) -> pa.Table:
    """As the question."""
    (ranked,) = asked.made
    keys, limit = asked.values["keys"], asked.values["limit"]
    known = ranked.credited.texts.known(keys)

    def meant(of: Lines) -> Mapping[str, Column]:
        if keys:
            return of.columns(np.flatnonzero(np.isin(of.keys, known)))
        return of.first(limit) if limit <= _FEW else of.columns(np.arange(min(limit, len(of))))

    return ranked.table(_TEN, meant)


def discoveries(asked: Asked) -> pa.Table:
    """As the question."""
    credited: Credits
    credited, ranked = asked.made
    (first, last), limit = asked.days, asked.values["limit"]
    history = asked.history(date.min, last.replace(day=1))
    known = known_of(history, credited, first)
    found: dict[str, int] = {}

    def fresh(of: Lines) -> Mapping[str, Column]:
        is_known = np.zeros(len(credited.texts) + 1, bool)
        is_known[known[of.kind]] = True
        places = np.flatnonzero(~is_known[of.keys_by_place])
        found[of.kind] = len(places)
        return of.details(of.best(places, limit))

    table = ranked.table((*_LINE, "image_url", "first_played_at", "first_played_on", *TIMES), fresh)
    numbers = {kind: min(number, limit) for kind, number in found.items()}
    since = next((int(month.columns["played_on"].min()) for month in every_play(history).months), None)
    table = table.add_column(
        1, "rank", pa.array([rank for n in numbers.values() for rank in range(1, n + 1)], pa.int64())
    )
    table = table.append_column("found", pa.array([found[kind] for kind in table["kind"].to_pylist()], pa.int64()))
    return table.append_column("known_since", pa.array([since] * table.num_rows, pa.int32()).view(pa.date32()))


def tops(asked: Asked) -> pa.Table:
    """As the question."""
    ranked: Ranked
    (ranked,) = asked.made
    values, (of,) = asked.values, ranked.of
    if values["order"] == "name":
        return _by_name(ranked, of, values["after"], values["limit"])
    order, keys, widths = of.order(values["order"])

    def numbers(rank: int) -> str:
        return "".join(f"{int(key[rank]):0{width}}" for key, width in zip(keys, widths, strict=True))

    def places(ranks: Column) -> list[str]:
        texts = ranked.table(("id", "key"), lambda of: of.columns(ranks)).to_pylist()
        return [f"{numbers(rank)} {row['id']} {row['key']}" for rank, row in zip(ranks.tolist(), texts, strict=True)]

    in_order_of_texts(order, keys, places)
    after = values["after"]
    begin = bisect_left(order, after[: sum(widths)], key=numbers)
    end = bisect_right(order, after[: sum(widths)], key=numbers)
    begin += bisect_right(places(order[begin:end]), after)
    some = order[begin : begin + values["limit"]]
    return ranked.table(_TEN, lambda of: of.columns(some)).append_column("place", pa.array(places(some), pa.string()))


def _by_name(ranked: Ranked, of: Lines, after: str, limit: int) -> pa.Table:
    """A page of ``tops`` whose places are texts: they are looked through, and only the page's own are put in order."""
    texts, (_, id_, name) = ranked.credited.texts, of.shown(np.arange(len(of)))
    key, space = texts.array(of.keys_by_place), pa.scalar(" ", pa.large_string())
    place: Any = pc.binary_join_element_wise(texts.folded(name), texts.array(id_), key, space)  # type: ignore[call-overload]
    later = pc.indices_nonzero(pc.greater(place, pa.scalar(after, pa.large_string())))
    some = later.take(pc.select_k_unstable(place.take(later), limit, [("", "ascending")]))
    table = ranked.table(_TEN, lambda of: of.columns(of.ranks(some.to_numpy())))
    return table.append_column("place", place.take(some).cast(pa.string()))


def compare(asked: Asked) -> pa.Table:
    """As the question."""
    now, before = asked.made
    limit, high = asked.values["limit"], {}
    for a, b in zip(now.of, before.of, strict=True):
        high[a.kind] = np.union1d(a.keys[:limit], b.keys[:limit])
    sides = []
    for ranked in asked.made:
        some = ranked.table(_COMPARED, lambda of: of.columns(np.flatnonzero(np.isin(of.keys, high[of.kind]))))
        sides.append({(row["kind"], row["key"]): row for row in some.to_pylist()})
    none = dict.fromkeys(_COMPARED) | dict.fromkeys(_NUMBERS, 0)
    both = []
    for kind, key in {**sides[0], **sides[1]}:
        one, other = (side.get((kind, key)) or none for side in sides)
        place = min(one["rank"] or limit + 1, other["rank"] or limit + 1)
        said = {name: other[name] if one[name] is None else one[name] for name in _LINE}
        numbers = {name: one[name] for name in (*TIMES, "rank")}
        numbers_before = {f"{name}_before": other[name] for name in (*TIMES, "rank")}
        both.append(((kind, place, one["rank"] or 0, key), {**said, **numbers, **numbers_before}))
    both.sort(key=itemgetter(0))
    names = (*_LINE, *TIMES, "rank", *(f"{name}_before" for name in (*TIMES, "rank")))
    kinds = {name: pa.string() if name in _LINE else pa.int64() for name in names}
    return pa.table({name: pa.array([row[name] for _, row in both], kinds[name]) for name in names})
