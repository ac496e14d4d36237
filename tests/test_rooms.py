"""The rooms of the house, from the ground up: an import never runs back up, and none runs in a circle."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Each room may use those of the lines above it, and itself. A room is a package or a module, named by its path.
ORDER = (
    {"pipelines.lazily"},
    {"pipelines.domain", "pipelines.failure", "pipelines.home", "pipelines.lean", "pipelines.terminal"},
    {"pipelines.tables", "pipelines.clock", "pipelines.logs"},
    {"pipelines.storage"},
    {"pipelines.warehouse"},
    {
        "pipelines.dask_runner",
        "pipelines.querying",
        "pipelines.forgetting",
        "pipelines.streaming",
        "pipelines.rebuilding",
    },
    {"pipelines.arguments", "pipelines.command", "pipelines.runners"},
    {"pipelines.checks"},
    {"pipelines.options", "pipelines.submission"},
    {"pipelines.stream", "pipelines.rebuild", "pipelines.query", "pipelines.top", "pipelines.forget"},
)
PRODUCER = (
    {"bodies"},
    {"identity", "private_files", "sources", "spotify"},
    {"state"},
    {"accounts"},
    {"polling", "importing"},
    {"snapshots"},
    {"watching", "enriching"},
    {"doctor"},
)
# The pages and the API; of the pipelines they use what needs no Beam.
WEB: tuple[set[str], ...] = (
    {"access", "asking", "errors", "figures", "responding", "running", "words"},
    {"drawing", "hiding", "routing", "settings"},
    {"opening"},
    {"visit"},
    {"rendering", "cards"},
    {"answering", "api"},
    {"pages"},
    {"warming"},
    {"app", "recap"},
    {"command"},
)
WEB_USES = {
    "arguments", "clock", "command", "domain", "failure", "home", "logs", "querying", "storage", "tables", "terminal",
    "warehouse",
}  # fmt: skip


def used_by(room: str) -> set[str]:
    """The modules of the project that a room's files import, wherever in the file."""
    path = ROOT / room.replace(".", "/")
    files = [*path.rglob("*.py"), *([path.with_suffix(".py")] if path.with_suffix(".py").exists() else [])]
    assert files, room
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    modules |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {module for module in modules if module.split(".")[0] in ("pipelines", "producer", "demo", "web")}


def room_of(module: str, order: tuple[set[str], ...]) -> str:
    return next((room for level in order for room in level if f"{module}.".startswith(f"{room}.")), module)


@pytest.mark.parametrize("level", range(len(ORDER)))
def test_a_room_uses_only_those_below_it(level: int) -> None:
    below = set().union(*ORDER[:level])
    for room in ORDER[level]:
        beside = {room_of(module, ORDER) for module in used_by(room)} - {room}
        assert beside <= below, f"{room} uses {sorted(beside - below)}"


@pytest.mark.parametrize("level", range(len(PRODUCER)))
def test_a_room_of_the_producer_uses_only_those_below_it(level: int) -> None:
    below = set().union(*PRODUCER[:level])
    for package in PRODUCER[level]:
        used = {module.split(".")[1] for module in used_by(f"producer.{package}") if module.startswith("producer.")}
        assert used - {package} <= below, package


@pytest.mark.parametrize("level", range(len(WEB)))
def test_a_room_of_the_web_uses_only_those_below_it(level: int) -> None:
    below = set().union(*WEB[:level])
    for room in WEB[level]:
        used = {module.split(".")[1] for module in used_by(f"web.{room}") if module.startswith("web.")}
        assert used - {room} <= below, room


def test_the_web_uses_no_pipeline() -> None:
    used = used_by("web")
    # How long a login lasts, and where logins are, is the producer's to say.
    of_others = {module for module in used if module.split(".")[0] in ("producer", "demo")}
    assert of_others <= {"producer.accounts.grant", "producer.accounts.stores"}
    assert {module.split(".")[1] for module in used if module.startswith("pipelines.")} <= WEB_USES


def names_in(package: str) -> set[str]:
    """What lies directly in a top folder: modules and packages."""
    inside = (ROOT / package).iterdir()
    return {path.stem for path in inside if path.suffix == ".py" or (path / "__init__.py").exists()} - {"__init__"}


def test_every_module_has_its_place() -> None:
    assert {f"pipelines.{name}" for name in names_in("pipelines")} == set().union(*ORDER)
    assert names_in("producer") - {
        "__main__",
        "commandline",
        "commands",
        "examples",
        "snapshots_commandline",
    } == set().union(*PRODUCER)
    assert names_in("web") - {"__main__"} == set().union(*WEB)
