"""Imports from real files: what is found, what is written, and that importing again adds no identity."""

import json
import random
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.catalogue import Track
from demo.export import write_export
from pipelines.domain.instants import to_millis
from pipelines.domain.month import Calendar
from pipelines.domain.play import Source
from pipelines.storage.archive import Archive
from producer.__main__ import main
from producer.accounts.grant import Grant
from producer.accounts.stores import FileStore, default_store
from producer.identity.rows import Tracks
from producer.importing import writing
from producer.importing.known_plays import read_copies
from producer.importing.writing import Writer
from producer.state.cursor import Cursors
from tests.builders import play
from tests.commands import Run
from tests.producer.exports import (
    account,
    at,
    episode,
    extended,
    identities,
    plays_in,
    write_json,
    write_zip,
)
from tests.standins.cloud_storage import Bucket, connected
from tests.standins.spotify import LISTENER, NOW, Spotify

REAL = Path(__file__).parents[2] / ".." / "shared" / "real"
FOLDER = "Spotify Extended Streaming History"
ROWS = [extended(f"2026-05-{day:02}T10:00:00Z", track) for day in range(1, 29) for track in "ab"]


def numbers(report: str) -> dict[str, int]:
    """The report's figures by what stands behind them."""
    found = {}
    for line in report.splitlines():
        words = line[12:].split()
        if words and words[0].replace(",", "").isdecimal():
            found[f"{line[:12].strip()} {' '.join(words[1:])}".strip()] = int(words[0].replace(",", ""))
    return found


def test_a_zip_as_spotify_sends_it(run: Run, tmp_path: Path) -> None:
    video = [extended("2026-05-01T11:00:00Z", "v")]
    export = write_zip(
        tmp_path / "my_spotify_data.zip",
        {
            f"{FOLDER}/Streaming_History_Audio_2025-2026_1.json": [
                extended(),
                extended(),
                extended(ms_played=29_999),
            ],
            f"{FOLDER}/Streaming_History_Audio_2026_2.json": [
                extended("2026-06-01T10:00:00Z"),
                episode(),
                {"ts": 1},
            ],
            f"{FOLDER}/Streaming_History_Video_2026.json": video,
            f"{FOLDER}/ReadMeFirst_ExtendedStreamingHistory.pdf": b"%PDF",
            f"__MACOSX/{FOLDER}/._Streaming_History_Audio_2026_2.json": b"\0",
        },
    )
    ran = run("import", export, "--user", "me", "--archive", tmp_path / "archive")
    assert (ran.code, ran.err) == (0, "")
    assert numbers(ran.out) == {
        "read rows of 3 files": 7,
        "plays in 2 months, 2026-05 to 2026-06 (Europe/Paris)": 2,
        "left out played for less than 30 seconds": 1,
        "the same play again": 1,
        "podcast episode": 1,
        "video": 1,
        "unreadable ms_played is missing (first: row 3 of Streaming_History_Audio_2026_2.json)": 1,
        f"written plays in 2 files to {tmp_path / 'archive'}": 2,
    } | {key: value for key, value in numbers(ran.out).items() if key.startswith("took")}
    assert (
        f"next: heavy-rotation rebuild --archive {tmp_path / 'archive'} --warehouse {tmp_path / 'warehouse'}" in ran.out
    )
    first, second = plays_in(tmp_path / "archive")
    assert [first.played_at, second.played_at] == at("2026-05-01T10:00:00Z", "2026-06-01T10:00:00Z")
    assert (first.user_id, first.track_id, first.source) == ("me", "a", Source.EXTENDED_EXPORT)


@pytest.mark.parametrize(
    ("name", "rows", "plays"),
    [
        ("Streaming_History_Audio_2026_3.json", [extended()], 1),
        ("endsong_0.json", [extended()], 1),
        ("StreamingHistory_music_0.json", [account()], 1),
        ("StreamingHistory0.json", [account()], 1),
        ("by-hand.json", [extended()], 1),
        ("by-hand.json", [account()], 1),
        (
            "StreamingHistory_podcast_0.json",
            [{"endTime": "2026-05-01 10:00", "podcastName": "P", "msPlayed": 1}],
            0,
        ),
        ("by-hand.json", [{"endTime": "2026-05-01 10:00", "podcastName": "P", "msPlayed": 99_000}], 0),
        ("Streaming_History_Audio_2026_3.json", [], 0),
    ],
)
def test_every_kind_of_file(run: Run, tmp_path: Path, name: str, rows: list[object], plays: int) -> None:
    path = write_json(tmp_path / name, rows)
    ran = run("import", path, "--user", "me", "--archive", tmp_path / "archive")
    assert ran.code == 0
    assert len(plays_in(tmp_path / "archive")) == plays


