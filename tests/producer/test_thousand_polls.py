"""The proof: whatever goes wrong, every play that Spotify lists gets to Pub/Sub, and what cannot is told as a gap.

Most polls are ``Account.poll`` in this process: the code that ``poll`` runs for each turn, over real HTTP and gRPC,
with a clock and a ``wait`` of the test. The others are made by processes, ``heavy-rotation poll`` as it is, with
the real clock, that end by SIGKILL; the next one, and the next poll in this process, go on from what is on disk.

HEAVY_ROTATION_POLLS says how many polls in this process (the thousand takes some minutes), HEAVY_ROTATION_SEED what
is drawn. ``pytest -s`` shows the figures.
"""

import os
import random
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import grpc
import pytest

from demo.faults import (
    DroppedConnection,
    DuplicateItems,
    Fault,
    HeldBack,
    LateListing,
    NotJson,
    QuotaExceeded,
    RateLimited,
    ResetConnection,
    ServerError,
    ShuffledItems,
    SlowAnswer,
    TruncatedBody,
    Unauthorized,
)
from pipelines.clock import utc_now
from pipelines.domain.instants import to_millis
from pipelines.domain.play import Play
from tests.producer.chaos import LISTED, TOKEN, World
from tests.producer.killing import MOMENTS, Victim

POLLS = int(os.environ.get("HEAVY_ROTATION_POLLS", "160"))
SEED = int(os.environ.get("HEAVY_ROTATION_SEED", "1"))
POLLS_TO_A_KILL = 16
# Fewer than Spotify lists, so that no play can be lost for another reason than the producer's.
FEW = LISTED - 5
MANY = 1_000_000
# A service polls every 10 minutes, and sooner after trouble.
SECONDS_APART = (20.0, 900.0)

pytestmark = [pytest.mark.long, pytest.mark.timeout(60 + 2 * POLLS)]


def draw_fault(rng: random.Random) -> Fault:
    """Something that goes wrong with a request."""
    faults: list[Callable[[], Fault]] = [
        lambda: RateLimited(rng.randint(1, 5)),
        lambda: RateLimited(rng.randint(20, 55)),
        lambda: RateLimited(rng.choice([None, "soon", "-5", "", format_datetime(utc_now() + timedelta(seconds=90))])),
        lambda: ServerError(rng.choice([500, 502, 503, 504])),
        lambda: ServerError(rng.choice([500, 502, 503, 504])),
        DroppedConnection,
        ResetConnection,
        TruncatedBody,
        lambda: NotJson(rng.choice([200, 502])),
        lambda: NotJson(
            200, rng.choice([b"", b"null", b"[]", b"{}", b'{"items": null}', b'{"items": [{"track"', b"\xff"])
        ),
        lambda: SlowAnswer(rng.uniform(0.01, 0.1)),
        Unauthorized,
    ]
    return rng.choice(faults)()


def draw_listing(rng: random.Random, *, with_held_back: bool) -> Fault:
    """A list that is not what it should be."""
    faults: list[Callable[[], Fault]] = [
        lambda: LateListing(rng.uniform(60, 7200)),
        DuplicateItems,
        lambda: DuplicateItems(fills_page=True),
        ShuffledItems,
    ]
    if with_held_back:
        faults += [lambda: HeldBack(rng.uniform(60, 3600), rng.randrange(1000))] * 2
    return rng.choice(faults)()


def draw_long_limit(rng: random.Random) -> Fault:
    """Hours in which Spotify wants no request."""
    if rng.random() < 0.4:
        return QuotaExceeded(rng.choice([None, 48_925, 3600]))
    return RateLimited(rng.choice([600, 3600, 48_925, 74_214, 200_000]))


def something_goes_wrong(world: World, *, with_held_back: bool, long_limits: float) -> None:
    """Draw what is to go wrong with the next polls; ``long_limits`` is how often Spotify wants none for hours."""
    rng, faults = world.rng, world.spotify.faults
    if rng.random() < 0.45:
        for _ in range(rng.choice([1, 1, 1, 2, 3, 7])):
            faults.add(draw_fault(rng))
    if rng.random() < 0.25:
        faults.add(draw_listing(rng, with_held_back=with_held_back))
    if rng.random() < 0.06:
        faults.add(draw_fault(rng), path=TOKEN)
    if rng.random() < long_limits:
        faults.add(draw_long_limit(rng), path=rng.choice([TOKEN, "/v1/me/player/recently-played"]))
    if rng.random() < 0.06:
        world.spotify.accounts.expire_access_tokens()
    world.spotify.accounts.rotate = rng.random() < 0.5
    world.is_stop_likely = rng.random() < 0.2


def publishing_goes_wrong(world: World, *, may_be_stored: bool) -> None:
    """Draw what is to go wrong with the next publishes: refused, stored without a word of it, or nobody there."""
    rng, faults = world.rng, world.publish_faults
    luck = rng.random()
    if luck < 0.1:
        for _ in range(rng.choice([1, 1, 2])):
            faults.queue.append((rng.choice(list(TRANSIENT + FINAL)), may_be_stored and rng.random() < 0.5))
    faults.standing = rng.choice(TRANSIENT + FINAL) if luck > 0.98 else None
    if luck > 0.992:
        world.figures["times Pub/Sub was stopped"] += 1
        world.stop_pubsub()


TRANSIENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED)
FINAL = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAUTHENTICATED)


def next_poll(world: World, retry_at_least: float) -> float:
    """Seconds to the next poll: at the right time, as the service does it, or too early, as a scheduler does."""
    apart = world.rng.uniform(*SECONDS_APART)
    return apart if world.rng.random() < 0.5 else max(apart, retry_at_least)


