"""What every place promises that keeps files, on a folder and on a bucket through the same cases.

Google's emulator is asked what it keeps: it replaces whatever the generation is, and has no older versions.
"""

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from gcp_storage_emulator.server import create_server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.storage import bucket as cloud
from pipelines.storage import folder
from pipelines.storage.files import (
    NO_FILE,
    ChangedError,
    MissingError,
    Storage,
    StorageError,
    is_bucket,
    storage_of,
    update,
)
from pipelines.storage.folder import FolderStorage, locked
from tests.standins.cloud_storage import Bucket

ROOT = Path(__file__).parents[2]
FOLDER, BUCKET, EMULATOR = "folder", "bucket", "emulator"


@pytest.fixture(params=[FOLDER, BUCKET])
def root(request: pytest.FixtureRequest) -> str:
    """Of the places that keep every promise."""
    if request.param == FOLDER:
        return f"{request.getfixturevalue('tmp_path')}/some/where"
    request.getfixturevalue("bucket")
    return "gs://bucket/some/where"


@pytest.fixture(params=[FOLDER, BUCKET, EMULATOR])
def any_root(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == EMULATOR:
        server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
        server.start()
        try:
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server._api._httpd.server_address[1]}")
            cloud.client.cache_clear()
            yield "gs://bucket/some/where"
        finally:
            server.stop()
            cloud.client().close()
            cloud.client.cache_clear()
    elif request.param == BUCKET:
        request.getfixturevalue("bucket")
        yield "gs://bucket/some/where"
    else:
        yield f"{request.getfixturevalue('tmp_path')}/some/where"


def left_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# One process


def test_it_gives_back_what_it_was_given(any_root: str) -> None:
    storage = storage_of(any_root)
    for name in ("b/2.x", "b/1.x", "a.x", "a.y", "..%2F.x"):
        storage.write_new(f"{any_root}/{name}", name.encode())
    assert storage.files(any_root, ".x") == [f"{any_root}/{name}" for name in ("..%2F.x", "a.x", "b/1.x", "b/2.x")]
    assert storage.read(f"{any_root}/b/2.x").data == b"b/2.x"
    assert storage.files(f"{any_root}/none", ".x") == []
    with pytest.raises(MissingError, match=f"^there is no {any_root}/none"):
        storage.read(f"{any_root}/none")


def test_a_file_is_replaced_with_the_version_that_was_read_or_written(any_root: str) -> None:
    storage, path = storage_of(any_root), f"{any_root}/file"
    written = storage.replace(path, b"1", NO_FILE)
    assert storage.read(path).version == written
    second = storage.replace(path, memoryview(b"2"), written)
    assert second != written
    storage.replace(path, b"3", storage.read(path).version)
    assert storage.read(path).data == b"3"
    assert storage.files(any_root, "") == [path]


def test_what_is_removed_is_gone_and_can_be_removed_again(any_root: str) -> None:
    storage, path = storage_of(any_root), f"{any_root}/file"
    storage.write_new(path, b"1")
    storage.write_new(f"{path}.json", b"another's")
    for _ in range(2):
        storage.remove(path)
        assert storage.files(any_root, "") == [f"{path}.json"]
        assert storage.older_versions(any_root, "") == []
    storage.remove(f"{any_root}/no/such/file")
    storage.write_new(path, b"2")
    assert storage.read(path).data == b"2"


def test_older_versions_are_listed_read_and_removed(bucket: Bucket) -> None:
    storage, path = storage_of("gs://bucket"), "gs://bucket/file"
    first = storage.write_new(path, b"1")
    storage.replace(path, b"2", first)
    assert storage.older_versions("gs://bucket", "") == [f"{path}#{first}"]
    assert storage.read(f"{path}#{first}").data == b"1"
    storage.remove(f"{path}#{first}")
    assert list(bucket.versions.values()) == [(b"2", True)]
    storage.replace(path, b"3", storage.read(path).version)
    storage.remove(path)
    assert bucket.versions == {}


# Others


def test_a_new_file_never_replaces_one(root: str) -> None:
    storage, path = storage_of(root), f"{root}/file"
    storage.write_new(path, b"1")
    for data in (b"1", b"2"):
        with pytest.raises(ChangedError, match=f"^{path} was changed by another process meanwhile; run the command"):
            storage.write_new(path, data)
    assert storage.read(path).data == b"1"


def test_another_version_is_not_replaced(root: str) -> None:
    storage, path = storage_of(root), f"{root}/file"
    first = storage.write_new(path, b"1")
    second = storage.replace(path, b"2", first)
    for version in (first, NO_FILE):
        with pytest.raises(ChangedError):
            storage.replace(path, b"3", version)
    assert storage.read(path).data == b"2"
    storage.remove(path)
    with pytest.raises(ChangedError):
        storage.replace(path, b"3", second)
    assert storage.files(root, "") == []


