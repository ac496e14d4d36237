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

    def markdown(self) -> str:
        """Title, text and table."""
        head = list(dict.fromkeys(column for row in self.rows for column in row))
        cells = [[_text(row.get(column)) for column in head] for row in self.rows]
        return f"### {self.title}\n\n{self.about}\n\n{table(head, cells)}\n"


def markdown(measured: Sequence[Measured], machine: str) -> str:
    """All of it, and once more as JSON."""
    data = json.dumps({"machine": machine, "measured": [asdict(one) for one in measured]}, ensure_ascii=False)
    parts = [one.markdown() for one in measured]
    return "\n".join(
        [f"{machine}\n", *parts, f"<details><summary>As JSON</summary>\n\n```json\n{data}\n```\n\n</details>\n"]
    )


def write_into(path: Path, text: str) -> None:
    """Put the text between the two marks of a document. Raises ValueError where it has none."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path} has no place for it: {BEGIN} and {END}")
    path.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


def machine() -> str:
    """The day, the machine and the versions, in a sentence."""
    names = [line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {len(os.sched_getaffinity(0))} cores of {names[0] if names else '?'}, "
        f"{memory:.0f} GB, {platform.system()}, Python {platform.python_version()}, {versions}."
    )


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
