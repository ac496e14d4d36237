"""Forgetting a person: all of hers, and nothing of anybody else's."""

import io
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import forget, rebuild
from pipelines.domain.month import Calendar
from pipelines.forgetting.archive import Found
from pipelines.forgetting.tables import forget_in_folder, statements
from pipelines.storage.archive import Archive
from pipelines.storage.encoding import encode
from pipelines.storage.rejects import Rejects
from pipelines.tables import DATASET, REBUILT, play_schema
from pipelines.warehouse.bigquery import BigQueryWarehouse
from pipelines.warehouse.folder import FolderWarehouse
from pipelines.warehouse.json_rows import to_json
from tests.builders import play, plays
from tests.standins.cloud import PROJECT, Cloud
from tests.standins.cloud_storage import Bucket
from tests.standins.zetasql_judge import Refused, the_judge
from tests.streaming.running import rows

NOVEMBER, OCTOBER = date(2026, 11, 1), date(2026, 10, 1)
MINE, OTHERS = plays("abcabd"), plays("xyzxyz", user_id="another")
REJECTED = [
    (b"\x00\xff", '{"user_id": "me"}'),
    (b'{"user_id": "me"}', None),
    (b'{"user_id": "another"}', '{"user_id": "another"}'),
    (b'no JSON, "user_id": "me"', "{}"),
    (b'{"of": {"user_id": "me"}}', "me"),
    (b'["me"]', "[]"),
    (b'{"user_id": 5}', None),
]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def records(archive: Archive) -> list[dict[str, Any]]:
    """Every record of every file below the archive, in every field that the file has."""
    return [r for path in archive.everything() for r in fastavro.reader(io.BytesIO(archive.read_bytes(path)))]


def rejected(payload: bytes, attributes: str | None) -> dict[str, Any]:
    when = datetime(2026, 11, 21, tzinfo=UTC)
    about = {"rejected_at": when, "origin": "pubsub", "message_id": "1", "reason": "not JSON"}
    return about | {"payload": payload, "attributes": attributes}


@pytest.fixture
def places(tmp_path: Path) -> list[str]:
    """An archive and the tables made from it: a file of one user, one of both, one of the other."""
    archive = Archive(str(tmp_path / "archive"))
    for some in (MINE[:3], [*MINE[3:], *OTHERS[:3]], OTHERS[3:], MINE[:1]):
        archive.write(NOVEMBER, some)
    archive.write(OCTOBER, [play("2026-10-05T08:00:00Z"), play("2026-10-05T08:00:00Z", user_id="another")])
    told = [f"--archive={tmp_path / 'archive'}", f"--warehouse={tmp_path / 'warehouse'}"]
    assert rebuild.main(told) == 0
    FolderWarehouse.open(tmp_path / "warehouse").append("rejected", [rejected(*row) for row in REJECTED])
    return told