def test_zip_folder_and_files_give_the_same_plays(run: Run, tmp_path: Path) -> None:
    names = ["Streaming_History_Audio_2026_1.json", "deep/er/endsong_3.json"]
    parts = dict(zip(names, (ROWS[::2], ROWS[1::2]), strict=True))
    files = [write_json(tmp_path / "folder" / name, rows) for name, rows in parts.items()]
    zipped = write_zip(tmp_path / "export.zip", parts)
    found = []
    for number, paths in enumerate([[tmp_path / "folder"], files, [zipped], [zipped, *files, tmp_path / "folder"]]):
        archive = tmp_path / f"archive{number}"
        assert run("import", *paths, "--user", "me", "--archive", archive).code == 0
        found.append(identities(plays_in(archive)))
    assert len(found[0]) == len(ROWS)
    assert found.count(found[0]) == 4


def test_importing_again_and_a_newer_export_add_no_identity(run: Run, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    old = write_zip(tmp_path / "old.zip", {"endsong_0.json": ROWS})
    later = [extended("2026-09-01T10:00:00Z")]
    new = write_zip(tmp_path / "new.zip", {"Streaming_History_Audio_2026.json": [*reversed(ROWS), *later]})
    run("import", old, "--user", "me", "--archive", archive)
    once = set(identities(plays_in(archive)))
    run("import", old, "--user", "me", "--archive", archive)
    assert set(identities(plays_in(archive))) == once
    run("import", new, "--user", "me", "--archive", archive)
    assert len(set(identities(plays_in(archive))) - once) == 1


instants = st.sampled_from(["2026-05-01T10:00:00Z", "2026-05-31T21:59:59Z", "2026-05-31T22:00:00Z"])
rows = st.builds(extended, instants, st.sampled_from("abc"), st.sampled_from([30_000, 31_000, 29_000]))


@settings(max_examples=25, deadline=None)
@given(st.lists(rows, max_size=15), st.integers(1, 4), st.randoms(use_true_random=False))
def test_files_and_their_order_do_not_matter(rows: list[object], files: int, rng: random.Random) -> None:
    with tempfile.TemporaryDirectory() as folder:
        together, apart = Path(folder) / "together", Path(folder) / "apart"
        write_json(together / "endsong_0.json", rows)
        shuffled = rows + rng.sample(rows, len(rows) // 2)
        rng.shuffle(shuffled)
        for number in range(files):
            write_json(apart / f"endsong_{number}.json", shuffled[number::files])
        found = []
        for export in (together, apart):
            archive = export / "archive"
            assert main(["import", str(export), "--user", "me", "--archive", str(archive)]) == 0
            found.append(identities(plays_in(archive)))
        assert found[0] == found[1]


def test_a_dry_run_reports_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    export = write_json(tmp_path / "endsong_0.json", ROWS)
    ran = run("import", export, "--user", "me", "--dry-run", "--archive", tmp_path / "archive")
    assert ran.code == 0
    assert numbers(ran.out)["plays in 1 month, 2026-05 to 2026-05 (Europe/Paris)"] == len(ROWS)
    assert "dry run" in ran.out
    assert not (tmp_path / "archive").exists()


def test_months_are_those_of_the_time_zone_and_have_one_file_each(run: Run, tmp_path: Path) -> None:
    rows = [extended(ts, track) for ts in ("2026-05-31T21:59:29Z", "2026-05-31T22:00:00Z") for track in "ab"]
    for number, row in enumerate(rows):
        write_json(tmp_path / f"endsong_{number}.json", [row])
    run("import", tmp_path, "--user", "me", "--archive", tmp_path / "paris")
    run("import", tmp_path, "--user", "me", "--archive", tmp_path / "utc", "--time_zone", "UTC")
    assert folders(tmp_path / "paris") == ["month=2026-05", "month=2026-06"]
    assert folders(tmp_path / "utc") == ["month=2026-05"]


def folders(archive: Path) -> list[str]:
    return [Path(path).parent.name for path in Archive(str(archive)).files()]


def test_a_file_of_the_archive_has_so_many_plays_at_most_and_nothing_is_lost(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_PLAYS_OF_A_FILE", 5)
    rows = [extended(f"2026-{month:02}-{day:02}T10:00:00Z") for day in range(1, 12) for month in range(1, 4)]
    write_json(tmp_path / "endsong_0.json", rows)
    run("import", tmp_path, "--user", "me", "--archive", tmp_path / "archive")
    archive = Archive(str(tmp_path / "archive"))
    assert sorted(len(list(archive.read(path))) for path in archive.files()) == [1] * 3 + [5] * 6
    assert len(set(identities(plays_in(tmp_path / "archive")))) == len(rows)


@pytest.mark.parametrize("later", [None, [], ROWS[1:], [*ROWS, extended()], [account()]])
def test_a_file_that_changes_or_goes_once_it_was_read_is_imported_as_it_was(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: list[object] | None
) -> None:
    export, write = write_json(tmp_path / "endsong_0.json", ROWS), Writer.write

    def changed_before(*arguments: Any) -> Any:
        export.unlink() if later is None else write_json(export, later)
        return write(*arguments)

    monkeypatch.setattr(Writer, "write", changed_before)
    assert run("import", export, "--user", "me", "--archive", tmp_path / "archive").code == 0
    assert len(set(identities(plays_in(tmp_path / "archive")))) == len(plays_in(tmp_path / "archive")) == len(ROWS)


def test_files_are_uploaded_beside_each_other(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    months = 8
    rows = [extended(f"2026-{month:02}-{day:02}T10:00:00Z") for month in range(1, months + 1) for day in range(1, 4)]
    export = write_json(tmp_path / "endsong_0.json", rows)
    two = threading.Barrier(2, timeout=60)  # an upload waits until there is another
    with Bucket() as bucket, connected(bucket, monkeypatch):
        bucket.before_upload = lambda _: two.wait() and None
        ran = run("import", export, "--user", "me", "--archive", "gs://bucket/archive")
        assert (ran.code, ran.err) == (0, "")
        plays = [play for path in Archive("gs://bucket/archive").files() for play in Archive("gs://bucket").read(path)]
    assert len(bucket.objects) == months
    assert [play.played_at for play in plays] == at(*(row["ts"] for row in rows))


def test_a_month_that_cannot_be_written_is_told_and_can_be_completed(run: Run, tmp_path: Path) -> None:
    rows = [extended(f"2026-{month:02}-{day:02}T10:00:00Z") for month in range(1, 9) for day in range(1, 4)]
    export = write_json(tmp_path / "endsong_0.json", rows)
    archive = tmp_path / "archive"
    in_the_way = archive / "plays" / "month=2026-05"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.touch()
    ran = run("import", export, "--user", "me", "--archive", archive)
    assert (ran.code, ran.err) == (1, f"error: {in_the_way} is a file, and a folder is needed there\n")
    in_the_way.unlink()
    assert run("import", export, "--user", "me", "--archive", archive).code == 0
    assert len(set(identities(plays_in(archive)))) == len(plays_in(archive)) == len(rows)


def test_the_user_is_the_account_that_has_logged_in_or_was_polled_if_it_is_one(run: Run, tmp_path: Path) -> None:
    export = write_json(tmp_path / "endsong_0.json", ROWS)
    logins, state = tmp_path / "logins", tmp_path / "state"
    options = ("--archive", tmp_path / "archive", "--state", state, "--logins", logins)
    cursors = Cursors(state)
    cursors.change(cursors.read("someone"), lambda cursor: replace(cursor, polled_at=NOW))
    ran = run("import", export, *options)
    assert (ran.code, "note:" in ran.out) == (0, False)
    assert {play.user_id for play in plays_in(tmp_path / "archive")} == {"someone"}
    FileStore(logins).save(Grant("ann", "token", NOW))
    assert run("import", export, *options).code == 0
    assert {play.user_id for play in plays_in(tmp_path / "archive")} == {"ann", "someone"}
    FileStore(logins).save(Grant("bob", "token", NOW))
    ran = run("import", export, *options)
    assert ran.code == 1
    assert "2 accounts are known here (ann, bob): say --user NAME" in ran.err


def test_where_nobody_has_logged_in_the_plays_are_me_s(run: Run, tmp_path: Path) -> None:
    export = write_json(tmp_path / "endsong_0.json", ROWS)
    for _ in range(2):
        assert run("import", export, "--archive", tmp_path / "archive").code == 0
    assert {play.user_id for play in plays_in(tmp_path / "archive")} == {"me"}


def test_a_name_that_no_account_has_is_told(run: Run, tmp_path: Path) -> None:
    export = write_json(tmp_path / "endsong_0.json", ROWS)

    def said(user: str) -> str:
        return run("import", export, "--user", user, "--archive", tmp_path).out

    assert "note:" not in said("me")  # where nobody has, nobody polls
    FileStore(Path(default_store())).save(Grant("ann", "token", NOW))
    for _ in range(2):
        assert "note: no account me has logged in" in said("me")
    assert "heavy-rotation rename --user me, which makes" in said("me")
    assert "note:" not in said("ann")


def test_a_new_user_imports_and_then_polls(spotify: Spotify, run: Run, tmp_path: Path) -> None:
    """The export ends two days ago, and what Spotify lists reaches back into it."""
    listens = list(LISTENER.listens(NOW - timedelta(days=40), NOW - timedelta(days=2)))
    exported = [each for each in listens if isinstance(each.what, Track) and each.ms_played >= 30_000]
    export = write_export(tmp_path / "my_spotify_data.zip", listens)
    into = ("--archive", tmp_path / "archive", "--state", tmp_path / "state")
    run("import", export, "--user", spotify.account_id, *into)
    late = timedelta(days=1, hours=12)
    spotify.now -= late
    assert run("poll", "--once", *into).out.startswith(f"{spotify.account_id}: 50 listed, 50 new, 50 published")
    since = [ended for ended in spotify.listed() if ended > NOW - timedelta(days=2)]
    assert 0 < len(since) < 50
    counted = {play.played_at for play in plays_in(tmp_path / "archive")}
    assert len(counted) == len(exported) + len(since)


def heard(rows: list[dict[str, Any]]) -> set[tuple[str, int, int]]:
    """The plays of an export by track id, second and length, as a person would tell them from the rows."""
    found = []
    for row in rows:
        name, artist = ("trackName", "artistName") if "endTime" in row else ("master_metadata_track_name",) * 2
        length = row.get("ms_played", row.get("msPlayed"))
        if length < 30_000 or not row.get(name):
            continue
        ended = datetime.fromisoformat(row.get("ts") or row["endTime"] + "Z").timestamp()
        if row.get("offline"):
            began = row["offline_timestamp"] or 0
            really = (began / 1000 if began > 1e11 else began) + length / 1000
            ended = really if really > 1.2e9 and really < ended - 30 else ended
        track = row.get("spotify_track_uri", "").removeprefix("spotify:track:") or f"{row[artist]}: {row[name]}"
        found.append((length, int(ended), track, "endTime" in row))
    plays: dict[str, list[tuple[int, int]]] = {}
    for length, ended, track, is_minute in sorted(found, reverse=True):
        kept = plays.setdefault(track, [])
        near = (abs(ended - other) < 30 and (not is_minute or length == other_length) for other, other_length in kept)
        if not any(near):
            kept.append((ended, length))
    return {(track, *play) for track, kept in plays.items() for play in kept}


@pytest.mark.parametrize(
    ("folder", "read", "plays", "left_out"),
    [
        (
            "extended",
            5_064,
            3_729,
            {
                "left out played for less than 30 seconds": 1_311,
                "podcast episode": 22,
                "the same play again": 2,
            },
        ),
        ("account-data", 6_866, 5_150, {"left out played for less than 30 seconds": 1_716}),
    ],
)
def test_real_exports(run: Run, tmp_path: Path, folder: str, read: int, plays: int, left_out: dict[str, int]) -> None:
    if not REAL.exists():
        pytest.skip(f"real exports are not tested: there is no {REAL}")
    ran = run("import", REAL / folder, "--user", "me", "--archive", tmp_path)
    assert ran.code == 0
    figures = numbers(ran.out)
    assert figures["read rows of 1 file"] == read
    assert left_out.items() <= figures.items()
    found = plays_in(tmp_path)
    assert len({play.played_at for play in found}) == len(found) == plays
    # Counted again over the raw rows, without the project's code.
    [path] = (REAL / folder).glob("*.json")
    rows = json.loads(path.read_text())
    assert len(heard(rows)) == plays
    if folder == "extended":
        assert {(play.track_id, int(play.played_at.timestamp()), play.ms_played) for play in found} == heard(rows)
    assert {Calendar().month_of(play.played_at) for play in found} == set(Archive(str(tmp_path)).months())


def test_copies_are_read_again_where_a_forgetting_wrote_their_file_anew_meanwhile(tmp_path: Path) -> None:
    class Rewritten(Archive):
        """Once it was listed somebody else is forgotten: a file goes, and what is left of it is in another one."""

        def files(self, months: Iterable[date] | None = None) -> list[str]:
            listed = super().files(months)
            if not moved:
                moved.append(Path(listed[0]).rename(Path(listed[0]).with_name(f"plays-{'0' * 32}.avro")))
            return listed

    moved: list[Path] = []
    archive, known = Rewritten(str(tmp_path)), play("2026-11-20T12:00:00Z")
    archive.write(date(2026, 11, 1), [known])
    copies = read_copies(archive, [date(2026, 11, 1)], known.user_id, Tracks(), lambda: None)
    assert (len(moved), list(copies.instants)) == (1, [to_millis(known.played_at)])
