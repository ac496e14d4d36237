"""A world in which everything goes wrong that can: a listener, Spotify, Pub/Sub and the producer, in one hand.

Time is virtual: it passes where a test lets it pass, and where the producer waits. The listener plays on and on
meanwhile. What goes wrong is drawn from a seed; only the instants at which processes are killed are not.
"""

import json
import os
import random
import threading
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import requests
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from demo.catalogue import Track
from demo.faults import (
    RECENTLY_PLAYED,
    Answer,
    DroppedConnection,
    Fault,
    NotJson,
    ResetConnection,
    TruncatedBody,
)
from demo.listener import Listen, Listener
from demo.pubsub import PubSubServer
from demo.spotify import SpotifyServer
from demo.spotify_http import Call
from pipelines.domain.instants import parse, to_millis
from pipelines.domain.play import Play, from_message
from producer.accounts.grant import Grant
from producer.accounts.login import logins_of
from producer.accounts.stores import store_of
from producer.polling.account import Account, Outcome
from producer.polling.publishing import TopicDestination
from producer.spotify.client import Endpoints, Spotify
from producer.spotify.oauth import Accounts, App, Attempt
from producer.spotify.transport import Transport
from producer.state.cursor import Cursors
from producer.state.gaps import Gap

TOKEN = "/api/token"
START = datetime(2026, 11, 10, 20, tzinfo=UTC)
TOPIC, SUBSCRIPTION = "projects/chaos/topics/plays", "projects/chaos/subscriptions/all"
REDIRECT_URI = "http://127.0.0.1:8721/callback"
LISTED = 50
_CATALOGUE = Listener(1).catalogue
_TRACKS = [track for _, tracks in _CATALOGUE.albums for track in tracks]

Trap = Callable[[str], None]


class Restless:
    """Somebody who never stops listening, except where told to.

    ``plays`` is everything played so far, in order, with what Spotify does not list: short plays and episodes.
    """

    def __init__(self, rng: random.Random) -> None:
        self.plays: list[Listen] = []
        self.listable: list[int] = []
        self._rng = rng
        self._free_at = START - timedelta(hours=12)
        self._next = self._draw()

    def go_on(self, until: datetime, at_most: int) -> None:
        """Listen until then; but once Spotify could list ``at_most`` more, rest."""
        while self._free_at + timedelta(milliseconds=self._next.ms_played) <= until:
            ended_at = self._free_at + timedelta(milliseconds=self._next.ms_played)
            play = Listen(
                ended_at, self._next.ms_played, self._next.what, None, "playbtn", "trackdone", False, False, "ios"
            )
            if isinstance(play.what, Track) and play.ms_played > 30_000:
                if at_most <= 0:
                    self._free_at = until
                    return
                at_most -= 1
                self.listable.append(to_millis(ended_at))
            self.plays.append(play)
            self._free_at = ended_at + timedelta(milliseconds=self._pause())
            self._next = self._draw()

    def listens(self, start: datetime, end: datetime) -> Iterator[Listen]:
        """A ``History``."""
        first = bisect_left(self.plays, start, key=lambda play: play.ended_at)
        return iter(self.plays[first : bisect_left(self.plays, end, key=lambda play: play.ended_at)])

    def _pause(self) -> int:
        return self._rng.randrange(300_000, 3_000_000) if self._rng.random() < 0.02 else self._rng.randrange(150, 1200)

    def _draw(self) -> Listen:
        kind = self._rng.random()
        what = (
            self._rng.choice(_CATALOGUE.episodes) if kind < 0.03
            else self._rng.choice(_CATALOGUE.local_tracks) if kind < 0.07
            else self._rng.choice(_TRACKS)
        )  # fmt: skip
        ms_played = (
            self._rng.randrange(900, 30_000) if self._rng.random() < 0.1 else self._rng.randrange(30_500, 220_000)
        )
        return Listen(START, ms_played, what, None, "", "", False, False, "")


