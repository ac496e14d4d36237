"""The demonstration, step by step: each step says what it does, with the command that a person would type."""

import io
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from google.api_core.exceptions import GoogleAPICallError
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from rich.console import Console
from rich.live import Live

import producer.__main__ as producer
from demo.board import Board, draw, read_board
from demo.catalogue import stable_id
from demo.export import write_export
from demo.listener import Listen, Listener
from demo.own_music import own_catalogue
from demo.processes import Process, run
from demo.pubsub import PubSubServer
from demo.spotify import SpotifyServer
from demo.spotify_library import Playlist
from pipelines.failure import Failure
from pipelines.storage.archive import Archive, fields_of

_PAST = timedelta(days=365)
_LIVE = timedelta(days=2)
_POLL_SECONDS = 1.5
_START_SECONDS = 60
_PROJECT = "heavy-rotation-demo"
_MARKER = ".heavy-rotation-demo"
# What a demonstration leaves in its folder.
_LEFT = {_MARKER, "archive", "warehouse", "state", "my_spotify_data.zip", "stream.log"}
_SEED = 1
_WATCHED_TRACKS, _WATCHED_ARTISTS = 20, 3
_WATCHED_EVERY = "1s"  # a day otherwise
_ABOUT_WATCHED = (
    "SELECT came_at, left_at, track_name, artist_name FROM heavy_rotation.playlist_history "
    "WHERE left_at IS NOT NULL OR NOT is_from_the_start ORDER BY came_at, last_position",
    "SELECT artist_name, taken_at, source, popularity, followers FROM heavy_rotation.artist_history "
    "ORDER BY artist_name, taken_at",
    "SELECT artist_name, track_name, duration_ms, isrc, album_release_date FROM heavy_rotation.track_info "
    "WHERE isrc IS NOT NULL ORDER BY artist_name, track_name LIMIT 3",
)


class DemonstrationError(Exception):
    """It cannot go on. The text is for the user."""


