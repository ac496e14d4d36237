"""``/song/KEY``, ``/artist/KEY``, ``/album/KEY``: one of them, in a span and of all time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from pipelines.domain.month import month_text
from web.drawing.figure import Figure, Source
from web.errors import NotFoundError
from web.pages.charts import months_figure
from web.pages.facts import Fact, heard_fact, hidden_link
from web.pages.hidden import hiding
from web.pages.known import has_snapshots, known_of
from web.pages.lists import LISTS, PAGES, By, Ten, cover_url, item_url, lines, spotify_url
from web.pages.years import require_span
from web.rendering import page
from web.routing import Day, StrictRoute
from web.visit import Row, Visit, visit
from web.words import count, day, length_of, month, span

router = APIRouter(route_class=StrictRoute)
_KINDS = {name: kind for kind, name in PAGES.items()}
_SONGS, _IDS = 100, 50


@dataclass(frozen=True, slots=True)
class _Asked:
    """Of which item, in which span, and by what its songs are ordered."""

    key: str
    first: Annotated[Day | None, Query(alias="from")] = None
    last: Annotated[Day | None, Query(alias="to")] = None
    by: By = "plays"


_Visit = Annotated[Visit, Depends(visit)]
_AskedFor = Annotated[_Asked, Depends()]


@router.get("/song/{key:path}")
def song(request: Request, visit: _Visit, asked: _AskedFor) -> Response:
    """A song, by its key or any of Spotify's ids of it."""
    return _show(request, visit, "song", asked)


@router.get("/artist/{key:path}")
def artist(request: Request, visit: _Visit, asked: _AskedFor) -> Response:
    """An artist, by Spotify's id or one made from the name."""
    return _show(request, visit, "artist", asked)


@router.get("/album/{key:path}")
def album(request: Request, visit: _Visit, asked: _AskedFor) -> Response:
    """An album, by its key or any of Spotify's ids of it."""
    return _show(request, visit, "album", asked)


def _show(request: Request, visit: Visit, what: str, asked: _Asked) -> Response:
    kind, key, by = _KINDS[what], asked.key, asked.by
    begin, end = visit.bounds["first_played_on"], visit.bounds["last_played_on"]
    chosen = (asked.first or begin, asked.last or end)
    require_span(visit, *chosen)
    is_span = chosen[0] > begin or chosen[1] < end
    found = visit.ask("item", kind=kind, id=key)
    if not found:
        raise NotFoundError(
            f"There is no such {what} in these plays.", (f"all {LISTS[kind]}", visit.url(f"/top/{LISTS[kind]}"))
        )
    item, covers = found[0], request.app.state.settings.covers
    ids = visit.ask("item_ids", kind=kind, id=item["key"])
    known = _known(visit, kind, [item["key"], item["spotify_id"], *(row["id"] for row in ids[:_IDS])])
    if f"{kind}:{item['key']}" in visit.hides:  # of what is hidden its own page tells all
        visit = replace(visit, hidden=())
    own = visit.ask("tens", span=chosen, kind=kind, keys=(item["key"],), by=by) if is_span else []
    songs = None
    if kind != "track":
        span_of_songs = chosen if own else (begin, end)
        found = visit.ask("item_songs", kind=kind, id=item["key"], span=span_of_songs, by=by, limit=_SONGS)
        theirs = item["name"] if kind == "artist" else item["artist_name"]  # which need not be said of each song
        rows = [
            {"kind": "track", "image_url": None, "is_tied": False}
            | row
            | {"artist_name": row["artist_name"] if row["artist_name"] != theirs else None}
            for row in found
        ]
        songs = Ten(
            kind="track",
            heading="Songs",
            href="",
            lines=lines(visit, rows, by, span_of_songs if is_span else None, covers=covers),
            source=Source(
                "item_songs",
                {
                    "kind": kind,
                    "id": item["key"],
                    "from": span_of_songs[0],
                    "to": span_of_songs[1],
                    "by": by,
                    "limit": _SONGS,
                },
            ),
        )
    return page(
        request,
        "item.html",
        what=what,
        item=item,
        by=by,
        tabs=is_span or songs is not None,
        here=item_url(visit.url, kind, item["key"], chosen if is_span else None),
        heading=item["name"],
        facts=[*(_in_span(visit, own, chosen) if is_span else []), *_in_all(visit, item, kind), *_told(known, kind)],
        cover=cover_url(item["image_url"] or known.get("image_url")) if covers else None,
        spotify=spotify_url(kind, item["spotify_id"]),
        artist=_link(visit, "artist", item["artist_key"], item["artist_name"]) if kind != "artist" else None,
        album=_link(visit, "album", item["album_key"], item["album_name"]) if kind == "track" else None,
        months=_months(visit, item, kind),
        ranks=_ranks(visit, item, kind),
        songs=songs,
        ids=ids,
        watched=_watched(visit, item) if kind == "artist" else None,
        ids_source=Source("item_ids", {"kind": kind, "id": item["key"]}),
        span_words=span(*chosen) if own else "",
        hiding=hiding(request, visit, kind, item["key"]),
        all_time=item_url(visit.url, kind, item["key"]) if is_span else None,
    )


