"""Exports that cannot be imported: one clear line, exit code 1, and nothing written."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from tests.commands import Run
from tests.producer.exports import extended, plays_in, write_json, write_zip

GOOD = [extended(f"2026-05-{day:02}T10:00:00Z") for day in range(1, 29)]


def empty_file(folder: Path) -> Path:
    (folder / "endsong_0.json").touch()
    return folder


def blank_file(folder: Path) -> Path:
    (folder / "endsong_0.json").write_text("\n")
    return folder / "endsong_0.json"


def cut_json(folder: Path) -> Path:
    write_json(folder / "endsong_0.json", GOOD)
    text = json.dumps(GOOD, indent=1)
    (folder / "endsong_1.json").write_text(text[: len(text) // 2])
    return folder


def broken_json(folder: Path) -> Path:
    (folder / "endsong_1.json").write_text('[\n{"ts": nothing}\n]')
    return folder


def not_a_zip(folder: Path) -> Path:
    (folder / "my_spotify_data.zip").write_bytes(b"<html>sign in</html>")
    return folder / "my_spotify_data.zip"


def cut_zip(folder: Path) -> Path:
    path = write_zip(folder / "my_spotify_data.zip", {"endsong_0.json": GOOD})
    path.write_bytes(path.read_bytes()[:-30])
    return path


def damaged_member(folder: Path) -> Path:
    path = folder / "my_spotify_data.zip"
    with ZipFile(path, "w", ZIP_STORED) as archive:
        archive.writestr("endsong_0.json", json.dumps(GOOD))
    path.write_bytes(path.read_bytes().replace(b"Track a", b"Track x", 1))
    return path


def encrypted_member(folder: Path) -> Path:
    path = write_zip(folder / "my_spotify_data.zip", {"endsong_0.json": GOOD})
    data = bytearray(path.read_bytes())
    # The flag in both headers, as a zip program sets it; zipfile itself cannot encrypt.
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    return path


def zip_of_photos(folder: Path) -> Path:
    return write_zip(folder / "photos.zip", {"a/photo.jpg": b"jpg", "a/Userdata.json": {"email": "x"}})


def other_account_files(folder: Path) -> Path:
    write_json(folder / "Playlist1.json", {"playlists": []})
    return folder


def object_by_name(folder: Path) -> Path:
    write_json(folder / "endsong_0.json", {"playlists": []})
    return folder


def other_rows(folder: Path) -> Path:
    return write_json(folder / "liked.json", [{"artist": "A", "track": "T"}])


def nothing(folder: Path) -> Path:
    return folder / "missing.zip"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (nothing, ["there is no", "missing.zip"]),
        (empty_file, ["endsong_0.json is empty"]),
        (blank_file, ["endsong_0.json is empty"]),
        (cut_json, ["endsong_1.json is cut short", "line", "column"]),
        (broken_json, ["endsong_1.json is not valid JSON", "line 2, column 8"]),
        (not_a_zip, ["my_spotify_data.zip is not a zip file"]),
        (cut_zip, ["my_spotify_data.zip is not a zip file, or was not downloaded to its end"]),
        (damaged_member, ["endsong_0.json in", "is damaged", "download"]),
        (encrypted_member, ["endsong_0.json in", "is encrypted"]),
        (zip_of_photos, ["no listening history in", "photos.zip"]),
        (other_account_files, ["no listening history in"]),
        (object_by_name, ["endsong_0.json is JSON, but not listening history"]),
        (other_rows, ["liked.json is JSON, but not listening history"]),
    ],
)
def test_what_cannot_be_imported(run: Run, tmp_path: Path, make: Callable[[Path], Path], says: list[str]) -> None:
    (tmp_path / "export").mkdir()
    good = write_json(tmp_path / "good" / "endsong_9.json", GOOD)
    bad = make(tmp_path / "export")
    ran = run("import", good, bad, "--user", "me", "--archive", tmp_path / "archive")
    assert ran.code == 1
    assert ran.out == ""
    said, *hint = ran.err.splitlines()
    if "there is no" in said or "no listening history" in said:
        assert hint == []
    else:
        assert len(hint) == 1
        assert "nothing was written; --skip-unreadable imports the files that can be read: " in hint[0]
        assert str(good) in hint[0], "one bad file does not silence a good one"
    for words in says:
        assert words in ran.err
    assert not (tmp_path / "archive").exists(), "a broken file is found before anything is written"


def test_an_unknown_time_zone_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    ran = run("import", tmp_path, "--user", "me", "--archive", tmp_path, "--time_zone", "Mars/Olympus")
    assert ran.code == 2
    assert "'Mars/Olympus' is not a time zone; names look like Europe/Paris" in ran.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["import", "x.zip", "--user", "me"], "--archive A"),
        (["poll", "--once"], "say where plays go: --archive A or --topic T"),
        (
            ["poll", "--once", "--topic", "plays"],
            "'plays' is not a topic; write it as projects/PROJECT/topics/TOPIC",
        ),
        (
            ["poll", "--once", "--topic", "projects/p/topics/t", "--time_zone", "UTC"],
            "--time-zone is for --archive",
        ),
        (["poll", "--archive", "a"], "--once"),
    ],
)
def test_wrong_usage(run: Run, arguments: list[str], says: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert says in ran.err


def test_an_archive_that_is_a_file(run: Run, tmp_path: Path) -> None:
    export = write_json(tmp_path / "endsong_0.json", GOOD)
    (tmp_path / "archive").touch()
    ran = run("import", export, "--user", "me", "--archive", tmp_path / "archive")
    assert ran.code == 1
    assert "is a file, and a folder is needed there" in ran.err


# Root may read everything; without these capabilities it may not.
_LIKE_ANYONE = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
_AS_ANYONE = _LIKE_ANYONE if os.geteuid() == 0 else []


_LIMIT = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
os.execv(sys.argv[2], sys.argv[2:])
"""


