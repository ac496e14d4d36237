"""Forgetting an account: in a folder, in Secret Manager, in buckets; and polls that run beside it."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import grpc
import pytest
from gcp_storage_emulator.server import create_server

from demo.faults import Answer
from pipelines.clock import utc_now
from pipelines.domain.month import Calendar
from pipelines.storage.archive import Archive
from pipelines.storage.bucket import client
from pipelines.storage.folder import locked, traces
from producer.accounts.grant import Grant, LoginStore
from producer.accounts.login import LoggedOutError, logins_of
from producer.accounts.stores import store_of
from producer.polling.account import Account
from producer.polling.publishing import ArchiveDestination
from producer.private_files import StateError
from producer.spotify.client import Endpoints
from producer.spotify.client import Spotify as Client
from producer.state import forgetting
from producer.state.cursor import Cursors
from producer.state.documents import Documents, rejected_of
from producer.state.imports import note_import
from tests.commands import Ran, Run
from tests.producer.exports import plays_in
from tests.producer.test_service import REPOSITORY, Folders, service, stopped, wait_for
from tests.standins.cloud_storage import Bucket
from tests.standins.secret_manager import SecretManager
from tests.standins.spotify import ManySpotify

APP = {"SPOTIFY_CLIENT_ID": "client"}
APPS = "https://www.spotify.com/account/apps"


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "logins", tmp_path / "state", tmp_path / "archive")


@pytest.fixture(params=["folder", "Secret Manager"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> LoginStore:
    if request.param == "folder":
        return store_of(str(tmp_path / "logins"))
    request.getfixturevalue("secret_manager")
    return store_of("secretmanager://p")


class Spotify(ManySpotify):
    """``meanwhile`` happens while it is asked for an access token."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] = lambda: None

    def _token(self, name: str) -> Answer:
        self.meanwhile()
        return super()._token(name)


@pytest.fixture
def spotify(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spotify]:
    with Spotify() as server:
        monkeypatch.setenv("SPOTIFY_API_URL", server.url)
        monkeypatch.setenv("SPOTIFY_ACCOUNTS_URL", server.url)
        monkeypatch.setenv("SPOTIFY_CLIENT_ID", "client")
        yield server


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Send Cloud Storage's client to a server."""

    def at(url: str) -> None:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        client.cache_clear()

    yield at
    client().close()
    client.cache_clear()


def log_in(store: LoginStore | str | Path, *names: str) -> None:
    """A token that polls and hidden things can be told by."""
    store = store_of(str(store)) if isinstance(store, str | Path) else store
    for name in names:
        store.save(Grant(name, f"refresh-{name}", utc_now()))


def remember(state: str | Path, *names: str, times: int = 1) -> None:
    cursors = Cursors(state)
    for name in names:
        for number in range(times):
            cursors.change(cursors.read(name), lambda cursor, number=number: replace(cursor, newest=number))


def reject(state: str | Path, name: str, user_id: str) -> None:
    documents = Documents(rejected_of(str(state)))
    documents.replace(name, {"user_id": user_id, "item": {"track": "hidden"}}, documents.read(name).version)


