import io
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

import fastavro
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.instants import parse, to_millisecond
from pipelines.domain.month import Calendar
from pipelines.domain.play import (
    Artist,
    Play,
    Source,
    UnreadableError,
    check_times,
    from_message,
    from_record,
)
from pipelines.domain.song import synthetic_id
from pipelines.tables import play_schema, table_schema
from tests.builders import play

texts = st.text(st.characters(codec="utf-8"))
names = st.text(st.characters(codec="utf-8"), min_size=1)
numbers = st.integers(-(2**63), 2**63 - 1)
moments = st.datetimes(
    datetime(2006, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
    datetime(2099, 12, 31, 23, 59, 59),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(to_millisecond)
_KINDS: dict[Any, st.SearchStrategy[Any]] = {
    str: names,
    datetime: moments,
    Source: st.sampled_from(Source),
    tuple[Artist, ...]: st.lists(st.builds(Artist, texts, st.none() | texts), max_size=3).map(tuple),
    str | None: st.none() | texts,
    int | None: st.none() | numbers,
    bool | None: st.none() | st.booleans(),
}
# Every field is drawn, whichever there are: one that is lost on a way shows.
any_play = st.builds(Play, **{name: _KINDS[kind] for name, kind in get_type_hints(Play).items()})


def test_the_fields_of_a_play_are_those_of_the_archives_schema() -> None:
    avro = {"long": int, "string": str, "boolean": bool}
    optional = {field["name"]: avro[field["type"][1]] for field in play_schema()["fields"] if "default" in field}
    assert [field.name for field in fields(Play)] == [field["name"] for field in play_schema()["fields"]]
    assert {f.name: get_type_hints(Play)[f.name] for f in fields(Play) if f.default is None} == {
        name: kind | None for name, kind in optional.items()
    }


def test_a_file_of_before_a_field_came_has_plays_without_it() -> None:
    old = play_schema() | {"fields": [f for f in play_schema()["fields"] if f["name"] != "album_artist_name"]}
    original, file = play(album_artist_name="Various Artists"), io.BytesIO()
    fastavro.schemaless_writer(file, old, original.to_record())
    file.seek(0)
    assert from_record(fastavro.schemaless_reader(file, old, play_schema())) == replace(
        original, album_artist_name=None
    )


@given(any_play)
def test_a_play_survives_its_message(original: Play) -> None:
    data, attributes = original.to_message()
    assert from_message(data) == original
    assert attributes.keys() == {"user_id", "played_at", "source"}
    assert parse(attributes["played_at"]) == original.played_at


@given(any_play)
def test_a_play_survives_the_archives_avro(original: Play) -> None:
    file = io.BytesIO()
    fastavro.schemaless_writer(file, play_schema(), original.to_record(), strict=True)
    file.seek(0)
    assert from_record(fastavro.schemaless_reader(file, play_schema(), None)) == original


@given(any_play)
def test_a_row_has_just_the_columns_of_play_events(original: Play) -> None:
    row = original.to_row(Calendar("Europe/Paris"))
    assert list(row) == [column["name"] for column in table_schema("play_events")]


def test_a_row_has_the_local_time_of_paris() -> None:
    row = play("2026-07-31T22:30:00.250Z").to_row(Calendar("Europe/Paris"))
    assert row["played_at_local"] == datetime(2026, 8, 1, 0, 30, 0, 250_000)  # noqa: DTZ001  a DATETIME is naive
    assert str(row["played_on"]) == "2026-08-01"
    assert str(row["month"]) == "2026-08-01"


def changed(**fields: Any) -> bytes:
    message = orjson.loads(play().to_message()[0]) | fields
    return orjson.dumps({name: value for name, value in message.items() if value is not ...}, default=str)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "user_id is missing"),
        (changed(user_id=""), "user_id is missing"),
        (changed(user_id=7), "user_id is not a string"),
        (changed(played_at=None), "played_at is missing"),
        (changed(played_at="yesterday"), "played_at is not an RFC 3339 time with an offset"),
        (changed(played_at="2026-11-21T08:00:00"), "played_at is not an RFC 3339 time with an offset"),
        (changed(played_at="1970-01-01T00:00:00Z"), "played_at is not between 2006 and 2099"),
        (changed(played_at="9999-12-31T23:59:59-10:00"), "played_at is not an RFC 3339 time with an offset"),
        (changed(ingested_at="0999-11-21T08:00:00Z"), "ingested_at is not between 2006 and 2099"),
        (changed(ingested_at="2100-01-01T00:00:00Z"), "ingested_at is not between 2006 and 2099"),
        (changed(track_id=None), "track_id is missing"),
        (changed(source="RADIO"), "source is none of RECENTLY_PLAYED, EXTENDED_EXPORT, ACCOUNT_EXPORT"),
        (changed(duration_ms="long"), "duration_ms is not a whole number"),
        (changed(duration_ms=True), "duration_ms is not a whole number"),
        (changed(duration_ms=2**63), "duration_ms does not fit in 64 bits"),
        (changed(explicit=1), "explicit is not true or false"),
        (changed(artists=None), "artists is not a list"),
        (changed(artists=[{}]), "an artist has no name"),
        (changed(artists=["x"]), "an artist has no name"),
        (changed(artists=[{"name": "x", "id": 1}]), "an artist's id is not a string"),
    ],
)
def test_an_unreadable_message_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError) as error:
        from_message(data)
    assert str(error.value) == reason


