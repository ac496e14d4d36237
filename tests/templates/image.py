"""The image, as far as it can be had without an engine: its Dockerfile's steps, and what they leave, in a folder."""

import io
import os
import shlex
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from docker.utils.build import exclude_paths
from dockerfile_parse import DockerfileParser
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
DOCKERFILE, WEB = TEMPLATES / "Dockerfile", TEMPLATES / "web.Dockerfile"
REQUIREMENTS = {DOCKERFILE: "requirements.txt", WEB: "web-requirements.txt"}


@dataclass
class Stage:
    """A ``FROM``, and the instructions that follow it as their names and values."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def values(self, instruction: str) -> list[str]:
        return [value for name, value in self.steps if name == instruction]

    @property
    def environment(self) -> dict[str, str]:
        return dict(value.split("=", 1) for value in self.values("ENV"))

    def copies(self, source: str = "") -> list[tuple[list[str], str]]:
        """Sources and target of each COPY from the stage ``source``, or from the context."""
        found = []
        for value in self.values("COPY"):
            words = shlex.split(value)
            flags = [word for word in words if word.startswith("--")]
            *sources, target = words[len(flags) :]
            if [flag for flag in flags if flag.startswith("--from=")] == ([f"--from={source}"] if source else []):
                found.append((sources, target))
        return found


@cache
def stages(dockerfile: Path = DOCKERFILE) -> list[Stage]:
    found: list[Stage] = []
    for step in DockerfileParser(fileobj=io.BytesIO(dockerfile.read_bytes())).structure:
        if step["instruction"] == "FROM":
            base, _, name = step["value"].partition(" AS ")
            found.append(Stage(base, name))
        elif step["instruction"] != "COMMENT":
            found[-1].steps.append((step["instruction"], step["value"]))
    return found


def stage(name: str, dockerfile: Path = DOCKERFILE) -> Stage:
    return next(stage for stage in stages(dockerfile) if stage.name == name)


def context() -> set[str]:
    """The files that the engine is given, by Docker's own reading of .dockerignore."""
    patterns = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [pattern for pattern in patterns if pattern and not pattern.startswith("#")]
    # It always adds the Dockerfile and .dockerignore, for the engine's own use.
    paths = exclude_paths(str(ROOT), patterns, dockerfile=("templates/Dockerfile", ""))
    return {path for path in paths if (ROOT / path).is_file()}


def requirements(dockerfile: Path = DOCKERFILE) -> list[Requirement]:
    """What the image installs from the index, each in one version; those for other Pythons and systems left out."""
    lines = (TEMPLATES / REQUIREMENTS[dockerfile]).read_text().splitlines()
    found = [Requirement(line.rstrip(" \\")) for line in lines if line[0] not in "# "]
    return [requirement for requirement in found if not requirement.marker or requirement.marker.evaluate()]


@dataclass(frozen=True)
class Image:
    """A folder with the image's Python and files, and how to run them."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "usr/local/bin/python")

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the image's Python in an empty folder, with nothing of this repository in sight."""
        (self.folder / "empty").mkdir(exist_ok=True)
        return subprocess.run(
            [self.python, *arguments],
            cwd=self.folder / "empty",
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


def make_image(folder: Path, dockerfile: Path = DOCKERFILE) -> Image:
    """Do the Dockerfile's steps that need neither a registry nor an index.

    Packages of the index are linked from the environment that runs the tests, which has the same versions.
    """
    local = folder / "usr/local"
    venv.create(local, symlinks=True)
    site = next(local.glob("lib/python*/site-packages"))
    for name in ["pip", *(requirement.name for requirement in requirements(dockerfile))]:  # the base has pip
        _link(name, site)
    build = folder / "build"
    for sources, target in stage("build", dockerfile).copies():
        for source in sources:
            _copy(source, build / target if target != "./" else build / Path(source).name)
    install = next(run for run in stage("build", dockerfile).values("RUN") if run.endswith(" ."))
    words = ["--prefix=" + str(local) if word == "--prefix=/install" else word for word in shlex.split(install)]
    subprocess.run([sys.executable, "-m", *words], cwd=build, check=True, capture_output=True)
    for sources, target in stages(dockerfile)[-1].copies():
        for source in sources:
            _copy(source, folder / target.lstrip("/"))
    return Image(folder)


def _copy(source: str, target: Path) -> None:
    """A file or a folder of the context, and of it only what the context has."""
    for path in context():
        if path == source or path.startswith(f"{source}/"):
            to = target / Path(path).relative_to(source) if path != source else target
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, to)


def _link(name: str, site: Path) -> None:
    """Show one distribution in another folder of packages, its compiled modules with it."""
    installed = distribution(name)
    for path in installed.files or ():
        if path.parts[0] == ".." or "__pycache__" in path.parts:
            continue
        source, target = Path(str(installed.locate_file(path))).resolve(), site / path
        target.parent.mkdir(parents=True, exist_ok=True)
        compiled = source.parent / "__pycache__"
        for link, to in ((target, source), (target.parent / "__pycache__", compiled)):
            if to.exists() and not link.exists():
                link.symlink_to(to)