def test_what_could_not_be_read_when_polling_goes_too_and_no_rebuild_brings_it_back(
    places: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rejects, when = Rejects(str(tmp_path / "archive")), datetime(2026, 11, 21, tzinfo=UTC)
    for user in ("me", "another"):
        rejects.keep(user, {"track": "gone"}, "no track", when)
    assert rebuild.main([*places, "--months=changed"]) == 0
    assert forget.main(["--user=me", *places, "--dry_run"]) == 0
    assert len(rejects.ids()) == 2
    assert forget.main(["--user=me", *places]) == 0
    assert "        1 items removed that could not be read when polling\n" in capsys.readouterr().out
    assert rebuild.main([*places, "--months=changed"]) == 0
    [left] = [row for row in rows(tmp_path, "rejected") if row["origin"] == "spotify"]
    assert [left["message_id"]] == rejects.ids()
    assert "another" in left["attributes"]


def test_all_of_a_user_goes_and_the_report_says_what(
    places: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, before = Archive(str(tmp_path / "archive")), tree(tmp_path)
    theirs = [record for record in records(archive) if record["user_id"] == "another"]
    capsys.readouterr()
    assert forget.main(["--user=me", *places, "--dry_run"]) == 0
    would = capsys.readouterr().out
    assert tree(tmp_path) == before
    assert forget.main(["--user=me", *places]) == 0
    did = capsys.readouterr().out
    assert f"{archive.marks.path} has a keyed hash of this user's id and the instant 20" in did
    without_mark = did.partition(f"  {archive.marks.path} has ")[0]
    assert would == without_mark.replace("me: forgotten", "me: would be forgotten; nothing was changed")
    counted = {words[1]: words[0] for line in did.splitlines() if len(words := line.split(maxsplit=1)) == 2}
    assert counted["files looked at"] == "5"
    assert counted["removed, which held nothing else"] == "2"
    assert counted["written anew, without these plays"] == "2"
    assert (counted["plays"], counted["2026-10"], counted["2026-11"]) == ("7", "1", "6")
    assert counted["rows of play_events"] == "7"
    assert counted["rows of top_ten_snapshots"] == "6"
    assert counted["rows of rejected"] == "2"

    by_play = lambda record: record["played_at"]  # noqa: E731
    assert sorted(records(archive), key=by_play) == sorted(theirs, key=by_play)
    for table in ("play_events", "top_ten_snapshots"):
        assert {row["user_id"] for row in rows(tmp_path, table)} == {"another"}
    assert Counter((r["payload"], r["attributes"]) for r in rows(tmp_path, "rejected")) == Counter(REJECTED[2:])

    assert forget.main(["--user=me", *places]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err.startswith("There is nothing of me in the 3 files of ")) == ("", True)


@settings(deadline=None, max_examples=15)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["me", "ME", "me ", "another"]), st.integers(0, 9)), min_size=1, max_size=6),
        max_size=6,
    ),
)
def test_nothing_of_others_changes(files: list[list[tuple[str, int]]]) -> None:
    with TemporaryDirectory() as folder:
        archive, warehouse = Archive(f"{folder}/archive"), FolderWarehouse(f"{folder}/warehouse", "Europe/Paris")
        for file in files:
            some = [play(f"2026-11-02T08:0{minute}:00Z", user_id=user) for user, minute in file]
            archive.write(NOVEMBER, some)
            warehouse.append("play_events", [p.to_row(Calendar()) for p in some])

        def kept(found: list[dict[str, Any]]) -> list[str]:
            return sorted(repr(row) for row in found if row["user_id"] != "me")

        before = kept(records(archive)), kept(list(rows(Path(folder), "play_events")))
        forget.forget("me", archive, f"{folder}/warehouse", dry_run=False)
        assert (kept(records(archive)), kept(list(rows(Path(folder), "play_events")))) == before
        assert all(row["user_id"] != "me" for row in [*records(archive), *rows(Path(folder), "play_events")])


def test_fields_that_this_version_does_not_know_stay(tmp_path: Path) -> None:
    field = {"name": "mood", "type": ["null", "string"], "default": None}
    newer = play_schema() | {"fields": [*play_schema()["fields"], field]}
    folder = tmp_path / "plays" / "month=2026-11"
    folder.mkdir(parents=True)
    with (folder / "plays-new.avro").open("wb") as file:
        fastavro.writer(file, newer, [p.to_record() | {"mood": p.user_id} for p in (*MINE, *OTHERS)], codec="deflate")
    FolderWarehouse(tmp_path / "warehouse", "Europe/Paris")
    archive = Archive(str(tmp_path))
    forget.forget("me", archive, str(tmp_path / "warehouse"), dry_run=False)
    assert [record["mood"] for record in records(archive)] == ["another"] * len(OTHERS)


