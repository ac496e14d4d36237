"""What is shipped: the packages that were named, with their tables, and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    # setup.py leaves build/ and *.egg-info where it runs, so it runs on a copy.
    source = folder / "source"
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", f"file://{ROOT}", str(source)], check=True, capture_output=True
    )
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder), "."],
        cwd=source,
        check=True,
        capture_output=True,
    )
    return zipfile.ZipFile(next(folder.glob("heavy_rotation-*.whl"))).namelist()


def test_it_holds_only_the_pipelines_and_the_producer(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel if ".dist-info" not in name}
    assert tops == {"pipelines", "producer"}


def test_it_holds_every_module_and_every_table(wheel: list[str]) -> None:
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in ("pipelines", "producer")
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".avsc", ".json", ".sql") or path.name == "py.typed"
    }
    assert wanted <= set(wheel)


def test_the_base_needs_no_beam() -> None:
    from importlib.metadata import requires

    base = [line for line in requires("heavy-rotation") or [] if "extra ==" not in line]
    assert base
    assert not [line for line in base if "beam" in line]
