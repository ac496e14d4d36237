"""The stream as a process, with a Pub/Sub: killed, drained, two at once, disks full and read-only, files unreadable."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from tests.siege import product
from tests.siege.apart import KILLED, Moment, begin
from tests.siege.oracle import WrongError, compare_plays
from tests.siege.paths.published import late_by_places
from tests.siege.paths.streaming import ENDS_WITHIN_SECONDS, Streaming
from tests.siege.pubsub import publish
from tests.siege.world import EPISODE, Heard, World, extended_row, millis

_WRITES_WITHIN_SECONDS = 15
_EVENTS = (
    "kill",
    "kill before a write",
    "drain",
    "two at once",
    "Pub/Sub stands still",
    "full disk",
    "read-only tables",
    "broken file",
)


class Stream(Streaming):
    """One world, published while everything goes wrong."""

    def go(self) -> None:
        """Raises WrongError, FailedError."""
        now = datetime.now(UTC)
        self.world = World(self.seed, now - timedelta(hours=1))
        self.leaving = self.rng.choice(list(self.world.users))
        with self.places():
            self.launch()
            with self.reader():
                for number, chunk in enumerate(self._chunks()):
                    event = self.rng.choice(_EVENTS) if number else "kill before a write"
                    self.figures[event] += 1
                    self.publish(chunk)
                    getattr(self, "_" + event.lower().replace(" ", "_").replace("/", "_").replace("-", "_"))()
                    self.look()
                    self.ensure_running()
                self.settle(now)
                self._import_beside()
                self._forget_beside()
            self.end(signal.SIGTERM)
            if self.ledger.plays():
                self.calm("rebuild", product.rebuild, self.folder, "all")
                self.judge(None)

    # What is published

    def _chunks(self) -> list[list[Heard]]:
        """All that the API would list, late and out of order by up to some dozens."""
        listed = [play for play in self.world.heard if play.stamp is not None]
        late, size = late_by_places(self.rng, listed, 40), max(8, len(listed) // self.rng.randint(3, 5))
        return [late[first : first + size] for first in range(0, len(late), size)]

    # What goes wrong

    def _kill(self) -> None:
        time.sleep(self.rng.uniform(0, 4))
        self.end(signal.SIGKILL)

    def _kill_before_a_write(self) -> None:
        """Of what was published nothing is safe yet: it ends just before a file of the archive, or a table, changes."""
        place, touch = self.rng.choice(["archive/plays", "warehouse"]), self.rng.choice([0, 1, 2, 5, 20])
        if self.figures["kill before a write"] == 1:  # in every life: before the first file that it would write
            place, touch = "archive/plays", 0
        self.end(signal.SIGKILL)
        self.launch(Moment(touch, self.folder / place, writes=True))
        # Something that nobody else holds: what the last one held comes only later.
        self.see(publish, self.pubsub.address, self.rng.sample(self.published, min(20, len(self.published))))
        assert self.stream
        self.stream.ends_within(_WRITES_WITHIN_SECONDS)
        self.end(signal.SIGKILL)

    def _drain(self) -> None:
        time.sleep(self.rng.uniform(0, 3))
        self.end(signal.SIGTERM)

    def _two_at_once(self) -> None:
        """One of them is refused: the second, or the first where it had not begun to read yet."""
        first, second = self.stream, self.started()
        ends = time.monotonic() + ENDS_WITHIN_SECONDS
        while not second.has_ended and (first is None or not first.has_ended) and time.monotonic() < ends:
            time.sleep(0.1)
        refused, self.stream = (second, first) if second.has_ended else (first, second)
        if refused is None or not refused.has_ended or refused.wait() in (0, KILLED):
            second.kill()
            raise WrongError("two streams on one archive, and none is refused")

    def _pub_sub_stands_still(self) -> None:
        self.pubsub.process.send_signal(signal.SIGSTOP)
        time.sleep(self.rng.uniform(0.5, 3))
        self.pubsub.process.send_signal(signal.SIGCONT)

    def _full_disk(self) -> None:
        filler = self.folder / "archive" / "filler"
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(1 << 16))
        time.sleep(self.rng.uniform(0.5, 3))
        filler.unlink(missing_ok=True)

    def _read_only_tables(self) -> None:
        place = str(self.folder / "warehouse")
        # It is refused while a file is open for writing, and comes a moment later.
        for _ in range(50):
            if not subprocess.run(["mount", "-o", "remount,ro", place], capture_output=True).returncode:
                break
            time.sleep(0.05)
        time.sleep(self.rng.uniform(0.5, 3))
        subprocess.run(["mount", "-o", "remount,rw", place], check=False, capture_output=True)

    def _broken_file(self) -> None:
        """A file of the archive that cannot be read stops no stream."""
        months = sorted((self.folder / "archive" / "plays").glob("month=*"))
        if not months:
            return
        self.end(signal.SIGKILL)
        broken = self.rng.choice(months) / "plays-broken.avro"
        broken.write_bytes(self.rng.choice([b"", b"Obj\x01 and no more", os.urandom(300)]))
        self.launch()
        time.sleep(self.rng.uniform(3, 6))
        if self.stream and self.stream.has_ended:
            raise WrongError("the stream ended because of a file that cannot be read")
        broken.unlink()

    def _import_beside(self) -> None:
        """What Spotify never listed comes by an export; a rebuild brings it into the tables, beside the stream."""
        user = self.rng.choice(list(self.world.users))
        there = [play for play in self.world.of(user) if play.stamp is None]
        rows = {"Streaming_History_Audio_2026_0": [*map(extended_row, there), EPISODE]}
        export, now = product.write_export(self.folder / "export", rows), millis(datetime.now(UTC))
        while (
            self.attempt("import", product.import_exports, self.folder, user, export, now, kill=self.rng.random() < 0.3)
            is KILLED
        ):
            pass
        self.ledger.exported(there)
        self.calm("rebuild beside", product.rebuild, self.folder)
        self.look()
        compare_plays(self.ledger, self.see(product.plays, self.folder))

    def _forget_beside(self) -> None:
        """Somebody is forgotten while all that was published comes once more: nothing of it comes back."""
        again = begin(publish, self.pubsub.address, self.published, log=self.log)
        while self.attempt("forget", product.forget, self.folder, self.leaving, kill=self.rng.random() < 0.3) is KILLED:
            pass
        again.wait()
        self.ledger.forget(self.leaving)
        time.sleep(self.rng.uniform(2, 5))  # what came once more is archived by then, but what was forgotten
        self.ensure_running()
        compare_plays(self.ledger, self.see(product.plays, self.folder))
        if self.rng.random() < 0.5:
            self._kill()
            self.launch()
            time.sleep(self.rng.uniform(2, 5))
