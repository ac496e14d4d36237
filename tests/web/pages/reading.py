"""A page, read as a person or a crawler reads it."""

from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser

_ADDRESSES = {"a": "href", "link": "href", "script": "src", "img": "src", "form": "action"}


class Page(HTMLParser):
    """Its links, its text, its tables, and the attributes that are in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self._texts: list[str] = []
        self._is_cell = False
        self.feed(html)

    @property
    def text(self) -> str:
        """All of its text, with single spaces."""
        return " ".join(" ".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.links += [value or "" for name, value in attrs if _ADDRESSES.get(tag) == name]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self._is_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._is_cell = False

    def handle_data(self, data: str) -> None:
        self._texts.append(data)
        if self._is_cell:
            self.rows[-1][-1] += data.strip()


def lines_of(html: str, section: str) -> Iterator[tuple[str, str]]:
    """Name and value of each line of a ranked list."""
    inside = html.partition(f'id="{section}"')[2].partition("</section>")[0]
    for item in inside.split("<li ")[1:]:
        title = unescape(item.partition('title="')[2].partition('"')[0])
        value = item.partition('class="n">')[2].partition("<")[0]
        yield title, value
