"""Tokens: who has one gets in, from anywhere, with its scopes, until it is revoked."""

import stat
from pathlib import Path

import pytest

from pipelines.clock import utc_now
from pipelines.failure import Failure
from tests.web.access.doors import browser, token, tokens_in
from web.access import command
from web.access.deciding import Access
from web.access.tokens import Tokens
from web.access.visitor import Scope

AFAR = "192.168.1.7"


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return tokens_in(tmp_path)


def test_a_token_opens_from_anywhere_and_under_any_name(tokens: Tokens) -> None:
    header = token(tokens, "phone")
    answer = browser(Access(tokens), client=AFAR, base="http://nas.local:8723").get("/", headers=header)
    assert answer.json() == {"name": "phone", "way": "token", "scopes": ["read"], "root": ""}


@pytest.mark.parametrize(
    "given", ["Bearer hr_wrong", "Bearer ", "Bearer", "Basic aHJfYTpi", "hr_wrong", "Bearer hr_" + "a" * 999]
)
def test_another_does_not_even_at_the_machine(tokens: Tokens, given: str) -> None:
    token(tokens, "phone")
    answer = browser(Access(tokens)).get("/", headers={"Authorization": given})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_scopes(tokens: Tokens) -> None:
    reads, asks = token(tokens, "reads"), token(tokens, "asks", Scope.READ, Scope.SQL)
    far = browser(Access(tokens), client=AFAR)
    refused = far.post("/sql", headers=reads)
    assert refused.status_code == 403
    assert "--scope sql" in refused.text
    assert far.post("/sql", headers=asks).json() == "asks"
    assert "at the machine" in far.post("/import", headers=asks).text


def test_a_revoked_one_is_none_at_once_also_for_a_browser(tokens: Tokens) -> None:
    header = token(tokens, "phone")
    kept = token(tokens, "kept")
    far = browser(Access(tokens), client=AFAR)
    cookie = {"Cookie": f"heavy-rotation={header['Authorization'].removeprefix('Bearer ')}"}
    assert far.get("/", headers=header).status_code == far.get("/", headers=cookie).status_code == 200
    Tokens(tokens.path).revoke("phone")  # another process
    assert far.get("/", headers=header).status_code == far.get("/", headers=cookie).status_code == 401
    assert far.get("/", headers=kept).status_code == 200


def test_the_file_is_its_owners_and_holds_no_token(tokens: Tokens) -> None:
    text = tokens.add("phone", (Scope.READ,), utc_now())
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(tokens.path.parent.stat().st_mode) == 0o700
    assert text not in tokens.path.read_text()
    assert text.removeprefix("hr_") not in tokens.path.read_text()


def test_a_file_that_others_may_read_is_refused(tokens: Tokens) -> None:
    header = token(tokens, "phone")
    tokens.path.chmod(0o640)
    answer = browser(Access(tokens), client=AFAR).get("/", headers=header)
    assert answer.status_code == 500
    assert "chmod 600" in answer.text
    with pytest.raises(Failure, match="chmod 600"):
        tokens.add("other", (Scope.READ,), utc_now())


def test_a_damaged_file_is_told(tokens: Tokens) -> None:
    token(tokens, "phone")
    tokens.path.write_text('{"tokens": [{"name": 1}]}')
    with pytest.raises(Failure, match="is damaged; remove it"):
        tokens.all()


def test_what_cannot_be_added_or_revoked(tokens: Tokens) -> None:
    tokens.add("phone", (Scope.READ,), utc_now())
    for name in ("", "a\nb", " a", "a" * 65):
        with pytest.raises(Failure, match="no name"):
            tokens.add(name, (Scope.READ,), utc_now())
    with pytest.raises(Failure, match="already"):
        tokens.add("phone", (Scope.READ,), utc_now())
    with pytest.raises(Failure, match="there is no token pad; there is phone"):
        tokens.revoke("pad")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = f"--tokens={tmp_path / 't.json'}"
    assert command.main(["list", file]) == 0
    assert "there is no token" in capsys.readouterr().err
    assert command.main(["add", "phone", "--scope", "sql", "--scope", "read", file]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("hr_")
    assert said.err == "the token phone, for read and sql; it is not shown again:\n"
    assert command.main(["list", file]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith("phone  read sql  since 20")
    assert said.out.strip() not in listed
    assert command.main(["revoke", "phone", file]) == 0
    assert command.main(["revoke", "phone", file]) == 1
    assert "there is no token phone; there is none at all" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [["add"], ["list", "a"], ["revoke"], ["drop", "a"], ["add", "a", "--scope", "own"], ["list", "--scope", "read"]],
)
def test_a_wrong_command_line(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(line)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err
