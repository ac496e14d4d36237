"""Logs for people and for Google Cloud, the metrics in them, and the secrets that are not."""

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.faults import NotJson, QuotaExceeded
from pipelines.clock import utc_now
from pipelines.domain.instants import parse
from pipelines.logs import set_up_logging
from producer.accounts.grant import Grant
from producer.accounts.stores import FileStore
from tests.commands import Run
from tests.standins.spotify import ManySpotify, log_in, spoil_one

SECRET = "client-secret-77"


@pytest.fixture
def spotify(many_spotify: ManySpotify, monkeypatch: pytest.MonkeyPatch) -> ManySpotify:
    monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", SECRET)
    return many_spotify


@pytest.fixture
def poll(tmp_path: Path) -> list[str]:
    places = {name: str(tmp_path / name) for name in ("archive", "state", "logins")}
    return ["poll", "--once", *(text for name, place in places.items() for text in (f"--{name}", place))]


def entries(text: str) -> list[dict[str, Any]]:
    """Every line is a JSON object."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(("variable", "value"), [("K_SERVICE", "s"), ("CLOUD_RUN_JOB", "j"), ("LOG_FORMAT", "json")])
def test_a_poll_in_json(
    spotify: ManySpotify, run: Run, tmp_path: Path, poll: list[str], monkeypatch: pytest.MonkeyPatch, variable: str,
    value: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, value)
    log_in(tmp_path / "logins", "ann")
    ran = run(*poll)
    assert (ran.code, ran.out) == (0, "")
    [entry] = entries(ran.err)
    at = entry.pop("time")
    assert abs(utc_now() - parse(at)) < timedelta(seconds=20)
    days = entry.pop("token_days_left")
    assert 100 < days <= 181
    assert entry == {
        "severity": "INFO",
        "message": f"ann: 50 listed, 50 new, 50 published to {tmp_path / 'archive'}",
        "logger": "producer.polling.running",
        "logging.googleapis.com/labels": {"account": "ann"},
        "event": "poll",
        "ok": True,
        "plays_fetched": 50,
        "plays_published": 50,
        "plays_repeated": 0,
        "plays_rejected": 0,
        "gaps_open": 0,
        "seconds_since_success": 0.0,
        "interval": None,
    }
    [again] = entries(run(*poll).err)
    assert (again["plays_published"], again["plays_repeated"]) == (0, 50)
    assert 0 < again["interval"] < 20


def test_the_metrics_of_gaps_rejects_and_failures(
    spotify: ManySpotify, run: Run, tmp_path: Path, poll: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    log_in(tmp_path / "logins", "ann")
    run(*poll)
    spotify.now += timedelta(days=5)
    gap, told = entries(run(*poll).err)
    assert gap["severity"] == "WARNING"
    assert "ann: at least one play may be missing between" in gap["message"]
    assert told["gaps_open"] == 1
    spotify.trouble["ann"] = NotJson(404).answer
    [failed] = entries(run(*poll).err)
    assert (failed["severity"], failed["ok"], failed["plays_fetched"], failed["gaps_open"]) == ("ERROR", False, 0, 1)
    assert 0 < failed["seconds_since_success"] < 20
    spotify.trouble.clear()
    spotify.spoil = spoil_one
    rejected, told = entries(run(*poll).err)
    assert "cannot be read" in rejected["message"]
    assert told["plays_rejected"] == 1


def test_an_error_of_the_command_is_json_too(
    spotify: ManySpotify, run: Run, poll: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_RUN_JOB", "j")
    [entry] = entries(run(*poll).err)
    assert entry["severity"] == "ERROR"
    assert entry["message"].startswith("no account has logged in")


def test_the_end_of_a_login_is_warned_of_once_a_day(
    spotify: ManySpotify, run: Run, tmp_path: Path, poll: list[str]
) -> None:
    FileStore(tmp_path / "logins").save(Grant("ann", "refresh-ann", utc_now() - timedelta(days=160)))
    assert run(*poll).err.startswith("WARNING: ann: the login ends in about 2")
    assert run(*poll).err == ""


def test_a_bug_is_told_and_stops_nobody_else(
    spotify: ManySpotify, run: Run, tmp_path: Path, poll: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised that nobody thought of; of the exception, its place is shown and not its text."""
    monkeypatch.setenv("LOG_FORMAT", "json")
    log_in(tmp_path / "logins", "ann")

    text = "a text that may hold anything"

    def unforeseen(*_: object) -> None:
        raise ZeroDivisionError(text)

    monkeypatch.setattr("producer.polling.account.find_fresh", unforeseen)
    ran = run(*poll)
    assert ran.code == 1
    bug, failed = entries(ran.err)
    assert "ann: a bug in the producer; the next poll tries again (" in bug["message"]
    assert text not in ran.err
    assert failed["ok"] is False


@pytest.mark.parametrize("style", ["json", "text"])
def test_no_secret_is_in_a_log(
    spotify: ManySpotify, run: Run, tmp_path: Path, poll: list[str], monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    monkeypatch.setenv("LOG_FORMAT", style)
    names = ["ann", "ben", "cleo", "dan", "eve"]
    log_in(tmp_path / "logins", *names)
    spotify.rotates = True
    spotify.ended.add("ben")
    spotify.trouble = {"cleo": QuotaExceeded().answer, "dan": NotJson(404).answer}
    (tmp_path / "logins" / "eve.json").write_text('{"refresh_token": "refresh-eve"')
    said = "".join(ran.out + ran.err for ran in (run(*poll), run("doctor", *poll[2:])))
    assert all(f"{name}:" in said for name in names)
    stored = [json.loads((tmp_path / "logins" / f"{name}.json").read_text()) for name in names[:4]]
    tokens = [each["refresh_token"] for each in stored if each["refresh_token"]]
    assert len(tokens) == 3
    for secret in (SECRET, "access-", "refresh-", *tokens):
        assert secret not in said


def test_the_text_of_an_exception_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging({})
    try:
        raise RuntimeError("token-" + str(77))
    except RuntimeError:
        logging.getLogger("producer").exception("a bug")
    said = capsys.readouterr().err
    assert "a bug (RuntimeError)" in said
    assert Path(__file__).name in said
    assert "token-77" not in said


def test_a_service_says_when(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging({}, is_service=True)
    logging.getLogger("producer").info("hello")
    logging.getLogger("producer").warning("beware")
    said = capsys.readouterr()
    assert said.out[:4] == said.err[:4] == f"{utc_now():%Y}"
    assert (said.out[19:], said.err[19:]) == (" hello\n", " WARNING: beware\n")
