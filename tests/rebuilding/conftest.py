"""An archive for the tests of rebuilds."""

from pathlib import Path

import pytest

from tests.rebuilding.rebuilds import OCTOBER_PLAY, A, B, C, archive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an archive of three plays of November, one of them twice, and one of October."""
    archive(tmp_path, [A, B], [B, C], [OCTOBER_PLAY])
    return tmp_path
