"""Files of the archive decoded together are what they are alone, and what is wrong with one is told of that one."""

import io

import fastavro
import pytest

from pipelines.rebuilding.decoding import FILE, read_all, read_file
from pipelines.storage.archive import decode
from pipelines.storage.encoding import encode
from pipelines.tables import play_schema
from tests.builders import play, plays


def whole() -> list[tuple[str, bytes]]:
    return [("a", encode(plays("abc"))), ("none", encode([])), ("b", encode(plays("de", user_id="you")))]


def test_many_files_are_what_each_is_alone() -> None:
    found, troubles = read_all(whole())
    assert not troubles
    assert found["track_id"].to_list() == [*"abcde"]
    assert found[FILE].to_list() == [0, 0, 0, 2, 2]
    for number, (path, data) in enumerate(whole()):
        assert found.filter(found[FILE] == number).drop(FILE).equals(read_file(path, data))


@pytest.mark.parametrize("where", [0, 1, 2, 3])
@pytest.mark.parametrize("damage", ["cut", "a byte", "no Avro", "a block less"])
def test_a_damaged_file_is_named_and_the_others_are_read(damage: str, where: int) -> None:
    data = bytearray(encode(plays("xyz")))
    if damage == "a byte":  # in the compressed records, so that all is in its place
        at = len(data) - 40
        data[at : at + 8] = bytes(8)
    broken = {
        "cut": bytes(data[:-30]),
        "a byte": bytes(data),
        "no Avro": b"not Avro",
        "a block less": encode([])[:-16].replace(b"plays\x020", b"plays\x023") + encode([])[-16:],
    }[damage]
    files = whole()
    files.insert(where, ("broken", broken))
    found, troubles = read_all(files)
    assert found["track_id"].to_list() == [*"abcde"]
    assert list(troubles) == [where]
    assert troubles[where].startswith("broken cannot be read (")


@pytest.mark.parametrize("codec", ["null", "bzip2", "xz"])
def test_other_codecs_are_read_too(codec: str) -> None:
    some = plays("abc")
    file = io.BytesIO()
    fastavro.writer(file, play_schema(), [p.to_record() for p in some], codec=codec)
    found, troubles = read_all([*whole(), ("other", file.getvalue())])
    assert not troubles
    assert found["track_id"].to_list() == [*"abcdeabc"]
    assert list(decode("other", file.getvalue())) == some


def test_a_file_of_an_older_version_lacks_a_field_that_may_be_missing() -> None:
    old = play_schema() | {"fields": [f for f in play_schema()["fields"] if f["name"] != "album_artist_name"]}
    file = io.BytesIO()
    fastavro.writer(file, old, [play("2026-11-02T10:00:00Z", "old").to_record()], codec="deflate")
    found, troubles = read_all([("old", file.getvalue()), *whole()])
    assert not troubles
    assert sorted(found["track_id"]) == [*"abcde", "old"]
    assert found.filter(found["track_id"] == "old")["album_artist_name"].to_list() == [None]
