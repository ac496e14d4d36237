"""The export that the imaginary listener gets from Spotify has the shape of a real one."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZipFile

import pytest

from demo.catalogue import Track
from demo.export import FOLDER, write_export
from demo.listener import Listen, Listener

# In the order in which Spotify writes them.
COLUMNS = [
    "ts", "platform", "ms_played", "conn_country", "ip_addr", "master_metadata_track_name",
    "master_metadata_album_artist_name", "master_metadata_album_album_name", "spotify_track_uri",
    "episode_name", "episode_show_name", "spotify_episode_uri", "audiobook_title", "audiobook_uri",
    "audiobook_chapter_uri", "audiobook_chapter_title", "reason_start", "reason_end", "shuffle", "skipped",
    "offline", "offline_timestamp", "incognito_mode",
]  # fmt: skip


@pytest.fixture(scope="module")
def plays() -> list[Listen]:
    start, end = datetime(2025, 10, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    return list(Listener(3).listens(start, end))


@pytest.fixture(scope="module")
def export(plays: list[Listen], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_export(tmp_path_factory.mktemp("export"), plays, rows_per_file=3_000)


def read_rows(path: Path) -> list[dict[str, object]]:
    with ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".json")]
        return [row for name in names for row in json.loads(archive.read(name))]


def test_files_are_named_as_spotify_names_them(export: Path) -> None:
    assert export.name == "my_spotify_data.zip"
    with ZipFile(export) as archive:
        assert archive.testzip() is None
        names = [name for name in archive.namelist() if name.endswith(".json")]
        sizes = [len(json.loads(archive.read(name))) for name in names]
    years = [
        re.fullmatch(rf"{FOLDER}/Streaming_History_Audio_(\d{{4}}(?:-\d{{4}})?)_{n}\.json", name)
        for n, name in enumerate(names)
    ]
    assert [match[1] for match in years if match] == ["2025", "2025-2026", "2026", "2026"]
    assert all(size <= 3_000 for size in sizes)


def test_every_play_is_a_row_and_a_few_are_two(export: Path, plays: list[Listen]) -> None:
    rows = read_rows(export)
    unique = {json.dumps(row): row for row in rows}
    assert len(unique) == len(plays)
    assert 1 <= len(rows) - len(unique) < 60
    assert sum(int(str(row["ms_played"])) for row in unique.values()) == sum(p.ms_played for p in plays)
    ends = [play.ended_at.replace(microsecond=0).isoformat().replace("+00:00", "Z") for play in plays]
    assert [row["ts"] for row in unique.values()] == ends


def test_rows_have_spotifys_columns_and_nulls(export: Path) -> None:
    for row in read_rows(export):
        assert list(row) == COLUMNS
        is_track = row["spotify_track_uri"] is not None
        assert is_track == (row["master_metadata_track_name"] is not None)
        assert is_track == (row["spotify_episode_uri"] is None)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(row["ts"]))


def test_every_oddity_of_real_exports_is_in_it(export: Path, plays: list[Listen]) -> None:
    rows = read_rows(export)
    assert any(row["spotify_episode_uri"] for row in rows)
    assert any(str(row["spotify_track_uri"]).startswith("spotify:local:") for row in rows)
    assert any(int(str(row["ms_played"])) < 30_000 for row in rows)
    assert {row["skipped"] for row in rows} == {True, False, None}
    assert {len(str(row["offline_timestamp"])) for row in rows} == {10, 13, 1, 4}  # s, ms, 0, None
    assert any(isinstance(play.what, Track) and len(play.what.artists) > 1 for play in plays)


def test_addresses_are_for_documentation_only(export: Path) -> None:
    assert all(re.fullmatch(r"203\.0\.113\.\d{1,3}", str(row["ip_addr"])) for row in read_rows(export))


def test_the_same_plays_give_the_same_bytes(plays: list[Listen], tmp_path: Path) -> None:
    first = write_export(tmp_path / "first.zip", plays[:500])
    second = write_export(tmp_path / "second.zip", reversed(plays[:500]))
    assert first.read_bytes() == second.read_bytes()


def test_no_plays_give_an_archive_without_history(tmp_path: Path) -> None:
    assert read_rows(write_export(tmp_path / "new" / "folder", [])) == []
