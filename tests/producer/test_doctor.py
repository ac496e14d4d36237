"""What the doctor finds, each trouble made for real."""

import socket
import threading
import time
from dataclasses import replace
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from google.cloud import pubsub

from pipelines.clock import utc_now
from pipelines.storage.archive import Archive
from producer.accounts.grant import Grant
from producer.accounts.stores import FileStore
from producer.doctor.findings import Finding, Level, run_all
from producer.state.cursor import Cursor, Cursors
from producer.state.gaps import Gap
from tests.builders import play
from tests.commands import Ran, Run
from tests.standins.cloud_storage import Bucket, connected
from tests.standins.spotify import ManySpotify, log_in


@pytest.fixture
def spotify(many_spotify: ManySpotify) -> ManySpotify:
    return many_spotify


@pytest.fixture
def places(tmp_path: Path) -> list[str]:
    places = {name: str(tmp_path / name) for name in ("archive", "state", "logins")}
    return [text for name, place in places.items() for text in (f"--{name}", place)]


def remember(tmp_path: Path, **changes: object) -> None:
    """Ann was polled ten minutes after she was polled before, with these differences."""
    cursors = Cursors(tmp_path / "state")
    good = Cursor("ann", polled_at=utc_now(), interval=timedelta(minutes=10))
    cursors.change(cursors.read("ann"), lambda _: replace(good, **changes))  # type: ignore[arg-type]


def files(folder: Path) -> dict[Path, bytes]:
    """But for the locks that stay beside what they are for."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path: path.read_bytes() for path in files}


def not_ok(ran: Ran) -> list[str]:
    return [line for line in ran.out.splitlines() if not line.startswith("ok ")]


def test_all_is_well_and_nothing_changes(spotify: ManySpotify, run: Run, tmp_path: Path, places: list[str]) -> None:
    log_in(tmp_path / "logins", "ann")
    remember(tmp_path)
    before = files(tmp_path)
    ran = run("doctor", *places)
    assert (ran.code, ran.err, not_ok(ran)) == (0, "", [])
    assert [line.split(": ")[0].split() for line in ran.out.splitlines()] == [
        ["ok", subject] for subject in ["app", "Spotify", "clock", "state", "archive", *["ann"] * 5]
    ]
    assert files(tmp_path) == before
    assert not (tmp_path / "archive").exists()


def test_a_rotated_token_is_kept_and_said(spotify: ManySpotify, run: Run, tmp_path: Path, places: list[str]) -> None:
    spotify.rotates = True
    log_in(tmp_path / "logins", "ann")
    assert "gave a new refresh token, which is kept" in run("doctor", *places).out
    grant = FileStore(tmp_path / "logins").load("ann")
    assert grant
    assert grant.refresh_token != "refresh-ann"


def test_without_an_app(run: Run, places: list[str]) -> None:
    ran = run("doctor", *places)
    assert ran.code == 1
    assert "problem  app: there is no SPOTIFY_CLIENT_ID in the environment" in ran.out


def test_without_a_login(spotify: ManySpotify, run: Run, tmp_path: Path, places: list[str]) -> None:
    ran = run("doctor", *places)
    login = f"heavy-rotation login --logins {tmp_path / 'logins'}"
    assert (ran.code, not_ok(ran)) == (1, [f"problem  logins: no account has logged in; run: {login}"])


def test_a_login_that_has_ended(spotify: ManySpotify, run: Run, tmp_path: Path, places: list[str]) -> None:
    log_in(tmp_path / "logins", "ann")
    remember(tmp_path)
    spotify.ended.add("ann")
    for _ in range(2):
        ran = run("doctor", *places)
        assert ran.code == 1
        [line] = not_ok(ran)
        assert line.startswith("problem  ann: the login has ended")
        assert line.endswith(f"; log in again: heavy-rotation login --logins {tmp_path / 'logins'}")


def test_a_login_that_ends_soon(spotify: ManySpotify, run: Run, tmp_path: Path, places: list[str]) -> None:
    FileStore(tmp_path / "logins").save(Grant("ann", "refresh-ann", utc_now() - timedelta(days=160)))
    remember(tmp_path)
    ran = run("doctor", *places)
    [line] = not_ok(ran)
    assert ran.code == 0
    assert line.startswith("warning  ann: the login ends in about 2")


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"polled_at": None}, 1, "problem  ann: it was never polled with this --state; run: heavy-rotation poll"),
        ({"polled_at": timedelta(minutes=-31)}, 0, "warning  ann: last polled 31 min"),
        ({"polled_at": timedelta(days=-3)}, 1, "problem  ann: last polled 3 d ago; see why it stopped, or start it: "),
        ({"interval": timedelta(minutes=45)}, 0, "warning  ann: the last two polls were 45 min apart, and 50 plays"),
        ({"retry_at": timedelta(hours=2)}, 0, "warning  ann: Spotify asked to wait until "),
    ],
)
def test_polling(
    spotify: ManySpotify,
    run: Run,
    tmp_path: Path,
    places: list[str],
    changes: dict[str, timedelta | None],
    code: int,
    says: str,
) -> None:
    log_in(tmp_path / "logins", "ann")
    now = utc_now()
    ages = {name: now + value if value and name != "interval" else value for name, value in changes.items()}
    remember(tmp_path, **ages)
    ran = run("doctor", *places)
    [line] = not_ok(ran)
    assert line.startswith(says)
    assert ran.code == code


def test_gaps(spotify: ManySpotify, run: Run, tmp_path: Path, places: list[str]) -> None:
    log_in(tmp_path / "logins", "ann")
    now = utc_now()
    gap = Gap(now - timedelta(hours=3), now - timedelta(hours=1), now)
    remember(tmp_path, gaps=(gap,))
    ran = run("doctor", *places)
    assert ran.code == 1
    assert not_ok(ran) == [
        f"problem  ann: at least one play may be missing between {gap.start:%Y-%m-%d %H:%M:%S} UTC and "
        f"{gap.end:%Y-%m-%d %H:%M:%S} UTC; ask for your extended streaming history at "
        "https://www.spotify.com/account/privacy/, then: heavy-rotation import ~/Downloads/my_spotify_data.zip "
        f"--user ann "
        f"--archive {tmp_path / 'archive'} --state {tmp_path / 'state'}"
    ]


def test_a_hole_in_the_history(spotify: ManySpotify, run: Run, tmp_path: Path, places: list[str]) -> None:
    archive = Archive(places[1])
    archive.write(date(2026, 8, 1), [play("2026-08-10T10:00:00Z")])
    archive.write(date(2026, 11, 1), [play("2026-11-10T10:00:00Z")])
    log_in(tmp_path / "logins", "ann")
    remember(tmp_path)
    assert not_ok(run("doctor", *places)) == [
        "warning  history: no plays in 2026-09 to 2026-10; if you listened then, ask for your extended streaming "
        "history at https://www.spotify.com/account/privacy/, then: heavy-rotation import "
        f"~/Downloads/my_spotify_data.zip --archive {places[1]} --state {places[3]}"
    ]


def test_at_home_what_to_type_names_no_places(
    spotify: ManySpotify, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEAVY_ROTATION_HOME", str(tmp_path / "home"))
    log_in(tmp_path / "logins", "ann")
    ran = run("doctor", "--logins", tmp_path / "logins")
    command = f"heavy-rotation poll --every 10m --logins {tmp_path / 'logins'}"
    assert f"problem  ann: it was never polled with this --state; run: {command}" in ran.out.splitlines()


@pytest.mark.long
def test_no_network(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, places: list[str]) -> None:
    """Nobody answers: connections are taken, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for name in ("API_URL", "ACCOUNTS_URL"):
            monkeypatch.setenv(f"SPOTIFY_{name}", url)
        monkeypatch.setenv("SPOTIFY_CLIENT_ID", "client")
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", url.removeprefix("http://"))
        log_in(tmp_path / "logins", *(f"n{number}" for number in range(3)))
        began = time.monotonic()
        ran = run("doctor", *places[2:], "--topic", "projects/p/topics/t")
    assert time.monotonic() - began < 15
    assert ran.code == 1
    assert f"problem  Spotify: {url} cannot be reached" in ran.out
    assert f"problem  n0: cannot reach {url} (no answer in time)" in ran.out
    assert "problem  topic: Pub/Sub cannot be reached" in ran.out


