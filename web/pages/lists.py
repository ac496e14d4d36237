"""Ranked lists: rows of a question to the lines that a page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from web.drawing.figure import Source
from web.figures.changes import gone_since, with_changes
from web.pages.known import with_pictures
from web.visit import Links, Row, Visit
from web.words import count, heard, month_name

By = Literal["plays", "time"]
KINDS = ("track", "artist", "album")
PAGES: Mapping[str, str] = {"track": "song", "artist": "artist", "album": "album"}
LISTS: Mapping[str, str] = {"track": "tracks", "artist": "artists", "album": "albums"}
HEADINGS: Mapping[str, str] = {"track": "Songs", "artist": "Artists", "album": "Albums"}
_SIGNS = {"up": "▲", "down": "▼"}
# Spotify's own addresses of one picture in its largest size, which the tables have, and in its smallest.
_SMALL = {
    "https://i.scdn.co/image/ab67616d0000b273": "https://i.scdn.co/image/ab67616d00004851",
    "https://i.scdn.co/image/ab6761610000e5eb": "https://i.scdn.co/image/ab6761610000f178",  # of an artist
}


@dataclass(frozen=True)
class Line:
    """A rank. ``share`` is the bar's width in percent; ``move`` a class: up, down, same, new, or empty."""

    rank: int
    name: str
    href: str
    below: str
    value: str
    unit: str
    share: str
    move: str = ""
    move_sign: str = ""
    move_words: str = ""
    image_url: str | None = None
    spotify_url: str | None = None


@dataclass(frozen=True)
class Ten:
    """A list with what stands around it. ``gone`` are name and address of what was in the ten before."""

    kind: str
    heading: str
    href: str
    lines: Sequence[Line]
    source: Source
    none: str = ""
    more: str = ""
    gone: Sequence[tuple[str, str]] = ()
    gone_since: str = ""
    start: int = 1

    @property
    def name(self) -> str:
        """Its anchor."""
        return self.heading.lower()

    @property
    def has_covers(self) -> bool:
        """Whether any line has one."""
        return any(line.image_url for line in self.lines)


def item_url(url: Links, kind: str, key: str, span: tuple[date, date] | None = None, by: By = "plays") -> str:
    """The page of a song, an artist or an album; with a span it shows that first, ranked by ``by``."""
    asked = {"from": span[0], "to": span[1]} if span else {}
    return url(f"/{PAGES[kind]}/{key}", **asked, by=by if by != "plays" else None)


def spotify_url(kind: str, id_: str | None) -> str | None:
    """Where Spotify has it; None for an id that was made from names."""
    return f"https://open.spotify.com/{kind}/{id_}" if id_ and id_.isalnum() else None


def cover_url(image_url: str | None) -> str | None:
    """The cover's smallest size, whole, as Spotify gives it; None for what is on no server of Spotify's."""
    if not image_url or not image_url.startswith("https://i.scdn.co/"):
        return None
    for large, small in _SMALL.items():
        if image_url.startswith(large):
            return small + image_url.removeprefix(large)
    return image_url


def value_of(row: Row, by: By) -> tuple[str, str]:
    """What a line is ranked by, in words: the number, and its unit for who does not see the heading."""
    if by == "plays":
        return f"{row['plays']:,}", "play" if row["plays"] == 1 else "plays"
    return about(row) + heard(row["heard_ms"]), "heard"


def about(row: Row) -> str:
    """``≈ `` before a time that is estimated in part."""
    return "≈ " if row["heard_ms"] is not None and (row["estimated_plays"] or row["unknown_plays"]) else ""


