"""The archive: nothing is lost on the way in, and nothing broken passes on the way out."""

import io
import json
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import fastavro
import pytest

from pipelines.domain.instants import parse
from pipelines.domain.month import Calendar
from pipelines.domain.play import Artist, Play, Source, from_record
from pipelines.rebuilding.decoding import read_file
from pipelines.storage.archive import Archive
from pipelines.storage.files import StorageError
from pipelines.tables import play_schema
from tests import oracle
from tests.archiving import run_archive_step
from tests.builders import play, plays
from tests.streaming.running import Script, run_stream

NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)
FULL = play(
    "2026-11-21T08:00:00.123Z",
    artists=(Artist("One", "1"), Artist("Two")),
    duration_ms=200_000,
    isrc="XX0000000000",
    explicit=False,
    album_release_date="2020-02",
    album_image_url="https://example.com/cover",
    context_uri="spotify:playlist:p",
    ms_played=100_000,
    skipped=True,
    reason_start="clickrow",
    reason_end="trackdone",
    source=Source.EXTENDED_EXPORT,
    album_artist_name="Various Artists",
)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path / "archive"))


def reopened(archive: Archive) -> list[list[Play]]:
    """The plays of each file on the disk, read by fastavro alone."""
    found = []
    for path in sorted(Path(archive.root).rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found.append([from_record(record) for record in fastavro.reader(file)])
    return found


def times(some: Sequence[Play]) -> Counter[tuple[str, Any]]:
    return Counter((p.user_id, p.played_at) for p in some)


# What a file is


def test_a_file_holds_every_field_under_the_schema_compressed(archive: Archive) -> None:
    bare = Play("me", FULL.played_at, "t", "T", (), Source.ACCOUNT_EXPORT, FULL.ingested_at)
    path = archive.write(NOVEMBER, [FULL, bare])
    with Path(path).open("rb") as file:
        reader = fastavro.reader(file)
        records: list[Any] = list(reader)
    assert [from_record(record) for record in records] == [FULL, bare]
    assert reader.metadata["avro.codec"] == "deflate"
    written, ours = json.loads(reader.metadata["avro.schema"]), fastavro.parse_schema(play_schema())
    assert fastavro.schema.to_parsing_canonical_form(written) == fastavro.schema.to_parsing_canonical_form(ours)
    assert list(archive.read(path)) == [FULL, bare]


def test_a_file_lies_in_its_months_folder_under_a_name_of_its_own(archive: Archive) -> None:
    paths = [archive.write(NOVEMBER, [FULL]) for _ in range(50)]
    assert len(set(paths)) == 50
    names = {str(Path(path).relative_to(archive.root)) for path in paths}
    assert all(re.fullmatch(r"plays/month=2026-11/plays-[0-9a-f]{32}\.avro", name) for name in names)
    assert archive.files() == sorted(paths)


def test_files_are_listed_by_month_and_only_ours(archive: Archive) -> None:
    november, december = archive.write(NOVEMBER, [FULL]), archive.write(DECEMBER, [FULL])
    assert archive.months() == [NOVEMBER, DECEMBER]
    assert archive.files([DECEMBER]) == [december]
    assert archive.files([date(2020, 1, 1)]) == []
    for other in (".plays-0.avro.part", ".plays-0.avro", "notes.txt"):
        Path(november).with_name(other).write_bytes(b"Obj")
    for folder in ("month=never", "month=2026-13", "elsewhere"):
        (Path(archive.root) / "plays" / folder).mkdir()
        (Path(archive.root) / "plays" / folder / "plays-0.avro").write_bytes(b"")
    assert archive.files() == [november, december]
    assert archive.months() == [NOVEMBER, DECEMBER]


# Broken files

READERS: list[Callable[[Archive, str], object]] = [
    lambda archive, path: list(archive.read(path)),
    lambda archive, path: read_file(path, archive.read_bytes(path)),
]
by_both_readers = pytest.mark.parametrize("read", READERS, ids=["by plays", "by columns"])


def _without_last_block(data: bytes) -> bytes:
    *_, last = fastavro.block_reader(io.BytesIO(data))
    cut = data[: last.offset]
    assert sum(1 for _ in fastavro.reader(io.BytesIO(cut))) > 0  # to a reader that doesn't count it is complete
    return cut


def _of_something_else(_: bytes) -> bytes:
    file = io.BytesIO()
    fields = [{"name": "user_id", "type": "string"}]
    fastavro.writer(file, {"type": "record", "name": "Other", "fields": fields}, [{"user_id": "me"}], codec="deflate")
    return file.getvalue()


@by_both_readers
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b'{"user_id": "me"}\n' * 100, id="not Avro"),
        pytest.param(lambda data: data[:200], id="cut in the header"),
        pytest.param(lambda data: data[: len(data) // 2], id="cut in a block"),
        pytest.param(lambda data: data[:-1], id="cut by a byte"),
        pytest.param(_without_last_block, id="cut at a block's end"),
        pytest.param(lambda data: data.replace(b'"long"', b'"nong"'), id="a schema that is none"),
        pytest.param(_of_something_else, id="Avro of something else"),
    ],
)
def test_a_broken_file_is_named(archive: Archive, damage: Callable[[bytes], bytes], read: Any) -> None:
    path = archive.write(NOVEMBER, plays("abc" * 1_500))
    Path(path).write_bytes(damage(Path(path).read_bytes()))
    with pytest.raises(StorageError, match=rf"^{re.escape(path)} cannot be read \(.+\); restore it"):
        read(archive, path)


