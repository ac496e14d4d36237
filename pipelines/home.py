"""Where archive, tables and state are on a laptop when nobody names them: one folder, the platform's for data.

``HEAVY_ROTATION_HOME`` names another, and ``--home`` before it. Nothing in the cloud has a home: its places are named.
"""

import os
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "HEAVY_ROTATION_HOME"


@dataclass(frozen=True)
class Home:
    """The folder, which need not be there yet, and whether somebody chose it."""

    folder: Path
    is_named: bool

    @property
    def archive(self) -> str:
        """The archive's folder."""
        return str(self.folder / "archive")

    @property
    def warehouse(self) -> str:
        """The tables' folder."""
        return str(self.folder / "warehouse")

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
        return Home(Path(folder).expanduser(), is_named=True)
    from platformdirs import user_data_path

    return Home(user_data_path("heavy-rotation", appauthor=False), is_named=False)
