"""``/watch`` and ``/watch/ID``: watched playlists, with what came and went, and artists' figures over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from pipelines.domain.song import synthetic_id
from web.drawing.figure import Figure, Numbers, Source
from web.drawing.timeline import timeline
from web.errors import NotFoundError
from web.pages.facts import Fact
from web.pages.genres import SOURCES
from web.pages.lists import cover_url, item_url, spotify_url
from web.rendering import page
from web.routing import StrictRoute
from web.visit import Row, Visit, visit
from web.words import clock, count, day, listed, moment

router = APIRouter(route_class=StrictRoute)
_TRACKS, _CHANGES, _ARTISTS, _OF_FILES = 100, 60, 60, 1000
# Each is one source's, and never on one axis with another.
_FIGURES = (
    ("popularity", "SPOTIFY"),
    ("followers", "SPOTIFY"),
    ("listeners", "LISTENBRAINZ"),
    ("listens", "LISTENBRAINZ"),
)


@dataclass(frozen=True)
class Watched:
    """A line of the list: ``said`` is what the newest snapshot says."""

    name: str
    href: str
    said: str
    asked: str
    image_url: str | None
    spotify_url: str | None


@dataclass(frozen=True)
class Entry:
    """A track in a playlist, or one of an artist's: ``aside`` is what is told at the end of its line."""

    name: str
    href: str | None
    below: str
    aside: str
    lead: str = ""


@router.get("/watch")
def watched(request: Request, visit: Annotated[Visit, Depends(visit)]) -> Response:
    """All that is watched."""
    rows = visit.ask("watched")
    covers = request.app.state.settings.covers
    # The artists of many months' tens may be hundreds: those with figures first, of these the newest.
    artists = sorted(
        (row for row in rows if row["kind"] == "artist"),
        key=lambda row: (all(row[name] is None for name, _ in _FIGURES), -row["last_at"].timestamp()),
    )
    shown = {"playlist": [row for row in rows if row["kind"] == "playlist"][:_ARTISTS], "artist": artists[:_ARTISTS]}
    left = len(rows) - sum(map(len, shown.values()))
    return page(
        request,
        "watch.html",
        lists={kind: [_line(visit, row, covers=covers) for row in some] for kind, some in shown.items()},
        note=f"{left:,} more are in the files" if left else "",
        source=Source("watched"),
        is_empty=not rows,
    )


def _line(visit: Visit, row: Row, *, covers: bool) -> Watched:
    if row["kind"] == "playlist":
        moves = f"{row['came']:,} came, {row['gone']:,} left"
        said = f"{count(row['tracks'], 'track')}; {moves} in {count(row['states'], 'state')}"
    else:
        said = ", ".join(f"{name} {row[name]:,}" for name, _ in _FIGURES if row[name] is not None)
    return Watched(
        name=row["name"] or row["id"],
        href=visit.url(f"/watch/{row['id']}"),
        said=said,
        asked=f"{'changed' if row['kind'] == 'playlist' else 'asked'} {day(visit.local(row['last_at']).date())}",
        image_url=cover_url(row["image_url"]) if covers else None,
        spotify_url=spotify_url(row["kind"], row["id"]),
    )


@router.get("/watch/{id}")
def one(request: Request, visit: Annotated[Visit, Depends(visit)], id: str) -> Response:  # noqa: A002
    """A playlist or an artist, by Spotify's id."""
    for row in visit.ask("watched"):
        if row["id"] == id:
            return _playlist(request, visit, row) if row["kind"] == "playlist" else _artist(request, visit, row)
    raise NotFoundError("Nothing of that id is watched.", ("what is watched", visit.url("/watch")))


def _playlist(request: Request, visit: Visit, row: Row) -> Response:
    tracks = visit.ask("playlist_tracks", id=row["id"], limit=_OF_FILES)
    changes = visit.ask("playlist_changes", id=row["id"], limit=_CHANGES)
    heard = sum(track["plays"] > 0 for track in tracks)
    since = day(visit.local(row["first_at"]).date())
    facts = [
        Fact("tracks", f"{row['tracks']:,}", [f"as read on {day(visit.local(row['last_at']).date())}"]),
        Fact("came", f"{row['came']:,}", [f"since {since}"]),
        Fact("left", f"{row['gone']:,}", [f"since {since}"]),
        Fact("heard of these", f"{heard:,}", [f"{count(sum(track['plays'] for track in tracks), 'play')}"]),
    ]
    by_day = [
        (when, [_change(visit, change) for change in some])
        for when, some in groupby(changes, lambda change: visit.local(change["changed_at"]).date())
    ]
    return page(
        request,
        "playlist.html",
        heading=row["name"] or row["id"],
        spotify=spotify_url("playlist", row["id"]),
        cover=cover_url(row["image_url"]) if request.app.state.settings.covers else None,
        facts=facts,
        states=row["states"],
        since=since,
        tracks=[_place(visit, track) for track in tracks[:_TRACKS]],
        tracks_note=f"{len(tracks) - _TRACKS:,} more are in the files" if len(tracks) > _TRACKS else "",
        tracks_source=Source("playlist_tracks", {"id": row["id"], "limit": _OF_FILES}),
        changes=by_day,
        changes_note=_more(changes, _CHANGES),
        changes_source=Source("playlist_changes", {"id": row["id"], "limit": _OF_FILES}),
    )


