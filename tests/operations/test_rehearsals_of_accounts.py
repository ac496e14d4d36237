"""The runbook's procedures for accounts, from Spotify on, rehearsed. Each test is named after its section."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.catalogue import Track
from demo.export import write_export
from demo.faults import RateLimited
from demo.listener import Listen
from demo.spotify_feed import MIN_MS_PLAYED
from pipelines import query, rebuild
from pipelines.clock import utc_now
from pipelines.domain.instants import parse
from pipelines.domain.month import Calendar, month_text
from pipelines.storage.archive import Archive
from pipelines.tables import table_schema
from producer.state.cursor import Cursors
from tests import oracle
from tests.builders import play
from tests.commands import Run
from tests.operations.runbook import gcloud, ours, section, told
from tests.operations.runs import PATIENCE, ROOT, keep_login, log_in, process, run_and_drain, wait_for
from tests.producer.exports import plays_in
from tests.standins.cloud import PROJECT, Cloud
from tests.standins.cloud_storage import Bucket, connected
from tests.standins.pubsub import Topic
from tests.standins.secret_manager import SecretManager
from tests.standins.spotify import Person
from tests.streaming.running import outcome

pytestmark = pytest.mark.long

Add = Callable[[str], None]


def months(instants: Iterable[datetime]) -> list[str]:
    """In which they are, in order."""
    return sorted({month_text(Calendar().month_of(instant)) for instant in instants})


def in_cloud(cloud: Cloud, topic: Topic, tmp_path: Path) -> dict[str, str]:
    """What the runbook's names stand for. The emulator knows nothing of generations, so the state is in a folder."""
    return {
        "projects/$PROJECT/topics/plays": topic.topic,
        "$PROJECT": PROJECT,
        "gs://$BUCKET": cloud.bucket,
        "gs://$BUCKET/state": str(tmp_path / "state"),
        "$ARCHIVE": f"{cloud.bucket}/archive",
        "$WAREHOUSE": cloud.address,
        "$LOGINS": f"secretmanager://{PROJECT}",
        "heavy_rotation.": f"{cloud.dataset}.",
    }


def in_folder(folder: Path) -> dict[str, str]:
    """The same on a laptop, but for logins."""
    return {
        "$PROJECT": "my-project",
        "--topic=projects/$PROJECT/topics/plays": f"--archive={folder / 'archive'}",
        "gs://$BUCKET": str(folder),
        "$ARCHIVE": str(folder / "archive"),
        "$WAREHOUSE": str(folder / "warehouse"),
        "$LOGINS": "secretmanager://my-project",
    }


