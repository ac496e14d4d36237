"""What a source does not say: each nullable field of a play, null in some plays and in all, on every page."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.domain.play import Play
from tests.web.histories import a_history, opened, written
from tests.web.pages.test_pages import PATHS

pytestmark = pytest.mark.long
_SCHEMA = json.loads((Path(__file__).parents[3] / "pipelines" / "tables" / "play.avsc").read_text())
NULLABLE = [one["name"] for one in _SCHEMA["fields"] if "null" in one["type"]]


@pytest.mark.parametrize("field", NULLABLE)
@pytest.mark.parametrize("of", ["some", "all"])
def test_no_page_needs_it(tmp_path: Path, field: str, of: str) -> None:
    def without(play: Play) -> Play:
        return replace(play, **{field: None})

    plays = [without(one) if of == "all" or number % 2 else one for number, one in enumerate(a_history(number=120))]
    browser = opened(written(tmp_path, plays))
    for path in PATHS:
        answer = browser.get(path, follow_redirects=True)
        # An album that no play names is not there; nor does a search find what has no name.
        allowed = (200, 404) if of == "all" and path.startswith("/album") and field.startswith("album_") else (200,)
        assert answer.status_code in allowed, (path, answer.text[-500:])
        assert "None" not in answer.text, path
