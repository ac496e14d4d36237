"""Rebuilds of one archive by several engines, and what they said."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.answers import check_same_tables
from benchmarks.archives import Shape
from benchmarks.clusters import ROOT

SHAPE = Shape(plays=12_000, listeners=40, months=6, plays_in_file=400)


@dataclass(frozen=True)
class Rebuilt:
    """How a rebuild ended, and where its tables are."""

    exit_code: int
    said: str
    warehouse: Path


@dataclass(frozen=True)
class Rebuilds:
    """Rebuilds of one archive, each as a process of its own into a warehouse of its own."""

    folder: Path

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    def command(self, name: str, *options: str) -> list[str]:
        places = [f"--archive={self.archive}", f"--warehouse={self.folder / name}"]
        return [sys.executable, "-m", "heavy_rotation", "rebuild", *places, *options]

    def run(self, name: str, *options: str) -> Rebuilt:
        ended = subprocess.run(
            self.command(name, *options), cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
        )
        return Rebuilt(ended.returncode, ended.stderr, self.folder / name)


def said_of_plays(text: str) -> list[str]:
    """What was said, without how long it took and where."""
    lines = [line.partition("; ")[0] for line in text.splitlines() if line.startswith(("Rebuilt", "Passed", "Removed"))]
    assert lines, text
    return lines


def check_that_a_broken_file_is_told(rebuilds: Rebuilds, folder: Path, *options: str) -> None:
    """A file that is cut short leaves its months as they were, and the others are made, on this engine as here."""
    others = Rebuilds(folder)
    shutil.copytree(rebuilds.archive / "plays", others.archive / "plays")
    broken = min(others.archive.glob("plays/month=2026-08/*.avro"))
    broken.write_bytes(broken.read_bytes()[:-100])
    here, there = others.run("here"), others.run("there", *options)
    assert (here.exit_code, there.exit_code) == (1, 1)
    assert str(broken) in there.said
    assert said_of_plays(there.said) == said_of_plays(here.said)
    check_same_tables(str(here.warehouse), str(there.warehouse), options[0])