def _link(visit: Visit, kind: str, key: str | None, name: str | None) -> tuple[str, str] | None:
    return (name, item_url(visit.url, kind, key)) if key and name else None


def _in_span(visit: Visit, own: Sequence[Row], chosen: tuple[date, date]) -> list[Fact]:
    """Plays in a span, with rank and share; ``own`` is its line of that span's list, if it has one."""
    [totals] = visit.ask("totals", span=chosen)
    name, hidden = f"plays, {span(*chosen)}", hidden_link(visit, totals["hidden_plays"])
    if not own:
        return [Fact(name, "0", [f"of {count(totals['plays'], 'play')}"], hidden)]
    [line] = own
    share = f"{100 * line['plays'] / totals['plays']:.1f} % of {count(totals['plays'], 'play')}"
    return [Fact(name, f"{line['plays']:,}", [f"rank {line['rank']:,} of {line['lines']:,}", share], hidden)]


def _in_all(visit: Visit, item: Row, kind: str) -> list[Fact]:
    first, last = visit.local(item["first_played_at"]), visit.local(item["last_played_at"])
    plays = Fact("plays, all time", f"{item['plays']:,}")
    if kind == "artist" and item["guest_plays"]:
        plays = Fact(plays.what, plays.value, [f"and {item['guest_plays']:,} as a guest"])
    return [
        plays,
        heard_fact(item),
        Fact("first heard", day(first.date()), [f"{first:%H:%M}"]),
        Fact("last heard", day(last.date()), [f"{last:%H:%M}"]),
    ]


def _known(visit: Visit, kind: str, ids: Sequence[str | None]) -> Row:
    """What plays and snapshots say of any of its ids: of each column the first of them that says something."""
    real = [one for one in dict.fromkeys(ids) if one]
    found = known_of(visit, kind, real)
    rows = [found[one] for one in real if one in found]
    return {
        name: next((row[name] for row in rows if row[name] is not None), None)
        for name in ("image_url", "duration_ms", "release_date")
    }


def _told(known: Row, kind: str) -> list[Fact]:
    """How long a song is, and when a song or an album came out, where it is known."""
    length, released = known["duration_ms"], known["release_date"]
    return [
        *([Fact("length", length_of(length))] if length and kind == "track" else []),
        *([Fact("came out", released)] if released and kind != "artist" else []),
    ]


def _watched(visit: Visit, item: Row) -> str | None:
    """Where its figures over time are, if it is watched; by its name where plays know no id."""
    rows = visit.ask("watched") if has_snapshots(visit, "artist", "SPOTIFY") else []
    sought = ("id", item["spotify_id"]) if item["spotify_id"] else ("name", item["name"])
    own = [row["id"] for row in rows if row["kind"] == "artist" and row[sought[0]] == sought[1]]
    return visit.url(f"/watch/{own[0]}") if len(own) == 1 else None


def _months(visit: Visit, item: Row, kind: str) -> Figure:
    rows = visit.ask("item_months", kind=kind, id=item["key"])
    plays = {row["month"]: row["plays"] for row in rows}
    source = Source("item_months", {"kind": kind, "id": item["key"]})
    ranks = [row for row in rows if row["rank"]]
    return months_figure(visit, plays, visit.first_month, visit.last_month, "Months", source, ranks)


def _ranks(visit: Visit, item: Row, kind: str) -> list[tuple[str, str, int]]:
    """The months in whose ten it was: name, address, rank; the newest first."""
    rows = visit.ask("item_months", kind=kind, id=item["key"])
    return [
        (month(row["month"]), visit.url(f"/month/{month_text(row['month'])}"), row["rank"])
        for row in reversed(rows)
        if row["rank"]
    ]
