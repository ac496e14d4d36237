"""Hiding a song, an artist or an album from its page: figures leave it out, lists of plays do not."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.domain.play import Artist, Play
from tests.web.client import Client
from tests.web.histories import NOW, a_play, opened, written
from web.access.deciding import Access
from web.access.tokens import Tokens
from web.access.visitor import Scope

ORIGIN = {"Origin": "http://127.0.0.1:8723"}


@pytest.fixture
def browser(warehouse: str, tmp_path: Path) -> Iterator[Client]:
    client = opened(warehouse, state=str(tmp_path))
    yield client
    client._transport.app.state.runner.close()
    client._transport.app.state.warehouse.close()


def _most_played(browser: Client, kind: str) -> tuple[str, str, int]:
    [row] = browser.get(f"/api/v1/top/{kind}s", params={"limit": 1}).json()["rows"]
    return row["key"], row["name"], row["plays"]


@pytest.mark.parametrize(("kind", "path"), [("track", "song"), ("artist", "artist"), ("album", "album")])
def test_what_is_hidden_leaves_the_figures_and_comes_back(
    browser: Client, plays: list[Play], kind: str, path: str
) -> None:
    key, name, number = _most_played(browser, kind)
    assert f"Hide this {path}</button>" in browser.get(f"/{path}/{key}").text
    hidden = browser.post("/hidden", data={"key": f"{kind}:{key}", "action": "hide"}, headers=ORIGIN)
    assert (hidden.status_code, hidden.headers["location"]) == (303, "/hidden")
    assert _most_played(browser, kind)[0] != key
    totals = browser.get("/api/v1/totals").json()["row"]
    assert (totals["plays"], totals["hidden_plays"]) == (len(plays) - number, number)
    assert '<a href="/hidden">1 thing hidden</a>' in browser.get("/").text
    page = browser.get(f"/{path}/{key}")
    assert page.status_code == 200
    assert "Hidden from tens and figures." in page.text
    assert f'value="{kind}:{key}"' in browser.get("/hidden").text
    # A list of plays has all of them.
    listed = browser.get("/api/v1/plays", params={"limit": 1000}).json()["rows"]
    assert len(listed) == min(len(plays), 1000)
    browser.post("/hidden", data={"key": f"{kind}:{key}", "action": "show"}, headers=ORIGIN)
    assert _most_played(browser, kind) == (key, name, number)
    assert "<button" not in browser.get("/hidden").text


def test_all_that_is_one_with_what_is_hidden_goes_with_it(tmp_path: Path) -> None:
    """A song's other ids, and an artist's rows of an export, which carry none."""
    one = a_play(NOW - timedelta(hours=3), 1)
    plays = [
        one,
        replace(one, played_at=one.played_at + timedelta(minutes=5), track_id="another0000000000000000", isrc="X"),
        replace(
            one, played_at=one.played_at + timedelta(minutes=10), artists=(Artist("Artist 1"),), track_id="names:a"
        ),
        a_play(NOW - timedelta(hours=2), 2),
    ]
    client = opened(written(tmp_path / "warehouse", plays), state=str(tmp_path / "state"))
    for kind, path in (("track", "song"), ("artist", "artist")):
        key = client.get(f"/api/v1/top/{kind}s").json()["rows"][0]["key"]
        client.post("/hidden", data={"key": f"{kind}:{key}", "action": "hide"}, headers=ORIGIN)
        totals = client.get("/api/v1/totals").json()["row"]
        assert (totals["plays"], totals["hidden_plays"]) == (1, 3)
        assert "1 thing hidden" in client.get("/").text
        for told in ("/", "/month/2026-11", "/top/tracks", "/compare?a=2026-11&b=2026-11-28..2026-11-28", "/recap",
                     "/calendar/2026", "/day/2026-11-28"):  # fmt: skip
            assert "hidden: show</a>" in client.get(told).text, told
        assert "Hidden from tens and figures." in client.get(f"/{path}/{key}").text
        client.post("/hidden", data={"key": f"{kind}:{key}", "action": "show"}, headers=ORIGIN)
        assert client.get("/api/v1/totals").json()["row"]["plays"] == 4
    client._transport.app.state.runner.close()
    client._transport.app.state.warehouse.close()


def test_nonsense_is_refused(browser: Client) -> None:
    for form, status in (
        ({"key": "track:none", "action": "hide"}, 404),
        ({"key": "none", "action": "hide"}, 400),
        ({"key": "track:a", "action": "delete"}, 400),
        ({"key": "track:a", "action": "hide", "more": "1"}, 400),
    ):
        assert browser.post("/hidden", data=form, headers=ORIGIN).status_code == status
    assert browser.post("/hidden", data={"key": "track:a", "action": "show"}).status_code == 403


def test_who_is_elsewhere_sees_and_changes_nothing(warehouse: str, tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens.json")
    bearer = {"Authorization": f"Bearer {tokens.add('a', (Scope.READ, Scope.SQL), NOW)}"}
    far = opened(warehouse, state=str(tmp_path), access=Access(tokens))
    key, _, _ = next(iter(Counter([_top(far, bearer)])))
    assert "Hide this song" not in far.get(f"/song/{key}", headers=bearer).text
    form = {"key": f"track:{key}", "action": "hide"}
    assert far.post("/hidden", data=form, headers=bearer).status_code == 403
    assert far.get("/hidden", headers=bearer).status_code == 200
    far._transport.app.state.runner.close()
    far._transport.app.state.warehouse.close()


def _top(far: Client, bearer: dict[str, str]) -> tuple[str, str, int]:
    [row] = far.get("/api/v1/top/tracks", params={"limit": 1}, headers=bearer).json()["rows"]
    return row["key"], row["name"], row["plays"]
