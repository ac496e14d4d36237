"""The image of the pages: what they need and no Beam, as nobody special, and it starts."""

import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.templates.image import DOCKERFILE, ROOT, WEB, Image, make_image, requirements, stage, stages

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("image")]  # an image is installed


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return make_image(tmp_path_factory.mktemp("web"), WEB)


def test_hadolint_has_nothing_to_say() -> None:
    ran = subprocess.run(["hadolint", str(WEB)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "hadolint ignore" not in WEB.read_text()


def test_it_is_built_from_what_the_other_is_built_from() -> None:
    assert {one.base for one in stages(WEB)} == {stage("build").base}
    assert re.search(r"@sha256:[0-9a-f]{64}$", stage("build", WEB).base)
    of_both = [
        {source for sources, _ in stage("build", one).copies() for source in sources if "requirements" not in source}
        for one in (WEB, DOCKERFILE)
    ]
    assert of_both[0] == of_both[1]


def test_it_runs_as_nobody_special() -> None:
    last = stages(WEB)[-1]
    [user] = last.values("USER")
    assert f"useradd --create-home --uid={user} listener" in last.values("RUN")[0]
    assert last.values("ENTRYPOINT") == ['["python", "-m", "web"]']
    assert last.copies("build") == [(["/install"], "/usr/local")]


def test_the_packages_are_those_that_everything_else_runs_with_and_no_beam() -> None:
    everywhere = (ROOT / "requirements.txt").read_text()
    for requirement in requirements(WEB):
        pinned = next(iter(requirement.specifier)).version
        assert f"\n{requirement.name}=={pinned}" in everywhere, f"{requirement}: run make lock"
        assert version(requirement.name) == pinned
    names = {requirement.name for requirement in requirements(WEB)}
    assert not names & {"apache-beam", "polars", "rich", "pytest", "dask"}
    assert {"fastapi", "uvicorn", "jinja2", "duckdb", "google-cloud-bigquery"} <= names


def test_every_package_is_held_to_its_hash() -> None:
    lines = (ROOT / "templates" / "web-requirements.txt").read_text()
    entries = re.findall(r"^\S.*==.*(?:\n    .*)*", lines, re.MULTILINE)
    assert len(entries) >= len(requirements(WEB))
    assert all("--hash=sha256:" in entry for entry in entries)


def test_nothing_is_missing(image: Image) -> None:
    checked = subprocess.run(
        ["uv", "pip", "check", "--python", image.python], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_every_module_of_the_pages_can_be_imported(image: Image) -> None:
    ran = image.run("-W", "error::ImportWarning", "-c", IMPORT_ALL)
    assert ran.returncode == 0, ran.stderr
    assert {"web.access.iap", "web.running.worker", "google.cloud.bigquery"} <= set(ran.stdout.split())


IMPORT_ALL = """
import importlib, pkgutil
for module in pkgutil.walk_packages(importlib.import_module("web").__path__, "web."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
        print(module.name)
importlib.import_module("google.cloud.bigquery")
print("google.cloud.bigquery")
"""


def test_it_says_what_it_takes(image: Image) -> None:
    ran = image.run("-m", "web", "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "--iap-audience" in ran.stdout


def test_it_is_no_larger_than_it_must_be(image: Image) -> None:
    """Packages are links here; together, with their compiled modules left out, they are what is pulled at a start."""
    site = next((image.folder / "usr/local/lib").glob("python*/site-packages"))
    files = [path for path in Path(site).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files) < 600e6