class Recorder(SpotifyServer):
    """The look-alike, with a record of what it listed.

    ``listed`` are the instants of every play in an answer that was sent to its last byte, or would have been had
    the client lived to receive it: an answer with status 200 that was not spoiled on its way. ``met`` counts
    answers by the fault that they met.
    """

    def __init__(self, listener: Restless, clock: Callable[[], datetime]) -> None:
        self.listed: set[int] = set()
        self.met: Counter[str] = Counter()
        self.trap: Trap | None = None
        self.quiet_until: datetime | None = None
        self.asked_too_early = 0
        self.is_refusal_explained = True
        self._unused_access_token: str | None = None
        super().__init__(listener.listens, clock=clock, token_clock=clock)

    def answer(self, call: Call, fault: Fault | None) -> Answer:
        answer = super().answer(call, fault)
        if self.quiet_until and self.clock() < self.quiet_until:
            self.asked_too_early += 1
        if answer.status == 429:
            self._ask_for_quiet(answer)
        name = type(fault).__name__ if fault else str(answer.status)
        self.met[name if call.path != TOKEN else f"{name} at the accounts service"] += 1
        is_whole = answer.status == 200 and not isinstance(
            fault, NotJson | DroppedConnection | ResetConnection | TruncatedBody
        )
        if call.path == TOKEN:
            self._token_answered(answer)
        elif call.authorization == f"Bearer {self._unused_access_token}":
            self._unused_access_token = None
        if call.path == RECENTLY_PLAYED and is_whole:
            self.listed |= {to_millis(parse(item["played_at"])) for item in json.loads(answer.body)["items"]}
        if self.trap and is_whole:
            self.trap("token" if call.path == TOKEN else "list" if call.path == RECENTLY_PLAYED else "profile")
        return answer

    def _ask_for_quiet(self, answer: Answer) -> None:
        seconds = dict(answer.headers).get("Retry-After", "")
        if seconds.isdecimal():
            self.quiet_until = self.clock() + timedelta(seconds=min(int(seconds), 86_400))

    def _token_answered(self, answer: Answer) -> None:
        """A refresh token that was replaced works no more, and what replaced it may have been lost on the way.

        The producer keeps it before it uses the access token that came with it: where that was never used, it may
        not have received either.
        """
        if answer.status == 400:
            self.is_refusal_explained = self._unused_access_token is not None
        elif b"access_token" in answer.body:
            body = json.loads(answer.body)
            self._unused_access_token = body["access_token"] if "refresh_token" in body else None


class PublishFaults(grpc.ServerInterceptor):  # type: ignore[misc]
    """What goes wrong with a publish: refused, or stored and the answer lost. ``trap`` sees it before and after."""

    def __init__(self) -> None:
        self.queue: deque[tuple[grpc.StatusCode, bool]] = deque()
        self.standing: grpc.StatusCode | None = None
        self.met: Counter[str] = Counter()
        self.trap: Trap | None = None

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        handler = continuation(details)
        if not details.method.endswith("/Publish"):
            return handler

        def publish(request: Any, context: Any) -> Any:
            code, is_stored = self.queue.popleft() if self.queue else (self.standing, False)
            self._trap("publish")
            if code is None or is_stored:
                answer = handler.unary_unary(request, context)
                self._trap("stored")
            if code is not None:
                self.met[f"{code.name}, {'stored' if is_stored else 'refused'}"] += 1
                context.abort(code, "as the test wishes")
            self.met["taken"] += 1
            return answer

        return grpc.unary_unary_rpc_method_handler(publish, handler.request_deserializer, handler.response_serializer)

    def _trap(self, what: str) -> None:
        if self.trap:
            self.trap(what)


