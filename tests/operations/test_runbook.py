"""docs/operations.md: its sections, and that each command in it is one that our programs and Google's understand."""

import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from pipelines import forget, query
from pipelines.options import parse_rebuild
from producer import commandline
from tests.gcloud import refused_by_gcloud
from tests.operations.runbook import NOT_REHEARSED, SECTIONS, TEXT, VARIABLES, commands, ours

ROOT = Path(__file__).parent.parent.parent


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
    assert set(shown.splitlines()) >= {f"{name[1:]}={value}" for name, value in VARIABLES.items()}


def test_our_commands_are_understood() -> None:
    for arguments in ours("pipelines.rebuild"):
        parse_rebuild(arguments)
    for arguments in ours("pipelines.forget"):
        forget.parser().read(arguments)
    for arguments in ours("pipelines.query"):
        assert query.parse(arguments).sql
    for arguments in ours("producer"):
        commandline.parse(arguments)
    assert not [line for line in commands() if "pipelines.stream " in line], "then parse them too"


@pytest.mark.long
def test_google_s_commands_are_understood_by_gcloud(tmp_path: Path) -> None:
    if shutil.which("gcloud") is None:
        pytest.skip("the runbook's gcloud commands are not checked: gcloud is not installed")
    found = sorted({line for line in commands() if line.startswith("gcloud ")})
    assert len(found) > 20
    assert not refused_by_gcloud(found, tmp_path)


def test_each_section_has_a_rehearsal_of_its_name_or_a_reason_why_not() -> None:
    modules = [
        import_module(f"tests.operations.{path.stem}") for path in Path(__file__).parent.glob("test_rehearsals*.py")
    ]
    rehearsed = [name for module in modules for name in vars(module) if name.startswith("test_")]
    assert set(NOT_REHEARSED) <= set(SECTIONS)
    names = ["test_" + re.sub(r"\W+", "_", section.lower()) for section in SECTIONS if section not in NOT_REHEARSED]
    assert sorted(rehearsed) == sorted(names)
