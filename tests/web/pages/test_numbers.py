"""Numbers on the pages equal those that are counted here, from the plays, without SQL."""

from collections import Counter
from datetime import date, timedelta
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.domain.play import Play
from tests.web.client import Client
from tests.web.histories import CALENDAR, NOW, opened
from tests.web.pages.reading import Page, lines_of
from web.access.deciding import Access
from web.access.tokens import Tokens
from web.access.visitor import Scope


def in_month(plays: list[Play], month: date) -> list[Play]:
    return [one for one in plays if CALENDAR.month_of(one.played_at) == month]


MONTHS = [date(2025, 10, 1), date(2026, 3, 1), date(2026, 11, 1)]


@pytest.mark.parametrize("month", MONTHS, ids=str)
def test_a_month_s_total_and_songs(browser: Client, plays: list[Play], month: date) -> None:
    own = in_month(plays, month)
    text = Page(browser.get(f"/month/{month:%Y-%m}").text).text
    assert f"plays {len(own):,} " in text
    assert f"songs {len({one.track_id for one in own}):,} " in text


@pytest.mark.parametrize("month", MONTHS, ids=str)
def test_a_month_s_ten_songs(browser: Client, plays: list[Play], month: date) -> None:
    own = in_month(plays, month)
    counts, last = Counter(one.track_id for one in own), {one.track_id: one.played_at for one in own}
    names = {one.track_id: one.track_name for one in own}
    best = sorted(counts, key=lambda track: (-counts[track], -last[track].timestamp(), track))[:10]
    shown = list(lines_of(browser.get(f"/month/{month:%Y-%m}").text, "songs"))
    assert shown == [(names[track], str(counts[track])) for track in best]


def test_every_day_of_a_month_beside_the_one_before(browser: Client, plays: list[Play]) -> None:
    counts = Counter(CALENDAR.local(one.played_at).date() for one in plays)
    rows = Page(browser.get("/month/2026-03").text).rows
    shown = {row[0]: row[1:] for row in rows if row and row[0].isdigit() and len(row) == 3}
    for number in range(31):
        day = date(2026, 3, 1) + timedelta(days=number)
        before = date(2026, 2, 1) + timedelta(days=number)
        there = str(counts[before]) if before.month == 2 else ""
        assert shown[str(number + 1)] == [str(counts[day]), there]


def test_weekdays_and_hours_are_those_of_the_wall(browser: Client, plays: list[Play]) -> None:
    own = in_month(plays, date(2026, 3, 1))  # in which the clock is put forward
    counts = Counter((local.hour, local.weekday()) for one in own for local in [CALENDAR.local(one.played_at)])
    rows = [row for row in Page(browser.get("/month/2026-03").text).rows if len(row) == 8 and row[0].isdigit()]
    assert [[int(cell) for cell in row[1:]] for row in rows] == [
        [counts[hour, weekday] for weekday in range(7)] for hour in range(24)
    ]


def test_a_day_has_each_of_its_plays(browser: Client, plays: list[Play]) -> None:
    day, number = Counter(CALENDAR.local(one.played_at).date() for one in plays).most_common(1)[0]
    html = browser.get(f"/day/{day}").text
    times = [CALENDAR.local(one.played_at) for one in plays if CALENDAR.local(one.played_at).date() == day]
    assert html.count("<time ") == number
    for time in times:
        assert f">{time:%H:%M}</time>" in html


def test_a_calendar_s_days(browser: Client, plays: list[Play]) -> None:
    counts = Counter(CALENDAR.local(one.played_at).date() for one in plays)
    html = browser.get("/calendar/2026").text
    for day in (date(2026, 2, 28), date(2026, 7, 14), date(2026, 11, 28)):
        plays_of = counts[day]
        name = f"{day.day} {day:%B}: {plays_of} play{'' if plays_of == 1 else 's'}"
        assert name in html


def test_a_list_of_all_songs_goes_on_without_a_song_twice_or_left_out(browser: Client, plays: list[Play]) -> None:
    shown: list[tuple[str, str]] = []
    address = "/top/tracks?limit=7"
    while address:
        html = browser.get(address).text
        shown += lines_of(html, "songs")
        address = next((link for link in Page(html).links if "after=" in link and "/top/" in link), "")
    counts = Counter(one.track_name for one in plays)
    assert len(shown) == len(counts)
    assert {name: int(value) for name, value in shown} == counts


def test_so_far_is_compared_with_the_same_days(browser: Client, plays: list[Play]) -> None:
    until = max(CALENDAR.local(one.played_at) for one in plays)
    earlier = [
        one for one in in_month(plays, date(2026, 10, 1)) if CALENDAR.local(one.played_at) < until.replace(month=10)
    ]
    difference = len(in_month(plays, date(2026, 11, 1))) - len(earlier)
    sign = "+" if difference > 0 else "−" if difference else "±"
    assert f"{sign}{abs(difference)} on October’s same days" in Page(browser.get("/").text).text


