"""An import of an invented lifetime, into archives that know nothing, a part and all of it."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from benchmarks.process import Used, median, run_python
from benchmarks.results import Measured, Row
from benchmarks.settings import Settings
from demo.catalogue import Track
from demo.export import write_export
from demo.listener import Listen, Listener
from demo.spotify_feed import MIN_MS_PLAYED, write_item
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


_ABOUT = """\
`heavy-rotation import` of thirteen years of one listener as an extended export, 19 files in a zip: on no archive, on an
empty one, on one in which polls have put the last year into thousands of files of three plays, and on that again."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one import used; ``rows`` are those of the export, ``written`` the plays that were new."""

    rows: int
    written: int
    used: Used


def measure(settings: Settings) -> Iterator[Measured]:
    """One table. Raises BenchmarkError."""
    listener, days = Listener(settings.seed), _DAYS * settings.share
    found: dict[str, list[Figures]] = {}
    settings.say("import")
    with settings.folder() as folder:
        export = write_export(
            folder / "my_spotify_data.zip",
            listener.listens(_ENDS - timedelta(days=days), _ENDS),
            rows_per_file=_ROWS_OF_A_FILE,
        )
        polled = Archive(str(folder / "polled"))
        _poll(polled, listener.listens(_ENDS - timedelta(days=min(days, _POLLED_DAYS)), _ENDS))
        for _ in range(settings.runs):
            shutil.rmtree(folder / "empty", ignore_errors=True)
            shutil.rmtree(folder / "state", ignore_errors=True)
            shutil.copytree(polled.root, folder / "copy")
            copy = ("--archive", str(folder / "copy"))
            for name, options in (
                ("none: a dry run", ("--dry-run",)),
                ("empty", ("--archive", str(folder / "empty"))),
                ("a year of it was polled", copy),
                ("the same export again", copy),
            ):
                found.setdefault(name, []).append(_import(folder, export, *options))
            shutil.rmtree(folder / "copy")
    yield Measured("import", "Import", _ABOUT, [_row(name, each) for name, each in found.items()])


def _row(archive: str, figures: list[Figures]) -> Row:
    rows, used = figures[0].rows, median([each.used for each in figures])
    return {
        "archive": archive,
        "rows": rows,
        "written": figures[0].written,
        "wall s": used.seconds,
        "CPU s": used.cpu_seconds,
        "rows a CPU s": round(rows / used.cpu_seconds),
        "peak MB": round(used.peak_mb),
    }


def _import(folder: Path, export: Path, *options: str) -> Figures:
    log = folder / "import.log"
    own = ("--user", _USER, "--state", str(folder / "state"), "--logins", str(folder / "logins"))
    used = run_python(["-m", "heavy_rotation", "import", str(export), *own, *options], log, _LONGEST_SECONDS)
    said = dict(re.findall(r"^(read|written) +([\d,]+)", log.read_text(), re.MULTILINE))
    rows, written = (int(said[what].replace(",", "")) for what in ("read", "written"))
    return Figures(rows, written, used)


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
