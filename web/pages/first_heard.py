"""What was heard first in a span, as far as plays are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from web.drawing.figure import Source
from web.pages.lists import item_url
from web.visit import Row, Visit
from web.words import count

# In a history's first days everything is heard for the first time.
SETTLING = timedelta(days=90)


@dataclass(frozen=True)
class FirstHeard:
    """Lists with a heading each; none of them in a history's first days, when it ``is_young``, until ``settled``."""

    songs: int
    artists: int
    lists: Sequence[tuple[str, Sequence[Row]]]
    since: date
    settled: date
    is_young: bool
    source: Source


def first_heard(visit: Visit, first: date, last: date) -> FirstHeard:
    """Between two days, both in it."""
    since: date = visit.bounds["first_played_on"]
    is_young = first < since + SETTLING
    rows = [] if is_young else visit.ask("discoveries", span=(first, last))
    found = {row["kind"]: row["found"] for row in rows}
    lists = [
        (count(found[kind], name), [_line(visit, row, first, last) for row in rows if row["kind"] == kind])
        for kind, name in (("track", "song"), ("artist", "artist"))
        if kind in found
    ]
    return FirstHeard(
        songs=found.get("track", 0),
        artists=found.get("artist", 0),
        lists=lists,
        since=since,
        settled=since + SETTLING,
        is_young=is_young,
        source=Source("discoveries", {"from": first, "to": last}),
    )


def _line(visit: Visit, row: Row, first: date, last: date) -> Row:
    return {
        "name": row["name"],
        "href": item_url(visit.url, row["kind"], row["key"], (first, last)),
        "below": row["artist_name"] if row["kind"] == "track" else "",
        "plays": count(row["plays"], "play"),
        "day": row["first_played_on"],
    }
