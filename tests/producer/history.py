"""One account's history in an archive: what was polled, what was imported, and what the tables would count."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from pipelines.domain.instants import rfc3339
from pipelines.domain.month import Calendar
from pipelines.domain.play import Artist, Play
from pipelines.storage.archive import Archive
from pipelines.storage.files import StorageError
from producer.importing.finding import find
from producer.importing.importer import Importer, Report
from producer.polling.poll import poll
from producer.polling.publishing import PublishError, Reject
from producer.state.cursor import Cursors
from tests.builders import INGESTED_AT, play
from tests.producer.exports import listed, plays_in, write_json

CALENDAR = Calendar()


class History:
    """The archive of "me" in a folder, and the state."""

    def __init__(self, folder: Path, state: str | None = None) -> None:
        self.folder = folder
        self.archive = Archive(str(folder / "archive"))
        self.cursors = Cursors(state or folder / "state")
        self.waiting: list[Play] = []
        self._files = 0

    def poll(self, *plays: tuple[str, str] | str, is_late: bool = False, fails: str | None = None) -> None:
        """Poll Spotify, which lists these: an RFC 3339 time, and with it a track if it is not "a".

        With ``is_late`` the plays reach the archive with ``stream`` only. A poll that ``fails`` does so "before" or
        "after" its plays are published.
        """
        items = [listed(*each) if isinstance(each, tuple) else listed(each) for each in plays]
        with suppress(PublishError):
            poll(items, "me", self.cursors, _Destination(self, is_late, fails), INGESTED_AT)

    def stream(self) -> None:
        """What was polled late reaches the archive."""
        self.keep(self.waiting)
        self.waiting = []

    def poll_elsewhere(self, *stamps: str, track: str = "a", **fields: Any) -> None:
        """What a poll with another state puts into the archive; the names are those of the exports' builders."""
        names: dict[str, Any] = {"track_name": f"Track {track}", "artists": (Artist("Artist", "artist-id"),)}
        self.keep([play(stamp, track, **names | fields) for stamp in stamps])

    def forget_state(self) -> None:
        """The state is lost."""
        shutil.rmtree(self.folder / "state")

    def keep(self, plays: list[Play]) -> None:
        """Put plays into the archive as they are."""
        in_order = sorted(plays, key=lambda play: play.played_at)
        for month, of_month in groupby(in_order, key=lambda play: CALENDAR.month_of(play.played_at)):
            self.archive.write(month, list(of_month))

    def load(self, *rows: dict[str, Any], dry_run: bool = False) -> Report:
        """Import these rows, extended and account data each from a file of its own."""
        return self._importer().run(self._export(rows), self.archive, dry_run=dry_run)

    def load_in_vain(self, *rows: dict[str, Any]) -> None:
        """An import that ends as soon as it begins to write."""
        with suppress(StorageError):
            self._importer().run(self._export(rows), _FullDisk(self.archive.root))

    def counted(self) -> list[Play]:
        """Each play once, the copy that is preferred."""
        in_order = sorted(plays_in(self.folder / "archive"), key=lambda play: (play.user_id, play.played_at))
        groups = groupby(in_order, key=lambda play: (play.user_id, play.played_at))
        return [min(copies, key=lambda play: play.preference) for _, copies in groups]

    def clock(self) -> list[tuple[str, str]]:
        """Time of day and track of each play that is counted."""
        return [(rfc3339(play.played_at)[11:-1], play.track_id) for play in self.counted()]

    def _importer(self) -> Importer:
        return Importer("me", CALENDAR, INGESTED_AT, self.cursors)

    def _export(self, rows: Sequence[dict[str, Any]]) -> list[Any]:
        folder = self.folder / f"export{self._files}"
        self._files += 1
        kinds = {
            "endsong_0": [row for row in rows if "ts" in row],
            "StreamingHistory0": [r for r in rows if "endTime" in r],
        }
        for name, of_kind in kinds.items():
            if of_kind:
                write_json(folder / f"{name}.json", of_kind)
        return find([folder]).files if rows else []


class _Destination:
    def __init__(self, history: History, is_late: bool, fails: str | None) -> None:
        self._history, self._is_late, self._fails = history, is_late, fails

    def publish(self, plays: Sequence[Play], rejects: Sequence[Reject]) -> None:
        if self._fails == "before":
            raise PublishError("nothing arrived")
        if self._is_late:
            self._history.waiting += plays
        else:
            self._history.keep(list(plays))
        if self._fails == "after":
            raise PublishError("it arrived, and nobody was told")


class _FullDisk(Archive):
    def write_records(self, *_: Any) -> str:
        raise StorageError("the disk is full")
