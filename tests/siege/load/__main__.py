"""``python -m tests.siege.load``: a burst, then a rate that this machine can just hold, and what came of both.

The stream runs as a process, with top tens refreshed every 5 s and a file of the archive every 2 s. Each play is
published five times. It ends with 1 where a play was lost or counted twice, where memory grows, or where more than one
play in twenty took longer than 10 s to its listener's ten.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.process import cpu_seconds, tree_mb
from demo.processes import Process
from tests.siege import product
from tests.siege.apart import begin
from tests.siege.load.listeners import COPIES, Listeners
from tests.siege.load.seeing import Seeing, waits
from tests.siege.pubsub import SUBSCRIPTION, PubSub
from tests.siege.world import ZONE

_REFRESH_SECONDS, _FILE_SECONDS = 5, 2
_P95_SECONDS, _TRIAL_P95_SECONDS = 10.0, 9.5
# Of the rate at which a burst is drained, the first that is tried; each that cannot be held is followed by a lower one.
_FIRST_SHARE, _LOWER, _TRIALS = 0.7, 0.75, 6
_DRAINED_WITHIN_SECONDS = 900
# Of listeners' counts and of what Python keeps for later.
_GROWTH, _GROWTH_MB = 1.15, 40


class Load:
    """A stream under load, in a folder."""

    def __init__(self, folder: Path, pubsub: PubSub, stream: Process, seeing: Seeing) -> None:
        self.folder, self.stream, self.seeing = folder, stream, seeing
        self.listeners = Listeners(pubsub.address)

    def burst(self, messages: int) -> dict[str, Any]:
        """So many at once, and how long until all are counted."""
        began, cpu = time.monotonic(), cpu_seconds(self.stream.pid)
        self.listeners.publish(messages)
        self.listeners.publish_copies()
        published = time.monotonic() - began
        self._drain()
        seconds = time.monotonic() - began
        return {
            "messages": self.listeners.messages,
            "published s": round(published, 1),
            "drained s": round(seconds, 1),
            "messages a second": round(self.listeners.messages / seconds, 1),
            "CPU µs a message": round((cpu_seconds(self.stream.pid) - cpu) / self.listeners.messages * 1e6, 1),
        }

    def hold(self, rate: float, seconds: float) -> dict[str, Any]:
        """A rate of messages a second for so long: what plays waited, and what memory the stream took."""
        since, cpu, sent = time.monotonic(), cpu_seconds(self.stream.pid), self.listeners.messages
        with _watched(self.stream.pid) as megabytes:
            held = self.listeners.hold(rate, seconds)
            late = time.monotonic()
            self._drain()
        waited = sorted(waits(self.listeners.published, self.seeing.seen, since))
        quarter = max(1, len(megabytes) // 4)
        count = self.listeners.messages - sent
        return {
            "messages a second": round(held, 1),
            "seconds": round(seconds),
            "plays": len(waited),
            **{f"p{of} s": round(waited[min(len(waited) - 1, len(waited) * of // 100)], 2) for of in (50, 95, 99)},
            "longest s": round(waited[-1], 2),
            "drained s": round(time.monotonic() - late, 1),
            "CPU µs a message": round((cpu_seconds(self.stream.pid) - cpu) / count * 1e6, 1),
            "MB, second quarter": round(statistics.median(megabytes[quarter : 2 * quarter] or megabytes)),
            "MB, last quarter": round(statistics.median(megabytes[-quarter:])),
        }

    def check(self) -> list[str]:
        """What is wrong once all is drained: plays that are lost or too many, by the plays and by the tens."""
        self.listeners.publish_copies()
        self._drain()
        said = {user: 0 for user, _ in self.listeners.published}
        for (user, _), times in self.listeners.published.items():
            said[user] += len(times)
        rows = begin(counted, self.folder, log=self.folder / "log.txt").wait()
        plays = {row["user_id"]: row["plays"] for row in rows}
        wrong = [
            f"{user}: {plays.get(user, 0)} plays of {count}" for user, count in said.items() if plays.get(user) != count
        ]
        for whose, times in self.listeners.published.items():
            if self.seeing.seen[whose][-1][1] != len(times):
                wrong.append(f"{whose}: its ten has {self.seeing.seen[whose][-1][1]} plays of {len(times)}")
        return wrong

    def _drain(self) -> None:
        ends = time.monotonic() + _DRAINED_WITHIN_SECONDS
        while self.seeing.plays < self.listeners.plays and time.monotonic() < ends and self.stream.is_running():
            time.sleep(0.1)


def counted(folder: Path) -> list[dict[str, Any]]:
    """The plays of each user."""
    return product.ask(folder, "SELECT user_id, COUNT(*) AS plays FROM heavy_rotation.plays GROUP BY user_id")


@contextmanager
def _watched(pid: int) -> Iterator[list[float]]:
    """Millions of bytes that it holds, looked at each second."""
    found, ended = [tree_mb(pid)], threading.Event()

    def look() -> None:
        while not ended.wait(1):
            found.append(tree_mb(pid))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def run(folder: Path, burst: int, seconds: float, rate: float | None) -> dict[str, Any]:
    """All of it, and the figures; ``wrong`` says what is."""
    with ExitStack() as stack:
        pubsub = PubSub(stack)
        environment = {**os.environ, "PUBSUB_EMULATOR_HOST": pubsub.address}
        command = [
            *("-m", "pipelines.stream", f"--subscription={SUBSCRIPTION}", f"--time-zone={ZONE}"),
            *(f"--archive={folder / 'archive'}", f"--warehouse={folder / 'warehouse'}"),
            *(f"--refresh-seconds={_REFRESH_SECONDS}", f"--archive-batch-seconds={_FILE_SECONDS}"),
        ]
        stream = stack.enter_context(Process(command, environment, folder / "log.txt"))
        seeing = stack.enter_context(Seeing(folder / "warehouse"))
        load = Load(folder, pubsub, stream, seeing)
        load.hold(20, 10)  # begun
        figures: dict[str, Any] = {"burst": load.burst(burst)}
        _say("burst", figures["burst"])
        trials = []
        share = figures["burst"]["messages a second"] * _FIRST_SHARE
        while rate is None and len(trials) < _TRIALS:
            trials.append(load.hold(share, min(60.0, seconds)))
            _say("trial", trials[-1])
            rate = share if trials[-1]["p95 s"] <= _TRIAL_P95_SECONDS else None
            share *= _LOWER
        figures |= {"trials": trials, "held": load.hold(rate or share, seconds)}
        _say("held", figures["held"])
        figures["wrong"] = [*load.check(), *_too_much(figures["held"])]
        figures["plays"], figures["messages"] = load.listeners.plays, load.listeners.messages
        if not stream.is_running() or stream.stop() != 0:
            figures["wrong"].append(f"the stream did not end well: {stream.log.read_text()[-1000:]}")
    return figures


def _too_much(held: dict[str, Any]) -> list[str]:
    wrong = []
    if held["p95 s"] > _P95_SECONDS:
        wrong.append(f"p95 is {held['p95 s']} s, above {_P95_SECONDS:.0f} s")
    before, after = held["MB, second quarter"], held["MB, last quarter"]
    if after > before * _GROWTH + _GROWTH_MB:
        wrong.append(f"memory grows: from {before} to {after} MB")
    return wrong


def _say(what: str, figures: dict[str, Any]) -> None:
    print(f"{what:6}", ", ".join(f"{name} {value}" for name, value in figures.items()), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where nothing was lost, and plays were seen soon enough."""
    parser = argparse.ArgumentParser("python -m tests.siege.load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="so long the rate is held (default: 10)")
    parser.add_argument("--burst", type=int, default=50_000, help="messages of the burst (default: 50000)")
    parser.add_argument("--rate", type=float, help="messages a second to hold (default: what was found by trying)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="siege-load-") as name:
        figures = run(Path(name), options.burst, 60 * options.minutes, options.rate)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    for what in figures["wrong"][:10]:
        print(f"WRONG {what}")
    plays, messages, wrong = figures["plays"], figures["messages"], len(figures["wrong"])
    print(f"{plays:,} plays in {messages:,} messages, {COPIES} of each: {wrong} wrong")
    return int(bool(figures["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
