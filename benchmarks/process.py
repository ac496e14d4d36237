"""What the kernel says of a running process. Linux only."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> float:
    """The most memory it ever held at a time (RSS), in millions of bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def cpu_seconds(pid: int) -> float:
    """What it took so far, all its threads together, in user and in system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def keep_to_two_cores(pid: int) -> None:
    """Let it run on two of the cores that there are, with all the threads that it starts from now on."""
    os.sched_setaffinity(pid, sorted(os.sched_getaffinity(0))[:2])