@by_both_readers
def test_a_file_cut_anywhere_is_broken(archive: Archive, read: Any) -> None:
    path = archive.write(NOVEMBER, plays("abcde"))
    whole = Path(path).read_bytes()
    for length in range(0, len(whole), 7):
        Path(path).write_bytes(whole[:length])
        with pytest.raises(StorageError, match="cannot be read"):
            read(archive, path)


@by_both_readers
def test_a_flipped_bit_is_an_explained_error_if_it_is_one(archive: Archive, read: Any) -> None:
    path = archive.write(NOVEMBER, plays("abcde"))
    whole, bits, broken = Path(path).read_bytes(), random.Random(7), 0
    for _ in range(400):
        flipped = bytearray(whole)
        flipped[bits.randrange(len(flipped))] ^= 1 << bits.randrange(8)
        Path(path).write_bytes(flipped)
        try:
            read(archive, path)
        except StorageError:
            broken += 1
    assert broken > 100


@by_both_readers
def test_a_file_without_plays_is_not_broken(archive: Archive, read: Any) -> None:
    assert len(read(archive, archive.write(NOVEMBER, []))) == 0


def test_a_file_of_a_writer_that_knew_fewer_fields_can_be_read(archive: Archive) -> None:
    schema = json.loads(json.dumps(play_schema()))
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in ("isrc", "skipped")]
    path = archive.write(NOVEMBER, [])
    with Path(path).open("wb") as file:
        fastavro.writer(file, schema, [FULL.to_record()])
    known = replace(FULL, isrc=None, skipped=None)
    assert list(archive.read(path)) == [known]
    (row,) = read_file(path, archive.read_bytes(path)).to_dicts()
    assert from_record(row) == known


# Writers that end early, and writers at once


