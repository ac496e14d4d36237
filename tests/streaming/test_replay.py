"""Reading the archive at a launch: what cannot be read is told and passed over, and keeps back nothing else."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.storage.archive import Archive
from pipelines.streaming.replaying import PASSED_OVER_LINE
from tests import oracle
from tests.builders import plays
from tests.streaming.running import NOW, Script, run_stream

A, B, C, D = plays("abcd")
NOVEMBER = Calendar().month_of(A.played_at)


def broken(path: str) -> None:
    Path(path).write_bytes(Path(path).read_bytes()[:-7])


def emptied(path: str) -> None:
    Path(path).write_bytes(b"")


def not_to_be_opened(path: str) -> None:
    Path(path).unlink()
    Path(path).symlink_to(path)


@pytest.mark.parametrize("spoil", [broken, emptied, not_to_be_opened])
def test_a_file_that_cannot_be_read_is_told_and_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[str], None]
) -> None:
    archive = Archive(str(tmp_path / "archive"))
    bad = archive.write(NOVEMBER, [B])
    spoil(bad)
    archive.write(NOVEMBER, [A])
    with caplog.at_level(logging.ERROR, "heavy_rotation"):
        outcome = run_stream(tmp_path, Script().plays(C))
    assert oracle.of_rows(outcome.snapshots) == oracle.top_tens([A, C])
    told = [record.getMessage() for record in caplog.records if record.name == "heavy_rotation"]
    assert len(told) == 1
    assert told[0].startswith(PASSED_OVER_LINE.removesuffix("%s") + bad)
    assert outcome.counters["files_passed_over"] == 1


def test_a_file_that_vanished_since_it_was_listed_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    archive = Archive(str(tmp_path / "archive"))
    archive.write(NOVEMBER, [A])
    old = archive.write(NOVEMBER, [B, D])
    read_bytes = Archive.read_bytes

    def rewritten_first(self: Archive, path: str) -> bytes:
        """As by somebody who is being forgotten: D goes, B is in another file."""
        if Path(old).exists():
            archive.write(NOVEMBER, [B])
            archive.remove(old)
        return read_bytes(self, path)

    monkeypatch.setattr(Archive, "read_bytes", rewritten_first)
    outcome = run_stream(tmp_path, Script().plays(C))
    assert oracle.of_rows(outcome.snapshots) == oracle.top_tens([A, B, C])
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_plays_of_a_time_that_cannot_be_are_passed_over_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Earlier versions archived them.
    early = NOW - timedelta(days=400)
    impossible: list[Play] = [
        replace(A, played_at=NOW + timedelta(days=2), ingested_at=NOW + timedelta(days=2)),
        replace(A, ingested_at=A.played_at - timedelta(days=2)),
        replace(A, ingested_at=early.replace(year=999)),
    ]
    archive = Archive(str(tmp_path / "archive"))
    archive.write(NOVEMBER, [*impossible, B])
    with caplog.at_level(logging.WARNING, "heavy_rotation"):
        outcome = run_stream(tmp_path, Script().plays(C))
    assert oracle.of_rows(outcome.snapshots) == oracle.top_tens([B, C])
    assert "3 plays of " in caplog.text
    assert outcome.counters["plays_passed_over"] == 3


def test_what_was_ingested_long_ago_is_counted_and_not_written_again(tmp_path: Path) -> None:
    # Unless a job was stuck for a week, its row is there; what a crash may have left out is younger.
    old = [replace(p, ingested_at=NOW - timedelta(days=7, milliseconds=1)) for p in (A, B)]
    young = replace(C, ingested_at=NOW - timedelta(days=7))
    outcome = run_stream(tmp_path, Script().plays(D), archived=[*old, young])
    assert oracle.of_rows(outcome.snapshots) == oracle.top_tens([*old, young, D])
    assert sorted(row["track_id"] for row in outcome.play_events) == ["c", "d"]
