"""A query may eat neither the machine nor the day: it runs in a process of its own, with an end to both.

DuckDB keeps neither limit by itself: with a limit of 1 GB a series of numbers took 7, and an interrupted query came
back 14 seconds later. The kernel keeps both.
"""

import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress

from pipelines.failure import Failure

DEFAULT_SECONDS = 60
LEAST_MEGABYTES = 512  # threads and libraries take as much before the first row is read
_MOST_MEGABYTES = 2048
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
_THREADS = 4  # each takes address space, needed or not


def default_megabytes() -> int:
    """A quarter of this machine's memory, 2 GB at most."""
    quarter = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4 // 2**20
    return max(LEAST_MEGABYTES, min(quarter, _MOST_MEGABYTES))


def threads() -> int:
    """How many threads a query may have."""
    return min(_THREADS, os.cpu_count() or 1)


def limit_address_space(megabytes: int) -> None:
    """Let this process take so much more than it has. Where the system cannot tell what it has: no limit."""
    with suppress(OSError, ValueError):
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  not a file but the kernel's answer
            pages = int(file.read().split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def run_apart(work: Callable[[], int], *, seconds: int, megabytes: int) -> int:
    """Do ``work`` in a process of its own, and give back its exit code; 130 after Ctrl-C.

    It is killed when its time is over, by a clock of its own, so that it ends with or without this process. Its memory
    it limits by itself, with ``limit_address_space``; ``megabytes`` is for the message. Call it from a process of one
    thread. Raises Failure where time or memory did not suffice.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    # Signals wait until both processes know what to do with them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    child = os.fork()
    if not child:
        os._exit(_alone(work, seconds))
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}
    before[signal.SIGTERM] = signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    match -code:
        case signal.SIGALRM:
            raise Failure(f"the query took more than {seconds} seconds; --max-seconds allows it more")
        case signal.SIGPIPE:  # whoever read has read enough
            return 0
        case signal.SIGINT | signal.SIGTERM | signal.SIGQUIT as ended:
            return 128 + ended
        case ended if ended > 0:
            raise too_much(megabytes)
    return code


def too_much(megabytes: int) -> Failure:
    """What to say where memory did not suffice."""
    return Failure(f"the query needs more than {megabytes:,} MB of memory; --max-memory allows it more")


def _alone(work: Callable[[], int], seconds: int) -> int:
    """The process's whole life, and its exit code."""
    # By default, a signal ends it at once, whatever library is at work.
    for number in (*_ENDS, signal.SIGPIPE, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    # Where memory ends, libraries write their last words to the file itself; the parent says it in a sentence.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        code = work()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
        return 1
    return code
