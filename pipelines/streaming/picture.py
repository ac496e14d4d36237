"""The stream's graph as text and as SVG: its named steps, and what goes from one to another.

Only steps of the first level are drawn, with the names of those within them; what Beam adds has no name of ours.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import Any

import apache_beam as beam
from apache_beam.io.gcp.pubsub import ReadFromPubSub
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pvalue import PCollection

from pipelines.domain.month import Calendar
from pipelines.streaming.graph import build
from pipelines.streaming.settings import StreamOptions
from pipelines.warehouse.json_rows import Row

_WIDTH, _HEIGHT = 250, 52
_ACROSS, _DOWN = 290, 92
_MARGIN = 20


@dataclass(frozen=True, slots=True)
class Step:
    """A step, the named steps within it, and the steps that its output goes to, in the graph's order."""

    name: str
    within: tuple[str, ...]
    next: tuple[str, ...]


def steps_of_stream() -> list[Step]:
    """The graph from Pub/Sub to the tables. Nothing is asked for or made: a graph is a plan."""
    options = StreamOptions("projects/a-project/subscriptions/plays", "archive", "", Calendar(), 60, timedelta(), 1, 1)
    pipeline = beam.Pipeline(options=PipelineOptions([], runner="BundleBasedDirectRunner", streaming=True))
    read = ReadFromPubSub(subscription=options.subscription, with_attributes=True)
    build(pipeline | "Read from Pub/Sub" >> read, options, _Nowhere())
    graph = pipeline.to_runner_api().components
    (root,) = set(graph.transforms) - {child for each in graph.transforms.values() for child in each.subtransforms}
    steps = [graph.transforms[each] for each in graph.transforms[root].subtransforms]
    return [
        Step(
            name=step.unique_name,
            within=tuple(_named(graph.transforms[each].unique_name for each in step.subtransforms)),
            next=tuple(other.unique_name for other in steps if {*other.inputs.values()} & {*step.outputs.values()}),
        )
        for step in steps
    ]


def as_text(steps: list[Step]) -> str:
    """A step a line, what is within it, and an arrow to each step that it feeds."""
    lines = []
    for step in steps:
        lines.append(step.name + (f"  ({', '.join(step.within)})" if step.within else ""))
        lines += [f"  -> {following}" for following in step.next]
    return "\n".join(lines)


def as_svg(steps: list[Step]) -> str:
    """The same as a picture, from top to bottom, which is readable on light and on dark pages."""
    places = _places(steps)
    width = 2 * _MARGIN + max(column for _, column in places.values()) * _ACROSS + _WIDTH
    height = 2 * _MARGIN + max(row for row, _ in places.values()) * _DOWN + _HEIGHT
    arrows = [_arrow(places[step.name], places[after]) for step in steps for after in step.next]
    boxes = [_box(step, places[step.name]) for step in steps]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'font-family="system-ui, sans-serif" text-anchor="middle" role="img">',
            "<title>The steps of the stream</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
            '<path d="M0 0L8 4L0 8z" fill="#1a8f4c"/></marker></defs>',
            f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
            *arrows,
            *boxes,
            "</svg>",
            "",
        ]
    )


def _places(steps: list[Step]) -> dict[str, tuple[int, int]]:
    """Row and column of each step: below all that feed it, and under the first of them if there is room.

    Steps come after those that feed them. What nothing feeds is right above what it feeds, and what feeds nothing gives
    way to what goes on.
    """
    feeders = {step.name: [other for other in steps if step.name in other.next] for step in steps}
    rows: dict[str, int] = {}
    for step in steps:
        rows[step.name] = max((rows[feeder.name] + 1 for feeder in feeders[step.name]), default=0)
    for step in steps:
        if not feeders[step.name] and step.next:
            rows[step.name] = min(rows[following] for following in step.next) - 1
    places: dict[str, tuple[int, int]] = {}
    for step in sorted(steps, key=lambda step: (rows[step.name], not step.next)):
        row, column = rows[step.name], min((places[feeder.name][1] for feeder in feeders[step.name]), default=0)
        while (row, column) in places.values():
            column += 1
        places[step.name] = row, column
    return places


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    row, column = place
    return _MARGIN + column * _ACROSS, _MARGIN + row * _DOWN


def _arrow(one: tuple[int, int], other: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = _corner(one), _corner(other)
    start, end, half = y1 + _HEIGHT, y2, _WIDTH // 2
    middle = (start + end) // 2
    return (
        f'<path d="M{x1 + half} {start}C{x1 + half} {middle} {x2 + half} {middle} {x2 + half} {end}" fill="none" '
        'stroke="#1a8f4c" stroke-width="1.5" marker-end="url(#tip)"/>'
    )


def _box(step: Step, place: tuple[int, int]) -> str:
    x, y = _corner(place)
    middle = x + _WIDTH // 2
    name = f'<text x="{middle}" y="{y + (23 if step.within else 31)}" font-size="15">{escape(step.name)}</text>'
    within = f'<text x="{middle}" y="{y + 40}" font-size="10" fill="#555555">{escape(" · ".join(step.within))}</text>'
    box = f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="#eaf7ef" stroke="#1a8f4c"/>'
    return box + name + (within if step.within else "")


def _named(names: Iterable[str]) -> Iterable[str]:
    last = (name.rpartition("/")[2] for name in names)
    return (name for name in last if "(" not in name)


class _Nowhere:
    """A sink for a graph that is looked at and not run."""

    def __call__(self, table: str) -> beam.PTransform:
        return _Write(table)

    def append(self, _table: str, _rows: object) -> set[int]:
        raise NotImplementedError


@dataclass
class _Write(beam.PTransform):
    table: str

    def expand(self, rows: PCollection[Row]) -> Any:
        return rows | f"To {self.table}" >> beam.Map(lambda row: row)
