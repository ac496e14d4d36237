"""Every page in a real browser: wide and narrow, light and dark, without script, for a screen reader, and by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route

from pipelines.warehouse.folder import FolderWarehouse
from tests.web.histories import CALENDAR, NOW, a_history, a_play, written
from tests.web.serving import serving
from tests.web.watching import PLAYLIST
from web.recap import command as recap
from web.settings import Settings

pytestmark = pytest.mark.long
PATHS = {
    "/": 200,
    "/month/2026-11": 200,
    "/month/2026-03?by=time": 200,
    "/year/2026": 200,
    "/recap?from=2026-03-05&to=2026-05-09": 200,
    "/top/tracks": 200,
    "/top/artists?by=time": 200,
    "/top/albums?order=name": 200,
    "/compare?a=2026&b=2025": 200,
    "/calendar/2026": 200,
    "/day/2026-11-28": 200,
    "/history?q=song": 200,
    f"/song/track{5:017}?from=2026-03-01&to=2026-03-31": 200,
    f"/artist/artist{2:016}": 200,
    f"/album/album{3:017}": 200,
    "/watch": 200,
    f"/watch/{PLAYLIST}": 200,
    f"/watch/artist{1:016}": 200,
    "/features": 200,
    "/sql": 200,
    "/health": 200,
    "/import": 200,
    "/hidden": 200,
    "/help": 200,
    "/api": 200,
    "/month/2001-01": 404,
    "/month/soon": 400,
}
LOOKS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
# Elements that reach over the right edge and are not within something that scrolls.
OVER = """() => [...document.querySelectorAll("body *")]
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .filter(e => !e.closest(".scroll, pre, .vh, .skip, textarea"))
  .map(e => e.outerHTML.slice(0, 120)).slice(0, 3)"""


@contextmanager
def looking(chromium: Browser, **options: Any) -> Iterator[Page]:
    """A page, at whose end nothing may have been asked of another machine, and nothing complained about."""
    width = options.pop("width", 1280)
    context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
    page = context.new_page()
    elsewhere: list[str] = []
    said: list[str] = []

    def asked(route: Route) -> None:
        if route.request.url.startswith("http://127.0.0.1:"):
            route.continue_()
        else:
            elsewhere.append(route.request.url)
            route.abort()

    context.route("**/*", asked)
    # That a page is not there is an answer, which chromium complains of, too.
    page.on(
        "console", lambda one: None if "the server responded with a status of 40" in one.text else said.append(one.text)
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    try:
        yield page
        assert elsewhere == []
        assert said == []
    finally:
        context.close()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_stands_within_its_window_without_script(
    chromium: Browser, address: str, width: int, scheme: str
) -> None:
    with looking(chromium, width=width, color_scheme=scheme, java_script_enabled=False) as page:
        for path, status in PATHS.items():
            answer = page.goto(address + path)
            assert answer
            assert answer.status == status, path
            assert page.locator("h1").count() == 1, path
            assert page.evaluate(OVER) == [], path
            ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
            assert ground == ("rgb(251, 248, 243)" if scheme == "light" else "rgb(22, 19, 17)"), path


@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing_and_no_policy_is_broken(chromium: Browser, address: str, path: str) -> None:
    found = []
    for width, scheme in LOOKS:
        with looking(chromium, width=width, color_scheme=scheme) as page:
            page.goto(address + path)
            for one in Axe().run(page).response["violations"]:
                for node in one["nodes"]:
                    found.append(f"{width} {scheme} {one['id']}: {node['html'][:160]}\n{node['failureSummary'][:300]}")
    assert not found, "\n".join(found)


def test_at_320_pixels_nothing_scrolls_sideways(chromium: Browser, address: str) -> None:
    with looking(chromium, width=320) as page:
        for path in PATHS:
            page.goto(address + path)
            assert page.evaluate("() => document.documentElement.scrollWidth") <= 320, path
            assert page.evaluate(OVER) == [], path


@pytest.mark.parametrize("width", [390, 320])
def test_on_a_phone_every_page_is_in_the_head_without_scrolling(chromium: Browser, address: str, width: int) -> None:
    with looking(chromium, width=width, java_script_enabled=False) as page:
        page.goto(address)
        links = page.locator("nav[aria-label=Pages] a")
        assert links.all_inner_texts()[-1] == "SQL"
        boxes = [link.bounding_box() for link in links.all()]
        assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)


def test_in_forced_colours_marks_and_texts_of_figures_are_seen(chromium: Browser, address: str) -> None:
    look = """() => {
      const colour = (of, what) => [...document.querySelectorAll(of)].map(e => getComputedStyle(e)[what]);
      return { ground: getComputedStyle(document.body).backgroundColor, bars: colour(".bar rect", "fill"),
               marks: colour(".fig path.now", "fill"), texts: colour(".fig text", "fill") };
    }"""
    with looking(chromium, forced_colors="active") as page:
        for path in ("/", "/month/2026-11", "/year/2026"):
            page.goto(address + path)
            seen = page.evaluate(look)
            assert seen["bars"], path
            for kind in ("bars", "marks", "texts"):
                assert seen["ground"] not in seen[kind], (path, kind)


def test_who_uses_the_keyboard_sees_where_they_are_and_goes_to_the_neighbour(chromium: Browser, address: str) -> None:
    with looking(chromium) as page:
        page.goto(f"{address}/month/2026-10")
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.textContent") == "Skip to the page"
        assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowLeft")
        page.wait_for_url("**/month/2026-09")
        page.keyboard.press("ArrowRight")
        page.wait_for_url("**/month/2026-10")


def test_the_month_moves_while_rows_are_added(chromium: Browser, growing: tuple[str, str]) -> None:
    address, warehouse = growing
    with looking(chromium, reduced_motion="reduce") as page:
        page.goto(address)
        first = page.locator("#songs li").first
        plays = page.locator(".sum dd").first
        assert plays.inner_text().split()[0] == "30"
        page.evaluate("() => { window.isTheSame = true; }")
        page.locator("summary").first.focus()
        new = [a_play(NOW - timedelta(minutes=number + 1), 22) for number in range(12)]
        FolderWarehouse.open(warehouse).append("play_events", [one.to_row(CALENDAR) for one in new])
        page.wait_for_function("() => document.querySelector('.sum dd').textContent.startsWith('42')", timeout=30_000)
        assert "Song 22" in first.inner_text()
        assert "22" in first.locator(".n").inner_text()
        # Replaced in place: not loaded again, and who was somewhere still is.
        assert page.evaluate("() => window.isTheSame") is True
        assert page.evaluate("() => document.activeElement.nodeName") == "SUMMARY"


def test_with_covers_on_only_spotify_is_asked_for_pictures_and_is_told_nothing(
    chromium: Browser, tmp_path: Path
) -> None:
    warehouse = written(tmp_path, [a_play(NOW - timedelta(hours=number)) for number in range(1, 4)])
    asked: list[tuple[str, str, str | None]] = []

    def answered(route: Route) -> None:
        request = route.request
        asked.append((request.url, request.resource_type, request.headers.get("referer")))
        route.abort()

    with serving(Settings(warehouse, clock=lambda: NOW)) as address:
        context = chromium.new_context()
        context.route(lambda url: not url.startswith("http://127.0.0.1:"), answered)
        page = context.new_page()
        page.goto(f"{address}/month/2026-11", wait_until="networkidle")
        context.close()
    assert asked
    for url, kind, referrer in asked:
        assert url.startswith("https://i.scdn.co/image/")
        assert (kind, referrer) == ("image", None)


def test_a_recap_is_whole_from_a_file(chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request but for itself, nothing dropped by its own policy, and nothing for axe to find."""
    monkeypatch.setenv("HEAVY_ROTATION_HOME", str(tmp_path / "home"))
    warehouse = written(tmp_path / "warehouse", a_history(number=300))
    assert recap.main(["--warehouse", warehouse, "--year", "2026", "--with-times", "--out", str(tmp_path / "out")]) == 0
    file = (tmp_path / "out" / "recap-2026.html").as_uri()
    for width, scheme in ((1280, "light"), (390, "dark"), (320, "light")):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("console", lambda one, said=said: said.append(one.text))
        page.goto(file)
        assert page.evaluate("() => getComputedStyle(document.querySelector('.bar')).position") == "absolute"
        assert page.evaluate(OVER) == []
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        assert (asked, said) == ([file], [])
        assert [one["id"] for one in Axe().run(page).response["violations"]] == []
        context.close()
