"""What a run of the benchmarks was asked for."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """``runs`` are those of what is quick enough; ``share`` makes all of it smaller, for a look.

    Archives of more than ``most`` plays are left out.
    """

    runs: int = 3
    share: float = 1.0
    long: bool = False
    most: int = 100_000_000
    seed: int = 1

    def count(self, plays: int) -> int:
        """So many, or the share of them that was asked for."""
        return max(1, round(plays * self.share))

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder that is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="heavy-rotation-bench-") as name:
            yield Path(name)

    def say(self, text: str) -> None:
        """How far it is, beside the results."""
        print(text, file=sys.stderr, flush=True)
