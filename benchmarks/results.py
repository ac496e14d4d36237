"""What was measured: tables of figures as Markdown and as JSON, with the machine and the versions they are of."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.tables import table

BEGIN, END = "<!-- measured by make bench, begin -->", "<!-- measured by make bench, end -->"
_FENCE = "```json\n"
_ORDER = ("rebuild", "engines", "stream", "import", "asking", "pages", "pages_of_ten", "start")
_PACKAGES = ("apache-beam", "polars", "duckdb", "pyarrow", "fastavro", "dask", "distributed")

Cell = str | int | float | None
# Figures by the head of their column, in its unit: ``wall s``, ``CPU s``, ``MB``.
Row = dict[str, Cell]


@dataclass(frozen=True, slots=True)
class Measured:
    """One comparison. ``about`` says what was compared and how; rows need not have the same columns."""

    name: str
    title: str
    about: str
    rows: list[Row] = field(default_factory=list)
    machine: str = ""

    def markdown(self) -> str:
        """Title, text and table."""
        head = list(dict.fromkeys(column for row in self.rows for column in row))
        cells = [[_text(row.get(column)) for column in head] for row in self.rows]
        return f"### {self.title}\n\n{self.about}\n\n{table(head, cells)}\n\n{self.machine}\n"


def write_into(path: Path, measured: Sequence[Measured]) -> None:
    """Put tables between the two marks of a document, and all of them as JSON behind them; others that are there stay.

    Raises ValueError where the document has no such place.
    """
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    old, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path} has no place for it: {BEGIN} and {END}")
    _, fence, data = old.partition(_FENCE)
    there = {one["name"]: Measured(**one) for one in json.loads(data.partition("\n```")[0])} if fence else {}
    there |= {one.name: one for one in measured}
    # Whatever has no place in the order comes last, rather than nowhere.
    tables = sorted(there.values(), key=lambda one: _ORDER.index(one.name) if one.name in _ORDER else len(_ORDER))
    text = "\n".join(one.markdown() for one in tables)
    lines = ",\n".join(json.dumps(asdict(one), ensure_ascii=False) for one in tables)
    as_json = f"<details><summary>All of it as JSON</summary>\n\n{_FENCE}[\n{lines}\n]\n```\n\n</details>"
    path.write_text(f"{before}{begin}\n\n{text}\n{as_json}\n\n{end}{after}", encoding="utf-8")


def machine() -> str:
    """The day, the machine, what else it had to do, and the versions, in a sentence."""
    names = [line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {len(os.sched_getaffinity(0))} cores of {names[0] if names else '?'}, "
        f"{memory:.0f} GB, load {os.getloadavg()[2]:.0f}, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}."
    )


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