class Demonstration:
    """A year of the past imported and rebuilt, then two days of plays live in half a minute."""

    def __init__(self, console: Console, folder: Path, export: Path | None, seconds: int) -> None:
        self.console = console
        self.folder = folder
        self.export = export
        self.seconds = seconds
        self.archive = folder / "archive"
        self.warehouse = folder / "warehouse"
        self.state = folder / "state"
        self.environment = dict(os.environ)
        self.live_from = datetime.now(UTC) - _LIVE
        self.listener = Listener(_SEED)
        self._live_began: float | None = None

    def run(self) -> None:
        """All of it. Raises DemonstrationError; whatever it started has ended afterwards."""
        began = time.monotonic()
        with ExitStack() as stack:
            try:
                spotify = stack.enter_context(SpotifyServer(self._live_listens, clock=self._virtual_now))
                pubsub = self._pubsub(stack)
            except OSError as error:
                raise DemonstrationError(str(error)) from error
            self._prepare_folder(spotify.account_id)
            self._say(1, "The outside world, on this machine")
            self.console.print(f"  Spotify look-alike {spotify.url}\n  Pub/Sub            {pubsub}")
            self._import_past(spotify.account_id)
            playlist = self._watch_items(spotify)
            self._rebuild()
            topic, subscription = self._topic(stack)
            self._stream_live(spotify, playlist, topic, subscription)
        self._finish(time.monotonic() - began)

    def _prepare_folder(self, account: str) -> None:
        """What an earlier demonstration left goes, unless somebody has put something of their own to it."""
        marker = self.folder / _MARKER
        if self.folder.exists() and not marker.exists() and any(self.folder.iterdir()):
            raise DemonstrationError(f"{self.folder} has something else in it; name another with --folder")
        if own := self._own_things(account):
            raise DemonstrationError(
                f"{self.folder} has {own} in it, which no demonstration made; move that away, or name another folder: "
                "make demo FOLDER=..."
            )
        try:
            for name in _LEFT - {_MARKER}:
                path = self.folder / name
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            self.folder.mkdir(parents=True, exist_ok=True)
            marker.touch()
        except OSError as error:
            raise DemonstrationError(f"cannot work in {self.folder}: {error.strerror}") from error

    def _own_things(self, account: str) -> str:
        """What in the folder is not a demonstration's: files, and plays of anybody but the look-alike's account."""
        if not self.folder.exists():
            return ""
        if others := sorted(path.name for path in self.folder.iterdir() if path.name not in _LEFT):
            return ", ".join(others)
        try:
            archive = Archive(str(self.archive))
            users = {
                play["user_id"]
                for path in archive.files()
                for play in fields_of(path, archive.read_bytes(path), ("user_id",))
            }
        except Failure:
            return f"an archive that cannot be read, {self.archive},"
        return f"plays of {', '.join(sorted(users - {account}))}" if users - {account} else ""

    def _pubsub(self, stack: ExitStack) -> str:
        address = self.environment.get("PUBSUB_EMULATOR_HOST")
        if address:
            return f"{address}, Google's emulator (PUBSUB_EMULATOR_HOST is set)"
        address = stack.enter_context(PubSubServer()).address
        os.environ["PUBSUB_EMULATOR_HOST"] = self.environment["PUBSUB_EMULATOR_HOST"] = address
        stack.callback(os.environ.pop, "PUBSUB_EMULATOR_HOST", None)
        return address

    def _import_past(self, user: str) -> None:
        self._say(2, "The past: an export of listening history into the raw Avro archive")
        path = self.export
        if path is None:
            listens = self.listener.listens(self.live_from - _PAST, self.live_from)
            path = write_export(self.folder / "my_spotify_data.zip", listens)
        to = ("--user", user, "--archive", str(self.archive), *self._own_state())
        self._command("producer", "import", str(path), *to)
        if self.export and (catalogue := own_catalogue(Archive(str(self.archive)))):
            self.listener = Listener(_SEED, catalogue)

    def _rebuild(self) -> None:
        self._say(4, "The tables of every month, made from the archive")
        self._command("pipelines.rebuild", "--archive", str(self.archive), "--warehouse", str(self.warehouse))
        if self.export:
            self._command("pipelines.top", "--warehouse", str(self.warehouse))

    def _watch_items(self, spotify: SpotifyServer) -> Playlist:
        self._say(3, "Watched: a playlist and three artists, as an app with all rights gets them")
        library = spotify.library
        library.has_all = True
        added_at = self.live_from.replace(hour=8, minute=0, second=0, microsecond=0)
        entries = [(added_at, album[1][0]) for album in library.catalogue.albums[:_WATCHED_TRACKS]]
        playlist = library.add(Playlist(stable_id("playlist", "demo"), "Line 13", list(entries)))
        artists = list(dict.fromkeys(album.artist.id for album, _ in library.catalogue.albums))[:_WATCHED_ARTISTS]
        links = [f"spotify:playlist:{playlist.id}", *(f"spotify:artist:{id_}" for id_ in artists)]
        self.environment |= self._login(spotify)
        self._command("producer", "watch", "add", *links, "--every", _WATCHED_EVERY, "--state", str(self.state))
        self._snapshot("--archive", str(self.archive))
        return playlist

    def _a_day_later(self, spotify: SpotifyServer, playlist: Playlist) -> None:
        """At Spotify: one track of the playlist goes, two others come, and the artists are heard by others."""
        library = spotify.library
        new = [album[1][1] for album in library.catalogue.albums[:2]]
        playlist.put([*((datetime.now(UTC), track) for track in new), *playlist.entries[1:]])
        library.day += 1

    def _snapshot(self, *to: str) -> None:
        self._command("producer", "snapshot", "--once", *to, *self._own_state())

    def _topic(self, stack: ExitStack) -> tuple[str, str]:
        name = f"plays-{uuid4().hex[:8]}"
        topic, subscription = f"projects/{_PROJECT}/topics/{name}", f"projects/{_PROJECT}/subscriptions/{name}"
        publisher = stack.enter_context(PublisherClient())
        subscriber = stack.enter_context(SubscriberClient())
        try:
            publisher.create_topic(name=topic, timeout=10, retry=None)
            subscriber.create_subscription(name=subscription, topic=topic, timeout=10, retry=None)
        except GoogleAPICallError as error:
            raise DemonstrationError(f"Pub/Sub does not answer: {error.message}") from error
        stack.callback(publisher.delete_topic, topic=topic)
        stack.callback(subscriber.delete_subscription, subscription=subscription)
        return topic, subscription

    def _stream_live(self, spotify: SpotifyServer, playlist: Playlist, topic: str, subscription: str) -> None:
        self._say(5, f"Live: two days of listening in {self.seconds} seconds, polled, streamed, counted")
        arguments = [
            *("-m", "pipelines.stream", "--subscription", subscription),
            *("--archive", str(self.archive), "--warehouse", str(self.warehouse)),
            *("--refresh-seconds", "2", "--archive-batch-seconds", "1"),
        ]
        self._show_command(arguments)
        self._show_command(["-m", "producer", "poll", "--once", "--topic", topic, *self._own_state()])
        with Process(arguments, self.environment, self.folder / "stream.log") as stream:
            stream.wait_for("Ctrl-C", _START_SECONDS)
            self._a_day_later(spotify, playlist)
            self._snapshot("--topic", topic)
            self._watch(spotify, topic, stream)
            self.console.print("  Stopping the stream; it finishes what it has read ...")
            if stream.stop() != 0:
                raise DemonstrationError(f"the stream failed; {stream.log} says why")
        self.console.print("  Stopped.")

    def _watch(self, spotify: SpotifyServer, topic: str, stream: Process) -> None:
        board = before = read_board(self.warehouse, spotify.account_id)
        self._live_began = began = time.monotonic()
        with Live(console=self.console, refresh_per_second=4, transient=False) as live:
            # Two polls after the last play leave the stream time to show it.
            while time.monotonic() - began < self.seconds + 4 * _POLL_SECONDS:
                if not stream.is_running():
                    raise DemonstrationError(f"the stream ended by itself; {stream.log} says why")
                caption = f"{self._virtual_now():%d %b %H:%M} UTC  {self._poll(spotify, topic)}"
                new = read_board(self.warehouse, spotify.account_id)
                if new and new != board:
                    before, board = board, new
                    self._tell(new, caption)
                if board:
                    live.update(draw(board, before, caption, self.console.width))
                time.sleep(_POLL_SECONDS)
        if not self.console.is_terminal:
            self.console.print()

    def _tell(self, board: Board, caption: str) -> None:
        """Where nothing can be redrawn, as in a log, one line for each change."""
        if not self.console.is_terminal:
            name, artist, plays = board.tops["track"][0]
            self.console.print(
                f"  {caption}: {board.plays:,} plays in {board.month:%B}; first {name} · {artist} ({plays})",
                soft_wrap=True,
            )

    def _poll(self, spotify: SpotifyServer, topic: str) -> str:
        os.environ |= self._login(spotify)
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            code = producer.main(["poll", "--once", "--topic", topic, *self._own_state()])
        if code != 0:
            raise DemonstrationError(said.getvalue().strip())
        # "ACCOUNT: 43 listed, 8 new, 8 published to TOPIC"
        return said.getvalue().strip().splitlines()[-1].partition(": ")[2].partition(" to ")[0]

    def _login(self, spotify: SpotifyServer) -> dict[str, str]:
        return {
            "SPOTIFY_CLIENT_ID": spotify.accounts.client_id,
            "SPOTIFY_CLIENT_SECRET": spotify.accounts.client_secret,
            "SPOTIFY_REFRESH_TOKEN": spotify.accounts.refresh_token,
            "SPOTIFY_API_URL": spotify.url,
            "SPOTIFY_ACCOUNTS_URL": spotify.url,
        }

    def _own_state(self) -> list[str]:
        """Apart from what the user's own polling remembers, and above all from the user's own logins."""
        return ["--state", str(self.state), "--logins", str(self.state / "logins")]

    def _virtual_now(self) -> datetime:
        """The look-alike's clock: two days pass while the live part runs, and then it is now."""
        if self._live_began is None:
            return self.live_from
        passed = min((time.monotonic() - self._live_began) / self.seconds, 1.0)
        return self.live_from + passed * _LIVE

    def _live_listens(self, start: datetime, end: datetime) -> Iterator[Listen]:
        # The export has what came before: a play that is in both would have two times, whole seconds there and
        # milliseconds here.
        return self.listener.listens(max(start, self.live_from), end)

    def _finish(self, seconds: float) -> None:
        self._say(6, "The top ten, and what was watched, asked for in BigQuery's SQL")
        sql = (
            "SELECT month, rank, track_name, artist_name, plays FROM heavy_rotation.monthly_top_tracks "
            "QUALIFY month = MAX(month) OVER () ORDER BY month, rank"
        )
        for query in (sql, *_ABOUT_WATCHED):
            self._command("pipelines.query", "--warehouse", str(self.warehouse), query)
        self.console.print(
            f"\n[bold]Done in {seconds:.0f} s.[/] What there is now:\n"
            f"  {self.archive}    every play and snapshot, raw, in Avro: the truth\n"
            f"  {self.warehouse}  the tables, in Parquet, made from it\n"
            "\nWhat to type next:\n"
            f"  .venv/bin/heavy-rotation web --warehouse {self.warehouse}    shows it all as pages, in a browser\n"
            f"  .venv/bin/heavy-rotation query --warehouse {self.warehouse}    lists what can be asked\n"
            "  make demo EXPORT=~/Downloads/my_spotify_data.zip    takes your own history as the past\n"
            "  .venv/bin/heavy-rotation import --help    says how to keep it for good",
            soft_wrap=True,
        )

    def _command(self, module: str, *arguments: str) -> None:
        self._show_command(["-m", module, *arguments])
        if (code := run(["-m", module, *arguments], self.environment)) != 0:
            raise DemonstrationError(f"{module} ended with {code}")

    def _show_command(self, arguments: list[str]) -> None:
        words = (f'"{word}"' if " " in word else word for word in arguments)
        self.console.print(f"  [cyan]$ python {' '.join(words)}[/]", soft_wrap=True)

    def _say(self, number: int, text: str) -> None:
        self.console.print(f"\n[bold]{number}/6 {text}[/]")
