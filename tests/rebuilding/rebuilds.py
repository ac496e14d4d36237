"""Rebuilds in a folder, for tests: an archive, the command, and what is in the tables then."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.querying import duck
from pipelines.rebuild import main
from pipelines.storage.archive import Archive
from pipelines.warehouse.folder import FolderWarehouse
from tests.builders import play, plays
from tests.streaming.running import rows

TABLES = ("play_events", "top_ten_snapshots")
A, B, C = plays("abc")
OCTOBER_PLAY = play("2026-10-10T10:00:00Z", "october")


def archive(folder: Path, *files: Sequence[Play], zone: str = "Europe/Paris") -> Archive:
    """The archive in a folder, with a file more for each month of each list of plays."""
    calendar, made = Calendar(zone), Archive(str(folder / "archive"))
    for some in files:
        for month in {calendar.month_of(p.played_at) for p in some}:
            made.write(month, [p for p in some if calendar.month_of(p.played_at) == month])
    return made


def arguments(folder: Path, *more: str) -> list[str]:
    return [f"--archive={folder / 'archive'}", f"--warehouse={folder / 'warehouse'}", *more]


def run(folder: Path, *more: str) -> int:
    return main(arguments(folder, *more))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of the warehouse."""
    warehouse = folder / "warehouse"
    return {str(p.relative_to(warehouse)): p.read_bytes() for p in warehouse.rglob("*") if p.is_file()}


def tracks(folder: Path) -> list[str]:
    """The tracks of play_events, as its rows are, in the order of time."""
    return [row["track_id"] for row in sorted(rows(folder, "play_events"), key=lambda row: row["played_at"])]


def view(folder: Path, sql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = duck.query(FolderWarehouse.open(folder / "warehouse"), sql).to_pylist()
    return found


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in (folder / "warehouse").iterdir() if p.name not in ("warehouse.json", *TABLES))
