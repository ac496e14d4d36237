"""One stream at a time for one archive, whoever asks, whatever ended the last one."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, current_thread, main_thread
from typing import Any

import pytest

from pipelines.domain.instants import parse
from pipelines.streaming import lease as lease_module
from pipelines.streaming.lease import Lease, LeaseError

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def lease(folder: Path, now: datetime = NOW, lost: Event | None = None) -> Lease:
    return Lease(str(folder), lambda: now, (lost or Event()).set)


def written(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "stream.json").read_text())
    return content


def write(folder: Path, **changed: object) -> None:
    (folder / "stream.json").write_text(json.dumps(written(folder) | changed))


def test_a_second_stream_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    with lease(tmp_path), pytest.raises(LeaseError) as refused, lease(tmp_path):
        pass
    assert str(refused.value).startswith(f"process {os.getpid()} on {socket.gethostname()} streams into this archive")


def test_what_ended_well_leaves_nothing(tmp_path: Path) -> None:
    with lease(tmp_path) as held:
        assert held.since == NOW
        held.ended_well = True
    assert not list(tmp_path.glob("*.json"))


def test_the_next_one_learns_when_those_began_that_did_not_end_well(tmp_path: Path) -> None:
    for days in range(3):
        with lease(tmp_path, NOW + timedelta(days=days)) as held:
            assert held.since == NOW
    with lease(tmp_path, NOW + timedelta(days=3)) as held:
        held.ended_well = True
    with lease(tmp_path, NOW + timedelta(days=4)) as held:
        assert held.since == NOW + timedelta(days=4)


def test_of_another_machine_it_ends_half_a_minute_after_the_last_renewal(tmp_path: Path) -> None:
    with lease(tmp_path):
        write(tmp_path, host="another")
    assert written(tmp_path)["process"] == os.getpid()
    with pytest.raises(LeaseError), lease(tmp_path, NOW + timedelta(seconds=30)):
        pass
    with lease(tmp_path, NOW + timedelta(seconds=30.001)) as held:
        assert held.since == NOW


def test_from_a_process_of_this_machine_that_is_gone_it_is_taken_over_at_once(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with lease(tmp_path):
        write(tmp_path, process=gone.pid)
    with lease(tmp_path) as held:
        assert held.since == NOW
    running = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        write(tmp_path, process=running.pid)
        with pytest.raises(LeaseError), lease(tmp_path):
            pass
    finally:
        running.communicate()


def test_a_damaged_lease_keeps_nobody_out(tmp_path: Path) -> None:
    (tmp_path / "stream.json").write_text('{"host": 1')
    with lease(tmp_path) as held:
        assert held.since == NOW


def test_it_is_renewed_and_the_one_it_was_taken_from_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "_RENEW_SECONDS", 0.05)
    lost, is_taken, times = Event(), Event(), iter(range(10**6))

    def clock() -> datetime:
        """The second renewal waits until the lease is taken: it would come between another's reading and writing."""
        time = next(times)
        if current_thread() is not main_thread() and time >= 2:
            is_taken.wait(10)
        return NOW + timedelta(seconds=time)

    with Lease(str(tmp_path), clock, lost.set) as held:
        first = written(tmp_path)["renewed_at"]
        for _ in range(200):
            if written(tmp_path)["renewed_at"] != first:
                break
            Event().wait(0.05)
        assert parse(written(tmp_path)["renewed_at"]) > parse(first)
        with lease(tmp_path, NOW + timedelta(days=1)):
            is_taken.set()
            assert lost.wait(10)
            assert isinstance(held.error, LeaseError)
            theirs = written(tmp_path)
        held.ended_well = True
    assert written(tmp_path)["renewed_at"] == theirs["renewed_at"]
