"""``/import``: an export is read first, then imported, at the machine itself and by its own pages alone."""

import re
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines.storage.archive import Archive
from tests.producer.exports import extended, write_zip
from tests.web.client import Client
from tests.web.histories import NOW, opened
from web import asking
from web.access.deciding import Access
from web.access.tokens import Tokens
from web.access.visitor import Scope
from web.pages import importing

ORIGIN = {"Origin": "http://127.0.0.1:8723"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    # A page that is asked for in the rebuild's last moment sees tables that are still empty, and believes it that long.
    monkeypatch.setattr(asking, "FRESH_SECONDS", 0.0)
    return tmp_path


@pytest.fixture
def browser(home: Path) -> Any:
    client = opened(str(home / "warehouse"), state=str(home / "state"), archive=str(home / "archive"))
    yield client
    state = client._transport.app.state
    state.importing.close()
    state.runner.close()
    state.warehouse.close()
    assert not list((home / "temporary").iterdir())


def export(folder: Path, rows: int = 3) -> bytes:
    plays = [extended(f"2026-05-{1 + number // 20:02}T{number % 20:02}:00:00Z") for number in range(rows)]
    plays.append(extended("2026-05-28T10:00:00Z", ms_played=1_000))
    return write_zip(folder / "export.zip", {"Streaming_History_Audio_2026_0.json": plays}).read_bytes()


def upload(browser: Client, data: bytes, name: str = "my_spotify_data.zip", **more: Any) -> httpx.Response:
    return browser.post("/import", files={"export": (name, data)}, data=more, headers=ORIGIN)


def waited(browser: Client, where: str) -> str:
    """The page, once nothing is at work."""
    for _ in range(600):
        page = browser.get(where)
        if "refresh" not in page.headers:
            return page.text
        time.sleep(0.1)
    raise AssertionError(page.text)


def test_it_is_read_first_and_written_only_when_it_is_wanted(browser: Client, home: Path) -> None:
    taken = upload(browser, export(home), whose="ana")
    assert taken.status_code == 303
    assert re.fullmatch(r"/import/[\w-]{16}", taken.headers["location"])
    read = waited(browser, taken.headers["location"])
    assert "Import 3 plays</button>" in read
    assert "1 played for less than 30 seconds" in read
    assert not (home / "archive").exists()


@pytest.mark.long
def test_then_it_is_imported_and_the_tables_follow(browser: Client, home: Path) -> None:
    where = upload(browser, export(home), whose="ana").headers["location"]
    waited(browser, where)
    assert browser.post(where, headers=ORIGIN).status_code == 303
    assert "Imported, and the tables have it." in waited(browser, where)
    archive = Archive(str(home / "archive"))
    assert sum(1 for path in archive.files() for _ in archive.read(path)) == 3
    assert browser.get("/api/v1/totals").json()["row"]["plays"] == 3
    health = browser.get("/health").text
    assert "1 played for less than 30 seconds" in health
    assert "The tables have every play that the archive has" in health
    # A second time nothing is new, and nothing is asked.
    again = waited(browser, upload(browser, export(home), whose="ana").headers["location"])
    assert "Nothing in it is new." in again
    assert "<button" not in again


def test_what_is_no_export_is_said(browser: Client) -> None:
    page = waited(browser, upload(browser, b"no zip").headers["location"])
    assert 'role="alert"' in page
    assert "export.zip" in page
    assert "<button" not in page


@pytest.mark.parametrize(
    ("more", "said"),
    [({"whose": "a" * 201}, "no name"), ({"whose": "a\nb"}, "no name"), ({"more": "1"}, "nothing else")],
)
def test_a_form_of_anything_else_is_refused(browser: Client, more: dict[str, str], said: str) -> None:
    refused = upload(browser, b"x", **more)
    assert refused.status_code == 400
    assert said in refused.text
    assert browser.post("/import", data={"export": "text"}, headers=ORIGIN).status_code == 400


def test_a_name_is_one_argument_whatever_it_is(browser: Client, home: Path) -> None:
    page = waited(browser, upload(browser, export(home), whose="--archive=/elsewhere").headers["location"])
    assert "Import 3 plays</button>" in page


def test_what_is_too_large_is_not_even_read(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MOST_BYTES", 1000)
    assert upload(browser, b"x" * 2000).status_code == 413

    async def endless() -> Any:
        yield b"x"

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert browser.post("/import", content=endless(), headers=ORIGIN | kind).status_code == 400


def test_it_is_for_who_is_at_the_machine(home: Path) -> None:
    tokens = Tokens(home / "tokens.json")
    bearer = {"Authorization": f"Bearer {tokens.add('a', (Scope.READ, Scope.SQL), NOW)}"}
    places: dict[str, Any] = {"state": str(home / "state"), "archive": str(home / "archive")}
    far = opened(str(home / "warehouse"), access=Access(tokens), **places)
    for path in ("/import", "/import/key"):
        assert far.get(path, headers=bearer).status_code == 403
        assert far.post(path, data={"a": "b"}, headers=bearer).status_code == 403
    near = opened(str(home / "warehouse"), **places)
    assert near.get("/import").status_code == 200
    assert near.post("/import", files={"export": ("a.zip", b"a")}).status_code == 403  # another site's form
    assert near.get("/import/none").status_code == 404
    assert near.post("/import/none", headers=ORIGIN).status_code == 404


def test_without_an_archive_there_is_nothing_to_import_to(home: Path) -> None:
    page = opened(str(home / "warehouse")).get("/import")
    assert page.status_code == 404
    assert "it knows no archive" in page.text


@pytest.mark.parametrize("path", ["/import", "/sql", "/health", "/api", "/help"])
def test_a_page_of_nobody_keeps_the_listener_in_its_links(home: Path, path: str) -> None:
    near = opened(str(home / "warehouse"), state=str(home / "state"), archive=str(home / "archive"))
    assert near.get(path, params={"user": "ana"}).status_code in (200, 404)
