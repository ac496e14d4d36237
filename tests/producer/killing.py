"""``heavy-rotation poll`` as a process, and its end by SIGKILL at an instant that is the worst possible."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.producer.chaos import TOPIC, World

REPOSITORY = Path(__file__).parents[2]
_LONGEST_SECONDS = 15.0
_POLL_EVERY_SECOND = ("--every", "1s")

# After which event the process is killed, and at most how many seconds after it: an instant in between is drawn.
# A moment that is 0 seconds long is that of the event: the process is gone before it gets the answer.
MOMENTS: dict[str, tuple[str | None, float]] = {
    "at any time after its start": (None, 3.0),
    "while it gets a new token": ("token", 0.01),
    "while it gets the list": ("list", 0.02),
    "after it got the list": ("list", 0.12),
    "before its plays are stored": ("publish", 0.0),
    "between publishing and the cursor": ("stored", 0.0),
    "around the saving of the cursor": ("stored", 0.02),
}


class Victim:
    """One process, from its start to its end."""

    def __init__(self, world: World, log: Path, rng: random.Random) -> None:
        self._world = world
        self._rng = rng
        self._log = log
        self._ended = threading.Event()

    def live_and_die(self, moment: str) -> bool:
        """Start it, let it poll, kill it at that moment; whether that is how it ended.

        With ``--once`` it may come to its end before.
        """
        event, seconds = MOMENTS[moment]
        delay = self._rng.uniform(0, seconds)
        when = _POLL_EVERY_SECOND if self._rng.random() < 0.6 else ("--once",)
        arguments = [
            "poll",
            *when,
            "--topic",
            TOPIC,
            "--state",
            str(self._world.state),
            "--logins",
            str(self._world.logins),
        ]
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "producer", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=REPOSITORY,
            )  # fmt: skip
        timers: list[threading.Timer] = []

        def trap(what: str) -> None:
            if what != event:
                return
            if not seconds:
                process.kill()
                process.wait()
            elif not timers:
                timers.append(threading.Timer(delay, process.kill))
                timers[-1].start()

        self._world.spotify.trap = self._world.publish_faults.trap = trap
        try:
            ends = time.monotonic() + (_LONGEST_SECONDS if event else delay)
            while process.poll() is None and time.monotonic() < ends:
                # Half an hour of listening a second, a poll a second.
                self._world.pass_time(30)
                time.sleep(1 / 60)
        finally:
            process.kill()
            process.wait()
            self._world.spotify.trap = self._world.publish_faults.trap = None
            for timer in timers:
                timer.join()
        return process.returncode == -9