def ask(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> list[dict[str, Any]]:
    """The rows that ``python -m pipelines.query`` prints."""
    capsys.readouterr()
    assert query.main([*arguments, "--format=json"]) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


def test_deploy(
    topic: Topic, cloud: Cloud, spotify: Person, app: Add, run: Run, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    cloud.make_tables()  # apply
    export = tmp_path / "my_spotify_data.zip"
    where = in_cloud(cloud, topic, tmp_path) | {"ACCOUNT": spotify.account_id, export.name: str(export)}
    app(spotify.accounts.client_secret)
    login, import_export = ours("producer", section("Deploy"), where)
    assert f"logged in   {spotify.account_id}" in log_in(login)

    # What the job `poll` runs in size small.
    newest = spotify.listed()[0]
    state, logins = where["gs://$BUCKET/state"], where["$LOGINS"]
    assert run("poll", "--once", f"--topic={topic.topic}", f"--state={state}", f"--logins={logins}").code == 0
    places = [f"--archive={where['$ARCHIVE']}", f"--warehouse={cloud.address}", f"--temp_location={cloud.bucket}/temp"]
    often = ["--archive_batch_seconds=1", "--refresh_seconds=1"]
    assert run_and_drain([f"--subscription={topic.subscription}", *places, *often]) == 0
    last_query = told("Deploy", "pipelines.query", where)
    assert parse(ask(capsys, last_query)[0]["played_at"]) == newest
    assert len(cloud.rows("plays")) == 50

    heard = list(spotify.history(newest - timedelta(days=20), newest + timedelta(milliseconds=1)))
    write_export(export, heard)
    assert run(*import_export).code == 0
    assert rebuild.main(told("Deploy", "pipelines.rebuild", where)) == 0
    assert parse(ask(capsys, last_query)[0]["played_at"]) == newest
    archive = Archive(where["$ARCHIVE"])
    known = oracle.distinct(p for path in archive.files() for p in archive.read(path))
    assert len(cloud.rows("plays")) == len(known) > 50


def test_data_is_old(
    topic: Topic, cloud: Cloud, spotify: Person, secrets: SecretManager, run: Run, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    cloud.make_tables()
    where = in_cloud(cloud, topic, tmp_path)
    keep_login(spotify, where["$LOGINS"])
    newest, *_, older = spotify.listed()[:21]
    in_months = months(spotify.listed())
    where |= {"2026-11": in_months[-1], "2026-10": ",".join(in_months)}
    archive = Archive(where["$ARCHIVE"])
    archive.write(Calendar().month_of(newest), [play(older - timedelta(days=1))])
    doctor, last = told("Data is old", "producer", where), told("Data is old", "pipelines.query", where)
    poll = ["poll", "--once", *doctor[1:]]

    # The doctor is fine, and no file is new: nobody reads.
    spotify.ahead = older - spotify.now()
    assert run(*poll).code == 0
    assert run(*doctor).code == 0
    assert (len(archive.files()), ask(capsys, last)) == (1, [{"played": None, "ingested": None}])

    with process(topic, tmp_path, f"--archive={archive.root}", f"--warehouse={cloud.address}"):
        wait_for(lambda: len(cloud.rows("play_events")) == 1 + 50)
        # New files, and no new rows: BigQuery refuses them.
        cloud.client.delete_table(cloud.name("play_events"))
        needed = {"name": "needed", "type": "STRING", "mode": "REQUIRED"}
        cloud.make_table("play_events", schema={"fields": [*table_schema("play_events"), needed]})
        spotify.ahead = timedelta()
        assert run(*poll).code == 0
        wait_for(lambda: len(cloud.rows("rejected")) == 20)
    listed = gcloud("Data is old", "gcloud storage ls", where, os.environ["STORAGE_EMULATOR_HOST"], tmp_path)
    assert listed.count(".avro\n") > 1
    assert ask(capsys, last) == [{"played": None, "ingested": None}]
    [row] = ask(capsys, told("Rejects", "pipelines.query", where))
    assert (row["origin"], row["messages"], "needed" in row["reason"]) == ("bigquery", 20, True)
    cloud.client.delete_table(cloud.name("play_events"))
    cloud.make_table("play_events")
    assert rebuild.main(told("Restore a month", "pipelines.rebuild", where)) == 0

    # All fine: nobody listened since.
    assert run(*doctor).code == 0
    [row] = ask(capsys, last)
    assert parse(row["played"]) == newest

    # The doctor has a problem.
    spotify.accounts.revoke()
    ran = run(*doctor)
    assert (ran.code, "problem  " in ran.out) == (1, True)


def test_the_producer_fails(
    spotify: Person, app: Add, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_RUN_JOB", "poll")
    where = in_folder(tmp_path) | {"gs://$BUCKET": "gs://bucket"}
    doctor = told("The producer fails", "producer", where)
    poll = ["poll", "--once", *doctor[1:]]
    secret = spotify.accounts.client_secret
    app(secret)
    keep_login(spotify, where["$LOGINS"])

    def fails() -> str:
        """A poll fails and its line is one that the section looks for; what the doctor says of it."""
        ran = run(*poll)
        [line] = [line for line in map(json.loads, ran.err.splitlines()) if line["severity"] == "ERROR"]
        assert (ran.code, line["event"]) == (1, "poll")
        return "\n".join(line for line in run(*doctor).out.splitlines() if not line.startswith("ok "))

    with Bucket() as bucket, connected(bucket, monkeypatch):
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
        assert run(*doctor).code == 1  # it was never polled
        assert run(*poll).code == 0
        assert run(*doctor).code == 0

        spotify.accounts.client_secret = "another"
        assert "Spotify does not know the app's client id with this client secret" in fails()
        spotify.accounts.client_secret = secret

        spotify.accounts.revoke()
        assert "the login has ended" in fails()
        log_in(told("A token near its end", "producer", where))
        assert run(*poll).code == 0

        spotify.faults.add(RateLimited(600))
        assert "Spotify asked to wait until" in fails()
        # Half an hour later, and nobody polled.
        cursors = Cursors("gs://bucket/state")
        then = utc_now() - timedelta(minutes=31)
        cursors.change(cursors.read(spotify.account_id), lambda was: replace(was, retry_at=None, polled_at=then))
        assert "last polled 31 min" in run(*doctor).out

        bucket.permissions.remove("storage.objects.create")
        assert "no permission for gs://bucket (storage.objects.create)" in run(*doctor).out
        bucket.permissions.append("storage.objects.create")
        assert run(*poll).code == 0
        assert run(*doctor).code == 0


def test_a_gap(spotify: Person, secrets: SecretManager, run: Run, tmp_path: Path) -> None:
    export = tmp_path / "my_spotify_data.zip"
    where = in_folder(tmp_path) | {"ACCOUNT": spotify.account_id, export.name: str(export)}
    doctor = told("Data is old", "producer", where)
    keep_login(spotify, where["$LOGINS"])
    for days_ago in (20, 0):
        spotify.ahead = timedelta(days=-days_ago)
        assert run("poll", "--once", *doctor[1:]).code == 0
    ran = run(*doctor)
    assert (ran.code, "at least one play may be missing between" in ran.out) == (1, True)

    polled = plays_in(tmp_path / "archive")
    first, last = polled[0].played_at, spotify.listed()[0]
    write_export(export, spotify.history(first, last + timedelta(milliseconds=1)))
    ran = run(*told("A gap", "producer", where))
    assert (ran.code, "closed the gap between" in ran.out) == (0, True)
    known = plays_in(tmp_path / "archive")
    where["2026-11"] = ",".join(months(p.played_at for p in known))
    assert rebuild.main(told("A gap", "pipelines.rebuild", where)) == 0
    # What was polled is recognised: each play that counts is counted once.
    heard = [listen for listen in spotify.history(first, last + timedelta(milliseconds=1)) if counts(listen)]
    seen = outcome(tmp_path)
    assert len(seen.play_events) == len(heard) > len(polled)
    assert oracle.of_rows(seen.snapshots) == oracle.top_tens(known)
    ran = run(*doctor)
    assert (ran.code, f"{spotify.account_id}: no gaps" in ran.out) == (0, True)


def counts(listen: Listen) -> bool:
    return isinstance(listen.what, Track) and listen.ms_played >= MIN_MS_PLAYED


def test_a_token_near_its_end(spotify: Person, app: Add, run: Run, tmp_path: Path) -> None:
    where = in_folder(tmp_path)
    doctor = told("Data is old", "producer", where)
    app(spotify.accounts.client_secret)
    spotify.tokens_ahead = timedelta(days=160)
    keep_login(spotify, where["$LOGINS"], age=spotify.tokens_ahead)
    assert "warning  " + spotify.account_id + ": the login ends in about 2" in run(*doctor).out
    command = [sys.executable, "-m", "producer", "poll", "--every=1s", *doctor[1:]]
    said = tmp_path / "said"
    with said.open("w") as file:
        poller = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT)
    try:
        wait_for(lambda: said.read_text().count("50 listed") > 1)
        assert "the login ends in about 2" in said.read_text()
        assert "lasts until" in log_in(told("A token near its end", "producer", where))
        assert "the login lasts for 180 more days" in run(*doctor).out
        # The old token's six months are over, and the poller goes on with the new one.
        spotify.tokens_ahead = timedelta(days=183)
        ended = said.read_text().count("50 listed")
        wait_for(lambda: said.read_text().count("50 listed") > ended + 2)
        poller.terminate()
        assert poller.wait(PATIENCE) == 0
    finally:
        poller.kill()
        poller.wait()
    assert "ERROR" not in said.read_text()
    assert run(*doctor).code == 0


def test_rotate_secrets(spotify: Person, app: Add, secrets: SecretManager, run: Run, tmp_path: Path) -> None:
    where = in_folder(tmp_path)
    poll = ["poll", "--once", *told("Data is old", "producer", where)[1:]]
    login = told("Rotate secrets", "producer", where)
    app(spotify.accounts.client_secret)
    keep_login(spotify, where["$LOGINS"])
    # It leaked: its owner removes the app. The older version is destroyed with the login.
    spotify.accounts.revoke()
    log_in(login)
    versions = secrets.versions[f"projects/my-project/secrets/heavy-rotation-{spotify.account_id}"]
    assert [version is None for version in versions] == [True, False]
    assert run(*poll).code == 0
    # The app's secret is another one from now on.
    spotify.accounts.client_secret = "rotated"
    ran = run(*poll)
    assert (ran.code, "rotated" in ran.err) == (1, False)
    app("rotated")
    assert run(*poll).code == 0
    [name] = [name for name in secrets.versions if name.endswith("spotify-app")]
    secrets.versions[name][0] = None  # gcloud secrets versions destroy
    assert run(*poll).code == 0