def go_through(world: World, polls: int, *, with_held_back: bool, may_be_stored: bool, long_limits: float) -> None:
    """So many polls in this process, with trouble."""
    wait = 0.0
    for _ in range(polls):
        world.pass_time(next_poll(world, wait))
        something_goes_wrong(world, with_held_back=with_held_back, long_limits=long_limits)
        publishing_goes_wrong(world, may_be_stored=may_be_stored)
        outcome = world.poll()
        wait = (outcome.retry_at - world.now).total_seconds() if outcome.retry_at else 0.0
        world.start_pubsub()
        if world.rng.random() < 0.05:
            world.figures["restarts in this process"] += 1
            world.restart()


# What a process, which goes by the real clock, gets over within a second or two.
SHORT_TROUBLE: list[Fault] = [
    RateLimited(1), ServerError(), DroppedConnection(), ResetConnection(), TruncatedBody(), NotJson(), SlowAnswer(0.1),
    LateListing(600), HeldBack(600, 7), ShuffledItems(), DuplicateItems(), DuplicateItems(fills_page=True),
]  # fmt: skip


def kill_one(world: World, victim: Victim, moment: str) -> None:
    """Start processes until one of them is killed at that moment."""
    # A process goes by the real clock, and so must not find a time of the virtual one that it has to wait for.
    world.calm()
    while True:
        world.pass_time(600)
        world.spotify.quiet_until = None
        for _ in range(world.rng.choice([0, 1, 2])):
            world.spotify.faults.add(world.rng.choice(SHORT_TROUBLE))
        world.spotify.accounts.rotate = world.rng.random() < 0.3
        is_killed = victim.live_and_die(moment)
        world.look()
        world.see_to_the_login()
        world.figures["processes"] += 1
        if is_killed:
            world.figures["killed"] += 1
            world.figures[f"killed {moment}"] += 1
            return


def show(title: str, world: World, plays: list[Play], **more: object) -> None:
    """The figures."""
    print(f"\n{title}, seed {SEED}")
    facts = dict(world.figures) | {"plays published": len({play.played_at for play in plays})} | more
    for name, value in facts.items():
        print(f"  {name.replace('_', ' '):<42} {value}")
    for name, count in sorted(world.spotify.met.items()):
        print(f"  answers of Spotify: {name:<22} {count}")
    for name, count in sorted(world.publish_faults.met.items()):
        print(f"  publishes: {name:<31} {count}")


def test_every_play_that_spotify_ever_lists_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than 45 plays pass between two polls that go well: all of them are published, at least once."""
    moments = list(MOMENTS) * POLLS
    with World(SEED, tmp_path, FEW, monkeypatch.setenv).running() as world:
        world.calm()
        victim = Victim(world, tmp_path / "processes.log", random.Random(f"kills/{SEED}"))
        for number in range(POLLS // POLLS_TO_A_KILL):
            go_through(world, POLLS_TO_A_KILL, with_held_back=True, may_be_stored=True, long_limits=0.03)
            kill_one(world, victim, moments[number])
        go_through(world, POLLS % POLLS_TO_A_KILL, with_held_back=True, may_be_stored=True, long_limits=0.03)
        world.calm()
        plays = world.pull()
        gaps = world.gaps()

    published = {to_millis(play.played_at) for play in plays}
    listed, heard = world.spotify.listed, set(world.listener.listable)
    show(
        "Every play", world, plays,
        plays_listed=len(listed), plays_repeated=len(plays) - len(published), plays_missing=len(listed - published),
    )  # fmt: skip
    assert listed - published == set(), "none missing"
    assert published - listed == set(), "none invented"
    assert heard == listed, "the list itself left none out in the end"
    assert {play.user_id for play in plays} == {world.account_id}
    names = {to_millis(each.ended_at): each.what.name for each in world.listener.plays}
    assert all(play.track_name == names[to_millis(play.played_at)] for play in plays)
    assert len({(play.user_id, play.played_at) for play in plays}) == len(heard), "once each, after deduplication"
    assert gaps == []
    assert world.spotify.asked_too_early == 0
    assert "Traceback" not in (tmp_path / "processes.log").read_text()


def test_plays_that_are_lost_lie_in_gaps_that_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The listener goes on through hours in which Spotify answers nothing: lost is what the gaps say, and no more.

    Plays that are held back while newer ones are listed are left out here: those that leave the list before they
    ever were in it cannot be known of. So are publishes that are stored and not acknowledged: what is stored is then
    published and, as far as the producer knows, not.
    """
    with World(SEED, tmp_path, MANY, monkeypatch.setenv).running() as world:
        world.calm()
        go_through(world, POLLS, with_held_back=False, may_be_stored=False, long_limits=0.1)
        world.calm()
        plays = world.pull()
        gaps = world.gaps()

    published = {to_millis(play.played_at) for play in plays}
    heard = world.listener.listable
    lost = [instant for instant in heard if instant not in published]
    spans = [(to_millis(gap.start), to_millis(gap.end)) for gap in gaps]
    show("Gaps", world, plays, plays_heard=len(heard), plays_lost=len(lost), gaps_told=len(gaps))
    assert lost, "nothing is shown where nothing is lost"
    assert published <= set(heard)
    for start, end in spans:
        assert {start, end} <= published, "a gap lies between two plays that are known"
    inside = [sum(start < instant < end for start, end in spans) for instant in heard]
    assert [instant for instant, count in zip(heard, inside, strict=True) if count] == lost
    assert set(inside) == {0, 1}, "gaps don't overlap"
    assert caplog.text.count("may be missing between") >= len(gaps)