def files(folder: Path) -> dict[str, bytes]:
    """All that could be of an account: not which archive the state is of."""
    files = (path for path in folder.rglob("*") if path.is_file() and "archive.json" not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def logout(run: Run, folders: Folders, *options: str) -> Ran:
    return run("logout", "--state", folders.state, "--logins", folders.logins, *options)


def fill(folders: Folders, *names: str) -> None:
    """Each account has all that a folder ever holds of one, also after crashes."""
    log_in(folders.logins, *names)
    remember(folders.state, *names)
    for name in names:
        with (store := store_of(str(folders.logins))).refreshing(name):
            assert store.replace(Grant(name, f"refresh-{name}.new", utc_now()))  # leaves two locks
        (folders.logins / f".{name}.json.0abc_xyz").write_text("refresh-part")
        (folders.state / "cursors" / f".{name}.json.0abc_xyz").write_text("{")
        reject(folders.state, f"{name}-1.json", name)
        note_import(str(folders.state), name, utc_now(), {"rows": 1})
        (folders.state / "hidden").mkdir(exist_ok=True)
        (folders.state / "hidden" / f"{quote(name, safe='')}.json").write_text('{"hidden": {}}')
        [login] = [
            each
            for each in logins_of(APP | {"SPOTIFY_REFRESH_TOKEN": f"given-{name}"}, folders.state, store_of("nowhere"))
            if each.account_id is None
        ]
        login.keep_account(name)
        with login.refreshing():
            login.keep_refresh_token("refresh-rotated")


# One command


def test_an_account_goes_and_others_stay(run: Run, folders: Folders, tmp_path: Path) -> None:
    others = ["ben", "ann.json", "an", ".ann", "été"]
    fill(folders, *others)
    without = files(tmp_path)
    fill(folders, "ann")
    before = files(tmp_path)
    dry = logout(run, folders, "--account", "ann", "--dry-run")
    assert (dry.code, dry.err, files(tmp_path)) == (0, "", before)
    ran = logout(run, folders, "--account", "ann")
    assert (ran.code, ran.err, files(tmp_path)) == (0, "", without)
    [environment] = (
        folders.state / "from_environment" / Path(name).name
        for name in {*before} - {*without}
        if "from_environment" in name and name.endswith(".json")
    )
    assert ran.out.splitlines() == [
        "logged out  ann",
        f"removed     {folders.logins / 'ann.json'}",
        f"removed     {environment}",
        f"removed     {folders.state / 'cursors' / 'ann.json'}",
        f"removed     {folders.state / 'imports' / 'ann.json'}",
        f"removed     {folders.state / 'hidden' / 'ann.json'}",
        f"removed     {folders.state / 'rejected' / 'ann-1.json'}",
        "",
        f"next: its owner removes the app at {APPS}; nobody else can end a token at Spotify",
        "      take the account's token out of SPOTIFY_REFRESH_TOKEN wherever it is polled",
        "      plays, if they are to go too: heavy-rotation forget --user ann --dry-run",
    ]
    expected = ran.out.replace("logged out  ann", "dry run     nothing of ann was removed")
    assert dry.out == expected.replace("removed     ", "found       ")
    assert "refresh" not in dry.out + ran.out
    again = logout(run, folders, "--account", "ann")
    assert (again.code, again.out) == (
        0,
        f"there is nothing of ann in {folders.logins}, nor in {folders.state}; "
        "the accounts there: .ann, an, ann.json, ben, été\n",
    )
    assert files(tmp_path) == without


@pytest.mark.parametrize("kept", ["login", "damaged login", "part of a login", "cursor", "lock", "reject"])
def test_what_an_interrupted_one_left_goes(run: Run, folders: Folders, tmp_path: Path, kept: str) -> None:
    match kept:
        case "login":
            log_in(folders.logins, "ann")
        case "damaged login":
            folders.logins.mkdir()
            (folders.logins / "ann.json").write_text('{"refresh_token": "refresh')
        case "part of a login":
            folders.logins.mkdir()
            (folders.logins / ".ann.json.abcdefgh").write_text("refresh")
        case "cursor":
            remember(folders.state, "ann")
        case "lock":
            (folders.state / "cursors").mkdir(parents=True)
            (folders.state / "cursors" / ".ann.json.lock").touch()
        case "reject":
            reject(folders.state, "1.json", "ann")
    ran = logout(run, folders, "--account", "ann")
    assert (ran.code, ran.out.count("removed "), files(tmp_path)) == (0, 1, {})
    assert "refresh" not in ran.out
    assert "; no account is there" in logout(run, folders, "--account", "ann").out


def test_many_accounts_are_not_all_named(run: Run, folders: Folders) -> None:
    log_in(folders.logins, *(f"n{number:02}" for number in range(30)))
    assert logout(run, folders, "--account", "ann").out.endswith("n18, n19 and 10 more\n")


def test_wrong_usage(run: Run, folders: Folders) -> None:
    assert (logout(run, folders).code, logout(run, folders, "--account", " ").code) == (2, 2)


def test_what_cannot_be_read_is_told_before_anything_is_removed(run: Run, folders: Folders, tmp_path: Path) -> None:
    log_in(folders.logins, "ann")
    (folders.state / "rejected").mkdir(parents=True)
    damaged = folders.state / "rejected" / "1.json"
    damaged.write_text("[]")
    before = files(tmp_path)
    ran = logout(run, folders, "--account", "ann")
    told = f"error: {damaged} is damaged; remove it, and run the same command again\n"
    assert (ran.code, ran.err, files(tmp_path)) == (1, told, before)


def test_a_place_that_is_a_file(run: Run, folders: Folders) -> None:
    folders.logins.touch()
    ran = logout(run, folders, "--account", "ann")
    assert (ran.code, ran.err) == (1, f"error: {folders.logins} is a file, and a folder is needed there\n")


# Secret Manager


def test_a_secret_goes_with_all_versions(secret_manager: SecretManager, run: Run, folders: Folders) -> None:
    where = ["--logins", "secretmanager://p", "--state", folders.state, "--account"]
    store = store_of("secretmanager://p")
    log_in(store, "ann", "ben", "ann")
    # Another's, which has the prefix in its name and no label.
    secret_manager.secrets["projects/p/secrets/heavy-rotation-app"] = {}
    secret_manager.versions["projects/p/secrets/heavy-rotation-app"] = [b"hidden"]
    secret = "projects/p/secrets/heavy-rotation-ann"
    assert f"found       {secret}\n" in run("logout", *where, "ann", "--dry-run").out
    assert len(secret_manager.versions[secret]) == 2
    ran = run("logout", *where, "ann")
    assert (ran.code, ran.err, f"removed     {secret}\n" in ran.out) == (0, "", True)
    assert (store.accounts(), secret in secret_manager.versions) == (["ben"], False)
    for name in ("ann", "app"):
        ran = run("logout", *where, name)
        told = f"there is nothing of {name} in secretmanager://p, nor in {folders.state}; the accounts there: ben\n"
        assert (ran.code, ran.out) == (0, told)
    assert len(secret_manager.secrets) == 2


@pytest.mark.parametrize("method", ["ListSecrets", "DeleteSecret"])
def test_a_refusal_is_told(secret_manager: SecretManager, run: Run, folders: Folders, method: str) -> None:
    log_in("secretmanager://p", "ann")
    remember(folders.state, "ann")
    secret_manager.refuses[method] = grpc.StatusCode.PERMISSION_DENIED
    options = ["--logins", "secretmanager://p", "--state", folders.state, "--account", "ann"]
    ran = run("logout", *options)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: Secret Manager refused ")
    assert ran.err.endswith(f"{method} refused\n")
    assert Cursors(folders.state).accounts() == ["ann"]
    secret_manager.refuses.clear()
    assert run("logout", *options).code == 0
    assert store_of("secretmanager://p").accounts() == Cursors(folders.state).accounts() == []


# Buckets


def test_older_versions_go_too(at: Callable[[str], None], run: Run, folders: Folders) -> None:
    state = "gs://bucket/state"
    options = ["--logins", folders.logins, "--state", state, "--account", "ann"]
    with Bucket(versioned=True) as bucket:
        at(bucket.url)
        remember(state, "ann", "ben", times=3)
        bucket.put("state/cursors/ann.json.json", b"another's")
        reject(state, "1.json", "ann")
        reject(state, "2.json", "ben")
        bucket.delete("state/rejected/1.json", None)  # by hand; an older version is left
        before = dict(bucket.versions)
        dry = run("logout", *options, "--dry-run")
        assert f"found       {state}/cursors/ann.json, 3 versions\nfound       {state}/rejected/1.json\n" in dry.out
        assert bucket.versions == before
        ran = run("logout", *options)
        assert (ran.code, ran.err) == (0, "")
        assert f"removed     {state}/cursors/ann.json, 3 versions\n" in ran.out
        assert b"ann" not in b"".join(data for data, _ in bucket.versions.values())
        assert {name for name, _ in bucket.versions} == {
            "state/cursors/ann.json.json", "state/cursors/ben.json", "state/rejected/2.json",
        }  # fmt: skip
        assert run("logout", *options).out.startswith("there is nothing of ann in ")


def test_on_google_s_emulator(at: Callable[[str], None], run: Run, folders: Folders) -> None:
    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    try:
        at(f"http://127.0.0.1:{server._api._httpd.server_address[1]}")
        remember("gs://bucket/state", "ann", "ben")
        options = ["--logins", folders.logins, "--state", "gs://bucket/state", "--account", "ann"]
        ran = run("logout", *options)
        assert (ran.code, "removed     gs://bucket/state/cursors/ann.json\n" in ran.out) == (0, True)
        assert Cursors("gs://bucket/state").accounts() == ["ben"]
        assert run("logout", *options).out.endswith("; the accounts there: ben\n")
    finally:
        server.stop()


# Beside a poll


def test_a_token_that_comes_after_it_is_not_kept(store: LoginStore, tmp_path: Path) -> None:
    log_in(store, "ann", "ben")
    ann, ben = logins_of(APP, tmp_path, store)
    with ann.refreshing():
        store.remove("ann")
        with pytest.raises(LoggedOutError, match="it was logged out here"):
            ann.keep_refresh_token("refresh-rotated")
        ann.discard_refresh_token()
    with pytest.raises(LoggedOutError), ann.refreshing():
        pytest.fail("there is no lease on a login that is not there")
    assert (store.accounts(), store.traces("ann")) == (["ben"], [])
    ben.check_there()
    with ben.refreshing():
        ben.discard_refresh_token()
    ben.check_there()
    log_in(store, "ann")
    ann.check_there()


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_a_cursor_that_was_removed_is_not_written_anew(where: str, tmp_path: Path, at: Callable[[str], None]) -> None:
    with Bucket() as bucket:
        at(bucket.url)
        state = str(tmp_path) if where == "folder" else "gs://bucket/state"
        remember(state, "ann")
        cursors = Cursors(state)
        known = cursors.read("ann")
        place = Documents(state).place("cursors/ann.json")
        forgetting.remove(place)
        with pytest.raises(StateError, match=f"{place} was removed meanwhile, and stays so"):
            cursors.change(known, lambda cursor: replace(cursor, newest=9))
        assert (forgetting.traces(state, "ann"), bucket.objects, files(tmp_path)) == ([], {}, {})
        cursors.change(cursors.read("ann"), lambda cursor: replace(cursor, newest=9))
        assert cursors.load("ann").newest == 9


def in_a_process(folders: Folders) -> None:
    """What ``run`` cannot do in the middle of another command."""
    command = [sys.executable, "-m", "producer", "logout", "--account", "ann", *folders.options[2:]]
    subprocess.run(command, check=True, capture_output=True, cwd=REPOSITORY)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_poll_that_is_given_a_new_token_meanwhile(
    spotify: Spotify, run: Run, folders: Folders, tmp_path: Path, is_new: bool
) -> None:
    log_in(folders.logins, "ann")
    if not is_new:
        remember(folders.state, "ann")
    spotify.rotates, spotify.meanwhile = True, lambda: in_a_process(folders)
    ran = run("poll", "--once", *folders.options)
    told = "ann: it was logged out here; it is not polled any more, and no login of it is kept\n"
    assert (ran.code, ran.out, ran.err, files(tmp_path)) == (0, told, "", {})


def test_a_poll_whose_token_is_refused_meanwhile(spotify: Spotify, run: Run, folders: Folders, tmp_path: Path) -> None:
    log_in(folders.logins, "ann")
    spotify.ended.add("ann")
    spotify.meanwhile = lambda: in_a_process(folders)
    assert run("poll", "--once", *folders.options).code == 1
    assert files(tmp_path) == {}


def test_a_poll_that_has_its_plays_already(spotify: Spotify, run: Run, folders: Folders, tmp_path: Path) -> None:
    log_in(folders.logins, "ann")
    remember(folders.state, "ann")

    spotify.trouble["ann"] = lambda: in_a_process(folders)
    ran = run("poll", "--once", *folders.options)
    place = folders.state / "cursors" / "ann.json"
    assert (ran.code, ran.out, ran.err) == (1, "", f"error: ann: {place} was removed meanwhile, and stays so\n")
    assert files(tmp_path) == {}


def test_a_poll_that_has_not_begun(spotify: Spotify, run: Run, folders: Folders, tmp_path: Path) -> None:
    log_in(folders.logins, "ann")
    remember(folders.state, "ann")
    [login] = logins_of(APP, folders.state, store_of(str(folders.logins)))
    logout(run, folders, "--account", "ann")
    into = ArchiveDestination(Archive(str(folders.archive)), Calendar())
    with closing(Client(login, Endpoints(spotify.url, spotify.url))) as spotifys:
        outcome = Account(login, spotifys, Cursors(folders.state), into).poll()
    assert (outcome.is_over, outcome.trouble) == (True, None)
    assert (spotify.polled, files(tmp_path)) == ([], {})


@pytest.mark.long
def test_a_service_goes_on_without_the_account_until_it_logs_in_again(
    spotify: Spotify, run: Run, folders: Folders
) -> None:
    log_in(folders.logins, "ann", "ben")
    with service(folders) as process:
        wait_for(lambda: {"ann", "ben"} <= {*Cursors(folders.state).accounts()})
        assert logout(run, folders, "--account", "ann").code == 0
        many = len(spotify.polls_of("ben")) + 4
        wait_for(lambda: len(spotify.polls_of("ben")) >= many)
        asked = len(spotify.polls_of("ann"))
        wait_for(lambda: len(spotify.polls_of("ben")) >= many + 2)
        assert len(spotify.polls_of("ann")) == asked
        assert logout(run, folders, "--account", "ann").out.startswith("there is nothing of ann in ")
        log_in(folders.logins, "ann")
        wait_for(lambda: len(spotify.polls_of("ann")) > asked)
        ran = stopped(process)
    assert ran.out.count("ann: it was logged out here; it is not polled any more") == 1
    assert {play.user_id for play in plays_in(folders.archive)} == {"ann", "ben"}


def test_a_token_that_waits_for_the_lock_of_a_removal_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, path, kept = store_of(str(tmp_path)), tmp_path / "ann.json", []
    log_in(store, "ann")
    asks = threading.Event()

    def asked(path: Path) -> AbstractContextManager[None]:
        asks.set()
        return locked(path)

    monkeypatch.setattr("producer.accounts.stores.locked", asked)
    with locked(path):
        waiting = threading.Thread(target=lambda: kept.append(store.replace(Grant("ann", "refresh-new", None))))
        waiting.start()
        assert asks.wait(30)
        for file in traces(path):
            file.unlink()
    waiting.join()
    assert (kept, store.accounts()) == ([False], [])
