"""An archive, and what Beam's local runner makes of it, for tests that give the same rebuild to other engines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.archives import make
from benchmarks.clusters import DaskCluster
from pipelines.storage.snapshots import SnapshotArchive
from tests import snapshots
from tests.engines.rebuilds import SHAPE, Rebuilds, Rebuilt


@pytest.fixture(scope="session")
def rebuilds(tmp_path_factory: pytest.TempPathFactory) -> Rebuilds:
    """An archive of some months, a tenth of its plays twice, and snapshots of two of them, also twice."""
    folder = tmp_path_factory.mktemp("engines")
    make(SHAPE, folder / "archive")
    for _ in range(2):
        SnapshotArchive(str(folder / "archive")).write(snapshots.some())
    return Rebuilds(folder)


@pytest.fixture(scope="session")
def local(rebuilds: Rebuilds) -> Rebuilt:
    """What the local runner makes of it."""
    rebuilt = rebuilds.run("local")
    assert rebuilt.exit_code == 0, rebuilt.said
    return rebuilt


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    """A scheduler and two workers of one thread, as processes."""
    with DaskCluster(tmp_path / "dask") as made:
        yield made
