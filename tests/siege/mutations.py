"""Protections of the project, taken away on purpose: a siege that would not notice proves nothing.

A mutation is an edit of the project's text, made in a copy of it, where the siege then runs. Each text that is edited
has to be there exactly once: when the code changes, so must its mutation.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_REPOSITORY = Path(__file__).parents[2]
_COPIED = ("pipelines", "producer", "demo", "web", "benchmarks", "tests", "heavy_rotation.py")


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is taken away: in ``file``, ``old`` becomes ``new``. ``path`` is the one that should find it."""

    path: str
    file: str
    old: str
    new: str


MUTATIONS: dict[str, Mutation] = {
    "deduplication off": Mutation(
        "small",
        "pipelines/rebuilding/finishing.py",
        "columns.each_once(columns.with_keys(plays))",
        "columns.with_keys(plays)",
    ),
    "UTC months": Mutation(
        "small",
        "pipelines/domain/month.py",
        "bisect_right(self.starts, to_millis(instant))",
        "bisect_right(Calendar('UTC').starts, to_millis(instant))",
    ),
    "no total order": Mutation(
        "small", "pipelines/rebuilding/top_tens.py", 'lines.sort("order", "id")', 'lines.sort("order")'
    ),
    "file names that can collide": Mutation(
        "small", "pipelines/storage/archive.py", "plays-{uuid.uuid4().hex}", "plays-{len(data)}"
    ),
    "archive after deduplication": Mutation(
        "graph",
        "pipelines/streaming/archiving.py",
        "        some = self.folders.setdefault(folder, [])\n",
        "        seen = self.__dict__.setdefault('seen', set())\n"
        "        if item in seen:\n            return\n        seen.add(item)\n"
        "        some = self.folders.setdefault(folder, [])\n",
    ),
    "acknowledgement before the archive": Mutation(
        "stream",
        "pipelines/streaming/intake.py",
        "            came = self.subscription.pull()\n",
        "            came = self.subscription.pull()\n"
        "            self.subscription.acknowledge([one.ack_id for one in came])\n",
    ),
    "newest snapshot instead of fullest": Mutation(
        "graph",
        "pipelines/tables/views/fullest_snapshots.sql",
        "ORDER BY plays_in_month DESC, computed_at DESC",
        "ORDER BY computed_at DESC",
    ),
    "the cursor moved before the archive": Mutation(
        "small",
        "producer/polling/poll.py",
        "    if fresh.plays or fresh.rejects:\n        destination",
        "    move_cursor(fresh, cursors)\n    if fresh.plays or fresh.rejects:\n        destination",
    ),
    "tokens refreshed without the lease": Mutation(
        "logins", "producer/spotify/client.py", "with login.refreshing():", "if True:"
    ),
    "songs by track id": Mutation(
        "small",
        "pipelines/domain/song.py",
        "return None if title in _NOT_REAL or artist",
        "return None if title or artist",
    ),
    "offline times ignored": Mutation(
        "small", "pipelines/domain/exports.py", "if type(began) is not int:", "if began or not began:"
    ),
    "changed months computed before the files are listed": Mutation(
        "beside",
        "pipelines/rebuilding/replacing.py",
        ".items() if path in listed}",
        ".items()} | {path: may_hold(path, ready.contents) for path in work.archive.files()}",
    ),
}


def missing(mutation: Mutation) -> str | None:
    """What is wrong with a mutation: its text is not there, or not once. None where all is well."""
    count = (_REPOSITORY / mutation.file).read_text().count(mutation.old)
    return None if count == 1 else f"{mutation.file} has {mutation.old!r} {count} times"


def hunt(mutation: Mutation, seconds: float) -> str | None:
    """Live through seeds without the protection until one is wrong: what it says; None where none is in the time."""
    with _without(mutation) as copy:
        command = [sys.executable, "-m", "tests.siege", "--path", mutation.path, "--until-wrong"]
        done = subprocess.run(
            [*command, "--seconds", str(seconds)],
            cwd=copy,
            env={**os.environ, "TMPDIR": str(copy)},
            capture_output=True,
            text=True,
            timeout=seconds + 200,
        )
    wrong = [line for line in done.stderr.splitlines() if line.startswith("WRONG")]
    if done.returncode and not wrong:
        raise RuntimeError(f"the siege did not begin: {done.stderr[-2000:]}")
    return wrong[0] if wrong else None


def hunt_all(names: Sequence[str], seconds: float) -> int:
    """0 where each was found within the time."""
    missed = 0
    for name in names:
        mutation, began, cpu = MUTATIONS[name], time.monotonic(), _cpu_seconds()
        found = missing(mutation) or hunt(mutation, seconds)
        missed += found is None or bool(missing(mutation))
        took = f"{time.monotonic() - began:4.0f} s, {_cpu_seconds() - cpu:4.0f} s of CPU"
        print(f"{name:52}{took}  {(found or 'NOT FOUND')[:200]}", flush=True)
    if missed:
        print(f"{missed} mutations were not found", file=sys.stderr)
    return int(missed > 0)


def _cpu_seconds() -> float:
    """Of the processes that have ended, with theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _without(mutation: Mutation) -> Iterator[Path]:
    """A copy of the project without the protection."""
    with tempfile.TemporaryDirectory(prefix="siege-mutation-") as name:
        copy = Path(name)
        for part in _COPIED:
            there = _REPOSITORY / part
            if there.is_dir():
                shutil.copytree(there, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(there, copy / part)
        file = copy / mutation.file
        file.write_text(file.read_text().replace(mutation.old, mutation.new))
        yield copy
