"""Every parser that hostile input goes to is there, and takes it: some cases of each; `make siege` feeds many."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.siege.hostile import PARSERS

pytestmark = pytest.mark.long


@pytest.mark.parametrize("name", PARSERS)
def test_some_cases_find_nothing(name: str) -> None:
    """One seed's. By the command: it forks, which a process with other libraries' threads must not."""
    fed = subprocess.run(
        [sys.executable, "-m", "tests.siege.hostile", "--parser", name, "--seconds", "0"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert fed.returncode == 0, fed.stdout + fed.stderr
    assert f"{name}" in fed.stdout
