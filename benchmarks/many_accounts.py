"""Thousands of accounts polled by one process: ``python -m benchmarks.many_accounts --help``.

The process is the real ``python -m producer poll``, watched from outside. Spotify (`benchmarks.crowd`) and Pub/Sub
(`demo.pubsub`) are processes of their own on 127.0.0.1. What the producer's log, the server and the topic count has
to agree, or the benchmark fails.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import certifi
import orjson

from benchmarks import crowd, topic
from benchmarks.process import cpu_seconds, keep_to_two_cores, peak_mb
from benchmarks.tables import table
from pipelines.command import stopped_like_ctrl_c
from pipelines.domain.durations import duration_text, parse_duration
from producer.accounts.grant import Grant, to_record

GOAL_MB = 300
_PATIENCE_SECONDS = 20
_LOOK_EVERY_SECONDS = 0.2
# Of somebody's shell, what would change what is measured.
_FOREIGN = ("SPOTIFY_", "GOOGLE_", "PUBSUB_", "K_SERVICE", "CLOUD_RUN_JOB")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class BenchmarkError(Exception):
    """There is no figure to show. The text says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """``latency`` is what the way to Spotify and back takes."""

    accounts: int
    interval: timedelta
    latency: timedelta
    seed: int


@dataclass(frozen=True, slots=True)
class Round:
    """Every account polled once. ``seconds`` are from the first poll's end to the last one's, ``peak_mb`` up to then.

    ``cpu_seconds`` are the process's since the round before, so all of an interval is in them.
    """

    name: str
    polls: int
    published: int
    seconds: float
    cpu_seconds: float
    peak_mb: float


def run(options: Options) -> list[Round]:
    """The rounds of a service, and one as fast as it goes. Raises BenchmarkError, also where counts disagree."""
    with tempfile.TemporaryDirectory(prefix="heavy-rotation-") as folder, _world(options, Path(folder)) as world:
        rounds = [*_service(world, options), _once(world, options)]
        listed, published, arrived = world.ask_spotify(), sum(each.published for each in rounds), world.ask_topic()
    # A message may arrive twice, where an acknowledgement is lost.
    if not listed.plays == published <= arrived:
        raise BenchmarkError(
            f"Spotify listed {listed.plays:,} plays, the producer published {published:,}, {arrived:,} arrived"
        )
    if listed.others:
        raise BenchmarkError(f"{listed.others:,} requests were none that a poll should make")
    print(
        f"Spotify gave {listed.lists:,} lists, {listed.json_bytes / listed.lists / 1e3:.0f} KB of JSON each, "
        f"{listed.sent_bytes / listed.lists / 1e3:.1f} KB compressed, and {listed.tokens:,} tokens. "
        f"{listed.plays:,} plays were listed, {published:,} published, {arrived:,} arrived."
    )
    return rounds


def _service(world: "_World", options: Options) -> Iterator[Round]:
    """The first round, and the one after."""
    accounts, interval = options.accounts, options.interval.total_seconds()
    print(f"A service that polls {accounts:,} accounts every {duration_text(options.interval)}:")
    with _Poller(world, "service", "--every", f"{interval:.0f}s") as poller:
        log = poller.log
        poller.wait_for_polls(1, accounts, 2 * interval)
        yield (first := poller.round("first round, everything is new", 1))
        poller.wait_for_polls(2, accounts, 2 * interval)
        yield poller.round("steady round", 2, first)
        poller.stop()
        print(f"from one poll of an account to its next: {log.longest_pause():.1f} s at most")


def _once(world: "_World", options: Options) -> Round:
    """What a restart has to do, without a pause between accounts: how fast it can be."""
    print("All of them polled once, as fast as it goes:")
    with _Poller(world, "once", "--once") as poller:
        poller.wait_for_polls(1, options.accounts, options.interval.total_seconds())
        poller.wait_for_end()
        return poller.round("as fast as it goes, after a restart", 1)


