"""What a stream on this machine tells while it runs: a line when something happened, and a summary at its end."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from queue import Empty, SimpleQueue
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipelines.domain.month import month_text
from pipelines.streaming.sinks import Sink
from pipelines.warehouse.json_rows import Row

# Top tens as they are counted. The runner pickles its steps, and a queue cannot be: the one of this process, of which
# one stream reads.
_counted: SimpleQueue[tuple[str, date, int]] = SimpleQueue()
_LEAST_SECONDS = 1.0


class Progress:
    """Tells a person, in few lines. ``read`` and ``settled`` are for one thread, the others for another."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._messages = self._plays = self._snapshots = self._rejected = 0
        self._first_reason = ""
        self._months: set[date] = set()
        self._last = 0.0

    def read(self, messages: int, seconds: int) -> None:
        """So many messages came, the first of a batch, which will be in the archive within ``seconds``."""
        self._say(f"Read {_number(messages, 'message')}; safe in the archive within {_number(seconds, 'second')}")

    def settled(self, messages: int, plays: dict[date, int], rejected: list[str]) -> None:
        """Of so many messages, plays by month are in the archive, and what was rejected is in its table."""
        self._messages += messages
        self._plays += sum(plays.values())
        self._rejected += len(rejected)
        if plays:
            months = ", ".join(f"{number:,} of {month_text(month)}" for month, number in sorted(plays.items()))
            self._say(f"Archived {_number(sum(plays.values()), 'play')}: {months}")
        if rejected:
            self._first_reason = self._first_reason or rejected[0]
            self._say(f"Rejected {_number(len(rejected), 'message')}; the first: {rejected[0]}")

    def kept(self, rows: dict[str, int]) -> None:
        """So many snapshots, by their table, are in the archive and there."""
        self._snapshots += sum(rows.values())
        tables = ", ".join(f"{number:,} in {table}" for table, number in sorted(rows.items()))
        self._say(f"Kept {_number(sum(rows.values()), 'snapshot')}: {tables}")

    def tell_counted(self, *, at_once: bool = False) -> None:
        """Tell which months were counted since the last time, if that is a second ago or has to be now."""
        if not at_once and time.monotonic() - self._last < _LEAST_SECONDS:
            return
        self._last = time.monotonic()
        new: dict[date, dict[str, int]] = {}
        try:
            while True:
                user_id, month, plays = _counted.get_nowait()
                new.setdefault(month, {})[user_id] = plays
        except Empty:
            pass
        self._months |= new.keys()
        for month, users in sorted(new.items()):
            total = _number(sum(users.values()), "play")
            self._say(f"Counted {month_text(month)}: {total} of {_number(len(users), 'listener')}")

    def summarize(self) -> None:
        """Tell what was done in all."""
        self.tell_counted(at_once=True)
        reason = f" ({self._first_reason})" if self._rejected else ""
        kept = f"{_number(self._snapshots, 'snapshot')} kept, " if self._snapshots else ""
        self._say(
            f"In all: {_number(self._messages, 'message')} read, {_number(self._plays, 'play')} archived, "
            f"{kept}{self._rejected:,} rejected{reason}, {_number(len(self._months), 'month')} counted"
        )


class ToldSink:
    """A sink that notes for ``Progress`` which top tens go through it."""

    def __init__(self, sink: Sink) -> None:
        while not _counted.empty():  # of a stream of before
            _counted.get_nowait()
        self._sink = sink
        self.append = sink.append

    def __call__(self, table: str) -> beam.PTransform:
        """The step of the sink, after one that notes what was counted."""
        step = self._sink(table)
        return _WriteAndNote(step) if table == "top_ten_snapshots" else step


@dataclass
class _WriteAndNote(beam.PTransform):
    step: beam.PTransform

    def expand(self, rows: PCollection[Row]) -> Any:
        return rows | "Note" >> beam.Map(_note).with_output_types(dict[str, Any]) | "Write" >> self.step


def _note(row: Row) -> Row:
    if row["kind"] == "track":  # a month has one count, in three snapshots
        _counted.put((row["user_id"], row["month"], row["plays_in_month"]))
    return row


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
