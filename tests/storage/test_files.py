"""Folders and buckets: whole files, and an explanation when one can't be had."""

import io
import os
import re
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import fastavro
import pytest
from gcp_storage_emulator.server import create_server
from google.cloud.storage import Client

from pipelines.domain.instants import parse
from pipelines.domain.play import from_record
from pipelines.rebuild import main
from pipelines.storage import bucket as storage
from pipelines.storage.archive import Archive
from pipelines.storage.bucket import BucketStorage
from pipelines.storage.files import StorageError
from pipelines.storage.folder import FolderStorage
from tests import oracle
from tests.archiving import run_archive_step
from tests.builders import play, plays
from tests.mounts import make_read_only, no_permission, small_disk
from tests.ports import free_port
from tests.streaming.running import outcome

NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# A folder


def test_checking_a_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    FolderStorage().check_writable(f"{tmp_path}/new/archive")
    assert list(tmp_path.iterdir()) == []


def test_a_path_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (f"{tmp_path}/file", f"{tmp_path}/file/below"):
        with pytest.raises(StorageError, match=rf"^{tmp_path}/file.* is a file, and a folder is needed there$"):
            FolderStorage().check_writable(root)
        with pytest.raises(StorageError, match=rf"^{tmp_path}/file.* is a file, and a folder is needed there$"):
            Archive(root).write(NOVEMBER, plays("a"))


def test_a_folder_in_a_files_place(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=f"^{tmp_path}: Is a directory$"):
        FolderStorage().read(str(tmp_path))


@pytest.mark.parametrize("root", ["/proc/archive", "/sys/archive"])
def test_where_the_system_lets_nobody_write(root: str) -> None:
    if not Path(root).parent.is_dir():
        pytest.skip(f"not tested: no {Path(root).parent} here")
    with pytest.raises(StorageError, match=rf"^(no permission for|there is no) {Path(root).parent}"):
        FolderStorage().check_writable(root)


def test_no_permission(tmp_path: Path) -> None:
    archive = Archive(f"{tmp_path}/archive")
    path = archive.write(NOVEMBER, plays("a"))
    Path(path).chmod(0o000)
    with no_permission(tmp_path / "archive"):
        for attempt in (
            archive.check_writable,
            archive.files,
            lambda: archive.write(DECEMBER, plays("a")),
            lambda: archive.read(path),
        ):
            with pytest.raises(StorageError, match=f"^no permission for {tmp_path}"):
                attempt()
    Path(path).chmod(0o600)
    assert archive.files() == [path]
    assert files(tmp_path) == [Path(path)]


