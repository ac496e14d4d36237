"""Files of the archive, as each of its readers reads them."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.siege.hostile.drawing import HEARD, NOW, Parser, as_json, calendar, damaged
from tests.siege.world import message


@cache
def _files() -> tuple[bytes, ...]:
    """Whole files, small and of several blocks, as this project and as fastavro writes them."""
    import fastavro

    from pipelines.domain.play import from_message
    from pipelines.storage.archive import Archive, schema_of

    plays = [from_message(as_json(message(play, play.end + 60_000))) for play in HEARD]
    made = []
    with tempfile.TemporaryDirectory() as place:
        for some in (plays[:6], plays, plays[:1]):
            path = Archive(place).write(calendar().month_of(plays[0].played_at), some)
            assert path
            made.append(Path(path).read_bytes())
    for codec in ("null", "deflate"):
        with tempfile.TemporaryFile() as file:
            fastavro.writer(file, schema_of(), [play.to_record() for play in plays[:9]], codec, sync_interval=200)
            file.seek(0)
            made.append(file.read())
    return tuple(made)


def archive_files() -> Parser:
    """As the stream's replay, the forgetting and the import read them."""
    from pipelines.storage.archive import decode, fields_of, without
    from pipelines.storage.files import StorageError
    from pipelines.storage.scanning import Scanner

    def feed(data: bytes) -> None:
        for read in (
            lambda: list(decode("a.avro", data)),
            lambda: list(fields_of("a.avro", data, ("user_id", "played_at"))),
            lambda: without("a.avro", data, lambda record: record.get("track_id") == "x"),
            lambda: list(Scanner().plays("a.avro", data)),
        ):
            try:
                read()
            except StorageError:
                continue

    return st.one_of(*map(damaged, _files())), feed


def archive_columns() -> Parser:
    """As the rebuild reads them: two whole files and a broken one between, of which the whole ones lose nothing."""
    from pipelines.rebuilding import columns
    from pipelines.rebuilding.decoding import FILE, read_all

    whole = _files()[0]

    def feed(data: bytes) -> None:
        decoded = read_all([("a.avro", whole), ("b.avro", data), ("c.avro", whole)])
        assert not {0, 2} & decoded.troubles.keys(), decoded.troubles
        counts = dict(decoded.records[FILE].value_counts().iter_rows())
        assert (counts[0], counts[2]) == (6, 6), counts
        assert not counts.get(1) or 1 not in decoded.troubles
        possible, _ = columns.possible(decoded.records, NOW)
        columns.each_once(columns.with_keys(possible))

    return st.one_of(*map(damaged, _files())), feed


def snapshot_files() -> Parser:
    """Files of artists, as the rebuild reads them, and whoever asks sources what it asked before."""
    from pipelines.domain.snapshots import ArtistSnapshot, Genre, SnapshotSource
    from pipelines.rebuilding.decoding import read_all
    from pipelines.storage.encoding import encode_snapshots
    from pipelines.storage.files import StorageError
    from pipelines.storage.snapshots import decode_snapshots

    some: list[Any] = [
        ArtistSnapshot(
            artist_id=f"artist{number}",
            source=SnapshotSource.MUSICBRAINZ,
            taken_at=NOW,
            found=True,
            name="Ana Duarte",
            genres=(Genre("indie", number), Genre("folk")),
        )
        for number in range(4)
    ]

    def feed(data: bytes) -> None:
        read_all([("a.avro", data)], "artist_snapshot")
        try:
            found = list(decode_snapshots("artist_snapshot", "a.avro", data))
        except StorageError:
            return
        for each in found:
            each.to_message()

    return damaged(encode_snapshots("artist_snapshot", some)), feed
