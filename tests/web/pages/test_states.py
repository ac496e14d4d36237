"""Warehouses that are not as one would wish: each has pages that were looked at."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.domain.play import Artist
from pipelines.warehouse.folder import FolderWarehouse
from tests.web.client import Client
from tests.web.histories import NOW, a_history, a_play, opened, written
from tests.web.pages.reading import Page
from web.hiding.hidden import Hidden

PAGES = [
    "/",
    "/month/2026-11",
    "/year/2026",
    "/recap",
    "/top/tracks",
    "/top/artists?by=time",
    "/top/albums",
    "/compare",
    "/calendar/2026",
    "/day/2026-11-28",
    "/history",
    "/history?q=a",
    f"/song/track{1:017}",
]


def seen(browser: Client, path: str) -> str:
    """The text of a page that answers."""
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text).text


def test_no_warehouse_says_how_one_comes_and_is_seen_once_it_is_there(tmp_path: Path) -> None:
    browser = opened(str(tmp_path / "warehouse"))
    text = seen(browser, "/")
    assert f"There are no tables in {tmp_path / 'warehouse'} yet." in text
    assert "heavy-rotation import" in text
    assert browser.get("/month/2026-11").status_code == 404
    written(tmp_path / "warehouse", [a_play(NOW - timedelta(hours=1))])
    assert "November 2026" in seen(browser, "/")


def test_no_plays_says_how_they_come(tmp_path: Path) -> None:
    FolderWarehouse(tmp_path, "Europe/Paris")
    assert "There are no plays in" in seen(opened(str(tmp_path)), "/")


def test_a_folder_that_is_no_warehouse_is_told(tmp_path: Path) -> None:
    (tmp_path / "warehouse.json").write_text('{"version": 99, "time_zone": "Europe/Paris"}')
    answer = opened(str(tmp_path)).get("/")
    assert answer.status_code == 503
    assert "Traceback" not in answer.text


@pytest.fixture(scope="module")
def of_one_play(tmp_path_factory: pytest.TempPathFactory) -> Client:
    return opened(written(tmp_path_factory.mktemp("one"), [a_play(NOW - timedelta(hours=1), 1)]))


@pytest.mark.parametrize("path", PAGES)
def test_one_play(of_one_play: Client, path: str) -> None:
    text = seen(of_one_play, path)
    assert "1 plays" not in text
    assert "nan" not in text.lower().split()


@pytest.fixture(scope="module")
def of_names_alone(tmp_path_factory: pytest.TempPathFactory) -> Client:
    bare: dict[str, Any] = {
        "album_id": None,
        "album_name": None,
        "album_artist_name": None,
        "album_image_url": None,
        "album_release_date": None,
        "duration_ms": None,
        "ms_played": None,
        "skipped": None,
        "reason_start": None,
        "reason_end": None,
    }
    plays = [a_play(NOW - timedelta(hours=hours), hours % 5, **bare) for hours in range(1, 40)]
    return opened(written(tmp_path_factory.mktemp("bare"), plays))


@pytest.mark.parametrize("path", PAGES)
def test_no_albums_no_covers_no_lengths_no_times(of_names_alone: Client, path: str) -> None:
    text = seen(of_names_alone, path)
    assert "None" not in text
    if path == "/":
        assert "No play here says which album it is from." in text
        assert "time heard not known" in text


@pytest.fixture(scope="module")
def of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Client:
    plays = [a_play(NOW - timedelta(hours=hours), hours % 5, artists=()) for hours in range(1, 40)]
    return opened(written(tmp_path_factory.mktemp("nobody"), plays))


@pytest.mark.parametrize("path", PAGES)
def test_plays_by_nobody(of_nobody: Client, path: str) -> None:
    assert "None" not in seen(of_nobody, path)


def test_a_name_of_300_characters_without_a_space(tmp_path: Path) -> None:
    name = "長" * 300
    artists = (Artist("ß" * 300, None),)
    browser = opened(written(tmp_path, [a_play(NOW - timedelta(hours=1), track_name=name, artists=artists)]))
    assert name in seen(browser, "/")


def test_data_a_day_old_is_said_in_words(tmp_path: Path) -> None:
    browser = opened(written(tmp_path, [a_play(NOW - timedelta(days=3, hours=1))]))
    answer = browser.get("/")
    assert "What is known ends 3 days ago, on 25 Nov 2026, 13:06" in Page(answer.text).text
    assert 'class="stale"' in answer.text
    assert "Last plays" in Page(answer.text).text


def test_a_month_that_is_long_over_is_not_so_far(tmp_path: Path) -> None:
    plays = [a_play(datetime(2026, 8, 3, 10, tzinfo=UTC) + timedelta(hours=hours)) for hours in range(9)]
    text = seen(opened(written(tmp_path, plays)), "/")
    assert "August 2026" in text
    assert "so far" not in text


@pytest.fixture
def two(tmp_path: Path) -> str:
    mine = a_history(number=30)
    return written(tmp_path, [*mine, *(replace(one, user_id="a/b?c&d <e>") for one in mine[:9])])


def test_whose_page_it_is_is_asked_and_is_in_every_link(two: str) -> None:
    browser = opened(two)
    asked = browser.get("/")
    assert asked.status_code == 200
    assert "There are 2 listeners here: whose?" in Page(asked.text).text
    assert browser.get("/month/2026-11").status_code == 300
    [theirs] = [link for link in Page(asked.text).links if "a%2Fb" in link]
    page = Page(browser.get(theirs).text)
    assert "plays of a/b?c&d <e>" in page.text
    inside = [link for link in page.links if link.startswith("/") and not link.startswith("/static/")]
    assert len(inside) > 20
    assert [link for link in inside if "user=" not in link and link != "/history"] == []
    assert ("input", "value", "a/b?c&d <e>") in page.attributes


def test_a_server_of_one_listener_shows_no_other(two: str) -> None:
    browser = opened(two, user="me")
    assert "user=" not in browser.get("/").text
    assert browser.get("/?user=a%2Fb%3Fc%26d+%3Ce%3E").status_code == 404


def test_where_polling_followed_an_import_nobody_is_new_for_having_an_id(tmp_path: Path) -> None:
    october, november = datetime(2026, 10, 5, 12, tzinfo=UTC), datetime(2026, 11, 5, 12, tzinfo=UTC)
    imported = a_play(october, artists=(Artist("Nina", None),))
    browser = opened(
        written(tmp_path / "warehouse", [imported, a_play(november, artists=(Artist("Nina", "nina-id"),))])
    )
    text = seen(browser, "/month/2026-11")
    assert "not in October's ten" not in text
    assert "Gone since" not in text
    assert "not in October's ten" in seen(opened(written(tmp_path / "other", [imported, a_play(november, 2)])), "/")


def test_a_gap_is_dashed_and_told_and_is_no_zero(tmp_path: Path) -> None:
    plays = [one for one in a_history(number=900) if not date(2026, 7, 7) < one.played_at.date() < date(2026, 7, 14)]
    warehouse = written(tmp_path / "warehouse", plays)
    cursors = tmp_path / "state" / "cursors"
    cursors.mkdir(parents=True)
    gap = {"from": "2026-07-08T01:00:00Z", "to": "2026-07-13T20:00:00Z", "told_at": "2026-07-13T20:01:00Z"}
    known = {"polled_at": "2026-11-28T13:02:00Z", "gaps": [gap]}
    (cursors / "me.json").write_text(json.dumps(known))
    browser = opened(warehouse, state=str(tmp_path / "state"))
    month = browser.get("/month/2026-07")
    text = Page(month.text).text
    assert "Six days are not known: 8 to 13 Jul 2026." in text
    assert "Six days are not known: 8 to 13 Jul 2026." in seen(browser, "/")  # whose calendar has July, too
    assert 'class="gap"' in month.text
    assert ["8", "not known"] in [row[:2] for row in Page(month.text).rows]
    assert "As of 28 Nov 2026, 14:02" in text
    assert "<title>9 July: not known</title>" in browser.get("/calendar/2026").text
    assert "are not known" not in Page(browser.get("/month/2026-08").text).text


def test_a_damaged_document_of_polling_is_no_obstacle(tmp_path: Path) -> None:
    warehouse = written(tmp_path / "warehouse", [a_play(NOW - timedelta(hours=1))])
    (tmp_path / "cursors").mkdir()
    (tmp_path / "cursors" / "me.json").write_text('{"gaps": 3')
    assert "As of 28 Nov 2026, 13:06" in seen(opened(warehouse, state=str(tmp_path)), "/")


def test_what_is_hidden_is_counted_out_told_and_shown_on_request(tmp_path: Path) -> None:
    plays = [a_play(NOW - timedelta(hours=hours), hours % 2 + 8) for hours in range(1, 31)]
    warehouse, state = written(tmp_path / "warehouse", plays), str(tmp_path / "state")
    Hidden(state).add("me", f"artist:artist{1:016}", "https://open.spotify.com/artist/x")
    browser = opened(warehouse, state=state)
    page = Page(browser.get("/month/2026-11").text)
    assert "plays 15 15 plays hidden: show" in page.text
    [link] = [link for link in page.links if "hidden=shown" in link]
    shown = seen(browser, link)
    assert "plays 30 what is hidden is shown: hide it" in shown
    assert "Song 8" in shown
    assert "Song 8" not in page.text
