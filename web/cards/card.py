"""What stands on a card: a heading, totals, at most five lines, and in small print what is in it."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from web.errors import NotFoundError
from web.visit import Row, Visit
from web.words import MONTHS, count, day, heard, span

Of = Literal["songs", "artists", "albums"]
By = Literal["plays", "time"]
_KINDS = {"songs": "track", "artists": "artist", "albums": "album"}
_MOST_LINES = 5


@dataclass(frozen=True)
class CardLine:
    """A rank. ``share`` is the bar's length, the longest being 1."""

    rank: int
    name: str
    below: str
    value: str
    share: float


@dataclass(frozen=True)
class Card:
    """``facts`` are totals in the order of their weight; ``small`` is which days it is of, and by whom."""

    heading: str
    facts: tuple[str, ...]
    lines: tuple[CardLine, ...]
    small: tuple[str, str]


def card_of(visit: Visit, first: date, last: date, of: Of = "songs", by: By = "plays") -> Card:
    """A span of days, both in it. There is no play in it that tells more than its song, artist or album.

    Raises NotFoundError where the span has no plays.
    """
    [totals] = visit.ask("totals", span=(first, last))
    if not totals["plays"]:
        raise NotFoundError(f"There are no plays in {span(first, last)}.")
    rows = visit.ask("tens", span=(first, last), by=by, limit=_MOST_LINES)
    measure = "plays" if by == "plays" else "heard_ms"
    own = [row for row in rows if row["kind"] == _KINDS[of]]
    longest = max((row[measure] or 0 for row in own), default=0) or 1
    return Card(
        heading=f"My {span(first, last)}",
        facts=(count(totals["plays"], "play"), *_time(totals), count(totals["songs"], "song"), *_artists(totals)),
        lines=tuple(
            CardLine(
                rank=row["rank"],
                name=row["name"],
                below="" if of == "artists" else row["artist_name"] or "",
                value=count(row["plays"], "play") if by == "plays" else _about(row) + heard(row["heard_ms"]),
                share=(row[measure] or 0) / longest,
            )
            for row in own
        ),
        small=(known_span(visit, first, last), "Heavy Rotation · every play, once"),
    )


def known_span(visit: Visit, first: date, last: date) -> str:
    """Which days of a span are known, and whose clock made them days: ``15 Sep – 31 Dec 2025, Paris time``."""
    begin, end = max(first, visit.bounds["first_played_on"]), min(last, visit.known_until.date())
    said = day(end) if begin >= end else f"{_short(begin, end)} – {day(end)}"
    unknown = sum(begin + timedelta(days=n) in visit.unknown for n in range((end - begin).days + 1))
    missing = f", {count(unknown, 'day')} not known" if unknown else ""
    return f"{said}, {zone_words(visit.zone.key)}{missing}"


def zone_words(key: str) -> str:
    """``Paris time``, of Europe/Paris; ``UTC``."""
    place = key.rpartition("/")[2].replace("_", " ")
    return f"{place} time" if "/" in key else place


def _short(begin: date, end: date) -> str:
    if (begin.year, begin.month) == (end.year, end.month):
        return str(begin.day)
    return f"{begin.day} {MONTHS[begin.month - 1][:3]}" if begin.year == end.year else day(begin)


def _time(totals: Row) -> list[str]:
    if totals["heard_ms"] is None:
        return []
    return [_about(totals) + heard(totals["heard_ms"]).replace(" h", " hours")]


def _about(row: Row) -> str:
    return "≈ " if row["heard_ms"] is not None and (row["estimated_plays"] or row["unknown_plays"]) else ""


def _artists(totals: Row) -> list[str]:
    return [count(totals["artists"], "artist")] if totals["artists"] else []