@given(st.binary() | st.recursive(st.none() | numbers | texts, st.lists).map(orjson.dumps))
def test_no_bytes_whatever_raise_another_error(data: bytes) -> None:
    with pytest.raises(UnreadableError):
        from_message(data)


DAY, MS = timedelta(days=1), timedelta(milliseconds=1)
READ = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("played_at", "ingested_at", "reason"),
    [
        (READ, READ, None),
        (READ + DAY, READ, None),
        (READ + DAY + MS, READ + DAY, "played_at is more than a day after it was read"),
        (READ, READ + DAY + MS, "ingested_at is more than a day after it was read"),
        (READ - DAY, READ - 2 * DAY, None),
        (READ - DAY + MS, READ - 2 * DAY, "played_at is more than a day after ingested_at"),
        (datetime(2005, 12, 31, 23, 59, tzinfo=UTC), READ, "played_at is not between 2006 and 2099"),
    ],
)
def test_a_play_is_of_a_time_that_can_be(played_at: datetime, ingested_at: datetime, reason: str | None) -> None:
    try:
        said = check_times(played_at, ingested_at, READ)
    except UnreadableError as error:
        said = str(error)
    assert said == reason


def test_what_a_newer_version_adds_is_passed_over() -> None:
    assert from_message(changed(mood="happy")) == play()


def test_the_preferred_copy_is_the_one_that_knows_most_then_the_oldest() -> None:
    polled, exported = play(), play(source=Source.EXTENDED_EXPORT)
    account = play(source=Source.ACCOUNT_EXPORT)
    again = replace(polled, ingested_at=datetime(2026, 12, 1, tzinfo=UTC))
    earlier = replace(account, ingested_at=datetime(2020, 1, 1, tzinfo=UTC))
    copies = [earlier, account, again, exported, polled]
    assert sorted(copies, key=lambda p: p.preference) == [polled, again, exported, earlier, account]


def test_made_ids_are_stable_for_ever() -> None:
    # Literal, because archives hold them: a change here would split people's tracks in two.
    assert synthetic_id("track", "An Artist", "A Song") == "names:7e5e43b656adf03e164995"
    assert synthetic_id("track", "a", "bc") != synthetic_id("track", "ab", "c")
    assert synthetic_id("track", "a", "b") != synthetic_id("album", "a", "b")
