"""How much was skipped, and why plays ended: what extended exports say, and pages show."""

from datetime import date, timedelta

from pipelines.domain.month import following
from web.drawing.figure import Source
from web.figures.imports import imports_of, too_short
from web.visit import Row, Visit

_ENDS = {
    "trackdone": "played to the end",
    "fwdbtn": "the next button",
    "backbtn": "the back button",
    "endplay": "something else was started",
    "logout": "logged out",
    "remote": "from another device",
    "unexpected-exit": "the app ended",
    "unexpected-exit-while-paused": "the app ended while paused",
    "trackerror": "an error",
    "clickrow": "another row was clicked",
    "appload": "the app was started",
    "playbtn": "the play button",
    "popup": "in a window",
    "uriopen": "a link was opened",
}


def skips_of(visit: Visit, totals: Row, first: date, last: date, state: str | None = None) -> Row:
    """What a template shows of a span whose ``totals`` are known; ``state`` is where imports are remembered.

    ``all`` has the same over everything that was started, plays or not, where that is known of the span's months.
    """
    known, plays = totals["skip_known"], totals["plays"]
    rows = [row for row in visit.ask("endings", span=(first, last)) if row["reason_end"] is not None]
    said = sum(row["plays"] for row in rows)
    return {
        "known": known,
        "unknown": plays - known,
        "skipped": totals["skipped"],
        "share": _share(totals["skipped"], known) if known else "",
        "all": _with_short(visit, totals, first, last, state) if state and known else None,
        "endings": [
            (_ENDS.get(row["reason_end"], row["reason_end"]), f"{row['plays']:,}", _share(row["plays"], said))
            for row in sorted(rows, key=lambda row: -row["plays"])
        ],
        "source": Source("endings", {"from": first, "to": last}),
    }


def _with_short(visit: Visit, totals: Row, first: date, last: date, state: str) -> Row | None:
    """With what was too short to be a play. It is known by the month, so of whole months alone, and of all that is in
    them: where something is hidden it would be counted with it."""
    since, until = visit.bounds["first_played_on"], visit.bounds["last_played_on"]
    is_whole = (first.day == 1 or first <= since) and (last == following(last) - timedelta(1) or last >= until)
    short, skipped = too_short(imports_of(state, visit.user_id), first, last) if is_whole else (0, 0)
    if not short or totals["hidden_plays"]:
        return None
    starts, skips = totals["skip_known"] + short, totals["skipped"] + skipped
    return {"starts": starts, "skipped": skips, "short": short, "share": _share(skips, starts)}


def _share(some: int, of: int) -> str:
    return f"{100 * some / of:.1f} %"
