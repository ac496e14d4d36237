"""The runbook's procedures for what is kept, rehearsed. Each test is named after its section."""

import io
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq
import pytest

from pipelines import forget, rebuild
from pipelines.storage.archive import Archive
from pipelines.tables import play_schema
from pipelines.warehouse.folder import FolderWarehouse
from tests import oracle
from tests.builders import plays
from tests.commands import Run
from tests.operations.runbook import gcloud, ours, section, told
from tests.operations.runs import MONTH_BEGAN, drained, keep_login
from tests.standins.cloud import Cloud
from tests.standins.cloud_storage import Bucket
from tests.standins.pubsub import Topic
from tests.standins.secret_manager import SecretManager
from tests.standins.spotify import Person
from tests.streaming.running import Outcome, outcome, rows

pytestmark = pytest.mark.long

SOME = plays("abcabcabddefghij")
NOVEMBER, OCTOBER = date(2026, 11, 1), date(2026, 10, 1)


def places(folder: Path) -> list[str]:
    return [f"--archive={folder / 'archive'}", f"--warehouse={folder / 'warehouse'}"]


def test_a_schema_change(tmp_path: Path) -> None:
    archive, fields = Archive(str(tmp_path / "archive")), play_schema()["fields"]
    added = {"name": "mood", "type": ["null", "string"], "default": None}
    # reason_end and isrc stand for fields that were added since the first file was written.
    older = [field for field in fields if field["name"] not in ("reason_end", "isrc")]
    for n, version in enumerate((older, fields, [*fields, added])):
        file = io.BytesIO()
        names = {field["name"] for field in version}
        written: list[dict[str, Any]] = [
            {name: value for name, value in (p.to_record() | {"mood": "calm"}).items() if name in names}
            for p in SOME[n * 5 : n * 5 + 5]
        ]
        fastavro.writer(file, play_schema() | {"fields": version}, written, codec="deflate")
        path = tmp_path / "archive" / "plays" / "month=2026-11" / f"plays-{n}.avro"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.getvalue())
    assert [p for path in archive.files() for p in archive.read(path)] == SOME[:15]
    assert rebuild.main(places(tmp_path)) == 0
    assert oracle.of_rows(outcome(tmp_path).snapshots) == oracle.top_tens(SOME[:15])

    # Tables too have files of before.
    warehouse = FolderWarehouse.open(tmp_path / "warehouse")
    (path,) = warehouse.files("play_events", NOVEMBER)
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.drop_columns(["isrc", "reason_end"]), path.with_name("older.parquet"))
    asked = "SELECT COUNT(*) AS plays, COUNT(isrc) AS known FROM heavy_rotation.plays"
    command = [sys.executable, "-m", "pipelines.query", places(tmp_path)[1], asked, "--format=csv"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "plays,known\n15,0\n"
    assert forget.main(["--user=me", *places(tmp_path)]) == 0
    assert outcome(tmp_path).play_events == []


def in_bucket(folder: Path) -> dict[str, str]:
    """What the runbook's names stand for: the bucket with versions, and tables in a folder."""
    return {"gs://$BUCKET": "gs://bucket", "$ARCHIVE": "gs://bucket/archive", "$WAREHOUSE": str(folder / "warehouse")}


def test_forget_a_person(
    topic: Topic, bucket: Bucket, spotify: Person, secrets: SecretManager, run: Run, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    mine, her = plays("abcabcabddefghij", start=MONTH_BEGAN), spotify.account_id
    where = in_bucket(tmp_path) | {"$LOGINS": "secretmanager://my-project", "USER": her}
    archived = f"--archive={where['$ARCHIVE']}"
    poll = ["poll", "--once", f"--topic={topic.topic}", "--state=gs://bucket/state", f"--logins={where['$LOGINS']}"]
    keep_login(spotify, where["$LOGINS"])
    # Two runs: the bucket keeps an older version of the state of two polls.
    topic.publish(*mine[:8])
    for hours_ago in (24, 0):
        spotify.ahead = timedelta(hours=-hours_ago)
        assert run(*poll).code == 0
        drained(topic, tmp_path, archived)
        topic.publish(*mine[8:])

    text = section("Forget a person")
    dry_logout, logout = ours("producer", text, where)
    before = dict(bucket.versions)
    assert "removed" in run(*dry_logout).out
    assert (bucket.versions, len(secrets.secrets)) == (before, 1)
    assert run(*logout).code == 0
    assert secrets.secrets == {}

    dry_run, forgetting = ours("pipelines.forget", text, where)
    before = dict(bucket.versions)
    assert forget.main(dry_run) == 0
    assert bucket.versions == before
    assert forget.main(forgetting) == 0
    assert "no account has logged in" in run(*poll).err
    seen = drained(topic, tmp_path, archived)
    assert oracle.of_rows(seen.snapshots) == oracle.top_tens(mine)
    assert {row["user_id"] for row in seen.play_events} == {"me"}
    for (name, _), (data, _) in bucket.versions.items():
        if name.endswith(".avro"):
            assert {record["user_id"] for record in fastavro.reader(io.BytesIO(data))} == {"me"}
        assert her not in name
        assert her.encode() not in data
    assert f"there is nothing of {her} in " in run(*dry_logout).out
    capsys.readouterr()
    assert forget.main(dry_run) == 0
    assert capsys.readouterr().err.startswith(f"There is nothing of {her} in ")


def test_restore_a_month(bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = in_bucket(tmp_path)
    archive, in_october = Archive(where["$ARCHIVE"]), plays("pqrpqrs", start="2026-10-02T08:00:00Z")
    archive.write(NOVEMBER, SOME)
    archive.write(OCTOBER, in_october[:3])
    path = archive.write(OCTOBER, in_october[3:])
    name = path.removeprefix("gs://bucket/")
    FolderWarehouse(tmp_path / "warehouse", "Europe/Paris")
    again = told("Restore a month", "pipelines.rebuild", where)
    all_months = [argument for argument in again if not argument.startswith("--months")]
    assert rebuild.main(all_months) == 0
    good, warehouse = outcome(tmp_path), FolderWarehouse.open(tmp_path / "warehouse")

    # The tables of the month are gone.
    for table in ("play_events", "top_ten_snapshots"):
        warehouse.remove(warehouse.files(table, OCTOBER))
    assert rebuild.main(again) == 0
    assert "Rebuilt 1 months, 2026-10 to 2026-10: 7 plays, each once" in capsys.readouterr().err
    as_it_was(tmp_path, good)

    [first] = [generation for other, generation in bucket.versions if other == name]
    which = where | {"plays-NAME.avro": path.rpartition("/")[2], "GENERATION": str(first)}

    def restore() -> None:
        gcloud("Restore a month", "gcloud storage cp", which, bucket.url, tmp_path)
        assert rebuild.main(again) == 0
        as_it_was(tmp_path, good)

    # A file of the archive is gone.
    bucket.delete(name, None)
    assert rebuild.main(again) == 0
    assert len(outcome(tmp_path).play_events) == len(SOME) + 3
    assert f"{path}#{first}" in gcloud("Restore a month", "gcloud storage ls", where, bucket.url, tmp_path)
    restore()

    # It is cut short: nothing is replaced before it is whole again.
    bucket.put(name, bucket.versions[name, first][0][:100])
    capsys.readouterr()
    assert rebuild.main(again) == 1
    assert f"{path} cannot be read" in capsys.readouterr().err
    as_it_was(tmp_path, good)
    restore()


def as_it_was(folder: Path, good: Outcome) -> None:
    """The tables have the same plays and the same top tens."""
    seen = outcome(folder)
    assert oracle.of_rows(seen.snapshots) == oracle.of_rows(good.snapshots)
    assert sorted(row["played_at"] for row in seen.play_events) == sorted(row["played_at"] for row in good.play_events)


def test_tear_down(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.make_tables()
    where = {"$ARCHIVE": f"{cloud.bucket}/archive"}
    archive = Archive(where["$ARCHIVE"])
    for month, some in ((NOVEMBER, SOME), (OCTOBER, plays("pqrpq", start="2026-10-02T08:00:00Z"))):
        archive.write(month, some)
    assert rebuild.main([f"--archive={archive.root}", f"--warehouse={cloud.address}"]) == 0
    in_bigquery = [dict(row) for row in cloud.rows("top_ten_snapshots")]

    monkeypatch.chdir(tmp_path)
    gcloud("Tear down", "gcloud storage cp", where, os.environ["STORAGE_EMULATOR_HOST"], tmp_path)
    assert rebuild.main(told("Tear down", "pipelines.rebuild", where)) == 0
    cloud.client.delete_dataset(cloud.dataset, delete_contents=True)
    assert oracle.of_rows(outcome(tmp_path).snapshots) == oracle.of_rows(in_bigquery)
    assert len(list(rows(tmp_path, "play_events"))) == len(SOME) + 5
