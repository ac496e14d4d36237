"""The folder: what is written is there whole and once, whatever else happens."""

import errno
import json
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.domain.month import UnknownTimeZoneError
from pipelines.querying import duck
from pipelines.storage.files import StorageError
from pipelines.tables import TABLES
from pipelines.warehouse.arrow import arrow_schema
from pipelines.warehouse.folder import FolderWarehouse, WarehouseError
from tests.warehouse.listening import HEARD, rows

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
PARIS = "Europe/Paris"


@pytest.fixture
def warehouse(tmp_path: Path) -> FolderWarehouse:
    return FolderWarehouse(tmp_path / "warehouse", PARIS)


def _count(warehouse: FolderWarehouse, table: str) -> int:
    answer = duck.query(warehouse, f"SELECT COUNT(*) AS n FROM {table}")  # noqa: S608
    count: int = answer.to_pylist()[0]["n"]
    return count


def test_a_file_for_each_month_and_every_value_back(warehouse: FolderWarehouse) -> None:
    for table, some in rows().items():
        warehouse.append(table, some)
        read = [
            row
            for month in warehouse.months(table)
            for path in warehouse.files(table, month)
            for row in pq.ParquetFile(path).read().to_pylist()
        ]
        assert sorted(read, key=str) == sorted(_as_arrow_says(table, some), key=str)
    assert warehouse.months("play_events") == [OCTOBER, NOVEMBER]
    assert [len(warehouse.files("play_events", month)) for month in (OCTOBER, NOVEMBER)] == [1, 1]


def _as_arrow_says(table: str, some: list[dict[str, Any]]) -> list[dict[str, Any]]:
    import pyarrow as pa

    read: list[dict[str, Any]] = pa.Table.from_pylist(some, arrow_schema(table)).to_pylist()
    return read


def test_empty_tables_are_tables(warehouse: FolderWarehouse) -> None:
    assert [_count(warehouse, table) for table in ("plays", "monthly_top_tracks", *TABLES)] == [0] * 8
    warehouse.append("play_events", [])
    assert warehouse.months("play_events") == []


def test_a_null_where_none_may_be_is_refused(warehouse: FolderWarehouse) -> None:
    with pytest.raises(ValueError, match="user_id"):
        warehouse.append("play_events", [rows()["play_events"][0] | {"user_id": None}])
    assert not list(warehouse.folder.rglob("*.p*"))


def test_the_marker(warehouse: FolderWarehouse) -> None:
    marker = json.loads((warehouse.folder / "warehouse.json").read_text())
    assert marker == {"version": 1, "time_zone": PARIS}
    assert FolderWarehouse.open(warehouse.folder).time_zone == PARIS
    assert pickle.loads(pickle.dumps(warehouse)).folder == warehouse.folder  # noqa: S301


def test_what_cannot_be_opened_says_what_to_do(warehouse: FolderWarehouse, tmp_path: Path) -> None:
    marker = warehouse.folder / "warehouse.json"
    with pytest.raises(WarehouseError, match="counts months in Europe/Paris, not UTC: use --time-zone"):
        FolderWarehouse(warehouse.folder, "UTC")
    with pytest.raises(UnknownTimeZoneError):
        FolderWarehouse(tmp_path / "other", "Europe/Nowhere")
    marker.write_text('{"version": 2, "time_zone": "Europe/Paris"}')
    with pytest.raises(WarehouseError, match="upgrade Heavy Rotation"):
        FolderWarehouse(warehouse.folder, PARIS)
    with pytest.raises(WarehouseError, match="upgrade Heavy Rotation"):
        FolderWarehouse.open(warehouse.folder)
    for damaged in ("", "[]", '{"version": 1}'):
        marker.write_text(damaged)
        with pytest.raises(WarehouseError, match="is damaged"):
            FolderWarehouse.open(warehouse.folder)
    with pytest.raises(WarehouseError, match="There is no folder"):
        FolderWarehouse.open(tmp_path / "none")
    with pytest.raises(WarehouseError, match="is not a warehouse"):
        FolderWarehouse.open(tmp_path)
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StorageError, match="is a file, and a folder is needed there"):
            FolderWarehouse(folder, PARIS)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full: .* was not written; free some space"),
        (PermissionError(errno.EACCES, "Permission denied"), "no permission for"),
        (OSError(errno.EROFS, "Read-only file system"), "no permission for"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(
    error: OSError, message: str, warehouse: FolderWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match=message):
        warehouse.append("rejected", rows()["rejected"])
    assert [path for path in warehouse.folder.rglob("*") if path.is_file()] == [warehouse.folder / "warehouse.json"]


def test_an_interrupted_write_leaves_nothing(warehouse: FolderWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.link", interrupt)
    with pytest.raises(KeyboardInterrupt):
        warehouse.append("rejected", rows()["rejected"])
    assert warehouse.files("rejected", NOVEMBER) == []
    assert not list(warehouse.folder.rglob("*.part"))


def test_what_is_removed_is_gone_from_the_disk(warehouse: FolderWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.append("rejected", rows()["rejected"])
    (path,) = warehouse.files("rejected", NOVEMBER)
    synced = []
    monkeypatch.setattr("pipelines.warehouse.folder.sync", synced.append)
    warehouse.remove([path, path.with_name("gone")])
    assert (path.exists(), synced) == (False, [path.parent])


def test_unfinished_files_are_not_read(warehouse: FolderWarehouse) -> None:
    warehouse.append("rejected", rows()["rejected"])
    (path,) = warehouse.files("rejected", NOVEMBER)
    path.with_name(".killed.parquet.part").write_bytes(b"PAR1")
    assert _count(warehouse, "rejected") == 1


def _write(folder: Path, batch: int) -> None:
    warehouse = FolderWarehouse(folder, PARIS)
    warehouse.append("play_events", rows()["play_events"])
    warehouse.append("rejected", [rows()["rejected"][0] | {"reason": str(batch)}])


def test_many_processes_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "warehouse"
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        list(pool.map(partial(_write, folder), range(16)))
    warehouse = FolderWarehouse.open(folder)
    assert _count(warehouse, "rejected") == 16
    assert _count(warehouse, "play_events") == 16 * (len(HEARD) + 1)
    assert _count(warehouse, "plays") == len(HEARD)
    assert not list(folder.rglob("*.part"))


def test_a_month_replaced_while_it_is_read(warehouse: FolderWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.append("play_events", rows()["play_events"])
    listed: list[int] = []
    fill = duck._fill

    def replace_after_listing(*arguments: Any) -> None:
        fill(*arguments)
        if not listed:
            old = warehouse.files("play_events", NOVEMBER)
            warehouse.append("play_events", rows()["play_events"])
            warehouse.remove([*old, *old])
        listed.append(1)

    monkeypatch.setattr(duck, "_fill", replace_after_listing)
    assert _count(warehouse, "plays") == len(HEARD)
    assert len(listed) == 2


def test_a_folder_whose_name_needs_quoting(tmp_path: Path) -> None:
    warehouse = FolderWarehouse(tmp_path / "it's [a] *warehouse*", PARIS)
    warehouse.append("play_events", rows()["play_events"])
    assert _count(warehouse, "plays") == len(HEARD)