def test_a_full_disk_keeps_what_it_had_and_no_half_file(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        archive = Archive(str(disk))
        path = archive.write(NOVEMBER, plays("abc"))
        noise = [play(f"2026-11-15T10:00:00.{n:03}Z", os.urandom(200).hex()) for n in range(500)]
        with pytest.raises(StorageError, match=rf"^the disk is full: {disk}/plays/.+ was not written; free some space"):
            archive.write(NOVEMBER, noise)
        assert files(disk) == [Path(path)]
        assert list(archive.read(path)) == plays("abc")


def test_a_read_only_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        make_read_only(disk)
        for attempt in (
            lambda: FolderStorage().check_writable(str(disk)),
            lambda: Archive(str(disk)).write(NOVEMBER, []),
        ):
            with pytest.raises(StorageError, match=f"^no permission for {disk}"):
                attempt()


def test_a_file_larger_than_is_allowed(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(StorageError, match=f"^{tmp_path}/large: File too large$"):
            FolderStorage().write_new(f"{tmp_path}/large", bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(tmp_path) == []


# A bucket


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Cloud Storage on this machine. It keeps the client's promises, save that it replaces what is there."""
    port = free_port()
    with create_server("127.0.0.1", port, in_memory=True):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Clients that are made now see the environment of the test, and nobody else gets them."""
    storage.client.cache_clear()
    yield monkeypatch
    if storage.client.cache_info().currsize:
        storage.client().close()
    storage.client.cache_clear()


@pytest.fixture
def bucket(server: str, connected: pytest.MonkeyPatch) -> Iterator[str]:
    connected.setenv("STORAGE_EMULATOR_HOST", server)
    with closing(Client()) as client:
        made = client.create_bucket(f"a-bucket-{time.monotonic_ns()}")
        yield f"gs://{made.name}"
        made.delete(force=True)


def test_a_bucket_gives_back_what_it_was_given(bucket: str) -> None:
    archive = Archive(f"{bucket}/my/archive")
    archive.check_writable()
    assert archive.files() == []
    november, december = archive.write(NOVEMBER, plays("abc")), archive.write(DECEMBER, plays("d"))
    assert re.fullmatch(rf"{bucket}/my/archive/plays/month=2026-11/plays-[0-9a-f]{{32}}\.avro", november)
    assert archive.files() == [november, december]
    assert archive.files([DECEMBER]) == [december]
    assert archive.months() == [NOVEMBER, DECEMBER]
    assert list(archive.read(november)) == plays("abc")
    assert Archive(f"{bucket}/my/arch").files() == []


def test_the_same_bytes_are_in_a_bucket_and_in_a_folder(bucket: str, tmp_path: Path) -> None:
    for root in (bucket, str(tmp_path)):
        data = Archive(root).read_bytes(Archive(root).write(NOVEMBER, plays("abc")))
        reader = fastavro.reader(io.BytesIO(data))
        assert reader.metadata["avro.codec"] == "deflate"
        assert [from_record(record) for record in reader] == plays("abc")  # type: ignore[arg-type]


def test_other_objects_in_the_bucket_are_passed_over(bucket: str) -> None:
    archive = Archive(bucket)
    path = archive.write(NOVEMBER, plays("a"))
    for name in ("plays/month=2026-11/notes.txt", "plays/readme.avro", "plays/month=2026-11/", "x.avro"):
        BucketStorage().write_new(f"{bucket}/{name}", b"")
    assert archive.files() == [path]


def test_a_broken_object_is_named(bucket: str) -> None:
    archive = Archive(bucket)
    path = archive.write(NOVEMBER, plays("a"))
    BucketStorage().write_new(f"{path}.cut.avro", archive.read_bytes(path)[:-1])
    with pytest.raises(StorageError, match=f"^{path}.cut.avro cannot be read "):
        archive.read(f"{path}.cut.avro")


def test_from_the_stream_to_a_bucket_and_from_there_to_tables(bucket: str, tmp_path: Path) -> None:
    start = parse("2026-08-01T00:00:00Z")
    some = [play(start + timedelta(hours=17 * n), f"t{n % 13}", user_id=f"u{n % 3}") for n in range(150)]
    run_archive_step(Archive(f"{bucket}/archive"), some[:60], 90, some[50:], batch_plays=9, batch_seconds=30)
    assert main([f"--archive={bucket}/archive", f"--warehouse={tmp_path / 'warehouse'}"]) == 0
    made = outcome(tmp_path)
    assert len(made.play_events) == 150
    assert oracle.of_rows(made.snapshots) == oracle.top_tens(some)


@pytest.mark.parametrize("attempt", ["check_writable", "files", "months"])
def test_a_bucket_that_is_not_there(bucket: str, attempt: str) -> None:
    with pytest.raises(StorageError, match=r"^there is no gs://no-such-bucket in Cloud Storage"):
        getattr(Archive("gs://no-such-bucket/archive"), attempt)()


def test_an_object_that_is_not_there(bucket: str) -> None:
    with pytest.raises(StorageError, match=f"^there is no {bucket}/none in Cloud Storage"):
        Archive(bucket).read_bytes(f"{bucket}/none")


@pytest.mark.parametrize("root", ["gs://", "gs:///archive", "gs://-/archive", "gs://My Bucket/archive"])
def test_a_name_that_is_no_buckets(root: str) -> None:
    with pytest.raises(StorageError, match="names no bucket; write it as gs://bucket/folder"):
        Archive(root).check_writable()


def test_nobody_who_answers_is_told_soon(
    connected: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert storage._ANSWERS_WITHIN_SECONDS <= 20
    connected.setattr(storage, "_ANSWERS_WITHIN_SECONDS", 1)
    connected.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
    threads = set(threading.enumerate())
    began = time.monotonic()
    with pytest.raises(StorageError, match=r"^Cloud Storage cannot be reached for gs://a-bucket; is there a network"):
        Archive("gs://a-bucket").check_writable()
    assert main(["--archive=gs://a-bucket", f"--warehouse={tmp_path / 'warehouse'}"]) == 1
    assert time.monotonic() - began < 10
    assert set(threading.enumerate()) <= threads, "something goes on asking"
    said = capsys.readouterr().err
    assert "error: Cloud Storage cannot be reached" in said
    assert "Traceback" not in said
    assert not (tmp_path / "warehouse").exists()