@dataclass(slots=True)
class _Log:
    """What the producer tells of its polls, read as it grows. Times are seconds since 1970."""

    path: Path
    polls: dict[str, list[float]] = field(default_factory=dict)
    published: int = 0
    trouble: str | None = None
    read_to: int = 0

    def read(self) -> None:
        """Take in the lines that are new."""
        with self.path.open("rb") as file:
            file.seek(self.read_to)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self.read_to += len(whole)
        for line in whole.splitlines():
            self._take(orjson.loads(line))

    def _take(self, entry: dict[str, Any]) -> None:
        if entry["severity"] != "INFO":
            self.trouble = self.trouble or entry["message"]
        elif entry.get("event") == "poll":
            account = entry["logging.googleapis.com/labels"]["account"]
            self.polls.setdefault(account, []).append(datetime.fromisoformat(entry["time"]).timestamp())
            self.published += entry["plays_published"]

    def longest_pause(self) -> float:
        """The longest time from a poll of an account to its next, in seconds."""
        return max(after - before for at in self.polls.values() for before, after in pairwise(at))


class _Poller:
    """The producer as a process of its own, on two cores."""

    def __init__(self, world: "_World", name: str, *arguments: str) -> None:
        self.log = _Log(world.folder / f"{name}.log")
        logins, state = world.folder / "logins", world.folder / "state"
        command = ["poll", *arguments, "--topic", topic.TOPIC, "--logins", str(logins), "--state", str(state)]
        with self.log.path.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "producer", *command],
                env=world.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        keep_to_two_cores(self._process.pid)
        self._cpu_seconds = self._peak_mb = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Ask it to end. Raises BenchmarkError where it does not, or not well."""
        self._process.terminate()
        self.wait_for_end()

    def wait_for_end(self) -> None:
        """Wait until it has ended by itself. Raises BenchmarkError where it does not, or not well."""
        try:
            code = self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise BenchmarkError("the producer did not end") from None
        if code:
            raise BenchmarkError(f"the producer ended with exit code {code}")

    def wait_for_polls(self, nth: int, accounts: int, seconds: float) -> None:
        """Wait until so many accounts were polled so often. Raises BenchmarkError."""
        ends = time.monotonic() + seconds
        while sum(len(at) >= nth for at in self.log.polls.values()) < accounts:
            if time.monotonic() > ends:
                raise BenchmarkError(f"the producer did not poll {accounts:,} accounts within {seconds:.0f} s")
            time.sleep(_LOOK_EVERY_SECONDS)
            has_ended = self._process.poll() is not None
            if not has_ended:
                self._cpu_seconds, self._peak_mb = cpu_seconds(self._process.pid), peak_mb(self._process.pid)
            self.log.read()
            if self.log.trouble:
                raise BenchmarkError(f"the producer was in trouble: {self.log.trouble}")
            if has_ended and len(self.log.polls) < accounts:
                raise BenchmarkError(f"the producer has ended after {len(self.log.polls):,} accounts")

    def round(self, name: str, nth: int, before: Round | None = None) -> Round:
        """The figures of the accounts' nth polls, which are all over; ``before`` is the round before."""
        at = [times[nth - 1] for times in self.log.polls.values()]
        published = self.log.published - (before.published if before else 0)
        spent = self._cpu_seconds - (before.cpu_seconds if before else 0)
        return Round(name, len(at), published, max(at) - min(at), spent, self._peak_mb)


@dataclass(frozen=True, slots=True)
class _World:
    """What the producer deals with, and how to ask for what happened there."""

    folder: Path
    environment: dict[str, str]
    ask_spotify: Callable[[], crowd.Counts]
    ask_topic: Callable[[], int]


