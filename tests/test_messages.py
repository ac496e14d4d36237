"""docs/messages.md: its example is a play, its fields are the schema's, and its commands do what it says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from demo.publish import main, ten_plays
from pipelines.domain.play import from_message
from pipelines.domain.snapshots import KINDS
from pipelines.tables import play_schema, table_of
from tests.streaming.running import NOW, outcome

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def test_the_example_has_every_field_of_the_schema_in_its_order() -> None:
    assert list(json.loads(_block("json"))) == [field["name"] for field in play_schema()["fields"]]


def test_the_example_is_what_is_written_of_the_play_that_is_read_from_it() -> None:
    data, attributes = from_message(_block("json").encode()).to_message()
    example = json.loads(_block("json"))
    assert json.loads(data) == example
    assert attributes == {name: example[name] for name in ("user_id", "played_at", "source")}
    told = PAGE.partition("## Attributes\n\n")[2].partition(", as in the data")[0]
    assert re.findall(r"`(\w+)`", told) == list(attributes)


def test_the_table_tells_of_every_field_and_which_may_be_null() -> None:
    rows = re.findall(r"^\| (`.*?`) \| (.*) \|$", PAGE.partition("## Attributes")[0], re.MULTILINE)
    told = {name: "null" in text for names, text in rows for name in re.findall(r"`(\w+)`", names)}
    assert told == {field["name"]: isinstance(field["type"], list) for field in play_schema()["fields"]}
    (sources,) = [text for names, text in rows if names == "`source`"]
    (field,) = [field for field in play_schema()["fields"] if field["name"] == "source"]
    assert re.findall(r"`(\w+)`", sources) == field["type"]["symbols"]


@pytest.mark.long
def test_the_table_of_kinds_is_as_the_code_has_it() -> None:
    cells = re.findall(r"^\| `(\w+)` \| `(\w+)\.avsc` \| (.*) \| `(\w+)` \|$", PAGE, re.MULTILINE)
    told = {kind: (schema, tuple(re.findall(r"`(\w+)`", identity)), table) for kind, schema, identity, table in cells}
    assert told == {kind: (kind, of.identified_by, table_of(kind)) for kind, of in KINDS.items()}


@pytest.mark.long
def test_the_commands_publish_ten_plays_and_stream_them(
    pubsub_host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    name = f"plays-{os.getpid()}"  # the server keeps what other tests left in it
    address, publish, stream = (
        line.replace("127.0.0.1:8085", pubsub_host)
        .replace("topics/plays", f"topics/{name}")
        .replace("subscriptions/plays", f"subscriptions/{name}")
        .replace(".venv/bin/heavy-rotation", "exec .venv/bin/python -m heavy_rotation")
        .replace(".venv/bin/python", sys.executable)
        for line in _block("sh").splitlines()
    )
    for _ in range(2):  # topic and subscription are there the second time
        done = subprocess.run(
            ["bash", "-c", f"{address}\n{publish}"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.stderr) == (f"Published 10 plays to projects/demo/topics/{name}\n", "")
    quick = "--archive-batch-seconds 1 --refresh-seconds 1"
    with subprocess.Popen(
        ["bash", "-c", f"{address}\n{stream} {quick}"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        said = [running.stderr.readline()]
        while "Counted" not in said[-1]:
            said.append(running.stderr.readline())
            assert said[-1], said
        running.terminate()
        assert running.wait(60) == 0, said
    seen = outcome(tmp_path)
    assert len({play.played_at for play in seen.archived}) == 10
    assert len({row["played_at"] for row in seen.play_events}) == 10


def test_the_plays_are_as_the_listener_s_spotify_lists_them() -> None:
    plays = ten_plays(NOW)
    assert len({play.played_at for play in plays}) == 10
    assert all(from_message(play.to_message()[0]) == play for play in plays)


def test_a_topic_that_is_not_there_is_told_in_one_line(
    local_pubsub_host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", local_pubsub_host)
    assert main(["--topic", "plays"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("error: ")
