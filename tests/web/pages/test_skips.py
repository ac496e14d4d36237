"""How much was skipped: of what counts, and of all that was started, where imports remember what they left out."""

import json
from pathlib import Path
from typing import Any

from pipelines.domain.exports import LeftOut
from pipelines.domain.play import Play
from tests.web.histories import opened
from tests.web.pages.reading import Page
from web.hiding.hidden import Hidden


def _import(day: int, *short: tuple[str | None, int, int, int]) -> dict[str, Any]:
    names = ("month", "rows", "skip_known", "skipped")
    return {
        "at": f"2026-11-{day:02}T10:00:00Z",
        **dict.fromkeys(("files", "rows", "plays", "new", "unreadable"), 1),
        "left_out": {LeftOut.SHORT: 1},
        "left_out_by_month": [{"reason": LeftOut.SHORT, **dict(zip(names, one, strict=True))} for one in short],
    }


def _state(folder: Path, *imports: dict[str, Any]) -> str:
    (folder / "imports").mkdir()
    (folder / "imports" / "me.json").write_text(json.dumps({"imports": imports}))
    return str(folder)


def test_the_rate_of_all_starts_beside_that_of_plays(warehouse: str, plays: list[Play], tmp_path: Path) -> None:
    older = {key: one for key, one in _import(1).items() if key != "left_out_by_month"}
    state = _state(
        tmp_path,
        older,  # of before it was kept by month
        _import(2, ("2026-03", 40, 40, 30), (None, 5, 5, 5)),
        _import(3, ("2026-03", 60, 50, 45), ("2026-04", 7, 7, 7), ("2025-12", 100, 100, 100)),
    )
    browser = opened(warehouse, state=state)
    march = [one for one in plays if "2026-03-01" < one.played_at.isoformat() < "2026-03-31T22"]
    skipped = sum(one.skipped is True for one in march)
    text = Page(browser.get("/recap?from=2026-03-01&to=2026-03-31").text).text
    share = 100 * (skipped + 45) / (len(march) + 50)
    assert f"{skipped} plays of {len(march)} skipped after 30 seconds or more" in text
    assert f"{skipped + 45} starts of {len(march) + 50} skipped, {share:.1f} %" in text
    # What is left out is known by the month: of a part of one it is not told.
    assert "starts of" not in Page(browser.get("/recap?from=2026-03-02&to=2026-03-31").text).text
    health = Page(browser.get("/health").text).text
    assert "March 2026" in health
    assert "45 of 50" in health
    Hidden(state).add("me", f"track:{march[0].track_id}", "a link")
    assert "starts of" not in Page(browser.get("/recap?from=2026-03-01&to=2026-03-31").text).text
    browser._transport.app.state.warehouse.close()


def test_without_an_import_there_is_one_rate(warehouse: str, tmp_path: Path) -> None:
    browser = opened(warehouse, state=str(tmp_path))
    text = Page(browser.get("/year/2026").text).text
    assert "skipped after 30 seconds or more" in text
    assert "starts of" not in text
    browser._transport.app.state.warehouse.close()
