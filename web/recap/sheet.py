"""A recap as one HTML file, in the look of the pages: it loads nothing and runs nothing.

Times of day, single plays and days are in it only where they are asked for. Whose plays they are is not.
"""

from base64 import b64encode
from dataclasses import replace
from datetime import date
from hashlib import sha256

from markupsafe import Markup

from web.cards.card import known_span
from web.drawing.figure import Figure
from web.pages.charts import calendar_of, hours
from web.pages.facts import Fact, heard_fact, plays_fact
from web.pages.first_heard import first_heard
from web.pages.genres import genres_of
from web.pages.lists import By, Line, Ten, tens
from web.pages.skips import skips_of
from web.pages.years import bests_of, days_known, months_of, releases_of
from web.rendering import environment, static_text
from web.visit import Visit
from web.words import count, span


def recap_html(
    visit: Visit,
    first: date,
    last: date,
    by: By = "plays",
    *,
    with_times: bool = False,
    picture: str | None = None,
    state: str | None = None,
) -> str:
    """The page of a span of days, both in it. ``picture`` is the address of its card, for who shows links.

    ``state`` is where imports are remembered, with what was too short to be a play.
    """
    [totals] = visit.ask("totals", span=(first, last))
    new = first_heard(visit, first, last)
    songs = [] if new.is_young else [f"{new.songs:,} heard first"]
    artists = [] if new.is_young else [f"{new.artists:,} heard first"]
    known = days_known(visit, first, last)
    # How much is hidden is nobody else's business.
    facts = [
        plays_fact(visit, {**totals, "hidden_plays": 0}),
        heard_fact(totals),
        Fact("songs", f"{totals['songs']:,}", songs),
        Fact("artists", f"{totals['artists']:,}", artists),
        Fact("days with a play", f"{totals['days']:,}", [f"of {known:,} known"]),
    ]
    figures: list[Figure] = [months_of(visit, first, last), *releases_of(visit, first, last)]
    times: list[Figure] = []
    bests = []
    if with_times:
        until = min(last, visit.known_until.date())
        times = [calendar_of(visit, first, until, "Day by day")] if (until - first).days <= 370 else []
        figures.insert(1, hours(visit, first, last))
        bests = [best for best, _ in bests_of(visit, first, last)]
    style = Markup(static_text("look.css"))  # noqa: S704  ours
    return (
        environment()
        .get_template("shared.html")
        .render(
            heading=f"My {span(first, last)}",
            small="so far" if first <= visit.today < last else "",
            facts=facts,
            tens=[_sent(ten) for ten in tens(visit, (first, last), by, covers=False)],
            times=times,
            figures=figures,
            bests=bests,
            streak=_streak(visit, first, last),
            genres=genres_of(visit, first, last),
            skips=skips_of(visit, totals, first, last, state),
            known=known_span(visit, first, last),
            style=style,
            digest=b64encode(sha256(style.encode()).digest()).decode(),
            picture=picture,
        )
    )


def _sent(ten: Ten) -> Ten:
    """A list whose links lead to Spotify, where it has what a line is about."""
    return replace(ten, lines=[_line(line) for line in ten.lines])


def _line(line: Line) -> Line:
    return replace(line, href=line.spotify_url or "")


def _streak(visit: Visit, first: date, last: date) -> str:
    """How long the longest streak was; when it was tells more than was asked."""
    streaks = visit.ask("streaks", span=(first, last), limit=1)
    return count(streaks[0]["days"], "day") if streaks else ""
