"""From Pub/Sub into the archive, on this machine: what is acknowledged is safe.

A message is acknowledged when it is in one of four places: its play is in a file of the archive, of a month that a
launch replays; its play came too late for that, and is in the archive and in ``play_events``; it is a snapshot, and is
in the archive and in the table of its kind; or it cannot be read, and is in ``rejected``. So whatever ends the process,
nothing is lost, and the next launch counts what the tables lack.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from threading import Event

from google.pubsub_v1.types import ReceivedMessage

from pipelines.clock import Clock
from pipelines.domain.month import month_text
from pipelines.domain.play import Play, UnreadableError
from pipelines.domain.snapshots import Snapshot
from pipelines.storage.archive import Archive
from pipelines.storage.snapshots import SnapshotArchive
from pipelines.streaming.counting import TOO_LATE_LINE
from pipelines.streaming.parsing import is_forgotten, read, reject
from pipelines.streaming.progress import Progress
from pipelines.streaming.replaying import plays_of_months_closed_between
from pipelines.streaming.settings import StreamOptions
from pipelines.streaming.sinks import Sink
from pipelines.streaming.snapshots import rows_by_table
from pipelines.streaming.subscription import Subscription
from pipelines.warehouse.json_rows import Row

_log = logging.getLogger("heavy_rotation")


@dataclass
class _Batch:
    """Messages that are held and not yet safe: their plays by month, and what is no play with its ack id."""

    ack_ids: list[str] = field(default_factory=list)
    plays: dict[date, list[Play]] = field(default_factory=dict)
    snapshots: list[tuple[str, Snapshot]] = field(default_factory=list)
    rejected: list[tuple[str, Row]] = field(default_factory=list)
    began: float = 0.0

    def __len__(self) -> int:
        return len(self.ack_ids) + len(self.snapshots) + len(self.rejected)


class Intake:
    """Takes what comes from a subscription into the archive, and says which file it is in."""

    def __init__(
        self, subscription: Subscription, options: StreamOptions, sink: Sink, clock: Clock, progress: Progress
    ) -> None:
        self.subscription = subscription
        self.options = options
        self.archive = Archive(options.archive)
        self.snapshots = SnapshotArchive(options.archive)
        self.sink = sink
        self.clock = clock
        self.progress = progress

    def catch_up(self, since: datetime) -> None:
        """Bring in plays of months that closed since then, when a stream may have ended badly. Raises StorageError."""
        calendar, lateness = self.options.calendar, self.options.lateness
        for plays in plays_of_months_closed_between(self.archive, calendar, lateness, since, self.clock()):
            by_month: dict[date, list[Play]] = {}
            for play in plays:
                by_month.setdefault(calendar.month_of(play.played_at), []).append(play)
            for month, some in by_month.items():
                self._keep_too_late(month, some)

    def run(self, stopping: Event, giving_up: Event, counted: Callable[[str], object]) -> None:
        """Go on until ``stopping`` is set; then what was pulled is made safe, or left to Pub/Sub if ``giving_up`` is
        set too, and this returns.

        A file is written for ``archive_batch_plays`` plays, or ``archive_batch_seconds`` after the first. The path of
        each that has plays of months that still take plays is given to ``counted``. Raises StorageError.
        """
        batch = _Batch()
        while not stopping.is_set():
            came = self.subscription.pull()
            if came and not batch:
                self.progress.read(len(came), self.options.archive_batch_seconds)
            for received in came:
                self._add(batch, received)
            if self._is_due(batch):
                self._settle(batch, counted)
                batch = _Batch()
        if not giving_up.is_set():
            self._settle(batch, counted)

    def _is_due(self, batch: _Batch) -> bool:
        if not batch:
            return False
        return (
            len(batch) >= self.options.archive_batch_plays
            or time.monotonic() - batch.began >= self.options.archive_batch_seconds
        )

    def _add(self, batch: _Batch, received: ReceivedMessage) -> None:
        if not batch:
            batch.began = time.monotonic()
        # As protobuf has it: what Google puts around that takes as long for two fields as a play takes to be read.
        plain = ReceivedMessage.pb(received)
        message, ack_id, now = plain.message, plain.ack_id, self.clock()
        try:
            found = read(message.data, message.attributes, now)
        except UnreadableError as error:
            row = reject(message.message_id, message.data, message.attributes, str(error), now)
            if is_forgotten(row, received.message.publish_time, self.archive.marks):
                batch.ack_ids.append(ack_id)
            else:
                batch.rejected.append((ack_id, row))
            return
        if isinstance(found, Play):
            batch.plays.setdefault(self.options.calendar.month_of(found.played_at), []).append(found)
            batch.ack_ids.append(ack_id)
        else:
            batch.snapshots.append((ack_id, found))

    def _settle(self, batch: _Batch, counted: Callable[[str], object]) -> None:
        acknowledged = list(self._in_rejected(batch))
        files = [path for month, plays in batch.plays.items() if (path := self._archived(month, plays))]
        self.subscription.acknowledge([*acknowledged, *batch.ack_ids])
        if batch:
            forgotten = self.archive.marks.lately()
            left = {month: len(some) for month, plays in batch.plays.items() if (some := forgotten.without(plays))}
            reasons = [row["reason"] for ack_id, row in batch.rejected if ack_id in acknowledged]
            self.progress.settled(len(batch), left, reasons)
        for path in files:
            counted(path)
        self._keep(batch.snapshots)

    def _keep(self, snapshots: Sequence[tuple[str, Snapshot]]) -> None:
        """Behind the plays, which wait for no snapshot."""
        if not snapshots:
            return
        some = [snapshot for _, snapshot in snapshots]
        self.snapshots.write(some)
        by_table = rows_by_table(some)
        for table, rows in by_table.items():
            self.sink.append(table, rows)
        self.subscription.acknowledge([ack_id for ack_id, _ in snapshots])
        self.progress.kept({table: len(rows) for table, rows in by_table.items()})

    def _in_rejected(self, batch: _Batch) -> Iterator[str]:
        """The ack ids of what is in ``rejected`` now. What that refuses is left to Pub/Sub, and not held."""
        if not batch.rejected:
            return
        refused = self.sink.append("rejected", [row for _, row in batch.rejected])
        for index, (ack_id, _) in enumerate(batch.rejected):
            if index in refused:
                self.subscription.leave([ack_id])
            else:
                yield ack_id

    def _archived(self, month: date, plays: list[Play]) -> str | None:
        """Write plays of a month to the archive. The file's path, or None where they came too late to be counted, or
        were forgotten."""
        path = self.archive.write(month, plays)
        if not self.options.calendar.is_closed(month, self.options.lateness, self.clock()):
            return path
        self._keep_too_late(month, plays)
        return None

    def _keep_too_late(self, month: date, plays: Sequence[Play]) -> None:
        plays = self.archive.marks.lately().without(plays)
        if not plays:
            return
        self.sink.append("play_events", [play.to_row(self.options.calendar) for play in plays])
        _log.warning(TOO_LATE_LINE, len(plays), month_text(month), month_text(month))
