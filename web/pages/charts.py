"""Figures of days: one by one, by weekday and hour, as a calendar; and of months."""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import date

from web.drawing.columns import Series, columns
from web.drawing.figure import Figure, Key, Numbers, Source
from web.drawing.grids import calendar, week_clock
from web.drawing.scale import keys, steps
from web.visit import Row, Visit
from web.words import MONTHS, WEEKDAYS, count, day, listed, month, month_name, number_word, span

WIDE = 838  # as a calendar of twelve months is
_NOT_KNOWN = Key("gap", "not known")


def known_days(visit: Visit, first: date, last: date) -> dict[date, int | None]:
    """Plays by day, up to the day until which everything is known; None where a day is not known."""
    until = min(last, visit.known_until.date())
    unknown, since = visit.unknown, visit.bounds["first_played_on"]
    if until < first:
        return {}
    return {
        row["played_on"]: row["plays"]
        if row["plays"] or not (row["played_on"] in unknown or row["played_on"] < since)
        else None
        for row in visit.ask("days", span=(first, until))
    }


def day_by_day(visit: Visit, first: date, before: date | None, *, is_wide: bool = False) -> Figure:
    """The days of a month beside those of the month ``before``; wide where it has the room of two figures."""
    last = visit.end_of(first)
    # Month by month, as all other figures of the page ask.
    now = list(known_days(visit, first, last).values())
    then = list(known_days(visit, before, visit.end_of(before)).values()) if before else []
    places = max(monthrange(first.year, first.month)[1], len(then))
    series = [Series("now", now + [0] * (places - len(now)))]
    if before:
        series.insert(0, Series("before", then))
    name, than = month_name(first), month_name(before) if before else ""
    most = max(now, key=lambda plays: plays or 0, default=0) or 0
    label = f"Plays a day in {name}{f' beside {than}' if before else ''}."
    if most:
        label += f" Most on {now.index(most) + 1} {name}: {most:,}."
    legend = [Key("now", name), *([Key("before", than)] if before else [])]
    if None in now or None in then:
        legend.append(_NOT_KNOWN)
    head = ["day", name, *([than] if before else [])]
    rows = [
        [number + 1, _at(now, number, last.day), *([_at(then, number, len(then))] if before else [])]
        for number in range(places)
    ]
    return Figure(
        name="days",
        heading="Day by day",
        drawing=columns(
            series,
            [(n, str(n + 1)) for n in (0, 7, 14, 21, 28) if n < places],
            label,
            **({"width": WIDE} if is_wide else {}),
        ),
        legend=legend,
        numbers=Numbers(head, rows),
        source=Source("days", {"from": before or first, "to": last}),
        scrolls="Day by day, scrolls sideways" if is_wide else "",
    )


def _at(values: Sequence[int | None], place: int, length: int) -> object:
    """A cell: a number, None where it is not known, empty where there is no such day or not yet."""
    return values[place] if place < min(len(values), length) else ""


def hours(visit: Visit, first: date, last: date) -> Figure:
    """Weekdays by hour of the wall clock."""
    cells = {(row["weekday"], row["hour"]): row["plays"] for row in visit.ask("clock", span=(first, last))}
    bounds = steps(cells.values())
    until = min(last, visit.known_until.date())
    begin = max(first, visit.bounds["first_played_on"])
    weeks, rest = divmod(max((until - begin).days + 1, 0), 7)
    many = [weeks] * 7
    for number in range(rest):
        many[(begin.weekday() + number) % 7] += 1
    fewest, most = min(many), max(many)
    each = (
        f"{number_word(fewest)} of each weekday"
        if fewest == most
        else f"{number_word(fewest)} to {number_word(most)} of each weekday"
    )
    label = f"Plays by weekday and hour, {visit.zone.key}."
    if cells:
        (weekday, hour), plays = max(cells.items(), key=lambda cell: cell[1])
        label += f" Most on {WEEKDAYS[weekday - 1]}s from {hour} to {hour + 1} h: {count(plays, 'play')}."
    return Figure(
        name="hours",
        heading=f"Weekdays and hours, {place_of(visit)} time",
        drawing=week_clock(cells, bounds, label),
        legend=keys(bounds, "plays"),
        legend_note=each,
        numbers=Numbers(
            ["hour", *(name[:3] for name in WEEKDAYS)],
            [[f"{hour:02}", *(cells.get((weekday, hour), 0) for weekday in range(1, 8))] for hour in range(24)],
        ),
        source=Source("clock", {"from": first, "to": last}),
    )


