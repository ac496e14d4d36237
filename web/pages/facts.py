"""The line of totals under a heading, and what is said of gaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from web.pages.lists import about
from web.visit import Row, Visit
from web.words import count, day, heard, number_word, signed, span


@dataclass(frozen=True)
class Fact:
    """A number with its name, and lines under it; ``link`` is a last one that leads somewhere: text and address."""

    what: str
    value: str
    below: Sequence[str] = ()
    link: tuple[str, str] | None = None


@dataclass(frozen=True)
class Note:
    """What is missing, and why, or how to fill it."""

    what: str
    why: str


def plays_fact(visit: Visit, totals: Row, before: Row | None = None, than: str = "") -> Fact:
    """Plays, with the difference to other totals: ``+100 on October's same days``; and what is hidden of them."""
    below = [f"{signed(totals['plays'] - before['plays'])} on {than}"] if before else []
    return Fact("plays", f"{totals['plays']:,}", below, hidden_link(visit, totals["hidden_plays"]))


def hidden_link(visit: Visit, plays: int) -> tuple[str, str] | None:
    """How many plays a page leaves out, and the address that shows them; None where there are none."""
    if plays:
        return f"{count(plays, 'play')} hidden: show", visit.here(hidden="shown")
    return ("what is hidden is shown: hide it", visit.here(hidden=None)) if visit.shows_hidden else None


def hidden_in(visit: Visit, *spans: tuple[date, date]) -> tuple[str, str] | None:
    """The same of a page that shows no totals of its spans."""
    asked = [visit.ask("totals", span=span)[0]["hidden_plays"] for span in spans] if visit.hidden else []
    return hidden_link(visit, sum(asked))


def heard_fact(totals: Row) -> Fact:
    """The time heard, and how much of it is not measured."""
    value = about(totals) + heard(totals["heard_ms"])
    below = []
    if totals["estimated_plays"]:
        below.append(f"{count(totals['estimated_plays'], 'play')} by length, not measured")
    if totals["unknown_plays"]:
        of = "play" if totals["unknown_plays"] == 1 else "plays"
        below.append(f"length of {totals['unknown_plays']:,} {of} not known")
    return Fact("time heard", value, below)


def gap_notes(visit: Visit, first: date, last: date) -> list[Note]:
    """What is not known between two days, both in it, in sentences."""
    notes = []
    for gap in visit.gaps:
        begin, end = visit.local(gap.start), visit.local(gap.end)
        if end.date() < first or begin.date() > last:
            continue
        days = (end.date() - begin.date()).days + 1
        many = f"{number_word(days).capitalize()} days" if days > 1 else "Part of a day"
        where = span(begin.date(), end.date())
        may = "may not be" if gap.is_doubtful else "are not" if days > 1 else "is not"
        notes.append(
            Note(
                f"{many} {may} known: {where}.",
                "No poll reached back far enough. A Spotify export that covers them fills the gap.",
            )
        )
    known_since = visit.bounds["first_played_on"]
    if first < known_since <= last and first.day == 1 and known_since.day > 1:
        notes.append(Note(f"Plays are known since {day(known_since)}.", "What was heard before is not in it."))
    return notes