@pytest.mark.long
def test_killed_at_any_moment_it_can_be_run_again(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path / "archive"))
    warehouse = FolderWarehouse(tmp_path / "warehouse", "Europe/Paris")
    for n in range(400):
        both = [play(f"2026-11-02T08:{n // 60:02}:{n % 60:02}Z", user_id=user) for user in ("me", "another")]
        archive.write(NOVEMBER, both)
        warehouse.append("play_events", [p.to_row(Calendar()) for p in both])
    command = [sys.executable, "-m", "pipelines.forget", "--user=me"]
    command += [f"--archive={archive.root}", f"--warehouse={warehouse.folder}"]
    first = archive.files()[0]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while Path(first).exists():
            time.sleep(0.001)
        process.kill()
    assert "me" in {record["user_id"] for record in records(archive)}, "it was killed too late to show anything"
    assert subprocess.run(command, check=True, stdout=subprocess.DEVNULL).returncode == 0
    for left in (records(archive), list(rows(tmp_path, "play_events"))):
        assert {row["user_id"] for row in left} == {"another"}
        assert len({row["played_at"] for row in left}) == 400


def test_a_bucket_keeps_no_version(bucket: Bucket, tmp_path: Path) -> None:
    FolderWarehouse(tmp_path, "Europe/Paris")
    archive = Archive("gs://bucket/archive")
    both = archive.write(NOVEMBER, [*MINE, *OTHERS]).removeprefix("gs://bucket/")
    only = archive.write(NOVEMBER, MINE).removeprefix("gs://bucket/")
    theirs = archive.write(NOVEMBER, OTHERS).removeprefix("gs://bucket/")
    # Deleted, replaced and what an earlier version left: all that a bucket with versions may still know.
    archive.write(OCTOBER, MINE)
    (october,) = (name for name in bucket.objects if "2026-10" in name)
    bucket.delete(october, None)
    bucket.put(both, encode(OTHERS))
    bucket.put(both, encode([*MINE, *OTHERS]))
    bucket.put("archive/checkpoints/c.avro", encode([*MINE, *OTHERS]))

    would = forget.forget("me", archive, str(tmp_path), dry_run=True)
    assert len(bucket.versions) == 7
    did = forget.forget("me", archive, str(tmp_path), dry_run=False)
    assert (replace(would, until=did.until), did.left) == (did, [])
    assert (did.looked_at, did.rewritten, did.removed, did.older_versions) == (6, 1, 1, 2)
    assert did.plays == {"2026-11": len(MINE)}
    names = {name for name, _ in bucket.versions}
    assert not names & {both, only, october, "archive/checkpoints/c.avro"}
    assert theirs in names
    for (name, _), (data, _) in bucket.versions.items():
        assert name == "archive/forgotten/marks.json" or {
            record["user_id"] for record in fastavro.reader(io.BytesIO(data))
        } == {"another"}
    assert [p.played_at for path in archive.files() for p in archive.read(path)] == [p.played_at for p in OTHERS] * 2


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_done(
    places: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Path(Archive(str(tmp_path / "archive")).files()[0])
    broken.write_bytes(broken.read_bytes()[:-30])
    assert forget.main(["--user=me", *places]) == 1
    said = capsys.readouterr()
    assert "me: forgotten, but not everywhere" in said.out
    assert f"error: {broken} cannot be read" in said.err
    assert "not everything of me is gone" in said.err
    broken.unlink()
    assert forget.main(["--user=me", *places]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--user=me", "--archive={}/none", "--warehouse={}/w"], 1, "there is no archive at "),
        (["--user=me", "--archive={}", "--warehouse={}/none"], 1, "There is no folder "),
        (["--user=me", "--archive={}", "--warehouse=bigquery://nowhere"], 2, "neither a folder nor bigquery://"),
        (["--user=", "--archive={}", "--warehouse={}"], 2, "name whose plays are to be forgotten"),
        (["--archive={}", "--warehouse={}"], 2, "the following arguments are required: --user"),
        (
            ["--user=me", "--archive={}", "--warehouse={}", "--dry"],
            2,
            "there is no option --dry; did you mean --dry-run?",
        ),
    ],
)
def test_what_it_is_told_wrongly(
    arguments: list[str], code: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        ended = forget.main([argument.format(tmp_path) for argument in arguments])
    except SystemExit as error:
        ended = int(str(error.code))
    assert ended == code
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def filled(sql: str, user: str) -> str:
    """A statement as the judge takes it, with its parameters."""
    until = "TIMESTAMP '2026-11-28 00:00:00+00'"
    return sql.replace(f"`{DATASET}.", "`").replace("@user_id", f"'{user}'").replace("@until", until)


@pytest.mark.long
@pytest.mark.xdist_group("zetasql")
def test_google_s_own_analyser_accepts_the_statements_and_finds_the_same_rows(tmp_path: Path) -> None:
    row = OTHERS[0].to_row(Calendar())
    snapshot = {
        "user_id": "me", "month": NOVEMBER, "kind": "track", "plays_in_month": 1, "is_final": False,
        "computed_at": datetime(2026, 11, 21, tzinfo=UTC), "items": [],
    }  # fmt: skip
    judge = the_judge()
    judge.fill(play_events=[row], top_ten_snapshots=[snapshot], rejected=[rejected(*r) for r in REJECTED])
    for sql in statements("DELETE", DATASET).values():
        # It analyses what it then does not run.
        with pytest.raises(Refused, match="RESOLVED_DELETE_STMT does not correspond to a query"):
            judge.query(filled(sql, "me"))
    for user, expected in (("me", [0, 1, 2]), ("another", [1, 0, 1]), ("5", [0, 0, 1])):
        count = statements("SELECT COUNT(*)", DATASET)
        found = [judge.query(filled(sql, user)) for sql in count.values()]
        assert [counts[0][0] for counts in found] == expected
        warehouse = FolderWarehouse(tmp_path / user, "Europe/Paris")
        warehouse.append("rejected", [rejected(*r) for r in REJECTED])
        found = Found(datetime(2026, 11, 28, tzinfo=UTC))
        forget_in_folder(found, user, warehouse, dry_run=False)
        assert found.rows["rejected"] == expected[2]


@pytest.mark.long
def test_rows_in_bigquery(cloud: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.make_tables()
    archive = Archive(f"{cloud.bucket}/archive")
    archive.write(NOVEMBER, [*MINE, *OTHERS])
    places = [f"--archive={archive.root}", f"--warehouse={cloud.address}"]
    assert rebuild.main([*places, f"--temp_location={cloud.bucket}/temp"]) == 0
    warehouse = BigQueryWarehouse(cloud.address)
    # The emulator fails at what is no JSON, where BigQuery, as the analyser below, finds nothing in it.
    some = [(b'{"user_id": "me"}', None), (b"{}", '{"user_id": "me"}'), (b'{"user_id": "another"}', "{}")]
    assert warehouse.insert("rejected", [to_json(rejected(*row)) for row in some]) == {}
    theirs = [[row for row in cloud.rows(table) if row["user_id"] == "another"] for table in REBUILT]
    capsys.readouterr()

    assert forget.main(["--user=me", *places, "--dry_run"]) == 0
    would = capsys.readouterr().out
    assert (len(cloud.rows("play_events")), len(cloud.rows("rejected"))) == (12, 3)
    assert forget.main(["--user=me", *places]) == 0
    did = capsys.readouterr().out.partition(f"  {archive.marks.path} has ")[0]
    assert did == would.replace("would be forgotten; nothing was changed", "forgotten")
    assert [cloud.rows(table) for table in REBUILT] == theirs
    assert [(row["payload"], row["attributes"]) for row in cloud.rows("rejected")] == some[2:]
    assert forget.main(["--user=me", *places]) == 0
    assert capsys.readouterr().err.startswith("There is nothing of me in the 1 files of ")


def test_a_dataset_that_is_not_there(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert forget.main(["--user=me", f"--archive={cloud.bucket}", f"--warehouse={cloud.address}", "--dry_run"]) == 1
    assert capsys.readouterr().err.startswith(f"error: there is no {PROJECT}.{cloud.dataset} in BigQuery (")


def test_it_needs_no_beam() -> None:
    code = "import sys, pipelines.forget; sys.exit('apache_beam' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