def lines(
    visit: Visit,
    rows: Sequence[Row],
    by: By,
    span: tuple[date, date] | None,
    *,
    covers: bool,
    compared: date | None = None,
    most: int | None = None,
    ties: bool = True,
) -> list[Line]:
    """Lines of rows of ``tens`` or ``tops``, in their order.

    ``compared`` is the month that ``with_changes`` has compared them with; ``most`` the value of the longest bar, which
    is the largest of the rows unless it is said. Without ``ties`` they are in another order than that of their values.
    """
    measure = "plays" if by == "plays" else "heard_ms"
    longest = most or max((row[measure] or 0 for row in rows), default=0) or 1
    if covers:
        rows = with_pictures(visit, rows, span)
    made = []
    for row in rows:
        value, unit = value_of(row, by)
        below = [row["artist_name"] or "" if row["kind"] != "artist" else "", "tied" if ties and row["is_tied"] else ""]
        move = row.get("move", "") if compared else ""
        made.append(
            Line(
                rank=row["rank"],
                name=row["name"],
                href=item_url(visit.url, row["kind"], row["key"], span, by),
                below=" · ".join(filter(None, below)),
                value=value,
                unit=unit,
                share=f"{100 * (row[measure] or 0) / longest:.1f}",
                move=move,
                move_sign=_sign(move, row.get("by") or 0),
                move_words=_words(move, row.get("by") or 0, compared) if compared else "",
                image_url=cover_url(row["image_url"]) if covers else None,
                spotify_url=spotify_url(row["kind"], row["id"]),
            )
        )
    return made


def _sign(move: str, by: int) -> str:
    return "new" if move == "new" else "–" if move == "same" else f"{_SIGNS[move]} {by}" if move else ""


def _words(move: str, by: int, compared: date) -> str:
    name = month_name(compared)
    return {"new": f"not in {name}'s ten", "same": f"as in {name}"}.get(move, f"{move} {by}")


def tens(
    visit: Visit, span: tuple[date, date], by: By, *, covers: bool, compared: tuple[date, date] | None = None
) -> list[Ten]:
    """Songs, artists and albums of a span of days, compared with those of the whole month ``compared``."""
    rows: Sequence[Row] = visit.ask("tens", span=span, by=by)
    gone: Sequence[Mapping[str, Any]] = []
    if compared:
        earlier = visit.ask("tens", span=compared, by=by)
        rows = with_changes(rows, earlier)
        gone = gone_since(rows, earlier)
        compared = compared if earlier else None
    made = []
    for kind in KINDS:
        own = [row for row in rows if row["kind"] == kind]
        asked: dict[str, Any] = {"kind": kind, "from": span[0], "to": span[1], "by": by, "limit": 10}
        made.append(
            Ten(
                kind=kind,
                heading=HEADINGS[kind],
                href=visit.url(f"/top/{LISTS[kind]}", **{"from": span[0], "to": span[1], "by": by}),
                lines=lines(visit, own, by, span, covers=covers, compared=compared[0] if compared else None),
                source=Source("tens", asked),
                none=_none(kind, rows),
                more=_more(own, by),
                gone=[(r["name"], item_url(visit.url, kind, r["key"])) for r in gone if r["kind"] == kind],
                gone_since=month_name(compared[0]) if compared else "",
            )
        )
    return made


def _none(kind: str, rows: Sequence[Row]) -> str:
    if not rows:
        return "No plays."
    return "No play here says which album it is from." if kind == "album" else "No play here says who it is by."


def _more(rows: Sequence[Row], by: By) -> str:
    """What ties with the last line and is not shown: ``4 more songs have 8 plays``."""
    if not rows or not rows[-1]["tied_after"]:
        return ""
    last = rows[-1]
    number, what = last["tied_after"], f"more {PAGES[last['kind']]}"
    return f"{count(number, what)} {'has' if number == 1 else 'have'} {' '.join(value_of(last, by))}"


def more_than(rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], bool]:
    """Rows that were asked for with one more than ``limit``: the limit, and whether there are more."""
    return rows[:limit], len(rows) > limit


def instant_text(instant: datetime) -> str:
    """``2026-11-28T14:02:00.123Z``, of an aware instant."""
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def plays_line(visit: Visit, row: Row) -> Row:
    """A play as the macro ``plays`` shows it."""
    local = row["played_at_local"]
    return {
        "datetime": instant_text(row["played_at"]),
        "clock": f"{local:%H:%M}",
        "name": row["track_name"],
        "href": item_url(visit.url, "track", row["song_id"]),
        "below": row["artist_name"] or "",
        "aside": "",
    }
