"""Snapshots in the archive: what was written is read again, by a library too, and no play among them."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.play import Artist, UnreadableError
from pipelines.domain.snapshots import KINDS, Genre, Snapshot, SnapshotSource, TopTrack, from_message, from_record
from pipelines.rebuilding.decoding import read_file
from pipelines.storage.archive import Archive
from pipelines.storage.encoding import encode_snapshots
from pipelines.storage.files import StorageError
from pipelines.storage.snapshots import SnapshotArchive, decode_snapshots
from pipelines.tables import snapshot_schema, table_of
from pipelines.warehouse.arrow import arrow_schema
from pipelines.warehouse.json_rows import to_line
from tests.builders import play
from tests.domain.test_snapshots import artist_snapshot, playlist_snapshot

_TEXTS = st.text(max_size=50)
_INSTANTS = st.integers(10**12, 4 * 10**12).map(
    lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
_VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: _TEXTS,
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    datetime: _INSTANTS,
    SnapshotSource: st.sampled_from(SnapshotSource),
    Artist: st.builds(Artist, _TEXTS, st.none() | _TEXTS),
    Genre: st.builds(Genre, _TEXTS, st.none() | st.integers(0, 99)),
    TopTrack: st.builds(TopTrack, _TEXTS, st.none() | _TEXTS),
}


def _values_of(hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) is tuple:
        return st.lists(_VALUES[get_args(hint)[0]], max_size=3).map(tuple)
    some = get_args(hint)
    return st.none() | _VALUES[some[0]] if some else _VALUES[hint]


def snapshots_of(kind: type[Snapshot]) -> st.SearchStrategy[Snapshot]:
    hints = {name: hint for name, hint in get_type_hints(kind).items() if name not in ("kind", "identified_by")}
    return st.builds(kind, **{name: _values_of(hint) for name, hint in hints.items()})


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_what_is_encoded_is_read_by_fastavro_field_by_field(kind: str, data: st.DataObject) -> None:
    some = data.draw(st.lists(snapshots_of(KINDS[kind]), max_size=3))
    reader: Any = fastavro.reader(io.BytesIO(encode_snapshots(kind, some)))
    assert [from_record(kind, record) for record in reader] == some
    assert reader.metadata["heavy_rotation.plays"] == str(len(some))


_ANYTHING = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5) | st.just("\x00")
)
_OF_A_LIST = st.lists(st.dictionaries(st.sampled_from(["id", "name", "votes"]), _ANYTHING, max_size=3), max_size=2)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_whatever_a_message_holds_is_told_or_can_be_written_everywhere(kind: str, data: st.DataObject) -> None:
    """So that none stops the stream: a row that only its table refuses would come again and again."""
    good = json.loads(data.draw(snapshots_of(KINDS[kind])).to_message()[0])
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(good)), _ANYTHING | _OF_A_LIST, max_size=2))
    try:
        snapshot = from_message(kind, json.dumps(good | changes).encode(errors="surrogatepass"))
    except UnreadableError:
        return
    row = snapshot.to_row()
    assert pa.Table.from_pylist([row], arrow_schema(table_of(kind))).to_pylist()[0]["month"] == snapshot.month
    assert json.loads(to_line(row))["source"] == row["source"]
    [read] = decode_snapshots(kind, "a file", encode_snapshots(kind, [snapshot]))
    assert read == snapshot
    rebuilt = read_file("a file", encode_snapshots(kind, [snapshot]), kind).to_dicts()
    assert [{**each, "month": snapshot.month} for each in rebuilt] == [row]


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_and_the_class_have_the_same_fields_in_the_same_order(kind: str) -> None:
    hints = [name for name in get_type_hints(KINDS[kind]) if name not in ("kind", "identified_by")]
    assert sorted(hints) == sorted(field["name"] for field in snapshot_schema(kind)["fields"])


def test_each_kind_and_month_has_files_of_its_own(tmp_path: Path) -> None:
    archive = SnapshotArchive(str(tmp_path))
    october = artist_snapshot(taken_at=datetime(2026, 10, 31, 23, 59, tzinfo=UTC))
    november = artist_snapshot(taken_at=datetime(2026, 11, 1, tzinfo=UTC))
    archive.write([november, playlist_snapshot(), october])
    assert len(archive.files("artist_snapshot")) == 2
    [path] = archive.files("artist_snapshot", [date(2026, 10, 1)])
    assert path.startswith(f"{tmp_path}/artist_snapshot/month=2026-10/artist_snapshot-")
    assert list(archive.read("artist_snapshot", path)) == [october]
    assert archive.files("track_snapshot") == []


def test_snapshots_are_not_among_the_plays(tmp_path: Path) -> None:
    plays = Archive(str(tmp_path))
    written = plays.write(date(2026, 11, 1), [play()])
    SnapshotArchive(str(tmp_path)).write([artist_snapshot(), playlist_snapshot()])
    assert plays.files() == plays.everything() == [written]


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    archive = SnapshotArchive(str(tmp_path))
    [path] = archive.write([artist_snapshot()])
    Path(path).write_bytes(Path(path).read_bytes()[:-20])
    with pytest.raises(StorageError, match="cannot be read"):
        archive.read("artist_snapshot", path)
