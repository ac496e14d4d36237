"""The files of an export as people have them: wherever they lie, whatever they are called, however they were saved."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from pipelines.domain.instants import parse
from producer.state.cursor import Cursors, Gap
from tests.commands import Run
from tests.producer.exports import account, episode, extended, plays_in, write_json, write_zip

ROW, OTHER, THIRD = (extended(f"2026-05-0{day}T10:00:00Z") for day in (1, 2, 3))
MINUTE = account("2026-05-04 10:00", "m")
PODCAST = {"endTime": "2026-05-01 08:00", "podcastName": "P", "episodeName": "E", "msPlayed": 1_200_000}
BOOK = {"endTime": "2026-05-01 09:00", "audiobookName": "B", "chapterName": "C", "msPlayed": 1_200_000}


def zipped(**members: Any) -> bytes:
    """A zip in memory; names have a dot for ``__``."""
    data = io.BytesIO()
    with ZipFile(data, "w") as archive:
        for name, value in members.items():
            content = value if isinstance(value, bytes) else json.dumps(value)
            archive.writestr(name.replace("__", "."), content)
    return data.getvalue()


@pytest.fixture
def load(run: Run, tmp_path: Path) -> Callable[..., str]:
    """Import what is in the folder ``export``, which has to go well; the report."""

    def load(*more: str) -> str:
        ran = run("import", tmp_path / "export", "--user", "me", "--archive", tmp_path / "archive", *more)
        assert (ran.code, ran.err) == (0, "")
        return ran.out

    return load


def days(archive: Path) -> list[int]:
    return [play.played_at.day for play in plays_in(archive)]


def test_zips_in_a_folder_and_zips_in_them(load: Callable[..., str], tmp_path: Path) -> None:
    inner = zipped(endsong_1__json=[OTHER], deeper__zip=zipped(endsong_2__json=[THIRD]))
    write_json(tmp_path / "export" / "old" / "endsong_0.json", [ROW])
    (tmp_path / "export" / "MY_SPOTIFY_DATA.ZIP").write_bytes(zipped(data__zip=inner, photo__jpg=b"jpg"))
    assert "3 rows of 3 files" in load()
    assert days(tmp_path / "archive") == [1, 2, 3]


@pytest.mark.parametrize(
    "name",
    [
        "StreamingHistory.json",
        "StreamingHistory0.json",
        "StreamingHistory (1).json",
        "streaminghistory_music_12.json",
        "2019.json",
        "StreamingHistory0.json.txt",
        "listening",
    ],
)
@pytest.mark.parametrize("in_zip", [False, True])
def test_files_are_told_by_their_rows_whatever_their_names(
    load: Callable[..., str], tmp_path: Path, name: str, in_zip: bool
) -> None:
    (tmp_path / "export").mkdir()
    if in_zip:
        write_zip(tmp_path / "export" / "a.zip", {f"folder/{name}": [MINUTE], "endsong_0.json": [ROW]})
    else:
        write_json(tmp_path / "export" / name, [MINUTE])
        write_json(tmp_path / "export" / "endsong_0.json", [ROW])
    load()
    assert days(tmp_path / "archive") == [1, 4]


@pytest.mark.parametrize("name", ["Streaming_History_Video_2026.json", "endvideo.json", "endvideo_1.json"])
@pytest.mark.parametrize("way", ["folder", "zip", "by hand"])
def test_videos_are_counted_as_such(run: Run, tmp_path: Path, name: str, way: str) -> None:
    path = write_json(tmp_path / "export" / name, [ROW, OTHER | {"ms_played": 7_000}])
    named = {
        "folder": path.parent,
        "zip": write_zip(tmp_path / "a.zip", {name: json.loads(path.read_text())}),
        "by hand": path,
    }[way]
    ran = run("import", named, "--user", "me", "--archive", tmp_path / "archive")
    assert ran.code == 0
    assert "2 video\n" in ran.out
    assert plays_in(tmp_path / "archive") == []


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
@pytest.mark.parametrize("name", ["StreamingHistory_music_0.json", "StreamingHistory_podcast_0.json", "renamed.json"])
def test_account_data_may_mix_songs_podcasts_and_audiobooks(
    load: Callable[..., str], tmp_path: Path, order: tuple[int, ...], name: str
) -> None:
    rows = [PODCAST, BOOK, MINUTE]
    write_json(tmp_path / "export" / name, [rows[n] for n in order])
    report = load()
    assert "3 rows of 1 file" in report
    assert "1 podcast episode" in report
    assert "1 audiobook chapter" in report
    assert days(tmp_path / "archive") == [4]


def test_both_kinds_in_one_file(load: Callable[..., str], tmp_path: Path) -> None:
    write_json(tmp_path / "export" / "all.json", [MINUTE, {"neither": 1}, "x", ROW, episode(), {"ms_played": 1}])
    report = load()
    assert days(tmp_path / "archive") == [1, 4]
    for reason in ("neither ts nor endTime is there", "row is not an object", "ts is missing"):
        assert f"1 {reason} (first: row" in report


def test_what_looks_like_history_and_is_not_read_is_named(load: Callable[..., str], tmp_path: Path) -> None:
    export = tmp_path / "export"
    write_json(export / "endsong_0.json", [ROW])
    write_json(export / "stats.json", {"ms_played": 1, "top": []})
    (export / "Streaming_History_Audio_2025.csv").write_text("ts,ms_played\n")
    (export / "my_spotify_data.rar").write_bytes(b"Rar!")
    (export / "lines.json").write_text("\n".join(json.dumps(row) for row in (ROW, OTHER)))
    # And what does not look like it.
    write_json(export / "Playlist1.json", {"playlists": []})
    (export / "ReadMeFirst_ExtendedStreamingHistory.pdf").write_bytes(b"%PDF")
    (export / "._endsong_0.json").write_bytes(b"\0\5\x16\7")
    (export / "__MACOSX").mkdir()
    (export / "__MACOSX" / "._endsong_1.json").write_bytes(b"\0\5\x16\7")
    named = [line for line in load().splitlines() if line.startswith("not read")]
    assert sorted(line.split(str(export) + "/")[1].split()[0] for line in named) == [
        "Streaming_History_Audio_2025.csv",
        "lines.json",
        "my_spotify_data.rar",
        "stats.json",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_as_editors_save_it(load: Callable[..., str], tmp_path: Path, encoding: str) -> None:
    titles = ["Señorita", "風の歌", "𝄞 clef"]
    rows = [extended(f"2026-05-0{n + 1}T10:00:00Z") | {"master_metadata_track_name": t} for n, t in enumerate(titles)]
    (tmp_path / "export").mkdir()
    text = json.dumps(rows, ensure_ascii=False, indent=1).replace("\n", "\r\n")
    (tmp_path / "export" / "endsong_0.json").write_bytes(text.encode(encoding))
    load()
    assert [play.track_name for play in plays_in(tmp_path / "archive")] == titles


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"a \ud83d b", "a � b"),
        (rb"a \ude00 b", "a � b"),
        (rb"\ud83d\ud83d\ude00", "�😀"),
        (rb"\\ud83d", r"\ud83d"),
        (b"a \xed\xa0\xbd b", "a � b"),
        (b"\xed\xa0\xbd\xed\xb8\x80", "😀"),
    ],
)
def test_half_a_character_costs_that_character(
    load: Callable[..., str], tmp_path: Path, written: bytes, read: str
) -> None:
    text = json.dumps([ROW | {"master_metadata_track_name": "TITLE"}, OTHER]).encode()
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "endsong_0.json").write_bytes(text.replace(b"TITLE", written))
    load()
    assert [play.track_name for play in plays_in(tmp_path / "archive")] == [read, "Track a"]


def test_another_encoding_is_told_as_that(run: Run, tmp_path: Path) -> None:
    text = json.dumps([ROW, OTHER | {"master_metadata_track_name": "Señorita"}], ensure_ascii=False, indent=1)
    path = tmp_path / "endsong_0.json"
    path.write_bytes(text.encode("cp1252"))
    ran = run("import", path, "--user", "me", "--archive", tmp_path / "archive")
    assert ran.code == 1
    line = 1 + text[: text.index("ñ")].count("\n")
    assert f"{path} is not in UTF-8 at line {line}, column" in ran.err
    assert "Windows-1252" in ran.err
    assert "save it there as UTF-8" in ran.err


def test_one_bad_file_does_not_silence_the_good_ones(run: Run, tmp_path: Path) -> None:
    export, archive = tmp_path / "export", tmp_path / "archive"
    write_json(export / "endsong_0.json", [ROW])
    write_json(export / "endsong_1.json", {"no": "rows"})
    # Broken behind its first rows, of which nothing counts.
    text = json.dumps([OTHER, THIRD])
    (export / "endsong_2.json").write_text(text[:-5])
    options = ("import", export, "--user", "me", "--archive", archive)
    ran = run(*options)
    assert (ran.code, ran.out) == (1, "")
    first, second, hint = ran.err.splitlines()
    assert "endsong_1.json is JSON, but not listening history" in first
    assert "endsong_2.json is cut short" in second
    assert hint == (
        f"nothing was written; --skip-unreadable imports the files that can be read: {export / 'endsong_0.json'}"
    )
    assert not archive.exists()
    ran = run(*options, "--skip-unreadable")
    assert ran.code == 0
    assert days(archive) == [1]
    assert "read                1 rows of 1 file" in ran.out
    assert sum(line.startswith("not read") for line in ran.out.splitlines()) == 2


def test_where_nothing_can_be_read_nothing_is_skipped(run: Run, tmp_path: Path) -> None:
    write_json(tmp_path / "export" / "endsong_1.json", {"no": "rows"})
    ran = run("import", tmp_path / "export", "--user", "me", "--archive", tmp_path / "archive", "--skip-unreadable")
    assert (ran.code, ran.err.count("\n")) == (1, 1)


def test_a_time_that_is_yet_to_come_is_left_out(load: Callable[..., str], tmp_path: Path) -> None:
    write_json(
        tmp_path / "export" / "endsong_0.json", [ROW, extended("2097-01-01T10:00:00Z"), account("2097-01-01 10:00")]
    )
    report = load()
    assert "1 in 1 month, 2026-05 to 2026-05" in report
    assert "2 more than a day in the future" in report
    assert days(tmp_path / "archive") == [1]


def test_what_an_import_with_a_file_left_out_covers(run: Run, tmp_path: Path) -> None:
    """The file that cannot be read may lie between two that can: a gap that it would close stays."""
    export, state = tmp_path / "export", tmp_path / "state"
    write_json(export / "endsong_0.json", [ROW])
    write_json(export / "endsong_1.json", "no rows")
    write_json(export / "endsong_2.json", [THIRD])
    start, end = (parse(f"2026-05-0{day}T12:00:00Z") for day in (1, 2))
    cursors = Cursors(state)
    cursors.change(cursors.read("me"), lambda cursor: replace(cursor, gaps=(Gap(start, end, end),)))
    options = ("--user", "me", "--archive", tmp_path / "archive", "--state", state)
    assert run("import", export, *options, "--skip-unreadable").code == 0
    assert len(cursors.gaps("me")) == 1
    write_json(export / "endsong_1.json", [OTHER])
    assert run("import", export, *options).code == 0
    assert cursors.gaps("me") == []


NAMES = ("zq-first-account-77", "zq-second-account-77")


@pytest.mark.parametrize("way", ["rows of two files", "rows of one file", "beside the files", "two zips"])
def test_two_accounts_are_refused_and_nobody_is_named(run: Run, tmp_path: Path, way: str) -> None:
    one, other = (row | {"username": name} for row, name in zip((ROW, OTHER), NAMES, strict=True))
    export, archive, state = (tmp_path / name for name in ("export", "archive", "state"))
    match way:
        case "rows of two files":
            write_json(export / "one" / "endsong_0.json", [one])
            write_json(export / "other" / "endsong_0.json", [other])
        case "rows of one file":
            write_json(export / "endsong_0.json", [one, other])
        case "beside the files":
            for name, row in zip(NAMES, (MINUTE, account()), strict=True):
                write_json(export / name[3:8] / "StreamingHistory0.json", [row])
                write_json(export / name[3:8] / "Userdata.json", {"username": name, "email": "x@example.org"})
        case "two zips":
            export.mkdir()
            for name, row in zip(NAMES, (MINUTE, account()), strict=True):
                members = {"MyData/StreamingHistory0.json": [row], "MyData/Userdata.json": {"username": name}}
                write_zip(export / f"{name[3:8]}.zip", members)
    ran = run("import", export, "--user", "me", "--archive", archive, "--state", state)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: the files are of two accounts: ")
    assert "by themselves" in ran.err
    assert not archive.exists()
    kept = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file()) + ran.err.encode()
    assert not any(name.encode() in kept for name in NAMES)


def test_one_account_in_several_exports_is_no_trouble(load: Callable[..., str], tmp_path: Path) -> None:
    export = tmp_path / "export"
    write_json(export / "old" / "endsong_0.json", [ROW | {"username": "me-77"}, OTHER | {"username": None}])
    members = {"a/StreamingHistory0.json": [MINUTE], "a/Userdata.json": {"username": "Me-77"}}
    write_zip(export / "new.zip", members)
    # Another account's, without listening history beside it.
    write_json(export / "friend" / "Userdata.json", {"username": "friend-77"})
    load()
    assert days(tmp_path / "archive") == [1, 2, 4]


def test_a_file_that_is_named_twice_is_read_once(run: Run, tmp_path: Path) -> None:
    path = write_json(tmp_path / "export" / "endsong_0.json", [ROW])
    archive = write_zip(tmp_path / "export" / "a.zip", {"endsong_1.json": [OTHER]})
    named = (path, path.parent, archive, path.parent / ".." / "export" / "a.zip")
    ran = run("import", *named, "--user", "me", "--archive", tmp_path / "archive")
    assert ran.code == 0
    assert "read                2 rows of 2 files" in ran.out


CASES = Path(__file__).parents[2] / ".." / "shared" / "cases"


@pytest.mark.parametrize(
    ("case", "code", "plays", "says"),
    [
        ("mixed-account-file", 0, 7, "1 podcast episode"),
        ("future-row", 0, 1, "1 more than a day in the future"),
        ("utf8-bom", 0, 1, ""),
        ("windows-1252", 1, 0, "Windows-1252"),
        ("folder-with-zip", 0, 6, "2 files"),
        ("renamed-beside", 0, 3, "3 files"),
        ("my_spotify_data_2019.zip", 0, 1, ""),
        ("numbered-and-unnumbered", 0, 2, ""),
        ("endvideo", 0, 1, "2 video"),
        ("two-people", 1, 0, "two accounts"),
        ("year-1970", 0, 0, "ts is not between 2006 and 2099"),
    ],
)
def test_inputs_that_failed(run: Run, tmp_path: Path, case: str, code: int, plays: int, says: str) -> None:
    if not CASES.exists():
        pytest.skip(f"inputs that failed are not tested: there is no {CASES}")
    ran = run("import", CASES / case, "--user", "me", "--archive", tmp_path)
    assert ran.code == code
    assert says in ran.out + ran.err
    assert len(plays_in(tmp_path)) == plays