def test_a_write_that_is_interrupted_leaves_nothing(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        archive.write(NOVEMBER, [FULL])
    assert reopened(archive) == []


_WRITE_FOR_EVER = """
import sys
from datetime import date
from pipelines.storage.archive import Archive
from tests.builders import plays
some = plays("abcdefgh" * 500)
while True:
    Archive(sys.argv[1]).write(date(2026, 11, 1), some)
"""


@pytest.mark.long
def test_a_writer_that_is_killed_leaves_only_whole_files(archive: Archive) -> None:
    writer = subprocess.Popen([sys.executable, "-c", _WRITE_FOR_EVER, archive.root])
    try:
        deadline = time.monotonic() + 60
        while len(archive.files()) < 5 and time.monotonic() < deadline:
            time.sleep(0.003)
    finally:
        writer.kill()
        writer.wait()
    assert len(archive.files()) >= 5
    assert {len(list(archive.read(path))) for path in archive.files()} == {4000}


# The kernel ends the process in the middle of the file: at the byte that is one too many.
_ENDED_IN_A_FILE = """
import resource, signal, sys
from datetime import date
from pipelines.storage.archive import Archive
from tests.builders import plays
Archive(sys.argv[1]).write(date(2026, 11, 1), plays("abc"))
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
Archive(sys.argv[1]).write(date(2026, 11, 1), plays("abcdefgh" * 500))
"""


def test_a_writer_that_ends_in_the_middle_of_a_file_leaves_no_half_file(archive: Archive) -> None:
    ended = subprocess.run([sys.executable, "-c", _ENDED_IN_A_FILE, archive.root])
    assert ended.returncode == -signal.SIGXFSZ
    sizes = {path.suffix: path.stat().st_size for path in Path(archive.root).rglob("*") if path.is_file()}
    assert sizes[".part"] == 10_000  # it did get that far
    (path,) = archive.files()
    assert list(archive.read(path)) == plays("abc")


_WRITE_SOME = """
import sys
from datetime import date
from pipelines.storage.archive import Archive
from tests.builders import plays
for p in plays("abcdefghij" * 6, user_id=sys.argv[2]):
    print(Archive(sys.argv[1]).write(date(2026, 11, 1), [p]))
"""


def test_jobs_at_once_on_one_archive_lose_nothing(archive: Archive) -> None:
    jobs = [
        subprocess.Popen([sys.executable, "-c", _WRITE_SOME, archive.root, user], stdout=subprocess.PIPE, text=True)
        for user in ("u1", "u2")
    ]
    written = [path for job in jobs for path in job.communicate()[0].split()]
    assert archive.files() == sorted(written)
    expected = [p for user in ("u1", "u2") for p in plays("abcdefghij" * 6, user_id=user)]
    assert times([p for file in reopened(archive) for p in file]) == times(expected)


# The stream's step


def sizes(archive: Archive) -> list[int]:
    return sorted(map(len, reopened(archive)))


def test_a_batch_is_written_when_it_is_full(archive: Archive) -> None:
    run_archive_step(archive, plays("abcde" * 5), batch_plays=10)
    assert sizes(archive) == [5, 10, 10]


def test_a_batch_is_written_when_its_time_has_come(archive: Archive) -> None:
    run_archive_step(archive, plays("abc"), 90, plays("de", "2026-11-03T08:00:00Z"), 90, batch_seconds=30)
    assert sizes(archive) == [2, 3]


def test_a_batch_is_not_written_before_its_time(archive: Archive) -> None:
    run_archive_step(archive, plays("abc"), 5, plays("de", "2026-11-03T08:00:00Z"), batch_seconds=30)
    assert sizes(archive) == [5]


def test_a_batch_is_of_one_month_of_the_time_zone(archive: Archive) -> None:
    boundary = [play("2026-11-30T22:59:59Z", "november"), play("2026-11-30T23:00:00Z", "december")]
    run_archive_step(archive, boundary)
    assert archive.months() == [NOVEMBER, DECEMBER]
    for month, track in ((NOVEMBER, "november"), (DECEMBER, "december")):
        (path,) = archive.files([month])
        assert [p.track_id for p in archive.read(path)] == [track]


def test_nothing_is_lost_over_months_bundles_and_late_plays(archive: Archive) -> None:
    start = parse("2024-01-01T00:00:00Z")
    some = [play(start + timedelta(hours=11 * n), f"t{n % 7}", user_id=f"u{n % 5}") for n in range(1_000)]
    random.Random(5).shuffle(some)
    steps: list[Any] = []
    for n in range(0, 1_000, 50):
        steps.append(some[n : n + 50])
        if n == 300:
            steps.append("2025-01-01T00:00:00Z")  # half of what follows is late
        if n % 200 == 0:
            steps.append(90)
    run_archive_step(archive, *steps, batch_plays=7, batch_seconds=30)
    files = reopened(archive)
    assert times([p for file in files for p in file]) == times(some)
    assert max(map(len, files)) <= 7
    calendar = Calendar("Europe/Paris")
    for month in archive.months():
        for path in archive.files([month]):
            assert {calendar.month_of(p.played_at) for p in archive.read(path)} == {month}


# Failures in the stream


class FailingArchive(Archive):
    """Fails at its second write, before or after the file is there. Counts in a file: it travels pickled."""

    after = True

    def write(self, month: date, plays: Sequence[Play]) -> str:
        """Write, except once."""
        with Path(self.root + ".attempts").open("a") as attempts:
            attempts.write(".")
            fails = attempts.tell() == 2
        if fails and not self.after:
            raise StorageError("failed before the write")
        path = super().write(month, plays)
        if fails:
            raise StorageError("failed between write and commit")
        return path


class FailingBeforeArchive(FailingArchive):
    after = False


@pytest.mark.parametrize(("failing", "files"), [(FailingArchive, 5), (FailingBeforeArchive, 4)])
def test_a_bundle_that_failed_is_retried_and_nothing_is_lost_or_counted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: type[Archive], files: int
) -> None:
    some = plays("aab")
    monkeypatch.setattr("pipelines.streaming.graph.Archive", failing)
    outcome = run_stream(tmp_path, Script().plays(*some))
    # The first file was written, the second failed; then all three again.
    assert (tmp_path / "archive.attempts").read_text() == "....."
    assert times(outcome.archived).keys() == times(some).keys()
    assert len(outcome.archived) == files
    assert sorted(row["played_at"] for row in outcome.play_events) == [p.played_at for p in some]
    assert oracle.of_rows(outcome.snapshots) == oracle.top_tens(some)
    assert not list((tmp_path / "archive").rglob(".*"))


class BrokenArchive(Archive):
    """Never writes."""

    def write(self, month: date, plays: Sequence[Play]) -> str:
        """Raise."""
        raise StorageError("the disk is full")


def test_a_play_that_cannot_be_archived_reaches_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.streaming.graph.Archive", BrokenArchive)
    with pytest.raises(StorageError, match="the disk is full"):
        run_stream(tmp_path, Script().plays(*plays("ab")))
    assert not list(tmp_path.rglob("*.avro"))
    assert not list(tmp_path.rglob("*.parquet"))
