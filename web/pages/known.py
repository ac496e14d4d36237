"""What snapshots know of things that plays do not say: pictures, lengths, release dates."""

from collections.abc import Mapping, Sequence
from datetime import date

from web.visit import Row, Visit

Span = tuple[date, date]


def has_snapshots(visit: Visit, kind: str, source: str = "") -> bool:
    """Whether any source, or this one, has said anything of a ``playlist``, an ``artist`` or a ``track``."""
    return any(row["kind"] == kind and source in ("", row["source"]) for row in visit.ask("snapshots"))


def known_of(visit: Visit, kind: str, ids: Sequence[str], span: Span | None = None) -> Mapping[str, Row]:
    """What is known of some things of one kind, by those of their ids that anything is known of."""
    first, last = span or (visit.bounds["first_played_on"], visit.bounds["last_played_on"])
    asked = tuple(sorted({one for one in ids if one}))
    if not asked:
        return {}
    if kind == "artist":  # neither a length nor a date
        rows = [row | {"duration_ms": None, "release_date": None} for row in visit.ask("artist_pictures", ids=asked)]
    else:
        rows = visit.ask("known", kind=kind, ids=asked, span=(first, last))
    return {row["id"]: row for row in rows}


def with_pictures(visit: Visit, rows: Sequence[Row], span: Span | None) -> Sequence[Row]:
    """Rows of one kind, with a picture where plays have none and a snapshot has. Without snapshots nothing is asked."""
    lacking = [row for row in rows if not row["image_url"] and row["id"]]
    if not lacking:
        return rows
    kind: str = lacking[0]["kind"]
    if not any(has_snapshots(visit, one) for one in (("artist",) if kind == "artist" else ("track", "playlist"))):
        return rows
    known = known_of(visit, kind, [row["id"] for row in lacking], span)
    return [
        row if row["image_url"] else {**row, "image_url": (known.get(row["id"]) or {}).get("image_url")} for row in rows
    ]