def test_replacing_what_was_removed_leaves_nothing_behind(tmp_path: Path) -> None:
    storage, path = storage_of(str(tmp_path)), f"{tmp_path}/folder/file"
    version = storage.write_new(path, b"1")
    shutil.rmtree(tmp_path / "folder")
    with pytest.raises(ChangedError):
        storage.replace(path, b"2", version)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_lost_answer_is_not_taken_for_another_writer(bucket: Bucket) -> None:
    storage, path = storage_of("gs://bucket"), "gs://bucket/file"
    bucket.lost_answers = 1
    version = storage.write_new(path, b"1")
    bucket.lost_answers = 2
    version = storage.replace(path, b"2", version)
    assert (bucket.refused, storage.read(path)) == (3, storage.read(path))
    assert storage.read(path).version == version
    # The same bytes of somebody else are somebody else's.
    bucket.before_upload = lambda name: bucket.put(name, b"3") and None
    with pytest.raises(ChangedError):
        storage.replace(path, b"3", version)


def test_a_changed_file_is_changed_again_from_what_is_there(root: str) -> None:
    storage, path, seen = storage_of(root), f"{root}/file", []

    def counted(data: bytes | None) -> bytes:
        seen.append(data)
        if len(seen) == 1:
            storage.write_new(path, b"1")
        return str(int(data or 0) + 1).encode()

    update(path, counted)
    assert seen == [None, b"1"]
    assert storage.read(path).data == b"2"
    update(path, lambda _: None)
    assert storage.read(path).data == b"2"


_COUNT = """
import sys
from pipelines.storage.files import ChangedError, MissingError, storage_of, update
path, name = sys.argv[1], sys.argv[2]
storage = storage_of(path)
for _ in range(25):
    update(path + "/count", lambda data: str(int(data or 0) + 1).encode())
for number in range(25):
    try:
        storage.write_new(f"{path}/new-{number}", name.encode())
        print(number)
    except ChangedError:
        pass
"""


@pytest.mark.long
def test_of_processes_that_write_at_once_one_wins(root: str) -> None:
    """Three count in one file and lose no count; of each new name one is told that it wrote it, and did."""
    processes = {
        name: subprocess.Popen([sys.executable, "-c", _COUNT, root, name], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for name in "abc"
    }
    said = {name: process.communicate(timeout=120)[0].split() for name, process in processes.items()}
    assert {process.returncode for process in processes.values()} == {0}
    storage = storage_of(root)
    assert storage.read(f"{root}/count").data == b"75"
    assert Counter(number for numbers in said.values() for number in numbers) == {str(n): 1 for n in range(25)}
    for name, numbers in said.items():
        assert {storage.read(f"{root}/new-{number}").data for number in numbers} <= {name.encode()}
    if not is_bucket(root):
        assert left_in(Path(root)) == sorted(["count", *(f"new-{number}" for number in range(25))])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plans=st.lists(st.lists(st.sampled_from(["new", "replace", "remove", "read"]), max_size=6), min_size=2, max_size=4)
)
def test_what_was_told_of_writes_at_once_is_how_it_was(root: str, plans: list[list[str]]) -> None:
    """Every version was followed by at most one other, and what is there at the end was written, and is whole."""
    storage, path = storage_of(root), f"{root}/file"
    storage.remove(path)
    followed: Counter[str] = Counter()
    written = {None}
    lock = threading.Lock()

    def live(who: int) -> None:
        for step, what in enumerate(plans[who]):
            data = f"{who}.{step}.".encode() * 50
            try:
                if what == "remove":
                    storage.remove(path)
                    continue
                version = NO_FILE if what == "new" else storage.read(path).version
                if what != "read":
                    with lock:
                        written.add(data)
                    storage.replace(path, data, version)
                    if version != NO_FILE:
                        with lock:
                            followed[version] += 1
            except (ChangedError, MissingError):
                pass

    with ThreadPoolExecutor(len(plans)) as pool:
        list(pool.map(live, range(len(plans))))
    assert set(followed.values()) <= {1}
    there = storage.read(path).data if storage.files(root, "file") else None
    assert there in written
    if not is_bucket(root) and Path(root).exists():
        assert left_in(Path(root)) == (["file"] if there else [])


# Killed

_WRITE = """
import os, sys
from pipelines.storage import folder
from pipelines.storage.files import storage_of
path = sys.argv[1]
storage = storage_of(path)
fsync = os.fsync
def stop(handle):  # at the worst moment: the bytes are written, and the file has no name yet
    fsync(handle)
    if os.fstat(handle).st_size > 1_000_000:
        print("written", flush=True)
        sys.stdin.read()
os.fsync = stop
storage.replace(path, b"2" * 1_500_000, storage.read(path).version)
"""


