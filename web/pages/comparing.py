"""``/compare?a=2026&b=2025``: two spans side by side."""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from pipelines.domain.month import following, month_text, parse_month, preceding
from web.drawing.figure import Source
from web.errors import BadRequestError
from web.pages.facts import hidden_link
from web.pages.lists import HEADINGS, KINDS, By, about, item_url, value_of
from web.pages.years import require_span
from web.rendering import page
from web.routing import Limit, StrictRoute, day_of, year_of
from web.visit import Row, Visit, visit
from web.words import heard, signed, span

router = APIRouter(route_class=StrictRoute)
Days = tuple[date, date]


def span_of(text: Any) -> Days:
    """``2026``, ``2026-11`` or ``2026-11-01..2026-11-28`` to days, both in it. Raises ValueError for the user."""
    said = text if isinstance(text, str) else ""
    if re.fullmatch(r"\d{4}", said):
        year = year_of(said)
        return date(year, 1, 1), date(year, 12, 31)
    if re.fullmatch(r"\d{4}-\d{2}", said):
        month = parse_month(said)
        return month, following(month) - timedelta(days=1)
    first, dots, last = said.partition("..")
    if not dots:
        raise ValueError(f"{said!r} is not a span; write it as 2026, 2026-11 or 2026-11-01..2026-11-28")
    days = day_of(first), day_of(last)
    if days[0] > days[1]:
        raise ValueError(f"{said!r} ends before it begins")
    return days


def span_text(days: Days) -> str:
    """As ``span_of`` reads it, as short as it goes."""
    first, last = days
    if first.day == 1 and last == following(first) - timedelta(days=1):
        return month_text(first)
    if (first.month, first.day, last.month, last.day) == (1, 1, 12, 31) and first.year == last.year:
        return str(first.year)
    return f"{first}..{last}"


@router.get("/compare")
def show(
    request: Request,
    visit: Annotated[Visit, Depends(visit)],
    a: Annotated[str | None, Query(max_length=30)] = None,
    b: Annotated[str | None, Query(max_length=30)] = None,
    by: By = "plays",
    limit: Limit = 10,
) -> Response:
    """Span ``a`` beside span ``b``; without them the newest month beside the one before."""
    newest = visit.last_month
    one = _asked(a) or (newest, visit.end_of(newest))
    other = _asked(b) or _before(one)
    require_span(visit, *one)
    if b:
        require_span(visit, *other)
    asked = {"from": one[0], "to": one[1], "before_from": other[0], "before_to": other[1], "by": by, "limit": limit}
    rows = visit.ask("compare", **asked)
    totals = visit.ask("totals", span=one)[0], visit.ask("totals", span=other)[0]
    return page(
        request,
        "compare.html",
        a=span_text(one),
        b=span_text(other),
        a_words=span(*one),
        b_words=span(*other),
        by=by,
        here=visit.url("/compare", a=span_text(one), b=span_text(other)),
        swapped=visit.url("/compare", a=span_text(other), b=span_text(one), by=by if by != "plays" else None),
        hidden=hidden_link(visit, sum(one["hidden_plays"] for one in totals)),
        totals=_totals(*totals),
        lists=[
            (HEADINGS[kind], own, Source("compare", asked))
            for kind in KINDS
            if (own := _lines(visit, [row for row in rows if row["kind"] == kind], one, by))
        ],
        years=[str(year) for year in range(visit.last_month.year, visit.first_month.year - 1, -1)],
    )


def _asked(text: str | None) -> Days | None:
    try:
        return span_of(text) if text else None
    except ValueError as error:
        raise BadRequestError(f"{error}.") from None


def _before(days: Days) -> Days:
    """The month or the year before one, or as many days before others."""
    first, last = days
    text = span_text(days)
    if re.fullmatch(r"\d{4}", text):
        return date(first.year - 1, 1, 1), date(first.year - 1, 12, 31)
    if re.fullmatch(r"\d{4}-\d{2}", text):
        return preceding(first), first - timedelta(days=1)
    return first - (last - first) - timedelta(days=1), first - timedelta(days=1)


def _totals(a: Row, b: Row) -> list[tuple[str, str, str, str]]:
    """Rows of a table: what, in a, in b, the difference."""
    rows = [
        (name, f"{a[name]:,}", f"{b[name]:,}", signed(a[name] - b[name]))
        for name in ("plays", "songs", "artists", "albums", "days")
    ]
    time = ("time heard", about(a) + heard(a["heard_ms"]), about(b) + heard(b["heard_ms"]), "")
    return [rows[0], time, *((("days with a play" if row[0] == "days" else row[0]), *row[1:]) for row in rows[1:])]


def _lines(visit: Visit, rows: Sequence[Row], one: Days, by: By) -> list[Row]:
    measure = "plays" if by == "plays" else "heard_ms"
    most = max((max(row[measure] or 0, row[f"{measure}_before"] or 0) for row in rows), default=0) or 1
    made = []
    for row in rows:
        # What was not played was heard for no time, which is not the same as not known.
        row = row if row["plays"] else row | {"heard_ms": 0}
        before: Row = {
            name: row[f"{name}_before"] for name in ("plays", "heard_ms", "estimated_plays", "unknown_plays")
        }
        before = before if before["plays"] else before | {"heard_ms": 0}
        value, unit = value_of(row, by)
        made.append(
            {
                "name": row["name"],
                "href": item_url(visit.url, row["kind"], row["key"], one, by),
                "below": row["artist_name"] if row["kind"] != "artist" else "",
                "a": value,
                "unit": unit,
                "b": value_of(before, by)[0],
                "change": signed(row["plays"] - row["plays_before"]) if by == "plays" else "",
                "share_a": f"{100 * (row[measure] or 0) / most:.1f}",
                "share_b": f"{100 * (before[measure] or 0) / most:.1f}",
            }
        )
    return made
