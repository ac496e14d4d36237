"""docs/operations.md: its sections, and that each command in it is one that our programs and Google's understand."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines import forget, query
from pipelines.options import parse_rebuild, parse_stream
from producer.__main__ import _parser as producer_parser
from tests.gcloud import refused_by_gcloud
from tests.operations import test_rehearsals

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SECTIONS = [
    "Deploy", "Update", "Drain", "Cancel and come back", "Move between sizes", "What it costs", "Alerts",
    "A poisoned message", "Backlog", "Data is old", "The producer fails", "A gap", "A token near its end", "Rejects",
    "A schema change", "Rotate secrets", "Forget a person", "Restore a month", "Tear down",
    "What only a real project can show",
]  # fmt: skip
# What the first block of the runbook sets.
VARIABLES = {
    "PROJECT": "my-project",
    "REGION": "europe-west1",
    "BUCKET": "my-project-heavy-rotation",
    "ARCHIVE": "gs://my-project-heavy-rotation/archive",
    "WAREHOUSE": "bigquery://my-project.heavy_rotation",
    "LOGINS": "secretmanager://my-project",
}


def commands() -> list[str]:
    """Each command, from blocks and from between backticks."""
    blocks = [line.strip() for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]
    spans = [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", TEXT)]
    parts = [part.strip() for line in [*blocks, *spans] for part in line.split("&&")]
    return [re.sub(r"\$([A-Z]+)", lambda name: VARIABLES.get(name[1], name[0]), part) for part in parts]


def ours(module: str) -> list[list[str]]:
    """The arguments of each ``python -m module`` in the runbook."""
    begin = f"python -m {module} "
    found = [shlex.split(line.removeprefix(begin)) for line in commands() if line.startswith(begin)]
    assert found
    return found


def test_the_sections_are_those_that_alerts_name() -> None:
    assert re.findall(r"^## (.+)$", TEXT, re.MULTILINE) == SECTIONS


def test_every_link_within_it_and_to_other_documents_is_one() -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", TEXT):
        if target.startswith("https://"):
            continue
        other = (ROOT / "docs" / target).read_text(encoding="utf-8") if target else TEXT
        headings = re.findall(r"^#+ (.+)$", other, re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors, f"{target}#{anchor}"


def test_the_variables_are_those_that_it_sets() -> None:
    first = "; ".join(re.findall(r"^export .+$", TEXT, re.MULTILINE)[:2])
    shown = subprocess.run(["bash", "-c", f"{first}; env"], capture_output=True, text=True, check=True).stdout
    assert set(shown.splitlines()) >= {f"{name}={value}" for name, value in VARIABLES.items()}


def test_our_commands_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in ours("pipelines.rebuild"):
        parse_rebuild(arguments)
    for arguments in ours("pipelines.forget"):
        forget.parser().parse_args(arguments)
    for arguments in ours("pipelines.query"):
        assert query._parser().parse_args(arguments).sql
    for arguments in ours("producer"):
        producer_parser().parse_args(arguments)
    assert not [line for line in commands() if line.startswith("python -m pipelines.stream ")], "then parse them too"
    assert parse_stream


def test_google_s_commands_are_understood_by_gcloud(tmp_path: Path) -> None:
    if shutil.which("gcloud") is None:
        pytest.skip("the runbook's gcloud commands are not checked: gcloud is not installed")
    found = sorted({line for line in commands() if line.startswith("gcloud ")})
    assert len(found) > 20
    assert not refused_by_gcloud(found, tmp_path)


def test_each_rehearsal_has_the_name_of_its_section() -> None:
    names = {"test_" + re.sub(r"\W+", "_", section.lower()) for section in SECTIONS}
    rehearsed = {name for name in vars(test_rehearsals) if name.startswith("test_")}
    assert rehearsed
    assert rehearsed <= names
