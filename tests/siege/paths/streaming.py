"""What a stream under siege needs: the process, a Pub/Sub, disks of its own, somebody who looks, and who judges."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from tests.siege import looking, product
from tests.siege.apart import KILLED, FailedError, Moment, Work, begin
from tests.siege.oracle import Ledger, WrongError, compare_plays, compare_tens, month_of
from tests.siege.paths.published import CORRUPT, Instants, closes
from tests.siege.paths.running import Siege
from tests.siege.pubsub import SUBSCRIPTION, PubSub, publish
from tests.siege.world import ZONE, Heard, World, message

# A message that a killed stream held comes again after half a minute.
_QUIET_SECONDS = 45
ENDS_WITHIN_SECONDS = 60
_PLACES = ("archive", "warehouse")


class Streaming(Siege):
    """``stream`` is None where none runs; ``leaving`` is who will be forgotten."""

    pubsub: PubSub
    world: World
    leaving: str

    def __init__(self, seed: int, folder: Path) -> None:
        super().__init__(seed, folder)
        self.ledger = Ledger()
        self.stream: Work | None = None
        self.published: list[bytes] = []
        self.instants = Instants()

    @contextmanager
    def places(self) -> Iterator[None]:
        """Disks, and a Pub/Sub; at the end nothing of it is left, and no stream."""
        with ExitStack() as stack:
            for place in _PLACES:
                self._mount(self.folder / place)
                stack.callback(subprocess.run, ["umount", "-l", str(self.folder / place)], capture_output=True)
            self.pubsub = PubSub(stack)
            stack.callback(lambda: self.stream and self.stream.kill())
            yield

    def publish(self, plays: Sequence[Heard]) -> None:
        """Some plays, a third of them twice, and something that is no play."""
        data = [json.dumps(message(self.instants.settled(play), (play.stamp or 0) + 60_000)).encode() for play in plays]
        data += self.rng.choices(data, k=len(data) // 3)
        corrupt = self.rng.sample(CORRUPT, 2)
        data += corrupt
        self.rng.shuffle(data)
        self.see(publish, self.pubsub.address, data)
        self.published += data
        self.ledger.polled(plays)
        self.figures["messages"] += len(data)
        self.figures["corrupt messages"] += len(corrupt)

    def launch(self, moment: Moment | None = None) -> None:
        """A stream, that may send itself a signal at a moment."""
        self.figures["launches"] += 1
        self.stream = self.started(moment)

    def started(self, moment: Moment | None = None) -> Work:
        """The same, one more."""
        return begin(product.stream, self.folder, self.pubsub.address, SUBSCRIPTION, moment=moment, log=self.log)

    def ensure_running(self) -> None:
        """Whoever watches over it starts it again, as systemd would."""
        if self.stream is None or self.stream.has_ended:
            self.figures["ended by itself"] += self.stream is not None
            self.end(signal.SIGKILL)
            self.launch()

    def end(self, how: signal.Signals) -> None:
        """By a signal, and wait until it has."""
        stream, self.stream = self.stream, None
        if stream is None:
            return
        stream.send(how)
        if not stream.ends_within(ENDS_WITHIN_SECONDS):
            stream.send(signal.SIGABRT)  # with what each thread does, in the log
            stream.ends_within(5)
            stream.kill()
            raise WrongError(f"the stream did not end within {ENDS_WITHIN_SECONDS} s of {how.name}")
        if stream.wait() not in (0, KILLED) and how == signal.SIGTERM:
            self.figures["drained with trouble"] += 1

    def _mount(self, place: Path) -> None:
        place.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True)
        self.figures["places without a disk of their own"] += done.returncode != 0

    def look(self) -> None:
        """What is acknowledged is in the archive, at any time."""
        acknowledged = {who for data in self.pubsub.acknowledged() if (who := looking.identity(data))}
        there = self.see(looking.archived_identities, self.folder)
        if lost := acknowledged - there:
            raise WrongError(f"{len(lost)} plays were acknowledged and are not in the archive: {sorted(lost)[:3]}")
        self.figures["looks into the archive"] += 1

    def settle(self, now: datetime) -> None:
        """All is well from now on: the months that take plays are right before long."""
        months = {month_of(play.at, ZONE) for play in self.ledger.plays()}
        taking = {month for month in months if closes(month) > now}
        quiet_since, files = time.monotonic(), 0
        while True:
            self.ensure_running()
            try:
                self.judge(taking)
            except (WrongError, FailedError):
                if (there := len(list(self.folder.rglob("*=*/*")))) != files:
                    quiet_since, files = time.monotonic(), there
                if time.monotonic() > quiet_since + _QUIET_SECONDS:
                    raise
                time.sleep(0.5)
            else:
                return

    def judge(self, months: set[str] | None) -> None:
        """Compare all with the oracle, the tens of these months."""
        compare_plays(self.ledger, self.see(product.plays, self.folder))
        ranks = compare_tens(self.ledger, self.see(product.tens, self.folder), ZONE, months)
        self.figures["ranks compared"] += ranks

    @contextmanager
    def reader(self) -> Iterator[None]:
        """One who looks all the while, by queries or at pages, from when there is something to be seen."""
        ends, enough = time.monotonic() + ENDS_WITHIN_SECONDS, self.folder / "enough"
        while not (self.folder / "warehouse" / "warehouse.json").exists() and time.monotonic() < ends:
            time.sleep(0.05)
        work = (looking.watch, looking.browse)[self.seed % 2]
        reader = begin(work, self.folder, enough, self.leaving, log=self.log)
        try:
            yield
            enough.touch()
            self.figures[f"looks, {work.__name__}"] += reader.wait()
        finally:
            reader.kill()
