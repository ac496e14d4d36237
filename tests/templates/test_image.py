"""What the image has: what the workers and the jobs need, and nothing of the demonstration, the tests or infra."""

import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.templates.image import DOCKERFILE, ROOT, TEMPLATES, WEB, Image, context, requirements, stage, stages

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("image")]  # an image is installed


def top_level(paths: set[str]) -> set[str]:
    return {path.split("/")[0] for path in paths}


# The Dockerfile


def test_hadolint_has_nothing_to_say() -> None:
    ran = subprocess.run(["hadolint", str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "hadolint ignore" not in DOCKERFILE.read_text()


def test_every_base_is_pinned() -> None:
    for base in (one.base for one in stages()):
        assert re.search(r"@sha256:[0-9a-f]{64}$|:\d+\.\d+\.\d+$", base), base


def test_what_runs_on_workers_is_of_the_version_that_is_installed() -> None:
    beam = next(requirement for requirement in requirements() if requirement.name == "apache-beam")
    assert str(beam.specifier) == f"=={stage('sdk').base.rpartition(':')[2]}"
    python = re.findall(r"python:?(3\.\d+|3\d\d)", " ".join(one.base for one in stages()))
    assert {text.replace(".", "") for text in python} == {"311"}
    assert stage("build").base == stages()[-1].base


def test_the_last_stage_takes_programs_and_installs_nothing() -> None:
    last = stages()[-1]
    assert "slim" in last.base  # it has no compiler
    assert not [run for run in last.values("RUN") if re.search(r"apt|install|build", run)]
    assert last.copies("build") == [(["/install"], "/usr/local")]
    assert last.values("RUN")[0].startswith("pip check")


def test_the_image_serves_the_launcher_and_the_workers() -> None:
    last = stages()[-1]
    assert last.values("ENTRYPOINT") == ['["/opt/apache/beam/boot"]']
    assert last.copies("sdk") == [(["/opt/apache/beam"], "/opt/apache/beam")]
    launcher = "/opt/google/dataflow/python_template_launcher"
    assert last.copies("launcher") == [([launcher], launcher)]
    # A requirements or setup file would make the launcher fetch and stage what is installed already.
    names = [name for name in last.environment if name.startswith("FLEX_TEMPLATE_")]
    assert names == ["FLEX_TEMPLATE_PYTHON_PY_FILE"]
    main = last.environment["FLEX_TEMPLATE_PYTHON_PY_FILE"]
    assert (["templates/main.py"], main) in last.copies()


def test_a_job_gives_up_root_for_good(tmp_path: Path) -> None:
    script = (TEMPLATES / "as_listener.sh").read_text()
    if subprocess.run(["id", "-u"], capture_output=True, check=True).stdout != b"0\n" or not shutil.which("setpriv"):
        pytest.skip("not tested: needs root and setpriv")
    # The image makes its own user; here another one stands for it, that every Debian has.
    (tmp_path / "as").write_text(script.replace("=listener", "=daemon"))
    who = ["sh", str(tmp_path / "as"), "sh", "-c", "id -u; id -g; echo $HOME; setpriv --reuid=0 true"]
    ran = subprocess.run(who, capture_output=True, text=True, check=False, cwd="/")
    assert ran.stdout.split() == ["1", "1", "/home/listener"]
    assert "setpriv: setresuid failed" in ran.stderr
    assert "useradd --create-home listener" in stages()[-1].values("RUN")[0]


# What it is made from


def test_the_context_is_what_the_dockerfile_copies() -> None:
    copied = {
        source
        for dockerfile in (DOCKERFILE, WEB)
        for one in stages(dockerfile)
        for sources, _ in one.copies()
        for source in sources
    }
    # The engine needs the first two itself. The others of templates/ are for building, and go into no layer.
    assert top_level(context()) - {".dockerignore"} == top_level(copied)
    for source in copied:
        assert [path for path in context() if path == source or path.startswith(f"{source}/")], source
    assert not [path for path in context() if "__pycache__" in path]


def test_cloud_build_is_sent_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("gcloud"):
        pytest.skip("not tested: gcloud is not installed")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    listed = subprocess.run(
        ["gcloud", "meta", "list-files-for-upload", str(ROOT)], capture_output=True, text=True, check=True
    )
    assert set(listed.stdout.split()) == context()


def test_the_packages_are_those_that_everything_else_runs_with() -> None:
    everywhere = (ROOT / "requirements.txt").read_text()
    for requirement in requirements():
        pinned = next(iter(requirement.specifier)).version
        assert f"\n{requirement.name}=={pinned}" in everywhere, f"{requirement}: run make lock"
        assert version(requirement.name) == pinned
    assert not {requirement.name for requirement in requirements()} & {"duckdb", "sqlglot", "rich", "pytest"}


def test_every_package_is_held_to_its_hash() -> None:
    lines = (TEMPLATES / "requirements.txt").read_text()
    entries = re.findall(r"^\S.*==.*(?:\n    .*)*", lines, re.MULTILINE)
    assert len(entries) >= len(requirements())
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "--require-hashes" in stage("build").values("RUN")[0]


# What it has


def test_everything_that_it_needs_and_fits_together(image: Image) -> None:
    checked = subprocess.run(
        ["uv", "pip", "check", "--python", image.python], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_of_this_repository_it_has_three_packages_and_the_command(image: Image) -> None:
    site = next((image.folder / "usr/local/lib").glob("python*/site-packages"))
    # Packages of the index are links.
    files = [path.relative_to(site) for path in site.rglob("*") if path.is_file() and not path.is_symlink()]
    ours = {path.parts[0] for path in files if path.suffix != ".pyc"}
    assert {name for name in ours if not name.startswith("heavy_rotation-")} == {
        "heavy_rotation.py",
        "pipelines",
        "producer",
        "web",
    }
    assert {path.name for path in image.folder.iterdir()} == {"usr", "build", "template"}
    assert [path.name for path in (image.folder / "template").iterdir()] == ["main.py"]


def test_every_module_but_the_query_can_be_imported(image: Image) -> None:
    ran = image.run("-W", "error::ImportWarning", "-c", IMPORT_ALL)
    assert ran.returncode == 0, ran.stderr
    imported = set(ran.stdout.split())
    assert {"pipelines.stream", "pipelines.rebuild"} <= imported
    # DuckDB and sqlglot answer queries on a laptop, and BigQuery answers those in the cloud.
    lacking = set(re.findall(r"(\S+) lacks (\S+)", ran.stderr))
    assert {module for _, module in lacking} <= {"dask", "duckdb", "sqlglot"}
    assert "pipelines.querying.duck" in {name for name, _ in lacking}


IMPORT_ALL = """
import importlib, pkgutil, sys
for package in ("pipelines", "producer"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            print(module.name, "lacks", error.name.split(".")[0], file=sys.stderr)
        else:
            print(module.name)
"""


def test_a_job_can_run_the_producer(image: Image) -> None:
    ran = image.run("-m", "producer", "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "poll" in ran.stdout
