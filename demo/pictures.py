"""``make pictures``: README's pictures of a terminal and of a page, of an invented listener's month.

Each run gives the same bytes of the terminal; the page is a browser's, and as its fonts are. Without chromium it stays.
"""

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from html import escape
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from demo.export import write_export
from demo.listener import Listener
from pipelines.clock import utc_now
from pipelines.domain.month import Calendar
from pipelines.querying.cells import width_of
from pipelines.querying.chart import Screen, draw
from pipelines.querying.tops import Listener as Listening
from pipelines.storage.archive import Archive
from producer.importing.finding import find
from producer.importing.importer import Importer
from producer.polling.tables import Tables
from producer.state.cursor import Cursors

TERMINAL = Path(__file__).parents[1] / "docs" / "pictures" / "terminal.svg"
PAGE = TERMINAL.with_name("page.png")
_BEGIN, _END = datetime(2026, 8, 31, 22, tzinfo=UTC), datetime(2026, 10, 31, 22, tzinfo=UTC)  # two months of Paris
_COLUMNS = 80
# A cell of the picture, its margin, and the colours: ground, text, what is beside the point, the one colour.
_WIDE, _HIGH, _MARGIN = 8.4, 19, 18
_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_GROUND, _INK, _SOFT, _HOT = "#16130f", "#efe7da", "#9a8f80", "#f08a3c"
_STYLES = {
    "1": f' fill="{_INK}" font-weight="700"',
    "2": f' fill="{_SOFT}"',
    "38;5;208": f' fill="{_HOT}"',
    "0": f' fill="{_INK}"',
}
_PAINTED = re.compile(r"\x1b\[([\d;]+)m")


def listened(folder: Path) -> str:
    """A warehouse of an invented September and October, in a folder that takes its archive too; where it is."""
    export = write_export(folder / "my_spotify_data.zip", Listener(1).listens(_BEGIN, _END))
    archive, warehouse, calendar = folder / "archive", folder / "warehouse", Calendar()
    importer = Importer("me", calendar, utc_now(), Cursors(folder / "state"))
    importer.run(find([export]).files, Archive(str(archive)))
    Tables(str(archive), str(warehouse), calendar).update()
    return str(warehouse)


def terminal_lines(warehouse: str) -> list[str]:
    """What ``heavy-rotation top`` prints of the newest month, in colours."""
    top = Listening(warehouse, None).newest()
    prompt = "\x1b[2m$\x1b[0m heavy-rotation top"
    return [prompt, *draw(top, ("track", "artist"), Screen(_COLUMNS, has_colour=True))]


def photograph(warehouse: str, chromium: str, into: Path) -> None:
    """The first screen of the newest month's page, as a PNG."""
    # Loaded here: they are developers' tools.
    from PIL import Image
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "heavy_rotation", "web", "--warehouse", warehouse, "--port", "0", "--no-browser"]
    server = subprocess.Popen([*command, "--no-covers"], stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr
        address = server.stderr.readline().split()[0]
        with sync_playwright() as playwright:
            alone = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-lcd-text"]
            browser = playwright.chromium.launch(executable_path=chromium, args=alone)
            page = browser.new_page(viewport={"width": 1280, "height": 760}, color_scheme="light")
            page.goto(f"{address}month")
            taken = page.screenshot()
            browser.close()
    finally:
        server.kill()
        server.communicate()
    # A third of the bytes, and the eye sees the same. Pillow is Beam's.
    Image.open(BytesIO(taken)).convert("RGB").quantize(128).save(into, optimize=True)


def drawn(lines: list[str]) -> str:
    """Lines of a terminal as SVG: each piece of one colour stands in its own columns, whatever the font."""
    width = round(_COLUMNS * _WIDE + 2 * _MARGIN)
    height = len(lines) * _HIGH + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img" aria-label="The most played songs and artists of a month, with bars, in a terminal">',
        f'<rect width="{width}" height="{height}" rx="10" fill="{_GROUND}"/>',
        f'<g font-family="{_FONTS}" font-size="14">',
    ]
    for number, line in enumerate(lines):
        parts += _pieces(line, _MARGIN + (number + 0.75) * _HIGH)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _pieces(line: str, y: float) -> list[str]:
    found, column, style = [], 0, _STYLES["0"]
    for index, piece in enumerate(_PAINTED.split(line)):
        if index % 2:
            style = _STYLES[piece]
            continue
        for word in re.finditer(r"\S+(?: \S+)*", piece):
            x = _MARGIN + (column + width_of(piece[: word.start()])) * _WIDE
            cells = width_of(word[0])
            found.append(
                f'<text x="{x:.1f}" y="{y:.1f}" textLength="{cells * _WIDE:.1f}" lengthAdjust="spacingAndGlyphs"'
                f"{style}>{escape(word[0])}</text>"
            )
        column += width_of(piece)
    return found


def main() -> int:
    """Write the pictures. Returns the exit code."""
    with TemporaryDirectory() as folder:
        warehouse = listened(Path(folder))
        TERMINAL.write_text(drawn(terminal_lines(warehouse)), encoding="utf-8")
        print(TERMINAL)
        if chromium := shutil.which("chromium") or shutil.which("google-chrome"):
            photograph(warehouse, chromium, PAGE)
            print(PAGE)
        else:
            print("chromium is not installed, so the page's picture stays as it is", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
