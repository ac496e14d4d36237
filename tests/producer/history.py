"""One account's history in an archive: what was polled, what was imported, and what the tables would count."""

from itertools import groupby
from pathlib import Path
from typing import Any

from pipelines.archive import Archive
from pipelines.domain.instants import rfc3339
from pipelines.domain.month import Calendar
from pipelines.domain.play import Artist, Play
from producer.importing.exports import find
from producer.importing.importer import Importer, Report
from tests.builders import INGESTED_AT, play
from tests.producer.exports import plays_in, write_json

CALENDAR = Calendar()


class History:
    """The archive of "me" in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archive = Archive(str(folder / "archive"))
        self._files = 0

    def poll(self, *stamps: str, track: str = "a", **fields: Any) -> None:
        """Put plays into the archive as a poll does; the names are those of the exports' builders."""
        names: dict[str, Any] = {"track_name": f"Track {track}", "artists": (Artist("Artist", "artist-id"),)}
        self.keep([play(stamp, track, **names | fields) for stamp in stamps])

    def keep(self, plays: list[Play]) -> None:
        """Put plays into the archive as they are."""
        in_order = sorted(plays, key=lambda play: play.played_at)
        for month, of_month in groupby(in_order, key=lambda play: CALENDAR.month_of(play.played_at)):
            self.archive.write(month, list(of_month))

    def load(self, *rows: dict[str, Any], dry_run: bool = False) -> Report:
        """Import these rows, extended and account data each from a file of its own."""
        folder = self.folder / f"export{self._files}"
        self._files += 1
        kinds = {
            "endsong_0": [row for row in rows if "ts" in row],
            "StreamingHistory0": [r for r in rows if "endTime" in r],
        }
        for name, of_kind in kinds.items():
            if of_kind:
                write_json(folder / f"{name}.json", of_kind)
        return Importer("me", CALENDAR, INGESTED_AT).run(find([folder]) if rows else [], self.archive, dry_run=dry_run)

    def counted(self) -> list[Play]:
        """Each play once, the copy that is preferred."""
        in_order = sorted(plays_in(self.folder / "archive"), key=lambda play: (play.user_id, play.played_at))
        groups = groupby(in_order, key=lambda play: (play.user_id, play.played_at))
        return [min(copies, key=lambda play: play.preference) for _, copies in groups]

    def clock(self) -> list[tuple[str, str]]:
        """Time of day and track of each play that is counted."""
        return [(rfc3339(play.played_at)[11:-1], play.track_id) for play in self.counted()]
