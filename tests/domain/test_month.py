from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.instants import parse
from pipelines.domain.month import (
    Calendar,
    UnknownTimeZoneError,
    following,
    month_text,
    parse_month,
    preceding,
)

ZONES = ["Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]

instants = st.datetimes(
    datetime(2008, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
    datetime(2040, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001
    timezones=st.just(UTC),
)
# Where months and clocks change is where mistakes live.
edges = st.builds(
    lambda zone, year, month, seconds: (
        datetime(year, month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC) + timedelta(seconds=seconds)
    ),
    st.sampled_from(ZONES),
    st.integers(2008, 2040),
    st.integers(1, 12),
    st.integers(-90_000, 90_000),
)


@pytest.mark.parametrize("zone", ZONES)
@given(instant=instants | edges)
def test_every_instant_lies_in_exactly_one_month(zone: str, instant: datetime) -> None:
    calendar = Calendar(zone)
    month = calendar.month_of(instant)
    near = [preceding(month), month, following(month)]
    holding = [m for m in near if calendar.bounds(m)[0] <= instant < calendar.bounds(m)[1]]
    assert holding == [month]


@pytest.mark.parametrize("zone", ZONES)
@given(instant=instants | edges)
def test_the_month_is_the_one_on_the_wall_calendar(zone: str, instant: datetime) -> None:
    assert Calendar(zone).month_of(instant) == instant.astimezone(ZoneInfo(zone)).date().replace(day=1)


@pytest.mark.parametrize("zone", ZONES)
def test_months_follow_each_other_without_gap_or_overlap(zone: str) -> None:
    calendar, month = Calendar(zone), date(2008, 1, 1)
    while month < date(2041, 1, 1):
        assert calendar.bounds(month)[1] == calendar.bounds(following(month))[0]
        month = following(month)


@pytest.mark.parametrize(
    ("instant", "month"),
    [
        ("2026-01-31T22:59:59.999Z", "2026-01"),
        ("2026-01-31T23:00:00.000Z", "2026-02"),
        ("2026-07-31T21:59:59.999Z", "2026-07"),
        ("2026-07-31T22:00:00.000Z", "2026-08"),
        # Clocks change inside these two months, so the month begins and ends at different hours of UTC.
        ("2026-02-28T22:59:59.999Z", "2026-02"),
        ("2026-02-28T23:00:00.000Z", "2026-03"),
        ("2026-03-31T21:59:59.999Z", "2026-03"),
        ("2026-03-31T22:00:00.000Z", "2026-04"),
        ("2026-09-30T21:59:59.999Z", "2026-09"),
        ("2026-09-30T22:00:00.000Z", "2026-10"),
        ("2026-10-31T22:59:59.999Z", "2026-10"),
        ("2026-10-31T23:00:00.000Z", "2026-11"),
    ],
)
def test_months_begin_at_midnight_in_paris(instant: str, month: str) -> None:
    assert month_text(Calendar("Europe/Paris").month_of(parse(instant))) == month


def test_a_month_stays_whole_where_the_clock_goes_back_over_its_first_midnight() -> None:
    # On 2009-11-01 clocks in St John's went from 00:01 back to 23:01 of October 31.
    calendar = Calendar("America/St_Johns")
    start, _ = calendar.bounds(date(2009, 11, 1))
    for minutes in range(-120, 120):
        instant = start + timedelta(minutes=minutes)
        assert calendar.month_of(instant) == (date(2009, 11, 1) if minutes >= 0 else date(2009, 10, 1))


def test_a_month_is_closed_once_the_lateness_has_passed() -> None:
    calendar, lateness = Calendar("Europe/Paris"), timedelta(days=35)
    end = parse("2026-10-31T23:00:00Z")
    assert not calendar.is_over(date(2026, 10, 1), end - timedelta(milliseconds=1))
    assert calendar.is_over(date(2026, 10, 1), end)
    assert not calendar.is_closed(date(2026, 10, 1), lateness, end + lateness - timedelta(milliseconds=1))
    assert calendar.is_closed(date(2026, 10, 1), lateness, end + lateness)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "Europe", "../etc/passwd", "/etc/localtime", "europe paris"])
def test_an_unknown_time_zone_is_told(name: str) -> None:
    with pytest.raises(UnknownTimeZoneError, match="is not a time zone; names look like Europe/Paris"):
        Calendar(name)


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "2026-1", "26-01", "2026-11-01", "", "1969-12", "2101-01"])
def test_what_is_not_a_month_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not a month; write it as 2026-11"):
        parse_month(text)


@given(st.dates(date(1970, 1, 1), date(2100, 12, 31)))
def test_a_month_survives_its_text(day: date) -> None:
    month = day.replace(day=1)
    assert parse_month(month_text(month)) == month
    assert preceding(following(month)) == month
