"""Writes what Spotify sends when a user asks for the extended streaming history.

Rows are as in a real export of autumn 2026: `ts` is the end of the play, UTC, whole seconds; what isn't
known is null; podcasts have null track fields; a few rows occur twice. Addresses come from the range that
is reserved for documentation (203.0.113.0/24), so that a test can tell whether one leaked.
"""

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from demo.catalogue import Track
from demo.listener import Listen

FOLDER = "Spotify Extended Streaming History"
_NO_TRACK: Mapping[str, object] = dict.fromkeys(
    (
        "master_metadata_track_name",
        "master_metadata_album_artist_name",
        "master_metadata_album_album_name",
        "spotify_track_uri",
    )
)
_NO_EPISODE: Mapping[str, object] = dict.fromkeys(("episode_name", "episode_show_name", "spotify_episode_uri"))
_NO_AUDIOBOOK: Mapping[str, object] = dict.fromkeys(
    ("audiobook_title", "audiobook_uri", "audiobook_chapter_uri", "audiobook_chapter_title")
)
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
    rows = list(with_duplicates(write_row(play) for play in sorted(plays, key=lambda play: play.ended_at)))
    with ZipFile(path, "w") as archive:
        for number, first in enumerate(range(0, len(rows), rows_per_file)):
            chunk = rows[first : first + rows_per_file]
            name = f"Streaming_History_Audio_{_years(chunk)}_{number}.json"
            _add(archive, name, json.dumps(chunk, indent=2, ensure_ascii=False).encode())
        _add(archive, _READ_ME, b"%PDF-1.4\n%%EOF\n")
    return path


def write_row(play: Listen) -> dict[str, object]:
    """One row of the export; what a listener's habits don't tell is drawn from the play itself."""
    rng = random.Random(f"row/{play.ended_at.isoformat()}/{play.what.uri}")
    began = int(play.started_at.timestamp())
    return {
        "ts": play.ended_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "platform": play.platform,
        "ms_played": play.ms_played,
        "conn_country": "BE" if rng.random() < 0.01 else "FR",
        "ip_addr": f"203.0.113.{rng.randrange(1, 255)}",
        **_what(play),
        **_NO_AUDIOBOOK,
        "reason_start": play.reason_start,
        "reason_end": play.reason_end,
        "shuffle": play.shuffle,
        # Null in older rows, and now and then in newer ones.
        "skipped": None if rng.random() < 0.02 else play.skipped,
        "offline": play.offline,
        # Seconds, milliseconds, zero or null: exports have them all.
        "offline_timestamp": rng.choices((began, began * 1000, 0, None), (90, 4, 4, 2))[0],
        "incognito_mode": rng.random() < 0.001,
    }


def with_duplicates(rows: Iterable[dict[str, object]]) -> Iterator[dict[str, object]]:
    """The rows, a few of them twice; the first always, so that the smallest export has one."""
    for index, row in enumerate(rows):
        yield row
        if index == 0 or random.Random(f"twice/{row['ts']}").randrange(1000) < _DUPLICATES_IN_1000:
            yield dict(row)


def _what(play: Listen) -> Mapping[str, object]:
    if isinstance(play.what, Track):
        return {
            "master_metadata_track_name": play.what.name,
            "master_metadata_album_artist_name": play.what.album.artist.name,
            "master_metadata_album_album_name": play.what.album.name,
            "spotify_track_uri": play.what.uri,
            **_NO_EPISODE,
        }
    return {
        **_NO_TRACK,
        "episode_name": play.what.name,
        "episode_show_name": play.what.show,
        "spotify_episode_uri": play.what.uri,
    }


def _years(rows: Sequence[Mapping[str, object]]) -> str:
    """`2025` or `2025-2026`."""
    first, last = (str(row["ts"])[:4] for row in (rows[0], rows[-1]))
    return first if first == last else f"{first}-{last}"


def _add(archive: ZipFile, name: str, content: bytes) -> None:
    entry = ZipInfo(f"{FOLDER}/{name}", _ENTRY_DATE)
    entry.compress_type = ZIP_DEFLATED
    archive.writestr(entry, content)