def test_a_song_s_page_has_its_plays_share_and_rank_in_the_span_and_of_all_time(
    browser: Client, plays: list[Play]
) -> None:
    own = in_month(plays, date(2026, 3, 1))
    [(track, number)] = Counter(one.track_id for one in own).most_common(1)
    text = Page(browser.get(f"/song/{track}?from=2026-03-01&to=2026-03-31").text).text
    songs = len({one.track_id for one in own})
    assert f"plays, March 2026 {number} rank 1 of {songs} {100 * number / len(own):.1f} % of {len(own)} plays" in text
    assert f"plays, all time {sum(one.track_id == track for one in plays)} " in text


def test_two_spans_beside_each_other(browser: Client, plays: list[Play]) -> None:
    a, b = in_month(plays, date(2026, 3, 1)), in_month(plays, date(2026, 2, 1))
    rows = {row[0]: row[1:] for row in Page(browser.get("/compare?a=2026-03&b=2026-02").text).rows}
    assert rows["plays"][:2] == [str(len(a)), str(len(b))]
    assert rows["artists"][:2] == [str(len({one.artist_name for one in some})) for some in (a, b)]


def test_the_longest_streak_of_a_year(browser: Client, plays: list[Play]) -> None:
    days = sorted({CALENDAR.local(one.played_at).date() for one in plays if one.played_at.year == 2026})
    longest = run = 1
    for before, day in pairwise(days):
        run = run + 1 if (day - before).days == 1 else 1
        longest = max(longest, run)
    assert f"longest streak {longest} days" in Page(browser.get("/calendar/2026").text).text


def test_what_was_skipped(browser: Client, plays: list[Play]) -> None:
    own = [one for one in plays if CALENDAR.local(one.played_at).year == 2026]
    skipped = sum(bool(one.skipped) for one in own)
    text = Page(browser.get("/year/2026").text).text
    assert f"{skipped} plays of {len(own):,} skipped after 30 seconds or more, {100 * skipped / len(own):.1f} %" in text


@pytest.mark.parametrize("text", ["MAREE BASSE", "１", "<script>"])
def test_a_search_ignores_case_accents_and_width(browser: Client, text: str) -> None:
    html = browser.get(f"/history?q={text}").text
    assert list(Page(html).attributes)
    assert "No play has" not in Page(html).text


@pytest.mark.parametrize("question", ["days", "totals", "clock"])
def test_the_sql_of_a_figure_gives_its_csv(browser: Client, warehouse: str, question: str) -> None:
    from pipelines.querying.asking import ask
    from pipelines.querying.show import show

    span = "from=2026-03-01&to=2026-03-31"
    sql = browser.get(f"/data/{question}.sql?{span}").text
    assert "".join(show(ask(warehouse, sql), "csv")) == browser.get(f"/data/{question}.csv?{span}").text


@pytest.mark.long
def test_every_figures_sql_is_in_the_box_and_gives_its_csv(browser: Client, warehouse: str) -> None:
    from pipelines.querying.asking import ask
    from pipelines.querying.show import show

    pages = ("/", "/month/2026-03", "/year/2026", "/top/artists", "/compare", "/day/2026-03-04", "/history?q=a")
    keys = (browser.get(f"/api/v1/top/{kind}s").json()["rows"][0]["key"] for kind in ("track", "artist", "album"))
    items = (f"/{what}/{key}" for what, key in zip(("song", "artist", "album"), keys, strict=True))
    links = {link for path in (*pages, *items) for link in Page(browser.get(path).text).links}
    boxes = {link.partition("?")[0]: link for link in links if link.startswith("/sql/")}  # one of each question
    assert len(boxes) > 15
    for name, link in boxes.items():
        page = browser.get(link)
        assert page.status_code == 200, link
        sql = unescape(page.text.partition("required>")[2].partition("</textarea>")[0])
        csv = browser.get(link.replace(name, f"/data/{name.removeprefix('/sql/')}.csv")).text
        assert "".join(show(ask(warehouse, sql), "csv")) == csv, name


def test_what_was_not_played_was_heard_for_no_time(browser: Client) -> None:
    text = Page(browser.get("/compare?a=2026-11-27..2026-11-28&b=2026-10&by=time").text).text
    assert " 0 s" in text
    assert "not known" not in text


def test_whoever_may_not_ask_in_sql_gets_it_as_text(warehouse: str, tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens.json")
    bearer = {"Authorization": f"Bearer {tokens.add('a', (Scope.READ,), NOW)}"}
    far = opened(warehouse, access=Access(tokens))
    links = Page(far.get("/month/2026-03", headers=bearer).text).links
    assert any(link.startswith("/data/tens.sql?") for link in links)
    assert not any(link.startswith("/sql") for link in links)
    assert far.get("/sql/tens?from=2026-03-01&to=2026-03-31", headers=bearer).status_code == 403
    far._transport.app.state.warehouse.close()
