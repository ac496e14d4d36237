"""The genres of a span, as the source has them that knows most of its plays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from web.drawing.figure import Source
from web.pages.known import has_snapshots
from web.visit import Visit
from web.words import count

SOURCES: Mapping[str, str] = {
    "SPOTIFY": "Spotify",
    "MUSICBRAINZ": "MusicBrainz",
    "LISTENBRAINZ": "ListenBrainz",
    "COVER_ART_ARCHIVE": "Cover Art Archive",
}


@dataclass(frozen=True)
class Genre:
    """A rank: ``share`` is the bar's width in percent."""

    rank: int
    name: str
    below: str
    value: str
    share: str


@dataclass(frozen=True)
class Genres:
    """A list, and what it is of: ``MusicBrainz; it knows the genres of 812 of 1,505 plays``."""

    lines: Sequence[Genre]
    lead: str
    source: Source


def genres_of(visit: Visit, first: date, last: date) -> Genres | None:
    """The ten most played genres of a span of days; None where no source has any of them."""
    if not has_snapshots(visit, "artist"):
        return None
    rows = visit.ask("genres", span=(first, last))
    if not rows:
        return None
    # The first source is the one that knows most.
    own = [row for row in rows if row["source"] == rows[0]["source"]]
    most = own[0]["plays"]
    lines = [
        Genre(
            row["rank"],
            row["genre"],
            count(row["artists"], "artist"),
            f"{row['plays']:,}",
            f"{100 * row['plays'] / most:.1f}",
        )
        for row in own
    ]
    known = f"{own[0]['known_plays']:,} of {count(own[0]['all_plays'], 'play')}"
    lead = f"{SOURCES[own[0]['source']]}’s, of the artists of {known}. A play counts for each genre of its artist."
    return Genres(lines, lead, Source("genres", {"from": first, "to": last}))
