"""``python -m producer import`` of an invented lifetime, on archives that know nothing, a part and all of it:
``python -m benchmarks.importing``.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from benchmarks.process import BenchmarkError, Used, run_python
from benchmarks.tables import table
from demo.catalogue import Track
from demo.export import write_export
from demo.listener import Listen, Listener
from demo.spotify_feed import MIN_MS_PLAYED, write_item
from pipelines.command import stopped_like_ctrl_c
from pipelines.domain.month import Calendar
from pipelines.domain.spotify import from_recently_played
from pipelines.storage.archive import Archive

_USER = "listener"
_ENDS = datetime(2026, 11, 1, tzinfo=UTC)
_DAYS = 365.25 * 13
_POLLED_DAYS = 365
# What a listener plays between two polls.
_PLAYS_OF_A_POLL = 3
_ROWS_OF_A_FILE = 16_000
_LONGEST_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Figures:
    """What one import used; ``rows`` are those of the export, ``written`` the plays that were new."""

    name: str
    rows: int
    written: int
    used: Used


def measure(days: float, seed: int) -> Iterator[Figures]:
    """Invent an export and what was polled, and import it again and again. Raises BenchmarkError."""
    listener = Listener(seed)
    with tempfile.TemporaryDirectory(prefix="heavy-rotation-") as name:
        folder = Path(name)
        export = write_export(
            folder / "my_spotify_data.zip",
            listener.listens(_ENDS - timedelta(days=days), _ENDS),
            rows_per_file=_ROWS_OF_A_FILE,
        )
        yield _import("dry run", folder, export, "--dry-run")
        yield _import("empty archive", folder, export, "--archive", str(folder / "empty"))
        polled = Archive(str(folder / "polled"))
        _poll(polled, listener.listens(_ENDS - timedelta(days=min(days, _POLLED_DAYS)), _ENDS))
        yield _import("a year of it was polled", folder, export, "--archive", polled.root)
        yield _import("the same export again", folder, export, "--archive", polled.root)


def _import(name: str, folder: Path, export: Path, *options: str) -> Figures:
    log = folder / "import.log"
    own = ("--user", _USER, "--state", str(folder / "state"), "--logins", str(folder / "logins"))
    used = run_python(["-m", "producer", "import", str(export), *own, *options], log, _LONGEST_SECONDS)
    said = dict(re.findall(r"^(read|written) +([\d,]+)", log.read_text(), re.MULTILINE))
    rows, written = (int(said[what].replace(",", "")) for what in ("read", "written"))
    return Figures(name, rows, written, used)


def _poll(archive: Archive, listens: Iterator[Listen]) -> None:
    """Plays as polls put them into an archive: a file for every few of them."""
    calendar = Calendar()
    plays = (
        from_recently_played(_USER, write_item(listen), listen.ended_at + timedelta(minutes=5))
        for listen in listens
        if isinstance(listen.what, Track) and listen.ms_played > MIN_MS_PLAYED
    )
    while some := list(islice(plays, _PLAYS_OF_A_POLL)):
        for month in {calendar.month_of(play.played_at) for play in some}:
            archive.write(month, [play for play in some if calendar.month_of(play.played_at) == month])


def _table(all_figures: Sequence[Figures]) -> str:
    head = ("archive", "rows", "written", "seconds", "rows/s", "CPU seconds", "rows/CPU s", "peak MB")
    return table(
        head,
        [
            (
                each.name,
                f"{each.rows:,}",
                f"{each.written:,}",
                f"{each.used.seconds:.1f}",
                f"{each.rows / each.used.seconds:,.0f}",
                f"{each.used.cpu_seconds:.1f}",
                f"{each.rows / each.used.cpu_seconds:,.0f}",
                f"{each.used.peak_mb:,.0f}",
            )
            for each in all_figures
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and print the figures. Exit code 1 where there are none."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.importing", description=__doc__, allow_abbrev=False)
    parser.add_argument("--share", type=float, default=1, help="of the years, for a quick look (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="of what was played (default: %(default)s)")
    options = parser.parse_args(argv)
    try:
        with stopped_like_ctrl_c():
            figures = list(measure(_DAYS * options.share, options.seed))
    except BenchmarkError as error:
        print(f"benchmark: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    print(_table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
