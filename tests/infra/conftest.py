"""Plans of infra/, made by Terraform itself with stand-ins for its providers. Nothing is asked of Google Cloud."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
TOOLS = ROOT / ".tools" / "infra" / "bin" / "python"
MINIMUM = {"project_id": "my-project", "alert_email": "me@example.com"}
# All that there can be.
EVERYTHING = {
    "image_tag": "v1",
    "slack": "true",
    "raw_plays": "true",
    "billing_account": "012345-6789AB-CDEF01",
    "budget_email": "channel@example.slack.com",
    "renamed_steps": '{"Old name" = "New name"}',
    "watch": "true",
    "contact": "me@example.com",
    "web": "true",
    "web_users": '["user:me@example.com", "group:us@example.com"]',
    "recap_bucket": "my-project-recaps",
    "kms_key_name": "projects/my-project/locations/europe-west1/keyRings/r/cryptoKeys/k",
}

Plan = Callable[..., "Planned"]


class Planned:
    """What Terraform would make."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.outputs: dict[str, Any] = {
            name: value["value"] for name, value in plan["planned_values"]["outputs"].items() if "value" in value
        }
        self.resources: dict[str, dict[str, Any]] = {
            resource["address"]: resource["values"] for resource in plan["planned_values"]["root_module"]["resources"]
        }

        self.providers: dict[str, Any] = plan["configuration"]["provider_config"]
        self._configured: dict[str, Any] = {
            resource["address"]: resource.get("expressions", {})
            for resource in plan["configuration"]["root_module"]["resources"]
        }

    def refers(self, address: str, *path: str | int) -> str:
        """What an argument, whose value only Google knows, refers to: the address of another one's attribute."""
        return str(self._references(address, path)[0])

    def referred(self, address: str, *path: str | int) -> set[str]:
        """All that it refers to."""
        return set(self._references(address, path))

    def _references(self, address: str, path: tuple[str | int, ...]) -> list[str]:
        found: Any = self._configured[address.partition("[")[0]]
        for step in path:
            found = found[step]
        references: list[str] = found["references"]
        return references

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of a type, by address."""
        return {address: values for address, values in self.resources.items() if address.startswith(f"{kind}.")}


def run_check(folder: Path, command: str, *options: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """``python infra/check FOLDER COMMAND``, with another PATH if it is given; a skipped test without Terraform."""
    if not shutil.which("terraform"):
        pytest.skip("terraform is not installed; infra/ is not tested")
    if not TOOLS.exists():
        pytest.skip("make infra-tools makes what tests of infra/ need")
    arguments = [str(TOOLS), str(ROOT / "infra" / "check"), str(folder), command, *options]
    environment = os.environ | ({"PATH": path} if path else {})
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=240)


@cache
def _planned(variables: frozenset[tuple[str, str]]) -> Planned:
    options = [f"-var={name}={value}" for name, value in sorted(variables)]
    done = run_check(ROOT / "infra", "plan", *options)
    assert done.returncode == 0, done.stderr
    return Planned(json.loads(done.stdout))


@pytest.fixture(scope="session")
def plan() -> Plan:
    """Plans infra/ with variables, beside those that must be given: ``plan(size="stream", image_tag="v1")``."""
    return lambda **variables: _planned(frozenset({**MINIMUM, "size": "small", **variables}.items()))
