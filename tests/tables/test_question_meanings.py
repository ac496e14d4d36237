"""What the figures mean: every question against plain counting over plays, which shares no code with it.

The plays of two listeners over fourteen months, with nulls, ties, copies, clocks that change, and borders in the middle
of a session.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines.domain.play import Artist, Play, Source
from pipelines.warehouse.folder import FolderWarehouse
from tests import oracle
from tests.warehouse.listening import CALENDAR, READ_AT, play
from web.asking import Asker

PARIS = ZoneInfo("Europe/Paris")
WHO = ("ana", "ben")
# A month, a part of one, one with a border inside a night, the days the clock changes, a year, all, nothing.
SPANS = [
    (date(2026, 3, 1), date(2026, 3, 31)),
    (date(2026, 3, 28), date(2026, 3, 30)),
    (date(2025, 10, 26), date(2025, 11, 2)),
    (date(2026, 1, 1), date(2026, 12, 31)),
    (date(2025, 1, 1), date(2027, 12, 31)),
    (date(2024, 1, 1), date(2024, 1, 31)),
]
TITLES = ("Café", "CAFE\u0301", "ｃａｆｅ", "Straße", "two", "Two", "three", "夜")


def _listening(who: str) -> Iterator[Play]:
    dice = Random(who)
    at = datetime(2025, 9, 20, tzinfo=UTC)
    for _ in range(700):
        at += timedelta(minutes=dice.choice((2, 3, 4, 31, 33, 200, 900, 2500)), milliseconds=dice.randrange(3) * 333)
        number = dice.randrange(12)
        is_api = dice.random() < 0.4
        yield play(
            at.isoformat(),
            0,
            0,
            user_id=who,
            track_id=f"t{number}",
            track_name=TITLES[number % len(TITLES)],
            artists=(Artist(f"Artist {number % 5}", f"a{number % 5}" if is_api else None),),
            album_id=f"b{number % 4}" if is_api else None,
            album_name=dice.choice((f"Album {number % 4}", None)),
            album_artist_name=None,
            album_release_date=dice.choice(("1999", "2001-05", None)),
            duration_ms=dice.choice((150_000, 240_000, None)) if is_api else None,
            ms_played=None if is_api else dice.choice((31_000, 200_000, 1_700_000)),
            skipped=None if is_api else dice.choice((True, False, None)),
            reason_end=None if is_api else dice.choice(("trackdone", "fwdbtn")),
            source=Source.RECENTLY_PLAYED if is_api else Source.EXTENDED_EXPORT,
            ingested_at=READ_AT,
        )


PLAYS = {who: list(_listening(who)) for who in WHO}


@pytest.fixture(scope="module")
def asker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    folder: Path = tmp_path_factory.mktemp("warehouse")
    warehouse = FolderWarehouse(folder, "Europe/Paris")
    warehouse.append("play_events", [one.to_row(CALENDAR) for some in PLAYS.values() for one in (*some, *some[:9])])
    asker = Asker(str(folder), clock=lambda: datetime(2026, 12, 1, 12, tzinfo=UTC))
    yield asker
    asker.close()


def local(one: Play) -> datetime:
    return one.played_at.astimezone(PARIS).replace(tzinfo=None)


def of(who: str, span: tuple[date, date]) -> list[Play]:
    return [one for one in PLAYS[who] if span[0] <= local(one).date() <= span[1]]


def millis(between: timedelta) -> int:
    return between // timedelta(milliseconds=1)


def heard(who: str) -> dict[datetime, int | None]:
    """How long each play of a listener was heard, by its instant."""
    found: dict[datetime, int | None] = {}
    before: datetime | None = None
    for one in PLAYS[who]:
        length = one.ms_played
        if length is None and one.duration_ms is not None:
            length = one.duration_ms if before is None else min(one.duration_ms, millis(one.played_at - before))
        found[one.played_at] = length
        before = one.played_at
    return found


def times(who: str, some: list[Play]) -> dict[str, int | None]:
    known = [length for one in some if (length := heard(who)[one.played_at]) is not None]
    return {
        "heard_ms": sum(known) if known else None,
        "estimated_plays": sum(one.ms_played is None and one.duration_ms is not None for one in some),
        "unknown_plays": sum(one.ms_played is None and one.duration_ms is None for one in some),
    }


everywhere = pytest.mark.parametrize("span", SPANS, ids=lambda span: f"{span[0]}_{span[1]}")


@everywhere
@pytest.mark.parametrize("who", WHO)
def test_totals(who: str, span: tuple[date, date], asker: Asker) -> None:
    [found], some = asker.rows("totals", span, user_id=who), of(who, span)
    said = [one for one in some if one.skipped is not None]
    expected = times(who, some) | {
        "plays": len(some),
        "hidden_plays": 0,
        "days": len({local(one).date() for one in some}),
        "skipped": sum(bool(one.skipped) for one in said),
        "skip_known": len(said),
        "first_played_at": min((one.played_at for one in some), default=None),
        "last_played_at": max((one.played_at for one in some), default=None),
    }
    expected |= {
        name: len(oracle.ranked(kind, some))
        for name, kind in (("songs", "track"), ("artists", "artist"), ("albums", "album"))
    }
    assert found == expected


@everywhere
@pytest.mark.parametrize("who", WHO)
def test_lists_in_every_order(who: str, span: tuple[date, date], asker: Asker) -> None:
    some = of(who, span)
    for kind in ("track", "artist", "album"):
        lines = oracle.ranked(kind, some)
        pages: dict[str, list[dict[str, Any]]] = {}
        for order in ("plays", "time", "first", "name"):
            pages[order], after = [], ""
            while page := asker.rows("tops", span, user_id=who, kind=kind, order=order, after=after, limit=5):
                pages[order] += page
                after = page[-1]["place"]
        assert [(row["id"], row["plays"]) for row in pages["plays"]] == [(line[0], line[5]) for line in lines]
        assert all(len({row["key"] for row in rows}) == len(rows) == len(lines) for rows in pages.values())
        assert [row["rank"] for row in pages["plays"]] == list(range(1, len(lines) + 1))
        spent = [row["heard_ms"] or 0 for row in pages["time"]]
        assert spent == sorted(spent, reverse=True)
        assert sum(spent) == sum(row["heard_ms"] or 0 for row in pages["plays"])
        first = [row["first_played_at"] for row in pages["first"]]
        assert first == sorted(first)
        names = [_folded(row["name"]) for row in pages["name"]]
        assert names == sorted(names)


@everywhere
@pytest.mark.parametrize("who", WHO)
def test_ties_say_how_many_more_there_are(who: str, span: tuple[date, date], asker: Asker) -> None:
    rows = asker.rows("tens", span, user_id=who, kind="track", limit=3)
    counts = [line[5] for line in oracle.ranked("track", of(who, span))]
    for number, row in enumerate(rows):
        assert row["is_tied"] == (number > 0 and counts[number] == counts[number - 1])
        assert row["tied_after"] == counts[number + 1 :].count(counts[number])


@everywhere
@pytest.mark.parametrize("who", WHO)
def test_days_hours_months_and_why_plays_ended(who: str, span: tuple[date, date], asker: Asker) -> None:
    some = of(who, span)
    days = asker.rows("days", span, user_id=who)
    by_day = Counter(local(one).date() for one in some)
    assert [row["played_on"] for row in days] == [
        span[0] + timedelta(days=number) for number in range((span[1] - span[0]).days + 1)
    ]
    assert {row["played_on"]: row["plays"] for row in days if row["plays"]} == by_day
    for row in days[:40]:
        on_it = [one for one in some if local(one).date() == row["played_on"]]
        assert {name: row[name] for name in times(who, on_it)} == times(who, on_it)
    cells = {(row["weekday"], row["hour"]): row["plays"] for row in asker.rows("clock", span, user_id=who)}
    assert cells == Counter((local(one).isoweekday(), local(one).hour) for one in some)
    months = asker.rows("month_totals", span, user_id=who)
    assert {row["month"]: row["plays"] for row in months} == Counter(local(one).date().replace(day=1) for one in some)
    ends = {row["reason_end"]: row["plays"] for row in asker.rows("endings", span, user_id=who)}
    assert ends == Counter(one.reason_end for one in some)
    years = {row["year"]: row["plays"] for row in asker.rows("releases", span, user_id=who)}
    assert years == Counter(int(one.album_release_date[:4]) if one.album_release_date else None for one in some)
    edges = [row["played_at"] for row in asker.rows("edges", span, user_id=who)]
    assert edges == ([some[0].played_at, some[-1].played_at] if some else [])


@everywhere
@pytest.mark.parametrize("who", WHO)
def test_sessions_are_made_before_the_span_is_cut(who: str, span: tuple[date, date], asker: Asker) -> None:
    lengths, sessions = heard(who), [[PLAYS[who][0]]]
    for before, one in pairwise(PLAYS[who]):
        starts = one.played_at - timedelta(milliseconds=lengths[one.played_at] or 0)
        if starts - before.played_at < timedelta(minutes=30):
            sessions[-1].append(one)
        else:
            sessions.append([one])
    expected = []
    for some in sessions:
        first = timedelta(milliseconds=lengths[some[0].played_at] or 0)
        if span[0] <= (local(some[0]) - first).date() <= span[1]:
            lasts = some[-1].played_at - some[0].played_at + first
            expected.append((-millis(lasts), some[0].played_at - first, len(some)))
    found = asker.rows("sessions", span, user_id=who, limit=1000)
    assert [(row["started_at"], row["plays"]) for row in found] == [one[1:] for one in sorted(expected)]
    assert [row["seconds"] for row in found] == [-length // 1000 for length, *_ in sorted(expected)]


@everywhere
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("unknown", [(), (date(2026, 3, 29), date(2026, 3, 30), date(2026, 4, 2))], ids=["all", "some"])
def test_streaks_are_cut_by_the_span_and_say_since_when(
    who: str, span: tuple[date, date], unknown: tuple[date, ...], asker: Asker
) -> None:
    played = {local(one).date() for one in PLAYS[who]}
    known, runs = sorted(played | set(unknown)), []
    for day in known:
        if runs and (day - runs[-1][-1]).days == 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    expected = []
    for run in runs:
        own = [day for day in run if day in played]
        inside = [day for day in own if span[0] <= day <= span[1]]
        if inside:
            first, last = max(own[0], span[0]), min(own[-1], span[1])
            unknowns = sum(first <= day <= last and day not in played for day in run)
            expected.append((-len(inside), inside[0], inside[-1], unknowns, own[0], own[-1]))
    found = asker.rows("streaks", span, user_id=who, unknown_days=unknown, limit=1000)
    assert [
        (-row["days"], row["first_day"], row["last_day"], row["unknown_days"], row["since"], row["until"])
        for row in found
    ] == sorted(expected)


def test_today_without_a_play_yet_ends_no_streak(asker: Asker) -> None:
    span, last = SPANS[4], max(local(one).date() for one in PLAYS["ana"])
    for days, is_running in ((0, True), (1, True), (2, False)):
        rows = asker.rows("streaks", span, user_id="ana", today=last + timedelta(days=days), limit=1000)
        assert [row["is_running"] for row in rows if row["until"] == last] == [is_running]
    two_later = last + timedelta(days=2)
    rows = asker.rows(
        "streaks", span, user_id="ana", today=two_later, unknown_days=(last + timedelta(days=1),), limit=1000
    )
    assert [row["is_running"] for row in rows if row["until"] == last] == [True]


@pytest.mark.parametrize("who", WHO)
def test_discoveries_have_no_play_before_the_span(who: str, asker: Asker) -> None:
    span = (date(2025, 9, 22), date(2025, 9, 30))
    some, earlier = of(who, span), [one for one in PLAYS[who] if local(one).date() < span[0]]
    songs = {_song(one) for one in earlier}
    new = {one.track_id for one in some if _song(one) not in songs}
    rows = asker.rows("discoveries", span, user_id=who, limit=100)
    assert {row["id"] for row in rows if row["kind"] == "track"} <= new != set()
    assert {row["key"] for row in rows if row["kind"] == "track"} == {
        row["key"] for row in asker.rows("tens", span, user_id=who, kind="track", limit=100) if row["id"] in new
    }
    artists = {str(one.artist_name) for one in earlier}
    assert {row["name"] for row in rows if row["kind"] == "artist"} == {one.artist_name for one in some} - artists
    assert {row["known_since"] for row in rows} == {local(PLAYS[who][0]).date()}
    for kind in ("track", "artist", "album"):
        of_kind = [row for row in rows if row["kind"] == kind]
        assert {row["found"] for row in of_kind} <= {len(of_kind)}


@pytest.mark.parametrize("who", WHO)
def test_what_is_hidden_leaves_the_figures_and_is_counted(who: str, asker: Asker) -> None:
    span = SPANS[0]
    some = of(who, span)
    for hidden, is_hidden in (
        (("track:t3",), lambda one: one.track_id == "t3"),
        (("artist:a1", "artist_name:Artist 1"), lambda one: one.artist_name == "Artist 1"),
        (("context:spotify:playlist:x",), lambda _: False),
    ):
        shown = [one for one in some if not is_hidden(one)]
        [totals] = asker.rows("totals", span, user_id=who, hidden=hidden)
        assert (totals["plays"], totals["hidden_plays"]) == (len(shown), len(some) - len(shown))
        assert {name: totals[name] for name in times(who, shown)} == times(who, shown)
        tens = asker.rows("tens", span, user_id=who, kind="track", hidden=hidden, limit=100)
        assert [(row["id"], row["plays"]) for row in tens] == [
            (line[0], line[5]) for line in oracle.ranked("track", shown)
        ]
        assert len(asker.rows("last_plays", span, user_id=who, limit=1000)) == len(some)


def test_two_spans_beside_each_other(asker: Asker) -> None:
    now, before = SPANS[0], (date(2026, 2, 1), date(2026, 2, 28))
    counts = [{line[7]: line[5] for line in oracle.ranked("track", of("ana", span))} for span in (now, before)]
    asked = {"user_id": "ana", "before_from": before[0], "before_to": before[1], "kind": "track"}
    for row in asker.rows("compare", now, **asked):
        assert (row["plays"], row["plays_before"]) == tuple(count.get(row["key"], 0) for count in counts)
    tens = [[line[7] for line in oracle.ranked("track", of("ana", span))[:3]] for span in (now, before)]
    dropped = asker.rows("dropped", now, limit=3, **asked)
    assert [row["key"] for row in dropped] == [key for key in tens[1] if key not in tens[0]] != []


@pytest.mark.parametrize("typed", ["cafe", "CAFÉ", "ｃａｆé", "strasse", "夜", "artist 3", "nowhere"])
def test_search_folds_case_accents_and_width(typed: str, asker: Asker) -> None:
    wanted = _folded(typed)
    rows = asker.rows("search", user_id="ana", q=typed, limit=100)
    names = {one.track_name for one in PLAYS["ana"]} | {str(one.artist_name) for one in PLAYS["ana"]}
    names |= {one.album_name for one in PLAYS["ana"] if one.album_name}
    assert {_folded(row["name"]) for row in rows} == {_folded(name) for name in names if wanted in _folded(name)}
    lines = {(line["kind"], line["key"]): line for line in asker.rows("tens", SPANS[4], user_id="ana", limit=1000)}
    for row in rows:  # what is found is what plays count for, so that it has a page
        line = lines[row["kind"], row["key"]]
        assert (row["name"], row["plays"]) == (line["name"], line["plays"])
    found = asker.rows("history", SPANS[4], user_id="ana", q=typed, limit=1000)
    expected = [
        one.played_at
        for one in reversed(PLAYS["ana"])
        if any(wanted in _folded(name or "") for name in (one.track_name, one.artist_name, one.album_name))
    ]
    assert [row["played_at"] for row in found] == expected
    if expected:
        rest = asker.rows("history", SPANS[4], user_id="ana", q=typed, before=expected[0], limit=1000)
        assert [row["played_at"] for row in rest] == expected[1:]


@pytest.mark.long
@pytest.mark.parametrize("who", WHO)
def test_an_item_is_what_its_line_of_all_time_counts(who: str, asker: Asker) -> None:
    span = SPANS[4]
    for kind in ("track", "artist", "album"):
        for line in asker.rows("tens", span, user_id=who, kind=kind, limit=1000):
            for name in {line["key"], line["id"]}:
                [item] = asker.rows("item", user_id=who, kind=kind, id=name)
                for column in ("key", "name", "artist_name", "plays", "heard_ms", "estimated_plays", "unknown_plays"):
                    assert item[column] == line[column], (column, name)
                assert (
                    sum(row["plays"] for row in asker.rows("item_months", user_id=who, kind=kind, id=name))
                    == line["plays"]
                )
                assert (
                    sum(row["plays"] for row in asker.rows("item_ids", user_id=who, kind=kind, id=name))
                    == line["plays"]
                )
                if kind != "track":
                    songs = asker.rows("item_songs", span, user_id=who, kind=kind, id=name)
                    assert sum(row["plays"] for row in songs) == line["plays"]
    assert asker.rows("item", user_id=who, kind="track", id="nothing") == []


def _song(one: Play) -> tuple[str, str]:
    return unicodedata.normalize("NFKC", one.track_name).casefold(), str(one.artist_name)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(sign for sign in plain if not unicodedata.category(sign).startswith("M"))