def _more(rows: Sequence[Row], shown: int) -> str:
    lines = rows[0]["lines"] if rows else 0
    return f"{lines - shown:,} more are in the files" if lines > shown else ""


def _track_href(visit: Visit, row: Row) -> str | None:
    """Its page here where it was heard; else Spotify's."""
    return item_url(visit.url, "track", row["track_id"]) if row.get("plays") else spotify_url("track", row["track_id"])


def _place(visit: Visit, row: Row) -> tuple[int, Entry, str, str]:
    """Position, track, how it has moved, and plays."""
    since = "" if row["is_from_the_start"] else f"since {day(visit.local(row['came_at']).date())}"
    moved = f"▲ {row['moved']}" if row["moved"] > 0 else f"▼ {-row['moved']}" if row["moved"] < 0 else "–"
    below = " · ".join(filter(None, (row["artist_name"], since)))
    entry = Entry(row["track_name"], _track_href(visit, row), below, "")
    return row["position"], entry, moved, f"{row['plays']:,}" if row["plays"] else "–"


def _change(visit: Visit, row: Row) -> Entry:
    came = row["change"] == "came"
    aside = f"{'at' if came else 'from'} {row['position']}"
    return Entry(
        row["track_name"], _track_href(visit, row), row["artist_name"] or "", aside, lead="came" if came else "left"
    )


def _artist(request: Request, visit: Visit, row: Row) -> Response:
    rows = visit.ask("artist_figures", id=row["id"])
    genres = visit.ask("artist_genres_known", id=row["id"])
    tops = visit.ask("artist_top_tracks", id=row["id"])
    # Plays that only an export told know the name alone.
    own = next((key for key in (row["id"], _made_id(row)) if key and visit.ask("item", kind="artist", id=key)), None)
    newest = [(name, row[name]) for name, _ in _FIGURES if row[name] is not None]
    return page(
        request,
        "watched_artist.html",
        heading=row["name"] or row["id"],
        spotify=spotify_url("artist", row["id"]),
        cover=cover_url(row["image_url"]) if request.app.state.settings.covers else None,
        own=item_url(visit.url, "artist", own) if own else None,
        asked=day(visit.local(row["last_at"]).date()),
        facts=[Fact(name, f"{value:,}", [SOURCES[dict(_FIGURES)[name]]]) for name, value in newest],
        figures=[figure for name, source in _FIGURES if (figure := _over_time(visit, row, rows, name, source))],
        genres=[
            (SOURCES[source], listed([one["genre"] for one in some]))
            for source, some in groupby(genres, lambda one: str(one["source"]))
        ],
        genres_source=Source("artist_genres_known", {"id": row["id"]}),
        tops=[
            Entry(top["track_name"], _track_href(visit, top), "", count(top["plays"], "play") if top["plays"] else "")
            for top in tops
        ],
        tops_at=day(visit.local(tops[0]["taken_at"]).date()) if tops else "",
        tops_source=Source("artist_top_tracks", {"id": row["id"]}),
    )


def _made_id(row: Row) -> str | None:
    return synthetic_id("artist", row["name"]) if row["name"] else None


def _over_time(visit: Visit, row: Row, rows: Sequence[Row], name: str, source: str) -> Figure | None:
    """A figure of one source as a line; None where it was never told."""
    points = [(one["taken_at"], one[name]) for one in rows if one["source"] == source and one[name] is not None]
    if not points:
        return None
    local = [visit.local(at) for at, _ in points]
    is_one_day = local[0].date() == local[-1].date()
    days = [moment(at) if is_one_day and len(local) > 1 else day(at.date()) for at in local]
    ticks = (clock(local[0]), clock(local[-1])) if is_one_day and len(local) > 1 else (days[0], days[-1])
    label = f"{name.capitalize()} of {row['name']} at {SOURCES[source]}: {points[0][1]:,} on {days[0]}"
    if len(points) > 1:
        label += f", {points[-1][1]:,} on {days[-1]}"
    return Figure(
        name=name,
        heading=f"{name.capitalize()}, {SOURCES[source]}",
        drawing=timeline(points, ticks, f"{label}."),
        numbers=Numbers(["when", name], [[when, f"{value:,}"] for when, (_, value) in zip(days, points, strict=True)]),
        source=Source("artist_figures", {"id": row["id"]}),
        note="The axis does not begin at zero." if len({value for _, value in points}) > 1 else "",
    )
