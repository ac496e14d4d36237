"""The rebuild on a cluster of Dask: the answers of the local runner, also when a worker is killed in the middle."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.answers import check_same_tables
from benchmarks.clusters import ROOT, DaskCluster
from benchmarks.process import cpu_seconds
from tests.engines.rebuilds import Rebuilds, Rebuilt, check_that_a_broken_file_is_told, said_of_plays
from tests.ports import free_port

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'heavy-rotation[dask]'")

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("engines")]


def test_two_workers_give_the_answers_of_one_process(rebuilds: Rebuilds, local: Rebuilt, cluster: DaskCluster) -> None:
    rebuilt = rebuilds.run("on dask", *cluster.options)
    assert rebuilt.exit_code == 0, rebuilt.said
    check_same_tables(str(local.warehouse), str(rebuilt.warehouse), "Dask")
    assert said_of_plays(rebuilt.said) == said_of_plays(local.said)


def test_both_workers_work(rebuilds: Rebuilds, cluster: DaskCluster) -> None:
    before = [cpu_seconds(worker.pid) for worker in cluster.workers]
    assert rebuilds.run("by both", *cluster.options).exit_code == 0
    spent = [cpu_seconds(worker.pid) - was for worker, was in zip(cluster.workers, before, strict=True)]
    assert min(spent) > sum(spent) / 8, spent


def test_a_worker_that_is_killed_in_the_middle_changes_no_answer(
    rebuilds: Rebuilds, local: Rebuilt, cluster: DaskCluster
) -> None:
    warehouse = rebuilds.folder / "with one killed"
    process = subprocess.Popen(
        rebuilds.command(warehouse.name, *cluster.options), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: list(warehouse.glob(".rebuild-*/**/*.parquet")), process, "no file was staged")
        cluster.workers[0].kill()
        _, said = process.communicate(timeout=240)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said
    check_same_tables(str(local.warehouse), str(warehouse), "Dask with a worker killed")


def test_a_worker_that_goes_away_when_it_is_asked_what_it_sees_stops_nothing(
    rebuilds: Rebuilds, local: Rebuilt, cluster: DaskCluster
) -> None:
    warehouse = rebuilds.folder / "with one gone"
    os.kill(cluster.workers[0].pid, signal.SIGSTOP)  # so that it does not answer before it is gone
    process = subprocess.Popen(
        rebuilds.command(warehouse.name, *cluster.options), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: list(rebuilds.archive.glob(".probe-*")), process, "no worker was asked")
        time.sleep(1)
        cluster.workers[0].kill()
        _, said = process.communicate(timeout=240)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said
    check_same_tables(str(local.warehouse), str(warehouse), "Dask with a worker gone")


def test_a_file_that_cannot_be_read_is_told_as_by_the_local_runner(
    tmp_path: Path, rebuilds: Rebuilds, cluster: DaskCluster
) -> None:
    check_that_a_broken_file_is_told(rebuilds, tmp_path, *cluster.options)


def test_an_address_where_nobody_answers_is_a_sentence(rebuilds: Rebuilds) -> None:
    rebuilt = rebuilds.run("nowhere", "--runner=dask", f"--dask_client_address=tcp://127.0.0.1:{free_port()}")
    assert rebuilt.exit_code == 1
    assert "error: no Dask scheduler answers at tcp://127.0.0.1:" in rebuilt.said
    assert "Traceback" not in rebuilt.said


def test_a_scheduler_without_workers_is_a_sentence(tmp_path: Path, rebuilds: Rebuilds) -> None:
    with DaskCluster(tmp_path / "alone", workers=0) as alone:
        rebuilt = rebuilds.run("alone", *alone.options)
    assert rebuilt.exit_code == 1
    assert "has no workers; start one with `dask worker tcp://127.0.0.1:" in rebuilt.said
    assert "Traceback" not in rebuilt.said


def wait_until(is_so: Callable[[], object], process: "subprocess.Popen[str]", otherwise: str) -> None:
    until = time.monotonic() + 120
    while not is_so():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until, otherwise
        time.sleep(0.01)
