"""The stream as a process, with a Pub/Sub: killed, drained, two at once, disks full and read-only, files unreadable."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.siege import product
from tests.siege.apart import FailedError
from tests.siege.oracle import Ledger, WrongError, compare_plays, compare_tens, month_of
from tests.siege.paths.published import CORRUPT, Instants, closes, late_by_places
from tests.siege.paths.running import Siege
from tests.siege.world import ZONE, Heard, World, message

_TOPIC, _SUBSCRIPTION = "projects/siege/topics/plays", "projects/siege/subscriptions/plays"
_SETTLES_WITHIN_SECONDS = 120
_ENDS_WITHIN_SECONDS = 60
_EVENTS = (
    "kill",
    "kill",
    "drain",
    "two at once",
    "Pub/Sub stands still",
    "full disk",
    "read-only tables",
    "broken file",
)


class Stream(Siege):
    """One world, published while everything goes wrong."""

    def go(self) -> None:
        """Raises WrongError, FailedError."""
        now = datetime.now(UTC)
        self.world, self.ledger = World(self.seed, now - timedelta(hours=1)), Ledger()
        self.stream: subprocess.Popen[bytes] | None = None
        self.before: dict[tuple[str, str, str], int] = {}
        self.instants = Instants()
        for place in ("archive", "warehouse"):
            self._mount(self.folder / place)
        try:
            self._start_pubsub()
            self._launch()
            for chunk in self._chunks():
                self._publish(chunk)
                event = self.rng.choice(_EVENTS)
                self.figures[event] += 1
                getattr(self, "_" + event.lower().replace(" ", "_").replace("/", "_").replace("-", "_"))()
                self._ensure_running()
                self._look()
            self._settle(now)
            self._end(signal.SIGTERM)
            self.calm("rebuild", product.rebuild, self.folder, "all")
            self._judge(None)
        finally:
            for process in (self.stream, self.pubsub):
                if process:
                    process.kill()
                    process.wait()
            for place in ("archive", "warehouse"):
                subprocess.run(["umount", str(self.folder / place)], capture_output=True)

    # What is published

    def _chunks(self) -> list[list[Heard]]:
        """All that the API would list, late and out of order by up to some dozens."""
        listed = [play for play in self.world.heard if play.stamp is not None]
        late, size = late_by_places(self.rng, listed, 40), max(8, len(listed) // self.rng.randint(3, 5))
        return [late[first : first + size] for first in range(0, len(late), size)]

    def _publish(self, plays: Sequence[Heard]) -> None:
        data = [json.dumps(message(self.instants.settled(play), (play.stamp or 0) + 60_000)).encode() for play in plays]
        data += self.rng.choices(data, k=len(data) // 3)
        corrupt = self.rng.sample(CORRUPT, 2)
        data += corrupt
        self.rng.shuffle(data)
        self.see(_publish, self.address, data)
        self.ledger.polled(plays)
        self.figures["messages"] += len(data)
        self.figures["corrupt messages"] += len(corrupt)

    # What goes wrong

    def _kill(self) -> None:
        time.sleep(self.rng.uniform(0, 4))
        self._end(signal.SIGKILL)

    def _drain(self) -> None:
        time.sleep(self.rng.uniform(0, 3))
        self._end(signal.SIGTERM)

    def _two_at_once(self) -> None:
        """One of them is refused: the second, or the first where it had not begun to read yet."""
        first, second = self.stream, self._started()
        ends = time.monotonic() + _ENDS_WITHIN_SECONDS
        while second.poll() is None and (first is None or first.poll() is None) and time.monotonic() < ends:
            time.sleep(0.1)
        refused, self.stream = (second, first) if second.poll() is not None else (first, second)
        if refused is None or not refused.poll():
            second.kill()
            second.wait()
            raise WrongError("two streams on one archive, and none is refused")

    def _pub_sub_stands_still(self) -> None:
        self.pubsub.send_signal(signal.SIGSTOP)
        time.sleep(self.rng.uniform(0.5, 3))
        self.pubsub.send_signal(signal.SIGCONT)

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
        self._end(signal.SIGKILL)
        broken = self.rng.choice(months) / "plays-broken.avro"
        broken.write_bytes(self.rng.choice([b"", b"Obj\x01 and no more", os.urandom(300)]))
        self._launch()
        time.sleep(self.rng.uniform(3, 6))
        if self.stream and self.stream.poll() is not None:
            raise WrongError(f"the stream ended with {self.stream.returncode} because of a file that cannot be read")
        broken.unlink()

    # The processes

    def _start_pubsub(self) -> None:
        self.pubsub = subprocess.Popen(
            [sys.executable, "-m", "demo.pubsub", "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        assert self.pubsub.stdout
        line = ""
        while not line.startswith("export "):
            line = self.pubsub.stdout.readline()
            assert line, "Pub/Sub did not start"
        self.address = line.strip().partition("=")[2]
        self.see(_make_topic, self.address)

    def _started(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "pipelines.stream", f"--subscription={_SUBSCRIPTION}"),
                    *(f"--archive={self.folder / 'archive'}", f"--warehouse={self.folder / 'warehouse'}"),
                    *("--refresh-seconds=1", "--archive-batch-seconds=1", f"--time-zone={ZONE}"),
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "PUBSUB_EMULATOR_HOST": self.address, "PYTHONFAULTHANDLER": "1"},
            )

    def _launch(self) -> None:
        self.figures["launches"] += 1
        self.stream = self._started()

    def _ensure_running(self) -> None:
        """Whoever watches over it starts it again, as systemd would."""
        if self.stream is None or self.stream.poll() is not None:
            self.figures["ended by itself"] += self.stream is not None
            self._launch()

    def _end(self, how: signal.Signals) -> None:
        if self.stream and self.stream.poll() is None:
            self.stream.send_signal(how)
            try:
                code = self.stream.wait(_ENDS_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                self.stream.send_signal(signal.SIGABRT)  # with what each thread does, in the log
                raise WrongError(f"the stream did not end within {_ENDS_WITHIN_SECONDS} s of {how.name}") from None
            if how == signal.SIGTERM and code not in (0, -how):
                self.figures["drained with trouble"] += 1
        self.stream = None

    def _mount(self, place: Path) -> None:
        place.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True)
        self.figures["places without a disk of their own"] += done.returncode != 0

    # What is seen

    def _look(self) -> None:
        """No ten ever shrinks, and none is half."""
        if not (self.folder / "warehouse" / "warehouse.json").exists():
            return
        now: dict[Any, int] = self.see(product.seen, self.folder)
        for key, plays in self.before.items():
            if now.get(key, 0) < plays:
                raise WrongError(f"{key} had {plays} plays, and has {now.get(key, 0)}")
        self.before = now
        self.figures["looks"] += 1

    def _settle(self, now: datetime) -> None:
        """All is well from now on: the months that take plays are right before long."""
        months = {month_of(play.at, ZONE) for play in self.ledger.plays()}
        taking = {month for month in months if closes(month) > now}
        ends = time.monotonic() + _SETTLES_WITHIN_SECONDS
        while True:
            self._ensure_running()
            try:
                self._judge(taking)
            except (WrongError, FailedError):
                if time.monotonic() > ends:
                    raise
                time.sleep(0.5)
            else:
                return

    def _judge(self, months: set[str] | None) -> None:
        compare_plays(self.ledger, self.see(product.plays, self.folder))
        ranks = compare_tens(self.ledger, self.see(product.tens, self.folder), ZONE, months)
        self.figures["ranks compared"] += ranks


def _make_topic(address: str) -> None:
    os.environ["PUBSUB_EMULATOR_HOST"] = address
    from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

    PublisherClient().create_topic(name=_TOPIC)
    SubscriberClient().create_subscription(name=_SUBSCRIPTION, topic=_TOPIC)


def _publish(address: str, data: Sequence[bytes]) -> None:
    os.environ["PUBSUB_EMULATOR_HOST"] = address
    from google.cloud.pubsub_v1 import PublisherClient

    client = PublisherClient()
    for future in [client.publish(_TOPIC, one) for one in data]:
        future.result(60)
