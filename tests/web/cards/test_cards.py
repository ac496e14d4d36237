"""The picture to send: what is on it, that it fits, and what becomes of characters that no font has."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.web.client import Client
from tests.web.histories import NOW, TITLES, a_play, opened, written
from web.cards.card import Card, CardLine, zone_words
from web.cards.drawing import Shape, card_svg
from web.cards.fitting import clean, fitted, width
from web.cards.raster import png_of
from web.hiding.hidden import Hidden

SVG = "{http://www.w3.org/2000/svg}"
LINE = CardLine(1, "A song", "An artist", "12 plays", 1.0)
CARD = Card(
    "My 2026", ("12 plays", "1 hour", "1 song", "1 artist"), (LINE,) * 5, ("2026, Paris time", "Heavy Rotation")
)
SIZES: dict[Shape, tuple[int, int]] = {"wide": (1200, 630), "tall": (1080, 1920)}
YEAR = "from=2026-01-01&to=2026-12-31"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Client:
    days = [a_play(NOW - timedelta(hours=9 * number), min(number % 11, 8)) for number in range(90)]
    return opened(written(tmp_path_factory.mktemp("cards"), days))


def parsed(svg: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter())  # noqa: S314  of our own making


def texts(svg: str) -> list[ET.Element]:
    return [element for element in parsed(svg) if element.tag == f"{SVG}text"]


@pytest.mark.parametrize("shape", SIZES)
def test_every_text_is_text_stands_within_the_card_and_can_be_read_on_a_telephone(shape: Shape) -> None:
    card = replace(
        CARD, lines=tuple(CardLine(rank + 1, "W" * 300, "م" * 300, "9,999,999 plays", 1) for rank in range(5))
    )
    wide, high = SIZES[shape]
    found = texts(card_svg(card, shape))
    assert len(found) >= 3 + 4 * 5
    for text in found:
        size, said = float(text.attrib["font-size"]), text.text or ""
        assert size >= 18
        left = float(text.attrib["x"]) - (width(said, size) if text.get("text-anchor") == "end" else 0)
        assert left >= 0, said
        assert left + width(said, size, is_bold="font-weight" in text.attrib) <= wide, said
        assert 0 < float(text.attrib["y"]) < high


@pytest.mark.parametrize(
    "name", [*TITLES, "a\x00b\x08c", "z" + "\u0301" * 50, "\ud800", "\u202eevil", "", "]]>", "👩‍👩‍👧‍👦" * 99]
)
@pytest.mark.parametrize("shape", SIZES)
def test_any_name_makes_an_svg_that_asks_for_nothing_and_has_no_style(shape: Shape, name: str) -> None:
    svg = card_svg(replace(CARD, heading=name, lines=(replace(LINE, name=name, below=name),)), shape)
    svg.encode()
    for element in parsed(svg):
        assert element.tag.removeprefix(SVG) in ("svg", "rect", "text", "circle", "g")
        assert not {"style", "href", "onload"}.intersection(element.attrib)


def test_a_cut_name_says_so_and_keeps_what_is_one_character_whole() -> None:
    assert fitted("short", 500, 30) == "short"
    assert fitted("a" * 300, 500, 30).endswith("a…")
    family = "👩\u200d👩\u200d👧"
    for room in range(40, 400, 7):
        cut = fitted(family * 9, room, 30)
        assert not cut.removesuffix("…").endswith("\u200d"), room
        assert width(cut, 30) <= room
    assert fitted("e\u0301" * 50, 100, 30).removesuffix("…").endswith("e\u0301")


def test_marks_are_no_towers() -> None:
    assert clean("Z" + "\u0301" * 50) == "Z\u0301\u0301"
    assert clean(" a\n b\t\x07") == "a b"


def test_the_png_has_the_cards_size() -> None:
    for shape, (wide, high) in SIZES.items():
        png = png_of(card_svg(CARD, shape)).png
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        assert (int.from_bytes(png[16:20]), int.from_bytes(png[20:24])) == (wide, high)


def test_a_character_that_no_font_has_is_told_and_drawn_as_if_cut() -> None:
    nobody_has = "\U0001f8ff"  # assigned to nothing
    raw = card_svg(CARD, "wide").replace(">A song<", f">Song {nobody_has}{nobody_has}<", 1)
    drawn = png_of(raw)
    assert drawn.missing == (nobody_has,)
    assert drawn.png == png_of(raw.replace(nobody_has * 2, "…")).png


@pytest.mark.parametrize(
    ("key", "words"), [("Europe/Paris", "Paris time"), ("America/Sao_Paulo", "Sao Paulo time"), ("UTC", "UTC")]
)
def test_zones_in_words(key: str, words: str) -> None:
    assert zone_words(key) == words


def test_it_says_the_span_that_is_known_and_no_time_of_day(browser: Client) -> None:
    svg = browser.get(f"/card/wide.svg?{YEAR}")
    assert (svg.status_code, svg.headers["content-type"]) == (200, "image/svg+xml")
    said = [text.text or "" for text in texts(svg.text)]
    assert said[0] == "My 2026"
    assert re.fullmatch(r"90 plays · 4\.5 hours · \d+ songs · \d artists", said[1])
    assert said[-1] == "26 Oct – 28 Nov 2026, Paris time · Heavy Rotation · every play, once"
    assert not re.search(r"\d\d:\d\d", svg.text)
    assert sum(text.get("font-weight") == "600" for text in texts(svg.text)) == 5


def test_artists_by_time(browser: Client) -> None:
    said = [text.text or "" for text in texts(browser.get(f"/card/tall.svg?{YEAR}&of=artists&by=time").text)]
    assert [text for text in said if text.startswith("Artist")]
    assert [text for text in said if re.fullmatch(r"\d+ min", text)]


def test_the_years_page_leads_to_its_cards(browser: Client) -> None:
    html = browser.get("/year/2026").text
    links = re.findall(r'href="(/card/[^"]+)"', html)
    assert len(links) == 4
    png = browser.get(links[0].replace("&amp;", "&"))
    assert (png.status_code, png.headers["content-type"]) == (200, "image/png")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"/card/square.png?{YEAR}", 400, "wide.svg"),
        (f"/card/wide.png?{YEAR}&size=2", 400, "There is no parameter"),
        ("/card/wide.png?from=2026-02-01&to=2026-01-01", 400, "which is before"),
        ("/card/wide.png?from=2001-01-01&to=2001-12-31", 404, "There are no plays in 2001"),
        ("/card/wide.svg?from=2026-11-30&to=2026-12-31", 404, "There are no plays in"),
    ],
)
def test_what_cannot_be_drawn_is_said(browser: Client, path: str, status: int, words: str) -> None:
    answer = browser.get(path)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text


def test_what_is_hidden_is_not_on_it(tmp_path: Path) -> None:
    days = [a_play(NOW - timedelta(hours=number), number % 3 + 20) for number in range(30)]
    warehouse, state = written(tmp_path / "warehouse", days), str(tmp_path / "state")
    assert "Song 21" in opened(warehouse, state=state).get(f"/card/wide.svg?{YEAR}").text
    Hidden(state).add("me", f"track:{days[1].track_id}", "a link")
    card = opened(warehouse, state=state).get(f"/card/wide.svg?{YEAR}").text
    assert "20 plays" in card
    assert "Song 21" not in card


def test_plays_about_which_nothing_is_known(tmp_path: Path) -> None:
    nothing = {"artists": (), "album_name": None, "album_id": None, "duration_ms": None, "ms_played": None}
    browser = opened(written(tmp_path, [a_play(NOW - timedelta(hours=1), **nothing)]))
    for of in ("songs", "artists", "albums"):
        said = [text.text for text in texts(browser.get(f"/card/tall.svg?{YEAR}&of={of}").text)]
        assert said[1] == "1 play · 1 song"
        assert ("No play here says more." in said) == (of != "songs")


def test_days_that_are_not_known_are_told(tmp_path: Path) -> None:
    cursors = tmp_path / "state" / "cursors"
    cursors.mkdir(parents=True)
    gap = {"from": "2026-11-21T01:00:00Z", "to": "2026-11-24T20:00:00Z", "told_at": "2026-11-24T20:01:00Z"}
    (cursors / "me.json").write_text(json.dumps({"polled_at": "2026-11-28T13:02:00Z", "gaps": [gap]}))
    warehouse = written(tmp_path / "warehouse", [a_play(NOW - timedelta(days=days)) for days in (0, 9)])
    browser = opened(warehouse, state=str(tmp_path / "state"))
    small = [text.text or "" for text in texts(browser.get("/card/tall.svg").text)][-2]
    assert small == "19 – 28 Nov 2026, Paris time, 4 days not known"