def run_apart(*arguments: str | Path, file_bytes: int | None = None) -> tuple[int, str]:
    """Run the producer in a process of its own, which may read and write what its user may."""

    # Limited by a program in between, and not between fork and exec: there gRPC, which other tests use, takes the new
    # process down now and then.
    limited = [] if file_bytes is None else [sys.executable, "-c", _LIMIT, str(file_bytes)]
    done = subprocess.run(
        [*_AS_ANYONE, *limited, sys.executable, "-m", "producer", *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        # Python's own files are not what the limit is for.
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(bool(_AS_ANYONE) and not shutil.which("setpriv"), reason="root without setpriv may read all")
@pytest.mark.parametrize("denied", ["folder", "file", "archive"])
def test_no_permission(tmp_path: Path, denied: str) -> None:
    export = write_json(tmp_path / "export" / "sub" / "endsong_0.json", GOOD)
    archive = tmp_path / "archive"
    archive.mkdir()
    paths = {"folder": export.parent, "file": export, "archive": archive}
    paths[denied].chmod(0o000)
    try:
        code, error = run_apart("import", tmp_path / "export", "--user", "me", "--archive", archive)
    finally:
        paths[denied].chmod(0o755)
    assert code == 1
    assert error.startswith("error: no permission")
    assert str(paths[denied]) in error
    assert error.count("\n") == 1


def test_a_disk_that_takes_no_more_leaves_no_half_file(tmp_path: Path) -> None:
    # A limit on the size of files stands in for a full disk: the write fails in the same place.
    write_json(tmp_path / "endsong_0.json", GOOD)
    archive = tmp_path / "archive"
    code, error = run_apart("import", tmp_path, "--user", "me", "--archive", archive, file_bytes=500)
    assert code == 1
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert [path for path in archive.rglob("*") if path.is_file()] == []
    assert run_apart("import", tmp_path, "--user", "me", "--archive", archive) == (0, "")
    assert len(plays_in(archive)) == len(GOOD)


def test_the_producer_imports_no_beam() -> None:
    code = (
        "import sys, pkgutil, importlib, producer\n"
        "for module in pkgutil.walk_packages(producer.__path__, 'producer.'):\n"
        "    importlib.import_module(module.name)\n"
        "assert 'producer.polling.publishing' in sys.modules\n"
        "sys.exit('apache_beam' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)