def test_a_check_that_hangs_is_told() -> None:
    def fine() -> list[Finding]:
        return [Finding(Level.OK, "fine", "yes")]

    is_over = threading.Event()

    def hangs() -> list[Finding]:
        is_over.wait()
        return []

    found = run_all([("slow", hangs), ("fine", fine)], time.monotonic() + 0.2)
    is_over.set()
    assert [str(finding) for each in found for finding in each] == [
        "problem  slow: no answer in time; check the network, and run the command again",
        "ok       fine: yes",
    ]


def test_a_clock_that_is_wrong(run: Run, monkeypatch: pytest.MonkeyPatch, places: list[str]) -> None:
    class Late(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(time.time() - 300)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Late) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("SPOTIFY_API_URL", f"http://127.0.0.1:{server.server_address[1]}")
        ran = run("doctor", *places)
        server.shutdown()
    assert "problem  clock: this machine's is 5 min ahead; run: timedatectl set-ntp true" in ran.out.replace(
        "4 min 59 s", "5 min"
    )


def test_places_that_cannot_be_written(spotify: ManySpotify, run: Run, tmp_path: Path, places: list[str]) -> None:
    (tmp_path / "state").touch()
    (tmp_path / "archive").touch()
    ran = run("doctor", *places)
    for name in ("state", "archive"):
        assert f"problem  {name}: {tmp_path / name} is a file, and a folder is needed there" in ran.out


def test_no_destination_is_a_warning(spotify: ManySpotify, run: Run, tmp_path: Path, places: list[str]) -> None:
    log_in(tmp_path / "logins", "ann")
    remember(tmp_path)
    ran = run("doctor", *places[2:])
    assert ran.code == 0
    assert not_ok(ran) == ["warning  destination: not checked; name it as poll does, with --topic or --archive"]


def test_a_topic(
    spotify: ManySpotify, run: Run, places: list[str], pubsub_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_host)
    publisher = pubsub.PublisherClient()
    publisher.create_topic(name="projects/doctor/topics/there")
    try:
        assert (
            "ok       topic: projects/doctor/topics/there is there"
            in run("doctor", *places[2:], "--topic", "projects/doctor/topics/there").out
        )
        assert (
            "problem  topic: there is no projects/doctor/topics/missing; create it: gcloud pubsub topics create missing"
            in run("doctor", *places[2:], "--topic", "projects/doctor/topics/missing").out
        )
    finally:
        publisher.delete_topic(topic="projects/doctor/topics/there")
        publisher.stop()
        publisher.transport.close()


def test_buckets(spotify: ManySpotify, run: Run, places: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Bucket() as bucket, connected(bucket, monkeypatch):
        ran = run("doctor", "--archive", "gs://bucket/archive", "--state", "gs://bucket/state", *places[4:])
        assert "ok       archive: gs://bucket/archive can be written" in ran.out
        bucket.permissions.remove("storage.objects.delete")
        ran = run("doctor", "--archive", "gs://bucket/archive", "--state", "gs://bucket/state", *places[4:])
        assert (
            "problem  state: no permission for gs://bucket (storage.objects.delete); grant it: gcloud storage "
            in ran.out
        )
