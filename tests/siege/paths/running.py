"""What all paths share: a seed, a folder, a log, and work that is done in processes of its own."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.siege.apart import KILLED, begin


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
        kill_at = self.rng.randrange(self._touches.get(name, 30)) if kill else None
        one = begin(work, *arguments, kill_at=kill_at, folder=self.folder, log=self.log)
        ended = one.wait()
        self._touches[name] = max(self._touches.get(name, 1), one.touches)
        self.figures[f"{name}, killed" if ended is KILLED else name] += 1
        return ended

    def calm(self, name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """Once, and nothing goes wrong."""
        return self.attempt(name, work, *arguments, kill=False)

    def see(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Look at something; it counts as nothing."""
        return begin(work, *arguments, log=self.log).wait()
