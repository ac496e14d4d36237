"""The protocol by itself, in Promela, checked by Spin: every order of steps within small bounds, a crash at each.

Each ``.pml`` of this folder states its promises as assertions. A *mutation* takes one protection away (``#ifdef`` in
the model), and has to break one: a check that could not fail would prove nothing.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
MODELS = tuple(sorted(path.stem for path in FOLDER.glob("*.pml")))
_LIMIT_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Checked:
    """What Spin found: ``broken`` is the assertion that failed, None where all hold in every one of ``states``."""

    broken: str | None
    states: int


def missing_tools() -> list[str]:
    """What has to be installed first, Debian's ``spin`` and a C compiler; empty where both are there."""
    return [tool for tool in ("spin", "gcc") if not shutil.which(tool)]


def mutations(model: str) -> list[str]:
    """The names of what can be taken away from a model, as it is written."""
    return sorted(set(re.findall(r"^#ifn?def (\w+)$", _source(model).read_text(), re.MULTILINE)) - _bounds(model))


def check(model: str, mutation: str | None = None) -> Checked:
    """Go through every state. Raises CalledProcessError and TimeoutExpired where a tool fails or takes too long."""
    with _verifier(model, mutation) as folder:
        return _run(folder)


def trace(model: str, mutation: str) -> list[str]:
    """The steps to the broken promise, the shortest found: ``process: what it does``; empty where all hold."""
    with _verifier(model, mutation, "-DREACH") as folder:
        found = _run(folder, "-i")
        if not found.broken:
            return []
        printed = _spoken("spin", "-t", "-p", f"-D{mutation}", f"{model}.pml", at=folder)
    steps = re.findall(r"proc +\d+ \((\w+):\d+\) \S+ \(state \d+\)\t\[(.*)\]", printed)
    return [f"{process}: {does}" for process, does in steps if does not in ("(1)", "else")]


@contextmanager
def _verifier(model: str, mutation: str | None, *flags: str) -> Iterator[Path]:
    """A folder with the program that Spin makes of a model."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(_source(model), folder)
        _spoken("spin", "-a", *([f"-D{mutation}"] if mutation else []), f"{model}.pml", at=folder)
        _spoken("gcc", "-w", "-O2", "-DSAFETY", "-DCOLLAPSE", *flags, "-o", "pan", "pan.c", at=folder)
        yield folder


def _run(folder: Path, *flags: str) -> Checked:
    printed = _spoken("./pan", "-m1000000", *flags, at=folder)
    assert "max search depth too small" not in printed, printed
    failed = re.search(r"assertion violated +(.*) \(at depth", printed) or re.search(r"(invalid end state) ", printed)
    states = re.search(r"(\d+) states, stored", printed)
    assert states, printed
    return Checked(failed[1] if failed else None, int(states[1]))


def _spoken(*command: str, at: Path) -> str:
    done = subprocess.run(command, cwd=at, check=True, capture_output=True, text=True, timeout=_LIMIT_SECONDS)
    return done.stdout


def _source(model: str) -> Path:
    return FOLDER / f"{model}.pml"


def _bounds(model: str) -> set[str]:
    """Names that are numbers with a value of their own, which a check may set."""
    return set(re.findall(r"^#ifndef (\w+)\n#define \1 \d", _source(model).read_text(), re.MULTILINE))
