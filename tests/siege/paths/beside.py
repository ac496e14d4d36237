"""One stands still before a touch of a file that is drawn, and another does all of its work meanwhile.

What a scheduler does once in a year is done here each time: between any two steps of one program all of another. Two
readers look all the while, one who queries and one who reloads pages.
"""

import signal
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from tests.siege import looking, product
from tests.siege.apart import FailedError, Work, begin
from tests.siege.oracle import Ledger, compare_plays, compare_tens
from tests.siege.paths.running import Siege
from tests.siege.world import ZONE, World, extended_row, listing

_ROUNDS = 4
_TIMES = 2 * _ROUNDS + 3
# Who stands still, and who works meanwhile.
_PAIRS = (
    ("rebuild", "poll"),
    ("poll", "rebuild"),
    ("import", "poll"),
    ("rebuild", "import"),
    ("poll", "import"),
    ("import", "rebuild"),
    ("poll", "another poll"),
)
_AT_LAST = (("poll", "forget"), ("import", "forget"), ("forget", "poll"), ("forget", "rebuild"), ("rebuild", "forget"))
# What may be said beside another one, and what it counts as.
_REFUSED = "is locked by another process that does not go on", "told that another does not go on"
_FORGOTTEN = "was forgotten while this import was under way", "told that somebody was forgotten"
Task = tuple[Callable[..., Any], list[Any]]


class Beside(Siege):
    """One world, polled now and then."""

    def go(self) -> None:
        """Raises WrongError, FailedError."""
        self.world, self.ledger = World(self.seed), Ledger()
        stamps = sorted(play.listed_at for play in self.world.heard if play.stamp is not None)
        times = [stamps[(len(stamps) - 1) * number // _TIMES] for number in range(1, _TIMES + 1)]
        users = list(self.world.users)
        self.now = times.pop(0)
        for user in users:
            self._whole("poll", user)
        self._whole("rebuild")
        # The first seeds have every pair between them.
        pairs = [_PAIRS[0], *(_PAIRS[(self.seed + number) % len(_PAIRS)] for number in range(_ROUNDS - 1))]
        with self._readers():
            for number, pair in enumerate(pairs):
                self._round(pair, self.rng.choice(users), self.rng.choice(users), times, late=number == 0)
        forgotten = self.rng.choice(users)
        with self._readers(but=forgotten):
            self._round(_AT_LAST[self.seed % len(_AT_LAST)], forgotten, forgotten, times)
            self.ledger.forget(forgotten)
            if self.ledger.plays():
                self._whole("rebuild", "", "all")
                self._judge()

    def _round(self, pair: tuple[str, str], one: str, other: str, times: list[int], *, late: bool = False) -> None:
        self.now = times.pop(0)
        self.ledger.at_once()
        if pair[0] == "rebuild":  # of something
            self._poll_all()
        still = self._task(pair[0], one)
        waiting = self.begin(pair[0], *_call(still), sends=signal.SIGSTOP, late=late)
        try:
            self.figures["stood still" if waiting.stands_still() else "ended before it stood still"] += 1
            self.now = times.pop(0)
            if pair == ("rebuild", "poll"):
                self._poll_all()
            task = self._task(pair[1], other)
            meanwhile = begin(*_call(task), log=self.log)
            # Who waits for the one that stands still, as by a lock, waits in vain.
            if not meanwhile.ends_within(20):
                self.figures["waited for the other"] += 1
            waiting.send(signal.SIGCONT)
            # The one that stands still may hold what this one needs, which has to be done again then.
            was_refused = self._said(meanwhile, *_REFUSED)
            # Who writes of somebody who is forgotten meanwhile may say so.
            self._said(waiting, *_FORGOTTEN)
            self.note(pair[0], waiting)
            if was_refused:
                self.calm(pair[1], *_call(task))
        finally:
            waiting.kill()
        self.figures[f"{pair[1]} beside {pair[0]}"] += 1
        if "forget" not in pair:
            self._whole("rebuild")
            self._judge()

    def _poll_all(self) -> None:
        """So that something has come."""
        for user in self.world.users:
            self._whole("poll", user)

    def _said(self, work: Work, words: str, figure: str) -> bool:
        """Wait for it. Whether it gave up with these words, which is right beside another one, and is counted."""
        try:
            work.wait()
        except FailedError as error:
            if words not in str(error):
                raise
            self.figures[figure] += 1
            return True
        return False

    def _task(self, name: str, user: str) -> Task:
        """What to do, and the ledger knows of it."""
        match name:
            case "poll" | "another poll":
                listed = listing(self.world.of(user), self.now)
                self.ledger.polled(reversed(listed))
                return product.poll, [self.folder, user, listed, self.now]
            case "import":
                there = [play for play in self.world.of(user) if play.reported <= self.now]
                self.ledger.exported(there)
                rows = {"Streaming_History_Audio_2026_0": [extended_row(play) for play in there]}
                export = product.write_export(self.folder / f"export-{self.figures['exports']}", rows)
                self.figures["exports"] += 1
                return product.import_exports, [self.folder, user, export, self.now]
            case "forget":
                return product.forget, [self.folder, user]
            case _:
                return product.rebuild, [self.folder]

    def _whole(self, name: str, user: str = "", *more: Any) -> None:
        self.calm(name, *_call(self._task(name, user)), *more)

    def _judge(self) -> None:
        rows = self.see(product.plays, self.folder)
        self.ledger.came_out(rows)
        compare_plays(self.ledger, rows)
        self.figures["ranks compared"] += compare_tens(self.ledger, self.see(product.tens, self.folder), ZONE)
        self.figures["plays compared"] += len(self.ledger.plays())

    @contextmanager
    def _readers(self, but: str = "") -> Any:
        enough = self.folder / "enough"
        readers = {work.__name__: begin(work, self.folder, enough, but, log=self.log) for work in _READERS}
        try:
            yield
            enough.touch()
            for name, reader in readers.items():
                self.figures[f"looks, {name}"] += reader.wait()
        finally:
            for reader in readers.values():
                reader.kill()
            enough.unlink(missing_ok=True)


_READERS = (looking.watch, looking.browse)


def _call(task: Task) -> tuple[Any, ...]:
    return task[0], *task[1]