def test_a_writer_that_is_killed_leaves_the_old_file_and_what_can_be_found(tmp_path: Path) -> None:
    storage, path = storage_of(str(tmp_path)), f"{tmp_path}/folder/file"
    version = storage.write_new(path, b"1" * 1_500_000)
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITE, path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == "written\n"
        assert len(left_in(tmp_path)) == 3  # with the lock
        assert storage.abandoned(str(tmp_path)) == []
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert storage.read(path).data == b"1" * 1_500_000
    assert storage.files(str(tmp_path), "") == [path]
    [left] = storage.abandoned(str(tmp_path))
    assert Path(left).read_bytes() == b"2" * 1_500_000
    storage.remove(left)
    assert storage.abandoned(str(tmp_path)) == []
    storage.replace(path, b"3", version)
    assert left_in(tmp_path) == ["folder/file"]


def test_removing_a_file_removes_what_was_left_of_writing_it(tmp_path: Path) -> None:
    storage, path = FolderStorage(), f"{tmp_path}/ann.json"
    storage.write_new(path, b"{}")
    of_it = [f".ann.json.{'0' * 32}.part", ".ann.json.lock", ".ann.json.a1b2c3d4"]
    for name in (*of_it, "ann.json.json", ".xann.json.lock"):
        (tmp_path / name).write_bytes(b"ann")
    storage.remove(path)
    assert left_in(tmp_path) == [".xann.json.lock", "ann.json.json"]


# Whose files they are


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_and_folders_are_their_owner_s(tmp_path: Path, umask: int) -> None:
    tmp_path.chmod(0o755)
    before = os.umask(umask)
    try:
        storage, path = FolderStorage(), tmp_path / "a" / "b" / "file"
        version = storage.write_new(str(path), b"1")
        assert (mode(path), mode(path.parent), mode(path.parents[1])) == (0o600, 0o700, 0o700)
        path.chmod(0o644)  # as an earlier version wrote it
        storage.replace(str(path), b"2", version)
        assert mode(path) == 0o600
        with locked(tmp_path / "c" / "file"):
            assert {mode(tmp_path / "c"), mode(tmp_path / "c" / ".file.lock")} == {0o700, 0o600}
    finally:
        os.umask(before)
    assert mode(tmp_path) == 0o755  # what was there is its owner's to decide


def test_file_and_folders_are_on_the_disk_before_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, path, synced = FolderStorage(), tmp_path / "a" / "b" / "file", []
    fsync = os.fsync

    def noted(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        fsync(handle)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("not tested: no /proc here")
    monkeypatch.setattr(os, "fsync", noted)
    version = storage.write_new(str(path), b"1")
    assert [*synced[:2], *synced[3:]] == [tmp_path, tmp_path / "a", path.parent]
    assert synced[2].name.startswith(".file.")
    del synced[:]
    storage.replace(str(path), b"2", version)
    assert synced[1:] == [path.parent]
    del synced[:]
    storage.remove(str(path))
    assert synced == [path.parent]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    storage, path = FolderStorage(), f"{tmp_path}/file"
    storage.write_new(path, b"1")
    with pytest.raises(ChangedError):
        storage.write_new(path, b"2")
    assert (storage.read(path).data, left_in(tmp_path)) == (b"1", ["file"])


# The lock


def test_a_lock_that_is_removed_with_its_file_still_keeps_others_out(tmp_path: Path) -> None:
    path, came_in = tmp_path / "file", threading.Event()

    def come_in() -> None:
        with locked(path):
            came_in.set()

    with ExitStack() as second:
        with locked(path):
            waiting = threading.Thread(target=come_in)
            waiting.start()
            (tmp_path / ".file.lock").unlink()
            second.enter_context(locked(path))
        assert not came_in.wait(0.1)
    waiting.join()
    assert came_in.is_set()
    assert left_in(tmp_path) == []


def test_a_lock_that_somebody_takes_away_at_its_very_end_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bool] = []

    def and_then_it_goes(lock: Path, handle: int) -> bool:
        looks.append(is_still(lock, handle))
        if len(looks) == 2:  # the last look, before it is removed
            lock.unlink()
        return looks[-1]

    is_still = folder._is_still
    monkeypatch.setattr(folder, "_is_still", and_then_it_goes)
    with locked(tmp_path / "file"):
        pass
    assert (looks, list(tmp_path.iterdir())) == ([True, True], [])


def test_a_lock_that_is_held_for_long_is_told(tmp_path: Path) -> None:
    storage, path = FolderStorage(), tmp_path / "file"
    version = storage.write_new(str(path), b"1")
    attempts: list[Callable[[], object]] = [lambda: locked(path, patience_seconds=0.05).__enter__()]
    with locked(path):
        for attempt in attempts:
            with pytest.raises(StorageError, match=f"^{path} is locked by another process that does not go on; end it"):
                attempt()
        assert storage.read(str(path)).data == b"1"
    storage.replace(str(path), b"2", version)


def test_every_place_is_one(root: str) -> None:
    storage: Storage = storage_of(root)
    assert storage.abandoned(root) == storage.older_versions(root, "") == []
    storage.check_writable(root, replacing=True)
    assert storage.files(root, "") == []
