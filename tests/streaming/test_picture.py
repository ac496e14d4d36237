"""The stream's graph, shown: every step of it and every arrow, the same in the documentation."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pipelines.stream import main
from pipelines.streaming.picture import as_svg, as_text, steps_of_stream

ROOT = Path(__file__).parents[2]
STEPS = steps_of_stream()
# What Dataflow was given, held to the code by tests of the templates.
GIVEN = (ROOT / "tests" / "templates" / "golden" / "stream_steps.txt").read_text(encoding="utf-8").splitlines()


def test_the_steps_are_those_that_dataflow_is_given() -> None:
    names = [step.name for step in STEPS]
    owners = [[name for name in names if f"{line}/".startswith(f"{name}/")] for line in GIVEN]
    assert all(len(owner) == 1 for owner in owners)
    assert {name for owner in owners for name in owner} == set(names)
    # How rows are written depends on the warehouse, and is not shown.
    within = [f"{step.name}/{name}/" for step in STEPS for name in step.within if not step.name.startswith("Write ")]
    assert [one for one in within if not any(f"{line}/".startswith(one) for line in GIVEN)] == []


def test_an_arrow_is_where_plays_go() -> None:
    arrows = {step.name: step.next for step in STEPS}
    assert arrows["Parse messages"] == ("Write rejected", "Archive plays", "Archive snapshots")
    assert arrows["Replay open months"] == ("Archived and replayed",)
    assert arrows["Split too late"] == ("Window into months", "Plays too late")
    assert arrows["Write top tens"] == ()


def test_no_box_of_the_picture_covers_another_and_each_arrow_leads_down() -> None:
    picture = ET.fromstring(as_svg(STEPS))  # noqa: S314 - our own
    space = "{http://www.w3.org/2000/svg}"
    boxes = [(int(box.get("x", 0)), int(box.get("y", 0))) for box in picture.iter(f"{space}rect") if box.get("x")]
    assert len(boxes) == len(set(boxes)) == len(STEPS)
    names = [text.text for text in picture.iter(f"{space}text") if text.get("font-size") == "15"]
    assert names == [step.name for step in STEPS]
    arrows = [path.get("d", "") for path in picture.iter(f"{space}path") if path.get("marker-end")]
    assert len(arrows) == sum(len(step.next) for step in STEPS)
    for arrow in arrows:
        numbers = [int(number) for number in re.findall(r"\d+", arrow)]
        assert numbers[1] < numbers[-1]


def test_the_documentation_shows_it_as_it_is() -> None:
    assert (ROOT / "docs" / "stream.svg").read_text(encoding="utf-8") == as_svg(STEPS)
    page = (ROOT / "docs" / "stream.md").read_text(encoding="utf-8")
    assert page.partition("```text\n")[2].partition("```")[0] == as_text(STEPS) + "\n"


def test_the_command_needs_nothing_else_and_makes_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--show-graph"]) == 0
    assert capsys.readouterr().out == as_text(STEPS) + "\n"
    assert list(tmp_path.iterdir()) == []
    assert main(["--show-graph=graph.svg"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["graph.svg"]
    assert main(["--show-graph=none/graph.svg"]) == 1
    assert capsys.readouterr().err == "error: none/graph.svg cannot be written: No such file or directory\n"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--show-graph=graph.png"], "graph.png does not end in .svg"),
        (["--show-graph", "--archive=a"], "there is no option --archive; it takes --help, --show-graph"),
    ],
)
def test_what_is_asked_for_beside_it_is_not_passed_over(
    argv: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(argv)
    assert told in capsys.readouterr().err
