"""Writes what Spotify sends when a user asks for the extended streaming history.

Rows are as in a real export of autumn 2026: `ts` is the end of the play, UTC, whole seconds; what isn't
known is null; podcasts have null track fields; a few rows occur twice. Addresses come from the range that
is reserved for documentation (203.0.113.0/24), so that a test can tell whether one leaked.
"""

import json
import random
from collections.abc import Iterable, Mapping
from datetime import UTC
from itertools import batched
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from demo.catalogue import Track
from demo.listener import Listen

FOLDER = "Spotify Extended Streaming History"
_READ_ME = "ReadMeFirst_ExtendedStreamingHistory.pdf"
_DUPLICATES_IN_1000 = 2
# As Spotify dates entries in its archives: they don't say when they were made, and the same plays give the
# same bytes.
_ENTRY_DATE = (1980, 1, 1, 0, 0, 0)


def write_export(to: Path, plays: Iterable[Listen], *, rows_per_file: int = 12_000) -> Path:
    """Write `plays` as an extended export and say where it is.

    `to` ending in `.zip` is the archive itself; otherwise it is a folder, made if need be, that gets a
    `my_spotify_data.zip`. Files hold up to `rows_per_file` rows, oldest first, and are named by the years
    in them. The same plays give the same bytes.
    """
    path = to if to.suffix == ".zip" else to / "my_spotify_data.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = with_duplicates(write_row(play) for play in sorted(plays, key=lambda play: play.ended_at))
    with ZipFile(path, "w") as archive:
        for number, chunk in enumerate(batched(rows, rows_per_file)):
            name = f"Streaming_History_Audio_{_years(chunk)}_{number}.json"
            _add(archive, name, json.dumps(chunk, indent=2, ensure_ascii=False).encode())
        _add(archive, _READ_ME, b"%PDF-1.4\n%%EOF\n")
    return path