@contextmanager
def _world(options: Options, folder: Path) -> Iterator[_World]:
    """Spotify, Pub/Sub and a store of logins, until the block ends."""
    _store_logins(folder / "logins", options.accounts)
    certificate, trusted = folder / "server.pem", folder / "trusted.pem"
    # Beside all that are usually trusted: reading those is part of the work.
    trusted.write_bytes(Path(certifi.where()).read_bytes() + crowd.write_certificate(certificate))
    settings = crowd.Settings(options.accounts, options.latency.total_seconds(), options.seed, certificate)
    with _server(topic.serve) as (pubsub, to_topic), _server(crowd.serve, settings) as (spotify, to_spotify):
        environment = {name: value for name, value in os.environ.items() if not _is_foreign(name)} | {
            "LOG_FORMAT": "json",
            "PUBSUB_EMULATOR_HOST": pubsub,
            "REQUESTS_CA_BUNDLE": str(trusted),
            "SPOTIFY_ACCOUNTS_URL": spotify,
            "SPOTIFY_API_URL": spotify,
            "SPOTIFY_CLIENT_ID": "benchmark",
            "SPOTIFY_CLIENT_SECRET": "benchmark",
        }

        def ask_spotify() -> crowd.Counts:
            to_spotify.send(crowd.Counts)
            counts: crowd.Counts = to_spotify.recv()
            return counts

        def ask_topic() -> int:
            to_topic.send(topic.COUNT)
            return int(to_topic.recv())

        yield _World(folder, environment, ask_spotify, ask_topic)


@contextmanager
def _server(serve: Callable[..., None], *arguments: object) -> Iterator[tuple[str, Connection]]:
    """A server in a process of its own: the address that it sends first, and the pipe. It ends with the pipe."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(*arguments, there), daemon=True)
    process.start()
    there.close()
    try:
        yield here.recv(), here
    finally:
        here.close()
        process.join(_PATIENCE_SECONDS)
        process.kill()


def _store_logins(folder: Path, accounts: int) -> None:
    """As ``producer login`` leaves them, without waiting for the disk each time."""
    folder.mkdir(mode=0o700)
    for number in range(accounts):
        account_id = crowd.account_id(number)
        grant = Grant(account_id, crowd.refresh_token(number), datetime.now(UTC))
        path = folder / f"{account_id}.json"
        path.touch(0o600)
        path.write_bytes(orjson.dumps(to_record(grant)))


def _is_foreign(name: str) -> bool:
    return name.startswith(_FOREIGN) or name.lower() in _PROXIES


def _table(rounds: Sequence[Round], options: Options) -> str:
    interval = options.interval.total_seconds()
    head = ("round", "polls", "plays", "seconds", "of interval", "polls/s", "CPU seconds", "of two cores", "peak MB")
    return table(
        head,
        [
            (
                each.name,
                f"{each.polls:,}",
                f"{each.published:,}",
                f"{each.seconds:.1f}",
                f"{each.seconds / interval:.0%}",
                f"{each.polls / each.seconds:.0f}",
                f"{each.cpu_seconds:.1f}",
                f"{each.cpu_seconds / (2 * interval):.1%}",
                f"{each.peak_mb:.0f}",
            )
            for each in rounds
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and print the figures. Exit code 1 where there are none, or a round takes too long or too much memory."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_accounts", description=__doc__, allow_abbrev=False)
    parser.add_argument("--accounts", type=int, default=5000, help="how many (default: %(default)s)")
    parser.add_argument("--every", type=parse_duration, default="10m", help="the interval (default: %(default)s)")
    parser.add_argument("--latency_ms", type=int, default=100, help="of each answer (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of what is played (default: %(default)s)")
    given = parser.parse_args(argv)
    options = Options(given.accounts, given.every, timedelta(milliseconds=given.latency_ms), given.seed)
    try:
        with stopped_like_ctrl_c():
            rounds = run(options)
    except BenchmarkError as error:
        print(f"benchmark: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\n{_table(rounds, options)}\n")
    peak, slowest = max(each.peak_mb for each in rounds), max(each.seconds for each in rounds)
    is_reached = peak < GOAL_MB and slowest < options.interval.total_seconds()
    print(
        f"Every round within the interval, in less than {GOAL_MB} MB: {'reached' if is_reached else 'NOT REACHED'} "
        f"(on {len(os.sched_getaffinity(0))} cores, of which the producer may use two)"
    )
    return 0 if is_reached else 1


if __name__ == "__main__":
    sys.exit(main())
