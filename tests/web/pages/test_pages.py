"""What holds for every page."""

import re
from collections import Counter
from urllib.parse import urljoin, urlsplit

import pytest

from tests.web.client import Client
from tests.web.histories import COVER, TITLES, a_history, opened, written
from tests.web.pages.reading import Page

PATHS = [
    "/",
    "/?by=time",
    "/month/2026-03",
    "/month/2026-11?by=time",
    "/year/2026",
    "/recap",
    "/recap?from=2026-03-05&to=2026-03-09",
    "/top/tracks",
    "/top/artists?by=time",
    "/top/albums?order=name",
    "/compare",
    "/compare?a=2026&b=2025",
    "/calendar/2026",
    "/calendar/2025?week=sunday",
    "/day/2026-11-28",
    "/history",
    "/history?q=song",
    "/help",
    f"/song/track{0:017}",
    f"/song/track{5:017}?from=2026-03-01&to=2026-03-31",
    f"/artist/artist{0:016}",
    f"/artist/artist{2:016}?from=2026-03-01&to=2026-03-31",
    f"/album/album{3:017}",
]
_VOID = {"meta", "link", "input", "img", "br", "option"}


@pytest.mark.parametrize("path", PATHS)
def test_it_answers_in_60_kb_and_with_every_name_escaped(browser: Client, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    assert len(answer.content) < 60_000
    page = Page(answer.text)
    assert page.tags.count("script") == (path != "/help")
    assert "<script>alert" not in answer.text
    assert "49" not in re.findall(r"--- (\S+)", page.text)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_inline_that_the_policy_would_drop(browser: Client, path: str) -> None:
    answer = browser.get(path)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    page = Page(answer.text)
    assert not [one for one in page.attributes if one[1] == "style" or one[1].startswith("on")]
    assert "style" not in page.tags


@pytest.mark.parametrize("path", PATHS)
def test_its_tags_are_closed_and_its_ids_are_there_once(browser: Client, path: str) -> None:
    html = browser.get(path).text
    opened_tags = Counter(re.findall(r"<([a-z]+)\b[^>]*(?<!/)>", html))
    closed = Counter(re.findall(r"</([a-z]+)>", html))
    assert {tag: n for tag, n in opened_tags.items() if tag not in _VOID} == dict(closed)
    ids = [value for _, name, value in Page(html).attributes if name == "id"]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", PATHS)
def test_who_has_it_already_gets_304(browser: Client, path: str) -> None:
    answer = browser.get(path)
    assert answer.headers["cache-control"] == "private, no-cache"
    again = browser.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.long
def test_every_link_of_every_page_answers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """CSV, JSON and SQL too; up to eight of each kind of page."""
    browser = opened(written(tmp_path_factory.mktemp("crawled"), a_history(seed=2, number=80)))
    waiting, seen, kinds = ["/"], {"/"}, Counter[str]()
    while waiting:
        path = waiting.pop()
        kind = urlsplit(path).path.split("/")[1] + urlsplit(path).path.rpartition(".")[2][-4:]
        kinds[kind] += 1
        if kinds[kind] > (2 if path.partition("?")[0].endswith(".png") else 8):  # a picture takes a second
            continue
        answer = browser.get(path, follow_redirects=True)
        assert answer.status_code == 200, (path, answer.text)
        if answer.headers["content-type"].startswith("text/html"):
            for link in Page(answer.text).links:
                found = urljoin(path, link).partition("#")[0]
                if not urlsplit(found).scheme and found not in seen:
                    seen.add(found)
                    waiting.append(found)
    assert len(kinds) > 12, kinds


def test_every_name_is_whole_in_its_title(browser: Client) -> None:
    html = browser.get("/top/tracks").text
    for title in TITLES:
        assert title in [value for tag, name, value in Page(html).attributes if (tag, name) == ("a", "title")]


def test_covers_are_small_whole_and_only_with_covers_on(browser: Client, warehouse: str) -> None:
    with_covers, without = browser.get("/"), opened(warehouse, covers=False).get("/")
    small = COVER.replace("ab67616d0000b273", "ab67616d00004851")
    images = [value for tag, name, value in Page(with_covers.text).attributes if (tag, name) == ("img", "src")]
    assert set(images) == {small}
    assert "https://i.scdn.co" in with_covers.headers["content-security-policy"]
    assert "img" not in Page(without.text).tags
    assert "scdn" not in without.text + without.headers["content-security-policy"]
