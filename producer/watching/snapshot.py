"""``snapshot --once``: asks about each watched item that is due, the one that waited longest first.

What was asked is kept as it comes: a run that is stopped or out of its budget goes on in the next one. A playlist is
read page by page, and published once it is whole and still in the state in which reading it began.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import reduce
from typing import Any

from pipelines.clock import Clock, utc_now
from pipelines.domain.play import UnreadableError
from pipelines.domain.snapshots import Snapshot, from_message
from pipelines.domain.song import is_synthetic
from pipelines.domain.spotify_items import artist_snapshot, playlist_snapshot
from pipelines.failure import Failure
from producer.snapshots.asker import Asker, PausedError
from producer.snapshots.outbox import Outbox
from producer.state.documents import Documents
from producer.state.kept import Kept
from producer.watching.items import Item, Items, is_due

_PAGE = 50  # all that Spotify gives at once
_log = logging.getLogger(__name__)


class Snapshots:
    """One run. ``top_artists`` is asked for where the artists of top tens are watched: ids of so many of each month."""

    def __init__(
        self,
        state: str,
        items: Items,
        asker: Asker,
        outbox: Outbox,
        top_artists: Callable[[int], list[str]],
        clock: Clock = utc_now,
    ) -> None:
        self._state = state
        self._items = items
        self._asker = asker
        self._outbox = outbox
        self._top_artists = top_artists
        self._clock = clock

    def run(self) -> bool:
        """Ask about all that is due; whether nothing went wrong. Logs a line for each. Raises Failure."""
        went_well = True
        self._note_what_is_kept()
        self._outbox.flush()
        try:
            self._asker.check_polling()
            now = self._clock()
            due = [item for item in self._items.all() if item.kind == "top" or item.is_due(now)]
            for item in sorted(due, key=lambda item: (item.kind == "top", item.done_at or item.added_at)):
                try:
                    self._take(item)
                except UnreadableError as error:
                    went_well = False
                    _log.error("%s: what Spotify says cannot be read (%s)", _told(item), error)
        except PausedError as paused:
            _log.warning("%s", paused)
        finally:
            self._outbox.flush()
        return went_well

    def _note_what_is_kept(self) -> None:
        """What a run that was killed had asked for is not asked again, also where it had taken no note of that."""
        kept = self._outbox.pending()
        for item in self._items.all() if kept else []:
            if (noted := reduce(Item.noting, kept, item)) != item:
                self._items.update(noted)

    def _take(self, item: Item) -> None:
        match item.kind:
            case "playlist":
                self._playlist(item)
            case "artist":
                self._artist(item)
            case _:
                self._top(item)

    def _artist(self, item: Item) -> None:
        now = self._clock()
        if (name := self._ask_artist(item.id, now)) is not None:
            self._items.update(replace(item, name=name, done_at=now))

    def _top(self, item: Item) -> None:
        """Its artists, who change with the plays; who has no id of Spotify's cannot be asked about there."""
        now, done = self._clock(), dict(item.artists)
        tops = self._top_artists(int(item.id))
        ids = [id_ for id_ in tops if not is_synthetic(id_)]
        due = sorted((id_ for id_ in ids if is_due(done.get(id_), item.every, now)), key=lambda id_: id_ in done)
        for id_ in due:
            if self._ask_artist(id_, now) is None:
                return
            done[id_] = now
            self._items.update(replace(item, artists={each: done[each] for each in ids if each in done}, done_at=now))
        if len(ids) < len(tops):
            _log.info(
                "%s: of %d artists, %d cannot be asked about: an export has their names alone, and Spotify's ids come "
                "with polls, or with heavy-rotation enrich for songs of an extended export",
                item.key,
                len(tops),
                len(tops) - len(ids),
            )
        if ids and not due:
            _log.info("%s: %d artists, none is due", item.key, len(ids))

    def _ask_artist(self, artist_id: str, now: datetime) -> str | None:
        """The artist's name; None where Spotify gives no artists."""
        answer = self._asker.get("artists", f"/v1/artists/{artist_id}", withdrawn_by=(403,))
        if answer is None:
            return None
        if answer.status == 404:
            _log.warning("artist %s: Spotify knows no such artist", artist_id)
            return ""
        tops = self._asker.get("the top tracks of artists", f"/v1/artists/{artist_id}/top-tracks")
        for name in ("popularity", "followers", "genres"):
            if name not in answer.body:
                self._asker.withdraw(f"{name} of artists", "the field is gone")
        snapshot = artist_snapshot(artist_id, answer.body, tops.body if tops else None, now)
        self._outbox.put([snapshot])
        figures = {"popularity": snapshot.popularity, "followers": snapshot.followers}
        told = [f"{name} {figure:,}" for name, figure in figures.items() if figure is not None]
        told += [", ".join(genre.name for genre in snapshot.genres)] if snapshot.genres else []
        _log.info("artist %s: %s", snapshot.name, ", ".join(told) or "name and picture, which is all this app is given")
        return snapshot.name or ""

    def _playlist(self, item: Item) -> None:
        now = self._clock()
        if (about := self._about(item)) is None:
            return
        snapshot_id, name = str(about.get("snapshot_id") or ""), str(about.get("name") or item.id)
        if not snapshot_id:
            raise UnreadableError("snapshot_id is missing")
        if snapshot_id == item.snapshot_id:
            _log.info("playlist %s: unchanged", name)
            self._items.update(replace(item, name=name, done_at=now))
            return
        reading = Kept(Documents(self._state), f"reading/{item.id}.json")
        rows = self._rows(item, about, reading)
        if rows is None:
            return
        if not rows:
            _changed(name, reading)
            return
        pages = -(-len(rows) // _PAGE)
        if pages > 1 and ((again := self._about(item)) is None or again.get("snapshot_id") != snapshot_id):
            _changed(name, reading)
            return
        self._outbox.put(rows)
        tracks = 0 if rows[0].to_record()["position"] == 0 else len(rows)
        self._items.update(replace(item, name=name, done_at=now, snapshot_id=snapshot_id))
        reading.remove()
        _log.info("playlist %s: %d tracks, %s", name, tracks, "new" if item.snapshot_id is None else "changed")

    def _about(self, item: Item) -> dict[str, Any] | None:
        # Not asked for: whose list it is.
        fields = "id,name,snapshot_id,images"
        answer = self._asker.get(f"the playlist {item.id}", f"/v1/playlists/{item.id}", fields=fields)
        return None if answer is None else answer.body

    def _rows(self, item: Item, about: dict[str, Any], reading: Kept) -> list[Snapshot] | None:
        """All of the playlist, from where an earlier run ended; None where its tracks are not given.

        No rows where it was changed meanwhile: positions would be wrong.
        """
        taken_at = self._clock()
        kept = reading.read()
        if kept.get("snapshot_id") != about["snapshot_id"]:
            kept = {"snapshot_id": about["snapshot_id"], "rows": []}
        rows: list[str] = kept["rows"]
        total: int | None = kept.get("total")
        while total is None or len(rows) < total:
            page = self._asker.get(
                f"the tracks of the playlist {item.id}, which is another person's, or needs a login with --playlists",
                f"/v1/playlists/{item.id}/items",
                limit=str(_PAGE),
                offset=str(len(rows)),
                additional_types="track,episode",
            )
            if page is None:
                return None
            found, told = page.body.get("items"), page.body.get("total")
            if not isinstance(found, list) or not isinstance(told, int) or (not found and len(rows) < told):
                raise UnreadableError("the list of items is not what it should be")
            if total is not None and total != told:
                return []
            total = told
            first = len(rows) + 1
            new = [playlist_snapshot(item.id, about, first + n, row, total, taken_at) for n, row in enumerate(found)]
            rows = [*rows, *(row.to_message()[0].decode() for row in new)]
            value = {"snapshot_id": about["snapshot_id"], "total": total, "rows": rows}
            reading.change(lambda _, value=value: value)  # type: ignore[misc]
        if not rows:
            return [playlist_snapshot(item.id, about, 0, None, 0, taken_at)]
        return [from_message("playlist_snapshot", row.encode()) for row in rows]


def _changed(name: str, reading: Kept) -> None:
    reading.remove()
    _log.warning("playlist %s: it was changed while it was read; the next run reads it again", name)


def _told(item: Item) -> str:
    return f"{item.kind} {item.name or item.id}"


def check_any(items: list[Item]) -> None:
    """Raises Failure where nothing is watched."""
    if not items:
        raise Failure(
            "nothing is watched; run: heavy-rotation watch add LINK, the link of a playlist or an artist, or top:10"
        )
