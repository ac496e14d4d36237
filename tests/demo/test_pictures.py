"""README's picture of a terminal is what the command prints today."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from demo.pictures import TERMINAL, drawn, listened, terminal_lines

SVG = "{http://www.w3.org/2000/svg}"


def test_each_piece_stands_in_its_columns() -> None:
    picture = ET.fromstring(drawn(["\x1b[1mSongs\x1b[0m", " 1  A & B \x1b[2m· 東\x1b[0m  \x1b[38;5;208m██\x1b[0m"]))  # noqa: S314
    texts = list(picture.iter(f"{SVG}text"))
    assert [text.text for text in texts] == ["Songs", "1", "A & B", "· 東", "██"]
    columns = [round((float(text.attrib["x"]) - 18) / 8.4) for text in texts]
    assert columns == [0, 1, 4, 10, 16]
    assert len({text.attrib["fill"] for text in texts}) == 3


@pytest.mark.long
def test_the_picture_is_of_today_s_command(tmp_path: Path) -> None:
    lines = terminal_lines(listened(tmp_path))
    assert drawn(lines) == TERMINAL.read_text(encoding="utf-8"), "make pictures makes it anew"
