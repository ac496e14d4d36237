"""docs/operations.md as its tests read it: its sections, and the commands in them."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
SECTIONS = [
    "Deploy", "Update", "Drain", "Cancel and come back", "Move between sizes", "What it costs", "Alerts",
    "Backlog", "Data is old", "The producer fails", "Watching fails", "A gap", "A token near its end", "Rejects",
    "A schema change", "Rotate secrets", "Forget a person", "Restore a month", "Tear down",
    "What only a real project can show",
]  # fmt: skip
# Sections without a rehearsal, and why.
NOT_REHEARSED = {
    "What it costs": "nothing is done in it; tests/infra/test_cost.py holds its figures to their arithmetic",
    "Alerts": "Cloud Monitoring and Slack send them, and neither has a stand-in; tests/infra holds what they watch",
    "What only a real project can show": "what its name says",
}
# What the first block of the runbook sets, and a folder of the bucket.
VARIABLES = {
    "$PROJECT": "my-project",
    "$REGION": "europe-west1",
    "$BUCKET": "my-project-heavy-rotation",
    "$ARCHIVE": "gs://my-project-heavy-rotation/archive",
    "$WAREHOUSE": "bigquery://my-project.heavy_rotation",
    "$LOGINS": "secretmanager://my-project",
}


def section(name: str) -> str:
    """The text of a section."""
    found = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"the runbook has no section {name}"
    return found[1]


def commands(text: str = TEXT, where: Mapping[str, str] = VARIABLES) -> list[str]:
    """Each command, from blocks and from between backticks, with what stands for the names in it.

    The longest name counts first: a folder ``gs://$BUCKET`` can take the place of a bucket.
    """
    blocks = [line.strip() for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    spans = [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]
    parts = [part.strip() for line in [*blocks, *spans] for part in line.split("&&")]
    names = "|".join(re.escape(name) for name in sorted(where, key=len, reverse=True))
    return [re.sub(names, lambda name: where[name[0]], part) for part in parts]


def ours(module: str, text: str = TEXT, where: Mapping[str, str] = VARIABLES) -> list[list[str]]:
    """The arguments of each ``python -m module``."""
    begin = f"python -m {module} "
    found = [shlex.split(line.removeprefix(begin)) for line in commands(text, where) if line.startswith(begin)]
    assert found
    return found


def told(name: str, module: str, where: Mapping[str, str]) -> list[str]:
    """The arguments of the one ``python -m module`` that a section has, or of the first."""
    return ours(module, section(name), where)[0]


def gcloud(name: str, begin: str, where: Mapping[str, str], storage: str, folder: Path) -> str:
    """Run the section's first command that begins so, against a stand-in for Cloud Storage; what it printed.

    In that folder, which is also where it keeps its settings, under a hidden name.
    """
    if shutil.which("gcloud") is None:
        pytest.skip("procedures with gcloud are not rehearsed: gcloud is not installed")
    line = next(line for line in commands(section(name), where) if line.startswith(begin))
    environment = {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{storage}/",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CONFIG": str(folder / ".gcloud"),
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_PROJECT": "my-project",
    }
    done = subprocess.run(
        shlex.split(line), capture_output=True, text=True, check=False, cwd=folder, env=os.environ | environment
    )
    assert done.returncode == 0, f"{line}: {done.stderr}"
    return done.stdout
