"""Where logins and the app come from, and how long a login lasts."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.failure import Failure
from producer.accounts.app import app_of
from producer.accounts.grant import TOKEN_LIFE, Grant
from producer.accounts.login import days_left, ending_soon, logins_of
from producer.accounts.stores import default_store, store_of
from producer.private_files import StateError
from producer.spotify.oauth import App, LoginError

APP = {"SPOTIFY_CLIENT_ID": "id", "SPOTIFY_CLIENT_SECRET": "hidden-secret"}
AT = datetime(2026, 5, 10, 20, tzinfo=UTC)


def write_private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


# The folder


def test_accounts_live_side_by_side_and_a_new_grant_replaces_the_old(tmp_path: Path) -> None:
    store = store_of(str(tmp_path / "logins"))
    assert (store.accounts(), store.load("me")) == ([], None)
    grants = [Grant(name, f"hidden-{name}", AT) for name in ("../../etc/passwd", "a b", "été", "me")]
    for grant in grants:
        store.save(grant)
    assert store.accounts() == ["../../etc/passwd", "a b", "me", "été"]
    assert [store.load(grant.account_id) for grant in grants] == grants
    store.save(Grant("me", "hidden-new", AT + timedelta(days=1)))
    assert store.load("me") == Grant("me", "hidden-new", AT + timedelta(days=1))
    left = [path.name for path in (tmp_path / "logins").iterdir() if not path.name.endswith(".lock")]
    assert len(left) == 4, "no part is left behind"


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    store = store_of(str(tmp_path / "logins"))
    store.save(Grant("me", "hidden", AT))
    path = tmp_path / "logins" / "me.json"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(StateError, match=f"open to other users; run: chmod 600 {path}"):
            store.load("me")


def test_an_ended_login_is_remembered_without_its_token(tmp_path: Path) -> None:
    store = store_of(str(tmp_path))
    store.save(Grant("me", "hidden", AT))
    store.discard("me", "another")
    assert store.load("me") == Grant("me", "hidden", AT), "only the token that is stored is discarded"
    store.discard("me", "hidden")
    assert (store.accounts(), store.load("me")) == (["me"], None)
    assert "hidden" not in (tmp_path / "me.json").read_text()
    [login] = logins_of(APP, tmp_path / "state", store)
    assert (login.account_id, login.refresh_token, days_left(login, AT)) == ("me", None, 0)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "{}", '{"account_id": "me", "refresh_token": "hidden", "authorized_at": "hidden"}']
)
def test_a_damaged_login_is_told(tmp_path: Path, text: str) -> None:
    path = write_private(tmp_path / "me.json", text)
    with pytest.raises(StateError, match=f"{path} is damaged; remove it and log in again") as raised:
        store_of(str(tmp_path)).load("me")
    assert "hidden" not in str(raised.value)


def test_the_folder_is_the_platforms_unless_said_otherwise(tmp_path: Path) -> None:
    assert default_store() == str(tmp_path / "config" / "heavy-rotation" / "logins")
    assert str(store_of("~/logins")) == os.path.expanduser("~/logins")  # noqa: PTH111 - not by the same means
    with pytest.raises(StateError, match="secretmanager://PROJECT or"):
        store_of("secretmanager://")


# Logins in use


def test_the_environments_login_gives_way_to_a_new_one_of_its_account(tmp_path: Path) -> None:
    store = store_of(str(tmp_path / "logins"))
    environment = APP | {"SPOTIFY_REFRESH_TOKEN": "hidden\n"}
    [given] = logins_of(environment, tmp_path, store)
    assert (given.account_id, given.refresh_token, given.authorized_at) == (None, "hidden", None)
    assert (days_left(given, AT), ending_soon(given, AT)) == (None, None)
    given.keep_account("me")
    with given.refreshing():
        given.discard_refresh_token()
    store.save(Grant("other", "hidden-other", AT))
    assert [login.refresh_token for login in logins_of(environment, tmp_path, store)] == ["hidden-other", None]
    store.save(Grant("me", "hidden-new", AT))
    assert [login.refresh_token for login in logins_of(environment, tmp_path, store)] == ["hidden-new", "hidden-other"]
    store.discard("me", "hidden-new")
    assert [login.account_id for login in logins_of(environment, tmp_path, store)] == ["other", "me"]


def test_another_token_in_the_environment_is_another_login(tmp_path: Path) -> None:
    store = store_of(str(tmp_path / "logins"))
    [login] = logins_of(APP | {"SPOTIFY_REFRESH_TOKEN": "one"}, tmp_path, store)
    login.keep_account("me")
    assert logins_of(APP | {"SPOTIFY_REFRESH_TOKEN": "one"}, tmp_path, store)[0].account_id == "me"
    assert logins_of(APP | {"SPOTIFY_REFRESH_TOKEN": "two"}, tmp_path, store)[0].account_id is None


def test_a_rotated_token_never_replaces_a_later_login(tmp_path: Path) -> None:
    store = store_of(str(tmp_path))
    store.save(Grant("me", "first", AT))
    [login] = logins_of(APP, tmp_path, store)
    with login.refreshing():
        login.keep_refresh_token("rotated")
    assert store.load("me") == Grant("me", "rotated", AT)
    later = Grant("me", "later", AT + timedelta(days=100))
    with login.refreshing():
        store.save(later)
        login.keep_refresh_token("rotated again")
    assert store.load("me") == later
    store.save(Grant("me", "first", AT))
    assert store.load("me") == later, "nor does an earlier login"
    with login.refreshing():
        assert (login.refresh_token, login.authorized_at) == ("later", later.authorized_at)


def test_a_token_refused_gives_way_to_the_one_that_is_stored(tmp_path: Path) -> None:
    store = store_of(str(tmp_path))
    store.save(Grant("me", "first", AT))
    [login] = logins_of(APP, tmp_path, store)
    with login.refreshing():
        store.save(Grant("me", "later", AT + timedelta(days=1)))
        login.discard_refresh_token()
        assert login.refresh_token == "later"
    assert store.load("me") == Grant("me", "later", AT + timedelta(days=1))


@pytest.mark.parametrize(
    ("days", "left", "warns"), [(0, 181, False), (149, 32, False), (150, 31, True), (180, 1, True), (181, 0, True),
                                (500, 0, True)],
)  # fmt: skip
def test_a_warning_from_the_fifth_month(tmp_path: Path, days: int, left: int, warns: bool) -> None:
    store = store_of(str(tmp_path))
    store.save(Grant("me", "hidden", AT))
    [login] = logins_of(APP, tmp_path, store)
    now = AT + timedelta(days=days)
    assert days_left(login, now) == left
    warning = ending_soon(login, now)
    assert (warning is not None) == warns
    assert warning is None or f"ends in about {left} day{'' if left == 1 else 's'}, as" in warning
    assert warning is None or f"log in again: heavy-rotation login --logins {tmp_path}" in warning


def test_six_months_are_never_shorter() -> None:
    for month in range(1, 13):
        begins = datetime(2026, month, 1, tzinfo=UTC)
        assert begins.replace(year=2026 + (month > 6), month=(month + 5) % 12 + 1) - begins >= TOKEN_LIFE


# The app


def test_the_app_is_in_the_environment_or_in_a_file(tmp_path: Path) -> None:
    assert app_of({"SPOTIFY_CLIENT_ID": " id ", "SPOTIFY_CLIENT_SECRET": "s\n"}) == App("id", "s")
    assert app_of({"SPOTIFY_CLIENT_ID": "id"}) == App("id", None)
    path = write_private(tmp_path / "app.json", json.dumps({"client_id": "id", "client_secret": "s"}))
    assert app_of({"SPOTIFY_CLIENT_FILE": str(path)}) == App("id", "s")
    assert app_of({"SPOTIFY_CLIENT_FILE": str(path), "SPOTIFY_CLIENT_ID": "id"}) == App("id", "s")
    assert "hidden" not in repr(App("id", "hidden"))


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "there is no SPOTIFY_CLIENT_ID in the environment"),
        (APP | {"SPOTIFY_CLIENT_FILE": "f"}, "SPOTIFY_CLIENT_SECRET and SPOTIFY_CLIENT_FILE; keep one"),
        ({"SPOTIFY_CLIENT_FILE": "nowhere.json"}, "there is no nowhere.json, which SPOTIFY_CLIENT_FILE names"),
        ({"SPOTIFY_CLIENT_SECRET_NAME": "x"}, "write it as projects/PROJECT/secrets/SECRET"),
    ],
)
def test_an_app_that_is_not_there(environment: dict[str, str], says: str) -> None:
    with pytest.raises(Failure, match=says) as raised:
        app_of(environment)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"client_id": 5}, "there must be"),
        ({"client_id": "a", "client_secret": ["hidden"]}, "there must be"),
        ({"client_id": "b"}, "SPOTIFY_CLIENT_ID is not the client_id in what SPOTIFY_CLIENT_FILE names"),
        (["hidden"], "is damaged; write it as"),
    ],
)
def test_a_file_that_is_not_an_apps(tmp_path: Path, value: object, says: str) -> None:
    path = write_private(tmp_path / "app.json", json.dumps(value))
    with pytest.raises(Failure, match=says) as raised:
        app_of({"SPOTIFY_CLIENT_FILE": str(path)} | ({"SPOTIFY_CLIENT_ID": "a"} if "ID is" in says else {}))
    assert "hidden" not in str(raised.value)


def test_an_app_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "app.json"
    path.write_text(json.dumps({"client_id": "id"}))
    path.chmod(0o644)
    with pytest.raises(StateError, match=f"run: chmod 600 {path}"):
        app_of({"SPOTIFY_CLIENT_FILE": str(path)})


@pytest.mark.parametrize(
    ("client_id", "secret", "says"),
    [
        ("“id”", "s", r"the client id has .* \(left double quotation mark\); copy it again"),
        ("id", "hidden–secret", r"the client secret has .* \(en dash\)"),
        ("id", "hidden secret", r"the client secret has .* \(space\)"),
        ("id", "hidden\x00secret", r"the client secret has .* \(u\+0000\)"),
        ("i\u200bd", "s", r"the client id has .* \(zero width space\)"),
    ],
)
def test_what_a_word_processor_makes_of_an_app(client_id: str, secret: str, says: str) -> None:
    with pytest.raises(LoginError, match=says) as raised:
        app_of({"SPOTIFY_CLIENT_ID": client_id, "SPOTIFY_CLIENT_SECRET": secret})
    assert "hidden" not in str(raised.value)


def test_an_app_is_needed_for_logins(tmp_path: Path) -> None:
    with pytest.raises(LoginError, match="SPOTIFY_CLIENT_ID"):
        logins_of({}, tmp_path, store_of(str(tmp_path)))
