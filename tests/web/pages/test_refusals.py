"""What makes no sense is refused in a sentence; what lies outside is a page that says what there is."""

import pytest

from tests.web.client import Client
from tests.web.pages.reading import Page


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/month/2026-13", "'2026-13' is not a month; write it as 2026-11."),
        ("/month/2026-11?bye=time", "There is no parameter 'bye' here; did you mean by?"),
        ("/month/2026-11?by=loudness", "by: input should be 'plays' or 'time'."),
        ("/month/2026-11?by=time&by=plays", "The parameter 'by' is there twice; say it once."),
        ("/day/2026-02-30", "'2026-02-30' is not a day; write it as 2026-11-28."),
        ("/day/99999-01-01", "'99999-01-01' is not a day; write it as 2026-11-28."),
        ("/year/12", "'12' is not a year; write it as 2026."),
        ("/recap?from=2026-05-01&to=2026-04-01", "The span begins on 1 May 2026 and ends on 1 Apr 2026"),
        ("/top/tracks?limit=0", "limit: input should be greater than or equal to 1."),
        ("/top/tracks?limit=1001", "limit: input should be less than or equal to 1000."),
        ("/compare?a=lately", "'lately' is not a span; write it as 2026, 2026-11 or 2026-11-01..2026-11-28."),
        ("/history?before=yesterday", "'yesterday' is not an instant; write it as 2026-11-28T14:02:00Z."),
        ("/calendar/2026?week=friday", "week:"),
        ("/data/days.csv?from=2026-11-01", "the question days needs to."),
        ("/data/days.csv?from=2026-11-01&to=2026-11-02&limit=3", "There is no parameter 'limit' here"),
        ("/data/last_plays.csv?from=2026-11-01&to=2026-11-02&limit=many", "'many' is not a whole number"),
        ("/data/totals.csv?from=2026-11-01&to=2026-11-02&user_id=you", "There is no parameter 'user_id' here"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(browser: Client, path: str, sentence: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 400
    text = answer.json()["error"] if path.startswith("/data/") else Page(answer.text).text
    assert sentence in text


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/month/2019-01", "the newest month, November 2026"),
        ("/year/2031", "the newest year, 2026"),
        ("/calendar/2031", "the first year, 2025"),
        ("/day/2031-01-01", "the newest day, 28 Nov 2026"),
        ("/recap?from=2019-01-01&to=2019-12-31", "plays from 15 Sep 2025 to 28 Nov 2026"),
        ("/song/nothing", "all tracks"),
        ("/nowhere", "There is no such page here."),
        ("/?user=somebody", "There are no plays of somebody here."),
    ],
)
def test_what_is_not_there_says_what_is(browser: Client, path: str, there: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 404
    assert there in Page(answer.text).text


def test_only_get_and_head(browser: Client) -> None:
    own = {"Origin": "http://127.0.0.1:8723"}
    assert browser.request("POST", "/", headers=own).status_code == 405
    head, get = browser.request("HEAD", "/help"), browser.get("/help")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", get.headers["etag"])
