"""What somebody may name by mistake, or be sent: told in a sentence, soon, and in bounded memory.

Each import is a process of its own that may use 700 MB of addresses and some seconds of a processor.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest

from tests.producer.exports import extended, plays_in

pytestmark = pytest.mark.long

GIGABYTE = 2**30
_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (700 * 2**20,) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
from producer.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
GOOD = json.dumps([extended()]).encode()


def load(*named: Path, archive: Path) -> tuple[int, str]:
    """Import with limits; the exit code, and what was said."""
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, "import", *map(str, named), "--user", "me", "--archive", str(archive)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def sparse(folder: Path, size: int) -> Path:
    with (folder / "endsong_0.json").open("wb") as file:
        file.truncate(size)
    return folder


def packed(folder: Path, head: bytes, unit: bytes, tail: bytes, size: int) -> Path:
    """A zip of one file that says the same again and again."""
    path = folder / "my_spotify_data.zip"
    block = unit * (2**20 // len(unit))
    with (
        ZipFile(path, "w", ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("endsong_0.json", "w", force_zip64=True) as file,
    ):
        file.write(head)
        for _ in range(size // len(block)):
            file.write(block)
        file.write(tail)
    return path


def file_over_a_gigabyte(folder: Path) -> Path:
    return sparse(folder, GIGABYTE + 1)


def file_of_zeros(folder: Path) -> Path:
    return sparse(folder, GIGABYTE)


def member_over_a_gigabyte(folder: Path) -> Path:
    return packed(folder, b"[", b" ", b"]", GIGABYTE)


def zip_of_zeros(folder: Path) -> Path:
    return packed(folder, b"", b"\0", b"", GIGABYTE // 4)


def zip_of_spaces(folder: Path) -> Path:
    return packed(folder, b"[", b" ", b"]", GIGABYTE // 4)


def spaces_behind_rows(folder: Path) -> Path:
    return packed(folder, GOOD, b" ", b"", GIGABYTE // 4)


def zip_of_objects(folder: Path) -> Path:
    return packed(folder, b"[", b"{},", b"{}]", GIGABYTE // 4)


def rows_and_numbers(folder: Path) -> Path:
    return packed(folder, GOOD[:-1] + b",", b"1,", b"1]", GIGABYTE // 4)


def one_long_title(folder: Path) -> Path:
    return packed(folder, GOOD[:-2] + b',"x":"', b"},{", b'"}]', GIGABYTE // 4)


def lists_in_lists(folder: Path) -> Path:
    return packed(folder, b"", b"[", b"", GIGABYTE // 8)


def half_characters(folder: Path) -> Path:
    return packed(folder, b'[{"ts":"', b"\\ud83d", b'"}]', GIGABYTE // 16)


def twenty_thousand_members(folder: Path) -> Path:
    with ZipFile(folder / "my_spotify_data.zip", "w", ZIP_STORED) as archive:
        for number in range(20_000):
            archive.writestr(f"endsong_{number}.json", GOOD)
    return folder


def many_zips_in_a_zip(folder: Path) -> Path:
    inner = zip_of_zeros(folder).read_bytes()
    (folder / "my_spotify_data.zip").unlink()
    with ZipFile(folder / "outer.zip", "w", ZIP_STORED) as archive:
        for number in range(500):
            archive.writestr(f"{number}.zip", inner[:1_000])
            archive.writestr(f"endsong_{number}.json", b"[" + b" " * 1_000)
    return folder


def zip_in_itself(folder: Path) -> Path:
    data = GOOD
    for _ in range(6):
        with ZipFile(folder / "next", "w") as archive:
            archive.writestr("a.zip", data)
        data = (folder / "next").read_bytes()
    (folder / "next").rename(folder / "a.zip")
    return folder / "a.zip"


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "endsong_0.json")
    return folder / "endsong_0.json"


def pipes_in_a_folder(folder: Path) -> Path:
    for name in ("endsong_0.json", "my_spotify_data.zip", "other"):
        os.mkfifo(folder / name)
    return folder


def device(folder: Path) -> Path:
    (folder / "endsong_0.json").symlink_to("/dev/zero")
    return folder


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (file_over_a_gigabyte, "endsong_0.json has 1,024 MB; the files of an export have some 12"),
        (file_of_zeros, "endsong_0.json is not JSON"),
        (member_over_a_gigabyte, "MB; the files of an export have some 12"),
        (zip_of_zeros, "is not JSON"),
        (zip_of_spaces, "a row has more than"),
        (spaces_behind_rows, "there is more behind the rows"),
        (zip_of_objects, "is JSON, but not listening history"),
        (rows_and_numbers, "a row has more than"),
        (one_long_title, "a row has more than"),
        (lists_in_lists, "is not valid JSON"),
        (half_characters, "endsong_0.json"),
        (twenty_thousand_members, "has 20,000 files, and at most 10,000 are looked at"),
        (many_zips_in_a_zip, "is not a zip file"),
        (zip_in_itself, "is too deep to be looked into"),
        (pipe, "is a pipe, and a file is needed"),
        (pipes_in_a_folder, "is a pipe, and a file is needed"),
        (device, "is a device, and a file is needed"),
    ],
)
def test_limits(tmp_path: Path, make: Callable[[Path], Path], says: str) -> None:
    (tmp_path / "export").mkdir()
    named = make(tmp_path / "export")
    good = tmp_path / "good" / "endsong_0.json"
    good.parent.mkdir()
    good.write_bytes(GOOD)
    code, said = load(named, good, archive=tmp_path / "archive")
    assert code == 1
    assert says in said
    assert said.count("\n") <= 22, "of many no more than twenty are told"
    assert not (tmp_path / "archive").exists()


def test_a_file_of_many_rows_needs_no_more_memory_than_one_of_few(tmp_path: Path) -> None:
    """Two hundred megabytes in one file, as somebody puts a lifetime's files together."""
    row = json.dumps(extended("2026-05-01T10:00:00Z", ms_played=1_000)).encode() + b",\n"
    (tmp_path / "all.json").write_bytes(b"[" + row * (200 * 2**20 // len(row)) + GOOD[1:])
    code, said = load(tmp_path / "all.json", archive=tmp_path / "archive")
    assert code == 0, said
    assert len(plays_in(tmp_path / "archive")) == 1


def test_a_thousand_members_are_read_in_linear_time(tmp_path: Path) -> None:
    path = tmp_path / "my_spotify_data.zip"
    with ZipFile(path, "w") as archive:
        for number in range(5_000):
            rows = [extended(f"2026-05-{number % 28 + 1:02}T{number // 28 % 24:02}:{number // 672 * 7:02}:00Z")]
            archive.writestr(f"endsong_{number}.json", json.dumps(rows))
    code, said = load(path, archive=tmp_path / "archive")
    assert code == 0, said
    assert len(plays_in(tmp_path / "archive")) == 5_000
