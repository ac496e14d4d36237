"""What docs/queries.md says of other tools: the program in it runs, with a recorder in the place of Streamlit."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.warehouse.listening import listening_in
from tests.web.serving import serving
from web.settings import Settings

TEXT = (Path(__file__).parents[3] / "docs" / "queries.md").read_text(encoding="utf-8")


def test_streamlit_gets_what_it_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = TEXT.partition("\n## With other tools\n")[2]
    [program] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    drawn: list[tuple[Any, Any]] = []
    streamlit = ModuleType("streamlit")
    streamlit.bar_chart = lambda rows, **axes: drawn.append((rows, axes))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "streamlit", streamlit)
    with serving(Settings(str(listening_in(tmp_path).folder))) as address:
        exec(program.replace("http://localhost:8723", address), {})  # noqa: S102
    assert drawn == [
        (
            [{"month": "2026-10-01", "plays": 4}, {"month": "2026-11-01", "plays": 4}],
            {"x": "month", "y": "plays"},
        )
    ]
