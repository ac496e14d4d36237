"""Plain Python, from the archive's Avro: ``python -m benchmarks.rivals.loop ARCHIVE OUT``.

fastavro's reader, a dictionary of plays and dictionaries of counts, a month at a time; pyarrow writes.
"""

import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import normalize
from zoneinfo import ZoneInfo

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

_ZONE = ZoneInfo("Europe/Paris")
_INSTANT = pa.timestamp("ms", "UTC")
TEXTS = ("id", "name", "artist_name", "album_name", "image_url")
_TEXT: pa.DataType = pa.string()
TENS = pa.schema(
    {
        "user_id": _TEXT,
        "month": pa.date32(),
        "kind": _TEXT,
        "rank": pa.int64(),
        **dict.fromkeys(TEXTS, _TEXT),
        "plays": pa.int64(),
        "last_played_at": _INSTANT,
    }
)

Record = dict[str, Any]


class Kind(NamedTuple):
    """What is ranked: the key that a play counts under, and what is shown of the newest."""

    name: str
    key: Callable[[Record], Any]
    shown: Callable[[Record], tuple[str | None, ...]]


def main(source: str, out: str) -> None:
    """Month after month."""
    tens: list[Record] = []
    for folder in sorted(Path(source, "plays").iterdir()):
        plays = _once(folder)
        where = Path(out, "plays", folder.name)
        where.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(plays), where / "plays.parquet", compression="zstd", compression_level=1)
        month = datetime.strptime(folder.name, "month=%Y-%m").date()  # noqa: DTZ007 - a month has no zone
        tens += ({"month": month, **row} for kind in KINDS for row in _ten(plays, kind))
    pq.write_table(pa.Table.from_pylist(tens, TENS), Path(out, "tens.parquet"))


def _once(folder: Path) -> list[Record]:
    kept: dict[tuple[str, datetime], Record] = {}
    for path in sorted(folder.glob("*.avro")):
        with path.open("rb") as file:
            for play in fastavro.reader(file):
                assert isinstance(play, dict)
                key = play["user_id"], play["played_at"]
                other = kept.get(key)
                if other is None or _preference(play) < _preference(other):
                    kept[key] = play
    for play in kept.values():
        play["played_at_local"] = play["played_at"].astimezone(_ZONE).replace(tzinfo=None)
    return list(kept.values())


def _preference(play: Record) -> tuple[datetime, str]:
    return play["ingested_at"], play["track_id"]


def _ten(plays: list[Record], kind: Kind) -> Iterator[Record]:
    users: dict[str, dict[Any, list[Any]]] = {}
    for play in plays:
        counts = users.setdefault(play["user_id"], {})
        entry = counts.setdefault(kind.key(play), [0, play])
        entry[0] += 1
        if play["played_at"] > entry[1]["played_at"]:
            entry[1] = play
    for user, counts in users.items():
        lines = [
            (count, newest["played_at"].replace(microsecond=0), kind.shown(newest)) for count, newest in counts.values()
        ]
        lines.sort(key=lambda line: (-line[0], -line[1].timestamp(), line[2][0]))
        for rank, (count, last, shown) in enumerate(lines[:10], start=1):
            texts = dict(zip(TEXTS, shown, strict=True))
            yield {"user_id": user, "kind": kind.name, "rank": rank, **texts, "plays": count, "last_played_at": last}


@cache
def _folded(text: str) -> str:
    return " ".join(normalize("NFKC", text).casefold().split())


def _owner(play: Record) -> str:
    return str(play["album_artist_name"] or play["artists"][0]["name"])


KINDS = (
    Kind(
        "track",
        lambda play: (_folded(play["track_name"]), _folded(play["artists"][0]["name"])),
        lambda play: (
            play["track_id"],
            play["track_name"],
            play["artists"][0]["name"],
            play["album_name"],
            play["album_image_url"],
        ),
    ),
    Kind(
        "artist",
        lambda play: play["artists"][0]["id"],
        lambda play: (play["artists"][0]["id"], play["artists"][0]["name"], None, None, None),
    ),
    Kind(
        "album",
        lambda play: (_folded(play["album_name"]), _folded(_owner(play))),
        lambda play: (play["album_id"], play["album_name"], _owner(play), None, play["album_image_url"]),
    ),
)


if __name__ == "__main__":
    main(*sys.argv[1:])
