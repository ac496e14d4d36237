"""The command ``top``: whose tens of which months, and how they stand in a terminal of any width."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from pipelines.querying import tops
from pipelines.querying.asking import ask
from pipelines.querying.cells import fitted, padded, width_of
from pipelines.querying.chart import Screen, draw
from pipelines.querying.parameters import Parameters
from pipelines.querying.tops import Line, Month, Top
from pipelines.top import main, parse
from pipelines.warehouse.folder import FolderWarehouse
from tests.standins.zetasql_judge import the_judge
from tests.warehouse.listening import listening_in, rows

ROOT = Path(__file__).parents[2]
NOVEMBER = date(2026, 11, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(listening_in(tmp_path_factory.mktemp("warehouse")).folder)


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> list[str]:
    """What the command prints, in lines."""
    assert main(argv) == 0
    return capsys.readouterr().out.splitlines()


def test_without_more_it_is_the_newest_month(
    folder: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys, "argv", [str(ROOT / "heavy_rotation.py")])
    command = f"{sys.executable} -m heavy_rotation top --warehouse {folder}"
    assert told(capsys, "--warehouse", folder) == [
        "November 2026 so far · 4 plays · listener",
        "▲ ▼ –  new: against October's ten",
        "",
        "Songs",
        " 1 ▲ 2  Track 2 · Artist 2                2  ███████████████",
        " 2 new  Track 5 · Artist 1                1  ███████▌",
        " 3 new  Track 4 · Artist 3                1  ███████▌",
        "",
        "Artists",
        " 1 –    Artist 2                          2  ███████████████",
        " 2 –    Artist 1                          1  ███████▌",
        " 3 new  Artist 3                          1  ███████▌",
        "",
        "Albums",
        " 1 –    Album 2 · Artist 2                2  ███████████████",
        " 2 –    Album 1 · Artist 1                1  ███████▌",
        " 3 new  Album 3 · Artist 3                1  ███████▌",
        "",
        f"next: {command} --year 2026",
        f"      {command} --month 2026-10",
    ]


def test_a_longer_span_is_counted_as_a_whole(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--warehouse", folder, "--artists", "--format", "csv")
    answers = [told(capsys, *asked, *span) for span in (["--year", "2026"], ["--from", "2026-10"], ["--to", "2026-11"])]
    for answer in answers:
        found = list(csv.DictReader(io.StringIO("\n".join(answer))))
        assert [(row["rank"], row["name"], row["plays"]) for row in found] == [
            ("1", "Artist 2", "4"),
            ("2", "Artist 1", "3"),
            ("3", "Artist 3", "1"),
        ]
    assert answers[1] == answers[2]


def test_json_says_whose_and_which_months(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--warehouse", folder, "--month", "2026-11", "--albums", "--format", "json")
    assert json.loads("\n".join(told(capsys, *arguments)))[2] == {
        "user_id": "listener",
        "first_month": "2026-11-01",
        "last_month": "2026-11-01",
        "kind": "album",
        "rank": 3,
        "name": "Album 3",
        "artist_name": "Artist 3",
        "plays": 1,
        "rank_before": None,
    }


def test_a_month_without_plays_says_which_there_are(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--warehouse", folder, "--month", "2025-01"]) == 1
    assert capsys.readouterr() == (
        "",
        "error: there are no plays of listener in 2025-01; months here: 2026-10 to 2026-11\n",
    )


@pytest.mark.parametrize("imported", ["2026-10-01", "2026-11-01"])
def test_an_artist_without_an_id_in_one_month_is_compared_by_name(
    imported: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = FolderWarehouse(tmp_path, "Europe/Paris")
    for row in rows()["top_ten_snapshots"]:
        items = row["items"]
        if row["kind"] == "artist" and str(row["month"]) == imported:
            items = [item | {"id": f"names:{item['name']}"} for item in items]
        warehouse.append("top_ten_snapshots", [row | {"items": items}])
    lines = told(capsys, "--warehouse", str(tmp_path), "--artists")
    assert [line[:16] for line in lines[4:7]] == [" 1 –    Artist 2", " 2 –    Artist 1", " 3 new  Artist 3"]


def test_a_hole_of_months_is_told_with_how_to_fill_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEAVY_ROTATION_HOME", str(tmp_path))
    warehouse = FolderWarehouse(tmp_path / "warehouse", "Europe/Paris")
    for row in rows()["top_ten_snapshots"]:
        month = row["month"] if row["month"] == NOVEMBER else date(2026, 8, 1)
        warehouse.append("top_ten_snapshots", [row | {"month": month}])
    missing = "no plays in 2026-09 to 2026-10. If you listened then, ask for your extended"
    command = "  heavy-rotation import ~/Downloads/my_spotify_data.zip"
    for argv in ([], ["--year", "2026"]):
        lines = told(capsys, *argv)
        assert (missing in lines, command in lines) == (True, True)
    # Of August alone nothing is missing, and of tables that are named nobody knows the archive.
    assert missing not in told(capsys, "--month", "2026-08")
    assert command not in told(capsys, "--warehouse", str(tmp_path / "warehouse"))


def test_with_several_listeners_it_says_who_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    warehouse = FolderWarehouse(tmp_path, "Europe/Paris")
    for user in ("ana", "ben"):
        for row in rows()["top_ten_snapshots"]:
            warehouse.append("top_ten_snapshots", [row | {"user_id": user}])
    assert main(["--warehouse", str(tmp_path)]) == 1
    assert "There are 2 listeners in" in (err := capsys.readouterr().err)
    assert "ana, ben. Say --user NAME" in err
    assert main(["--warehouse", str(tmp_path), "--user", "eve"]) == 1
    assert "no plays of eve" in capsys.readouterr().err
    assert told(capsys, "--warehouse", str(tmp_path), "--user", "ben")[0].endswith(" · ben")


def test_an_empty_warehouse_says_what_brings_plays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    FolderWarehouse(tmp_path, "Europe/Paris")
    assert main(["--warehouse", str(tmp_path)]) == 1
    assert "no plays" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        ["--month", "2026-13"],
        ["--year", "26"],
        ["--month", "2026-10", "--year", "2026"],
        ["--from", "2026-11", "--to", "2026-10"],
        ["--year", "2026", "--to", "2026-10"],
    ],
)
def test_a_span_that_makes_no_sense_is_a_wrong_command_line(argv: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(["--warehouse", "w", *argv])


def test_an_album_stays_itself_under_another_id(tmp_path: Path) -> None:
    warehouse = listening_in(tmp_path)
    albums = [row for row in rows()["top_ten_snapshots"] if (row["month"], row["kind"]) == (NOVEMBER, "album")]
    line = max(albums, key=lambda row: row["plays_in_month"])
    line["items"][0] |= {"id": "re-release", "name": "ALBUM 2"}
    warehouse.append("top_ten_snapshots", [line | {"plays_in_month": line["plays_in_month"] + 1}])
    [first, *_] = tops.Listener(str(tmp_path), None).newest().tens["album"]
    assert (first.name, first.before) == ("ALBUM 2", 1)


@pytest.mark.xdist_group("zetasql")
def test_google_gives_the_same_lines(folder: str) -> None:
    judge = the_judge()
    judge.fill(**rows())
    asked: Parameters = {"user_id": "listener", "month": NOVEMBER, "before": date(2026, 10, 1)}
    for sql, parameters in ((tops._MONTHS, {}), (tops._TENS, asked)):
        query = sql.format(dataset="heavy_rotation")
        assert judge.query(query, **parameters) == [
            tuple(row.values()) for row in ask(folder, query, parameters=parameters).to_pylist()
        ] != []  # fmt: skip


NAMES = [
    "Salted Orchard",
    "夜の電車で行こうとしていたあの夏のことを",
    "على مهل",
    "x" * 300,
    "e\u0301" * 40,
    "\x1b[31mred\n",
]


@pytest.mark.parametrize("width", [40, 80, 99, 100, 101, 150, 300])
def test_no_line_is_wider_than_the_terminal_and_numbers_line_up(width: int) -> None:
    lines = tuple(
        Line(rank, name, NAMES[-rank], 9_999_999 // rank**4, None if rank % 2 else 1)
        for rank, name in enumerate(NAMES, start=1)
    )
    tens = {"track": lines, "artist": tuple(Line(one.rank, one.name, "", one.plays, 3) for one in lines), "album": ()}
    top = Top("me", NOVEMBER, NOVEMBER, (Month(NOVEMBER, 9_999_999, True),), tens, date(2026, 10, 1))
    drawn = list(draw(top, tops.KINDS, Screen(width, has_colour=False)))
    assert max(map(width_of, drawn)) <= width
    assert "\x1b" not in "".join(drawn)
    at = 4 if width < 100 else 3
    shown = drawn[at:] if width < 100 else drawn[at + 1 :: 2]
    ends = {
        width_of(row[: row.index(f" {line.plays:,}")]) + len(f" {line.plays:,}")
        for line, row in zip(lines, shown, strict=False)
    }
    assert len(ends) == 1


def test_a_text_is_cut_by_its_width() -> None:
    assert fitted("東雲レコード", 12) == "東雲レコード"
    assert fitted("東雲レコード", 11) == "東雲レコー…"
    assert fitted("東雲レコード", 10) == "東雲レコ…"
    assert fitted("ab cd", 4) == "ab…"
    assert fitted("abc", 0) == ""
    assert width_of(padded("東雲レコード", 10)) == 10
    assert padded("7", 3, to_right=True) == "  7"


def _in_a_terminal(columns: int, *argv: str, **environment: str) -> str:
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "heavy_rotation", "top", *argv],
        stdout=theirs,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": str(columns), "TERM": "xterm"} | environment,
    ) as process:
        os.close(theirs)
        written = b""
        while piece := _read(ours):
            written += piece
    os.close(ours)
    assert process.returncode == 0
    return written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side has ended
        return b""


def test_a_terminal_has_three_lists_side_by_side_and_one_colour(folder: str) -> None:
    written = _in_a_terminal(100, "--warehouse", folder)
    assert any("Songs" in line and "Artists" in line and "Albums" in line for line in written.splitlines())
    assert "\x1b[38;5;208m██" in written
    assert "\x1b" not in _in_a_terminal(100, "--warehouse", folder, NO_COLOR="1")
    assert "\x1b" not in _in_a_terminal(100, "--warehouse", folder, TERM="dumb")
