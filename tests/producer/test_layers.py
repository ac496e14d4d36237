"""The producer's packages lean on each other in one direction."""

import ast
from pathlib import Path

import pytest

import producer

ROOT = Path(producer.__path__[0])
# Each may use those before it.
LAYERS = (
    {"errors", "durations", "identity", "private_files", "stopping", "watching"},
    {"logins", "state"},
    {"spotify"},
    {"login", "logout", "polling", "importing"},
    {"doctor"},
)


def used_by(package: str) -> set[str]:
    files = [*(ROOT / package).rglob("*.py"), *ROOT.glob(f"{package}.py")]
    assert files
    modules = [
        node.module
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
    ]
    return {module.split(".")[1] for module in modules if module.startswith("producer.")} - {package}


@pytest.mark.parametrize("level", range(len(LAYERS)))
def test_a_package_uses_only_those_below_it(level: int) -> None:
    below = set().union(*LAYERS[:level])
    if level == 0:
        below = LAYERS[0]
    for package in LAYERS[level]:
        assert used_by(package) <= below, package


def test_every_module_has_its_layer() -> None:
    names = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert names - {"__init__", "__main__", "commands", "examples"} == set().union(*LAYERS)