class World:
    """All of it. ``at_most`` is how many plays Spotify may come to list between two polls that go well."""

    def __init__(self, seed: int, folder: Path, at_most: int, setenv: Callable[[str, str], None]) -> None:
        # One for each who draws, so that how long a process lived changes nothing of what goes wrong afterwards.
        self.rng, self._stops, listening = (random.Random(f"{who}/{seed}") for who in ("faults", "stops", "listening"))
        self.now = START
        self.at_most = at_most
        self.listener = Restless(listening)
        self.listener.go_on(self.now, LISTED)
        self.spotify = Recorder(self.listener, lambda: self.now)
        self.publish_faults = PublishFaults()
        self.pubsub = PubSubServer(interceptors=[self.publish_faults])
        self.state, self.logins = folder / "state", folder / "logins"
        self.cursors = Cursors(self.state)
        self.store = store_of(str(self.logins))
        self.figures: Counter[str] = Counter()
        self.is_stop_likely = False
        self.is_pubsub_running = True
        self._setenv = setenv
        self._unseen_from = 0
        self._lock = threading.Lock()

    @contextmanager
    def running(self) -> Iterator["World"]:
        """Spotify and Pub/Sub, and a producer that has logged in."""
        with self.spotify, self.pubsub:
            accounts = self.spotify.accounts
            self._setenv("PUBSUB_EMULATOR_HOST", self.pubsub.address)
            self._setenv("SPOTIFY_API_URL", self.spotify.url)
            self._setenv("SPOTIFY_ACCOUNTS_URL", self.spotify.url)
            self._setenv("SPOTIFY_CLIENT_ID", accounts.client_id)
            self._setenv("SPOTIFY_CLIENT_SECRET", accounts.client_secret)
            self._make_topic()
            self._transport = Transport(self._wait, lambda: self.now)
            try:
                self.log_in()
                # Patience is in real seconds; for the product it is half a minute.
                self.destination = TopicDestination(TOPIC, patience_seconds=0.4)
                self.restart()
                yield self
            finally:
                self._transport.close()

    def stop_pubsub(self) -> None:
        """Refuse connections from now on."""
        self.pubsub.stop()
        self.is_pubsub_running = False

    def start_pubsub(self) -> None:
        """Go on at the same address, if it was stopped."""
        if not self.is_pubsub_running:
            self.pubsub.start()
            self.is_pubsub_running = True

    # Time

    def pass_time(self, seconds: float) -> None:
        """Let the listener listen for so long."""
        with self._lock:
            self.now += timedelta(milliseconds=round(1000 * seconds))
            listable = self.listener.listable
            self.listener.go_on(self.now, self.at_most - (len(listable) - self._unseen_from))

    def look(self) -> None:
        """Note how far the producer has come, by its cursor: the first play that it has not published."""
        published = set(self.cursors.load(self.account_id).published)
        with self._lock:
            listable = self.listener.listable
            while self._unseen_from < len(listable) and listable[self._unseen_from] in published:
                self._unseen_from += 1

    def _wait(self, seconds: float) -> bool:
        self.pass_time(seconds)
        # Now and then, the program is told to stop while it waits.
        stops = self.is_stop_likely and self._stops.random() < 0.02
        self.figures["waits"] += 1
        self.figures["waits ended by a stop"] += stops
        return stops

    # The producer

    @property
    def account_id(self) -> str:
        return self.spotify.account_id

    def restart(self) -> None:
        """A new producer in this process: all that it knows is on disk."""
        [login] = logins_of(os.environ, self.state, self.store)
        spotify = Spotify(login, Endpoints.of(os.environ), transport=self._transport)
        self.account = Account(login, spotify, self.cursors, self.destination, lambda: self.now)

    def poll(self) -> Outcome:
        """One poll, in this process, by the code that the service runs for each turn."""
        outcome = self.account.poll()
        self.figures["polls in this process"] += 1
        self.figures["of them went well" if outcome.trouble is None else "of them failed"] += 1
        assert outcome.trouble != "a bug in the producer"
        self.look()
        if outcome.needs_person:
            self.see_to_the_login()
        return outcome

    def calm(self) -> None:
        """All is well again, at Spotify and at Pub/Sub, and a poll goes well."""
        self.spotify.faults.clear()
        self.publish_faults.queue.clear()
        self.publish_faults.standing = None
        for _ in range(20):
            outcome = self.poll()
            if outcome.trouble is None:
                return
            wait = (outcome.retry_at - self.now).total_seconds() if outcome.retry_at else 0
            self.pass_time(max(60.0, wait))
        raise AssertionError(f"nothing is wrong any more, and still: {outcome.text}")

    def see_to_the_login(self) -> None:
        """Be the person: log in again, if the login has ended."""
        if self.store.load(self.account_id) is None:
            assert self.spotify.is_refusal_explained, "a login ends only where the answer with its new token was lost"
            self.figures["logins a person renewed"] += 1
            self.log_in()

    def log_in(self) -> None:
        """Log in as ``heavy-rotation login`` does, without a browser."""
        accounts = Accounts(
            App(self.spotify.accounts.client_id, self.spotify.accounts.client_secret), self.spotify.url, self._transport
        )
        attempt = Attempt.new()
        answer = requests.get(accounts.consent_url(attempt, REDIRECT_URI), allow_redirects=False, timeout=5)
        code = answer.headers["Location"].partition("code=")[2].partition("&")[0]
        tokens = accounts.redeem(code, attempt, REDIRECT_URI)
        assert tokens
        assert tokens.refresh_token
        self.store.save(Grant(self.account_id, tokens.refresh_token, self.now))

    # The verdict

    def _make_topic(self) -> None:
        publisher, self.subscriber = PublisherClient(), SubscriberClient()
        publisher.create_topic(name=TOPIC)
        self.subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC, ack_deadline_seconds=600)
        publisher.stop()
        publisher.transport.close()

    def pull(self) -> list[Play]:
        """Every message of the topic, as a subscriber gets and acknowledges it."""
        plays: list[Play] = []
        with self.subscriber:
            while True:
                pulled = self.subscriber.pull(
                    subscription=SUBSCRIPTION, max_messages=1000, timeout=10
                ).received_messages
                if not pulled:
                    return plays
                plays += [from_message(received.message.data) for received in pulled]
                self.subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=[received.ack_id for received in pulled])

    def gaps(self) -> list[Gap]:
        return self.cursors.gaps(self.account_id)
