"""The rebuild's rules on columns are the domain's rules on plays, whatever the plays."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain import ranking
from pipelines.domain.instants import parse
from pipelines.domain.month import Calendar
from pipelines.domain.play import Artist, Play, Source, UnreadableError, check_times
from pipelines.rebuilding import columns
from pipelines.rebuilding.decoding import read_file
from pipelines.rebuilding.top_tens import NUMBERS
from pipelines.storage.encoding import encode
from tests.builders import play

NOW = parse("2026-11-21T09:00:00Z")

# Few values, so that copies, ties and names with and without ids meet; around the month's end in Paris.
_names = st.sampled_from(["A", "B", "é", "𝄞", ""])
_ids = st.sampled_from([None, "1", "2", "3"])
_plays = st.builds(
    play,
    st.integers(-3, 6).map(lambda n: parse("2026-10-31T22:59:00Z") + timedelta(minutes=n)),
    st.sampled_from("abc"),
    user_id=st.sampled_from(["me", "you"]),
    track_name=st.sampled_from(["Track", " tRACK", "Track (remaster)", "(unknown)"]),
    artists=st.lists(st.builds(Artist, _names, _ids), max_size=2).map(tuple),
    album_id=_ids,
    album_name=st.none() | _names,
    album_artist_name=st.none() | _names,
    album_image_url=st.sampled_from([None, "", "cover", "other"]),
    source=st.sampled_from(list(Source)),
    # Copies that differ and are equally preferred would leave open which one is kept.
    ingested_at=st.integers(0, 10**9).map(lambda n: NOW - timedelta(milliseconds=n)),
)
_many = st.lists(_plays, max_size=30, unique_by=lambda p: p.preference)


def frame_of(plays: Sequence[Play], calendar: Calendar) -> pl.DataFrame:
    return columns.with_month(read_file("a file", encode(plays)), calendar)


def preferred(plays: Sequence[Play]) -> list[Play]:
    kept: dict[tuple[str, datetime], Play] = {}
    for p in sorted(plays, key=lambda p: p.preference):
        kept.setdefault((p.user_id, p.played_at), p)
    return sorted(kept.values(), key=lambda p: (p.user_id, p.played_at))


def by_the_domain(plays: Sequence[Play], calendar: Calendar) -> list[dict[str, Any]]:
    tallies: dict[Any, ranking.Tally] = {}
    for p in plays:
        ranking.add(tallies.setdefault((p.user_id, calendar.month_of(p.played_at)), {}), *ranking.entry(p))
    return [
        row
        for (user, month), tally in tallies.items()
        for row in ranking.snapshots(user, month, tally, is_final=calendar.is_over(month, NOW), computed_at=NOW)
    ]


@settings(deadline=None, max_examples=80)
@given(_many)
def test_each_play_once_and_its_local_time_and_keys_as_the_domain_says(plays: list[Play]) -> None:
    calendar = Calendar("Europe/Paris")
    once = columns.each_once(columns.with_keys(frame_of(plays, calendar)))
    rows = columns.with_local_time(once, calendar).drop(NUMBERS).to_dicts()
    assert rows == [p.to_row(calendar) for p in preferred(plays)]


_times = st.sampled_from(
    [
        NOW + days * timedelta(days=1) + nudge * timedelta(milliseconds=1)
        for days in (-2, -1, 0, 1, 2)
        for nudge in (-1, 0, 1)
    ]
    + [parse(text) for text in ("2005-12-31T23:59:59Z", "2031-01-01T00:00:00Z", "2100-01-01T00:00:00Z")]
)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(_times, _times), max_size=10))
def test_plays_of_a_time_that_cannot_be_are_passed_over_as_the_domain_says(
    times: list[tuple[datetime, datetime]],
) -> None:
    some = [play(played_at, f"{n}", ingested_at=ingested_at) for n, (played_at, ingested_at) in enumerate(times)]
    kept, passed_over = [], Counter[str]()
    for p in some:
        try:
            check_times(p.played_at, p.ingested_at, NOW)
            kept.append(p.track_id)
        except UnreadableError as error:
            passed_over[str(error)] += 1
    left, counted = columns.possible(read_file("a file", encode(some)), NOW)
    assert left["track_id"].to_list() == kept
    assert counted == passed_over


@settings(deadline=None, max_examples=80)
@given(_many)
def test_snapshots_as_the_domain_says(plays: list[Play]) -> None:
    calendar = Calendar("Europe/Paris")
    once = columns.each_once(columns.with_keys(frame_of(plays, calendar)))
    made = columns.snapshots(once, calendar, NOW).to_dicts()
    by_key = itemgetter("user_id", "month", "kind")
    assert sorted(made, key=by_key) == sorted(by_the_domain(plays, calendar), key=by_key)


@pytest.mark.parametrize(
    "zone", ["Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
)
def test_months_and_days_of_time_zones_as_the_domain_says(zone: str) -> None:
    calendar = Calendar(zone)
    near = [
        parse(f"{year}-{month:02d}-01T00:00:00Z") + timedelta(minutes=30 * n, milliseconds=n)
        for year in (2011, 2026)
        for month in range(1, 13)
        for n in range(-32, 33)
    ]
    some = [play(instant) for instant in near]
    local = itemgetter("played_on", "played_at_local", "month")
    assert [local(row) for row in columns.with_local_time(frame_of(some, calendar), calendar).to_dicts()] == [
        local(p.to_row(calendar)) for p in some
    ]
