"""Whatever holds a person's history or login is its owner's alone, whatever the umask."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pipelines.rebuild import main
from pipelines.storage.archive import Archive
from producer.accounts.grant import Grant
from producer.accounts.stores import FileStore
from producer.state.cursor import Cursors
from tests.builders import plays


@pytest.fixture
def _nothing_masked() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_nothing_masked")
def test_archive_tables_state_and_logins_are_their_owner_s(tmp_path: Path) -> None:
    archive, tables, state, logins = (tmp_path / name for name in ("archive", "tables", "state", "logins"))
    Archive(str(archive)).write(date(2026, 11, 1), plays("abc"))
    assert main([f"--archive={archive}", f"--warehouse={tables}"]) == 0
    cursors = Cursors(state)
    for newest in (1, 2):
        cursors.change(cursors.read("me"), lambda cursor, newest=newest: replace(cursor, newest=newest))
    FileStore(logins).save(Grant("me", "token", None))
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert {root for root in (archive, tables, state, logins) if root not in modes} == set()
    assert {path: oct(mode) for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}
