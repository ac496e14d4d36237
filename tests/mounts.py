"""Places where writing fails for real: a full disk, a read-only one, a folder of someone else."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NOBODY = 65534


@contextmanager
def small_disk(folder: Path, size: str = "256k") -> Iterator[Path]:
    """A disk of that size, mounted at a new folder. Skips the test where mounting is not allowed."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"full and read-only disks are not tested: {mounted.stderr.strip() or 'no mount'}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def make_read_only(disk: Path) -> None:
    """From now on nothing can be written to a mounted disk."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


@contextmanager
def no_permission(folder: Path) -> Iterator[None]:
    """What this process may not do in a folder that is another user's; root becomes nobody for the while."""
    folder.chmod(0o500)
    if os.geteuid() != 0:
        try:
            yield
        finally:
            folder.chmod(0o700)
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
