"""The domain, the producer and reading the archive must not drag Beam in: it takes seconds to import."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "pipelines.domain.play",
        "pipelines.domain.month",
        "pipelines.domain.ranking",
        "pipelines.domain.spotify",
        "pipelines.tables",
        "pipelines.storage.archive",
        "pipelines.query",
        "producer.commandline",
    ],
)
def test_importing_it_imports_no_beam(module: str) -> None:
    code = f"import sys, {module}; sys.exit('apache_beam' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_domain_imports_nothing_of_the_project_but_itself() -> None:
    code = (
        "import sys, pipelines.domain.ranking, pipelines.domain.spotify\n"
        "ours = [m for m in sys.modules if m.split('.')[0] in ('pipelines', 'producer', 'demo')]\n"
        "sys.exit(str(set(m for m in ours if m != 'pipelines' and not m.startswith('pipelines.domain')) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stderr.strip() == ""
