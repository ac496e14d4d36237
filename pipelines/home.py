"""Where archive, tables and state are on a laptop when nobody names them: one folder, the platform's for data.

``HEAVY_ROTATION_HOME`` names another, and ``--home`` before it. Nothing in the cloud has a home: its places are named.
"""

import os
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "HEAVY_ROTATION_HOME"


@dataclass(frozen=True)
class Home:
    """The folder, which need not be there yet, whether somebody chose it, and the text of ``--home``, if any."""

    folder: Path
    is_named: bool
    option: str | None = None

    @property
    def archive(self) -> str:
        """The archive's folder."""
        return str(self.folder / "archive")

    @property
    def warehouse(self) -> str:
        """The tables' folder."""
        return str(self.folder / "warehouse")

    @property
    def words(self) -> list[str]:
        """What a command line has to have for this home: ``--home FOLDER`` where it was given, or nothing."""
        return ["--home", self.option] if self.option else []

    @property
    def state(self) -> str:
        """What the producer remembers: in a home that was chosen, or in the platform's place for state."""
        if self.is_named:
            return str(self.folder / "state")
        from platformdirs import user_state_path

        return str(user_state_path("heavy-rotation", appauthor=False))


def home_of(named: str | None) -> Home:
    """The home that is named, by an option or else by the environment; or the platform's folder for data."""
    if folder := named or os.environ.get(VARIABLE):
        return Home(Path(folder).expanduser(), is_named=True, option=named or None)
    from platformdirs import user_data_path

    return Home(user_data_path("heavy-rotation", appauthor=False), is_named=False)


def places_of(archive: str | None, home: Home) -> list[str]:
    """The options of a command for an archive and its tables; for None, or the archive at home, those of the home."""
    if archive is None or Path(archive).resolve() == Path(home.archive).resolve():
        return home.words
    return ["--archive", archive, "--warehouse", warehouse_beside(archive)]


def warehouse_beside(archive: str) -> str:
    """Where to put, or to look for, the tables of an archive that is not at home: beside a folder, else in BigQuery."""
    return "bigquery://PROJECT.DATASET" if "://" in archive else str(Path(archive).parent / "warehouse")
