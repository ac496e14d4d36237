"""What is shipped: the packages that were named, with their tables, and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    # Building leaves things beside setup.py, so it is done on a copy, of everything that might slip in too.
    source = folder / "source"
    for name in ("pipelines", "producer", "web", "demo", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "heavy_rotation.py"):
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder), "."],
        cwd=source,
        check=True,
        capture_output=True,
    )
    return zipfile.ZipFile(next(folder.glob("heavy_rotation-*.whl"))).namelist()


def test_it_holds_the_pipelines_the_producer_the_web_their_command_and_nothing_else(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel if ".dist-info" not in name}
    assert tops == {"heavy_rotation.py", "pipelines", "producer", "web"}
    assert [name for name in wheel if name.endswith("/licenses/LICENSE")]


def test_it_holds_every_module_table_and_template(wheel: list[str]) -> None:
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in ("pipelines", "producer", "web")
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".avsc", ".json", ".sql", ".html", ".css", ".js", ".svg") or path.name == "py.typed"
    }
    assert wanted <= set(wheel)


def test_the_base_needs_no_beam() -> None:
    from importlib.metadata import requires

    base = [line for line in requires("heavy-rotation") or [] if "extra ==" not in line]
    assert base
    assert not [line for line in base if "beam" in line]
