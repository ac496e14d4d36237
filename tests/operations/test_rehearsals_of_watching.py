"""Rehearsals of the runbook's section about what is watched."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.faults import RateLimited
from tests.commands import Run, run
from tests.operations.runbook import told
from tests.operations.runs import keep_login, log_in
from tests.operations.test_rehearsals_of_accounts import in_folder
from tests.standins.spotify import Person

__all__ = ["run"]

pytestmark = pytest.mark.long


def test_watching_fails(
    spotify: Person, app: Callable[[str], None], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_RUN_JOB", "snapshot")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    where = in_folder(tmp_path)
    doctor = told("Watching fails", "producer", where)
    snapshot = ["snapshot", "--once", *doctor[1:]]
    state = f"--state={tmp_path / 'state'}"
    artists = [artist.id for artist in dict.fromkeys(album.artist for album, _ in spotify.library.catalogue.albums)]
    app(spotify.accounts.client_secret)
    keep_login(spotify, where["$LOGINS"])
    for artist in artists[:2]:
        assert run("watch", "add", f"artist:{artist}", state).code == 0
    spotify.faults.add(RateLimited(600), path=f"/v1/artists/{artists[1]}")
    assert run(*snapshot).code == 0, "no error: what is left is asked then"

    (tmp_path / "state" / "asking.json").unlink()  # ten minutes later
    spotify.accounts.revoke()
    ran = run(*snapshot)
    assert ran.code == 1
    [line] = [line for line in map(json.loads, ran.err.splitlines()) if line["severity"] == "ERROR"]
    assert "the login has ended" in line["message"]
    assert "the login has ended" in run(*doctor).out

    log_in(told("A token near its end", "producer", where))
    assert run(*snapshot).code == 0
    assert [line.count("last 20") for line in run("watch", "list", state).out.splitlines()] == [1, 1]
