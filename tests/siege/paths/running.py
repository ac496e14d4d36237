"""What all paths share: a seed, a folder, a log, and work that is done in processes of its own."""

import random
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.siege.apart import KILLED, Moment, Work, begin


class Siege:
    """One seed's life. ``figures`` counts what happened."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.folder = folder
        self.log = folder / "log.txt"
        self.rng = random.Random(f"{type(self).__name__}/{seed}")
        self.figures: Counter[str] = Counter()
        self._touches: dict[str, int] = {}  # of files, by what was done

    def go(self) -> None:
        """Live through it. Raises WrongError or FailedError where the project is not right."""
        raise NotImplementedError

    def attempt(self, name: str, work: Callable[..., Any], *arguments: Any, kill: bool) -> Any:
        """Once; KILLED where that is how it ended, before a touch of a file that is drawn."""
        one = self.begin(name, work, *arguments, sends=signal.SIGKILL if kill else None)
        ended = one.wait()
        self.note(name, one)
        self.figures[f"{name}, killed" if ended is KILLED else name] += 1
        return ended

    def begin(
        self, name: str, work: Callable[..., Any], *arguments: Any, sends: signal.Signals | None, late: bool = False
    ) -> Work:
        """Begin it; with a signal it sends itself that before a touch of a file that is drawn from those it makes, with
        ``late`` from the later half of them."""
        touches = self._touches.get(name, 30)
        touch = self.rng.randrange(touches // 2 if late else 0, touches) if sends else sys.maxsize
        moment = Moment(touch, self.folder, sends=sends or signal.SIGKILL)
        return begin(work, *arguments, moment=moment, log=self.log)

    def note(self, name: str, ended: Work) -> None:
        """So many touches it makes."""
        self._touches[name] = max(self._touches.get(name, 1), ended.touches)

    def calm(self, name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """Once, and nothing goes wrong."""
        return self.attempt(name, work, *arguments, kill=False)

    def see(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Look at something; it counts as nothing."""
        return begin(work, *arguments, log=self.log).wait()