def place_of(visit: Visit) -> str:
    """``Paris``, of Europe/Paris."""
    return visit.zone.key.rpartition("/")[2].replace("_", " ")


def calendar_of(visit: Visit, first: date, last: date, heading: str) -> Figure:
    """A square for each day, in columns of weeks."""
    days = known_days(visit, first, last)
    bounds = steps(plays for plays in days.values() if plays)
    months: dict[date, list[int | None]] = {}
    for when, plays in days.items():
        months.setdefault(when.replace(day=1), []).append(plays)
    sums = {name: sum(plays or 0 for plays in some) for name, some in months.items()}
    missing = {name: some.count(None) for name, some in months.items()}
    label = f"Plays a day, {span(first, last)}."
    if any(sums.values()):
        label += f" Most in a month: {month(max(sums, key=lambda name: sums[name]))}."
    unknown = [f"{count(number, 'day')} in {month_name(name)}" for name, number in missing.items() if number]
    if unknown:
        label += f" Not known: {listed(unknown)}."
    return Figure(
        name="calendar",
        heading=heading,
        drawing=calendar(first, last, days, bounds, label),
        legend=[*keys(bounds, "plays a day"), *([_NOT_KNOWN] if unknown else [])],
        numbers=Numbers(
            ["month", "plays", "days not known"], [[month(name), f"{sums[name]:,}", missing[name]] for name in months]
        ),
        source=Source("days", {"from": first, "to": last}),
        scrolls=f"{heading}, scrolls sideways",
    )


def months_figure(
    visit: Visit,
    rows: Mapping[date, int],
    first: date,
    last: date,
    heading: str,
    source: Source,
    extra: Sequence[Row] = (),
) -> Figure:
    """A column for each month from ``first`` to ``last``, first days of months. ``extra`` are ranks: month and rank."""
    names = [
        date(n // 12, n % 12 + 1, 1) for n in range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    ]
    until = visit.known_until.date()
    values = [None if name < visit.first_month else rows.get(name, 0) for name in names if name <= until]
    if len(names) <= 12:
        ticks = [(place, MONTHS[name.month - 1][:3]) for place, name in enumerate(names)]
    else:
        each = 1 + len(names) // 12 // 9
        ticks = [(p, str(n.year)) for p, n in enumerate(names) if n.month == 1 and n.year % each == 0]
    label = f"Plays a month, {month(first)} to {month(last)}."
    if rows and any(rows.values()):
        best = max(rows, key=lambda name: rows[name])
        label += f" Most in {month(best)}: {rows[best]:,}."
    ranks = {row["month"]: row["rank"] for row in extra}
    head = ["month", "plays", *(["rank"] if extra else [])]
    table = [
        [month(name), value, *([ranks.get(name) or "–"] if extra else [])]
        for name, value in zip(names, values, strict=False)
    ]
    return Figure(
        name="months",
        heading=heading,
        drawing=columns([Series("now", values + [0] * (len(names) - len(values)))], ticks, label),
        legend=[Key("now", "plays a month"), *([_NOT_KNOWN] if None in values else [])],
        numbers=Numbers(head, table),
        source=source,
    )


def day_words(when: date) -> str:
    """``Saturday, 28 Nov 2026``."""
    return f"{WEEKDAYS[when.weekday()]}, {day(when)}"
