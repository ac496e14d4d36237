"""Debian's chromium, or another one that is in PATH, over the pages on a port of this machine."""

import shutil
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.web.histories import CALENDAR, NOW, a_history, a_play, written
from tests.web.serving import serving
from tests.web.watching import watched
from web.hiding.hidden import Hidden
from web.settings import Settings

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ALONE = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser with a profile of its own; its loop ends with the module, so that others can have theirs."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("chromium is not installed; no page is looked at in a browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_ALONE)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over a year and more, with a day that is not known and a song that is hidden; no covers."""
    folder = tmp_path_factory.mktemp("browser")
    plays = a_history(number=900)
    warehouse = written(folder / "warehouse", plays)
    watched(warehouse)
    Hidden(str(folder / "state")).add("me", f"track:{plays[10].track_id}", "a link")
    settings = Settings(
        warehouse, state=str(folder / "state"), archive=str(folder / "archive"), covers=False, clock=lambda: NOW
    )
    with serving(settings) as at:
        yield at


@pytest.fixture
def growing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a server over a few plays of this month, and its warehouse."""
    plays = [a_play(NOW - timedelta(hours=number + 1), number % 3 + 20) for number in range(30)]
    warehouse = written(tmp_path_factory.mktemp("growing"), plays)
    assert CALENDAR.month_of(NOW).month == 11
    with serving(Settings(warehouse, covers=False, clock=lambda: NOW)) as at:
        yield at, warehouse
