from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from pipelines.domain.exports import LeftOut, LeftOutError, from_account_row, from_extended_row
from pipelines.domain.instants import parse, to_millis
from pipelines.domain.play import Artist, Play, Source, UnreadableError
from pipelines.domain.song import UNKNOWN_NAME, synthetic_id
from pipelines.domain.spotify import from_recently_played

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

ITEM: dict[str, Any] = {
    "played_at": "2026-11-21T08:50:14.123Z",
    "context": {"type": "playlist", "uri": "spotify:playlist:p1"},
    "track": {
        "id": "t1",
        "name": "A Song",
        "artists": [{"id": "a1", "name": "An Artist"}, {"id": "a2", "name": "A Guest"}],
        "album": {
            "id": "b1",
            "name": "An Album",
            "artists": [{"id": "a9", "name": "Various Artists"}, {"id": "a1", "name": "An Artist"}],
            "release_date": "2020-05",
            "images": [
                {"url": "small", "width": 64},
                {"url": "large", "width": 640},
                {"url": "none", "width": None},
            ],
        },
        "duration_ms": 201_000,
        "explicit": False,
        "external_ids": {"isrc": "XX0000000001"},
    },
}
EXTENDED: dict[str, Any] = {
    "ts": "2025-08-13T14:13:22Z",
    "ms_played": 183_175,
    "ip_addr": "203.0.113.7",
    "platform": "secret device",
    "username": "secret name",
    "master_metadata_track_name": "A Song",
    "master_metadata_album_artist_name": "An Artist",
    "master_metadata_album_album_name": "An Album",
    "spotify_track_uri": "spotify:track:t1",
    "episode_name": None,
    "spotify_episode_uri": None,
    "audiobook_title": None,
    "reason_start": "trackdone",
    "reason_end": "endplay",
    "skipped": None,
}
ACCOUNT: dict[str, Any] = {
    "endTime": "2020-01-16 03:13",
    "artistName": "An Artist",
    "trackName": "A Song",
    "msPlayed": 199_925,
}


def extended(row: object) -> Play:
    return from_extended_row(row, to_millis(NOW)).to_play("me", NOW)


def account(row: object) -> Play:
    return from_account_row(row, to_millis(NOW)).to_play("me", NOW)


def test_an_item_of_the_api_is_a_play_with_all_it_says() -> None:
    play = from_recently_played("me", ITEM, NOW)
    assert play.played_at == parse("2026-11-21T08:50:14.123Z")
    assert (play.track_id, play.track_name, play.duration_ms, play.isrc) == (
        "t1",
        "A Song",
        201_000,
        "XX0000000001",
    )
    assert play.artists == (Artist("An Artist", "a1"), Artist("A Guest", "a2"))
    assert play.album_artist_name == "Various Artists"
    assert (play.album_id, play.album_name, play.album_release_date) == ("b1", "An Album", "2020-05")
    assert play.album_image_url == "large"
    assert (play.context_uri, play.explicit, play.source) == ("spotify:playlist:p1", False, Source.RECENTLY_PLAYED)
    assert play.ms_played is None


def test_a_local_file_is_a_play_with_an_id_of_its_names() -> None:
    track = {"id": None, "name": "Demo Tape", "artists": [{"id": None, "name": "Us"}], "album": {"images": []}}
    play = from_recently_played("me", ITEM | {"track": track, "context": None}, NOW)
    assert play.track_id == synthetic_id("track", "Us", "Demo Tape")
    assert play.album_id is None


def test_a_local_file_without_tags_is_still_a_play() -> None:
    track = {"id": None, "name": "", "artists": [{"name": ""}], "album": None}
    play = from_recently_played("me", ITEM | {"track": track}, NOW)
    assert (play.track_name, play.artists) == (UNKNOWN_NAME, ())


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (None, "item is not an object"),
        ({}, "track is not an object"),
        (ITEM | {"track": []}, "track is not an object"),
        (ITEM | {"track": ITEM["track"] | {"artists": None}}, "artists is not a list"),
        (ITEM | {"track": ITEM["track"] | {"duration_ms": "x"}}, "duration_ms is not a whole number"),
        (ITEM | {"played_at": None}, "played_at is missing"),
        (ITEM | {"played_at": "soon"}, "played_at is not a time such as 2026-11-21T08:50:14Z"),
    ],
)
def test_an_item_of_unknown_shape_says_why(item: object, reason: str) -> None:
    with pytest.raises(UnreadableError) as error:
        from_recently_played("me", item, NOW)
    assert str(error.value) == reason


def test_an_extended_row_is_a_play_and_says_nothing_of_the_person() -> None:
    play = extended(EXTENDED)
    assert (play.track_id, play.ms_played, play.skipped) == ("t1", 183_175, None)
    assert play.artists == (Artist("An Artist"),)
    assert (play.reason_start, play.reason_end, play.source) == ("trackdone", "endplay", Source.EXTENDED_EXPORT)
    written = play.to_message()[0]
    assert b"203.0.113.7" not in written
    assert b"secret" not in written


EPISODE = {
    "spotify_track_uri": None,
    "master_metadata_track_name": None,
    "spotify_episode_uri": "spotify:episode:e1",
}
BOOK = {"spotify_track_uri": None, "master_metadata_track_name": None, "audiobook_uri": "spotify:show:x"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ms_played": 29_999}, LeftOut.SHORT),
        (EPISODE, LeftOut.PODCAST),
        (EPISODE | {"ms_played": 5}, LeftOut.PODCAST),
        (BOOK, LeftOut.AUDIOBOOK),
        ({"spotify_track_uri": None, "master_metadata_track_name": None}, LeftOut.NAMELESS),
    ],
)
def test_an_extended_row_that_is_no_play_is_left_out_by_reason(changes: dict[str, Any], reason: LeftOut) -> None:
    with pytest.raises(LeftOutError) as error:
        extended(EXTENDED | changes)
    assert error.value.reason is reason


def test_thirty_seconds_count() -> None:
    assert extended(EXTENDED | {"ms_played": 30_000}).ms_played == 30_000
    assert account(ACCOUNT | {"msPlayed": 30_000}).ms_played == 30_000


def test_a_row_whose_name_is_gone_is_still_a_play() -> None:
    play = extended(EXTENDED | {"master_metadata_track_name": None})
    assert (play.track_id, play.track_name) == ("t1", UNKNOWN_NAME)


def test_a_local_file_in_an_export_has_the_id_it_has_in_the_api() -> None:
    row = {"spotify_track_uri": "spotify:local:Us::Demo+Tape:215", "master_metadata_track_name": "Demo Tape"}
    play = extended(EXTENDED | row | {"master_metadata_album_artist_name": "Us"})
    assert play.track_id == synthetic_id("track", "Us", "Demo Tape")


@pytest.mark.parametrize(
    ("uri", "artist", "name"),
    [
        ("spotify:local:Us+%26+Them:The+Album:Demo+Tape:215", "Us & Them", "Demo Tape"),
        ("spotify:local:::Demo+Tape:215", None, "Demo Tape"),
        ("spotify:local:Us::%3A+colon:215", "Us", ": colon"),
        ("spotify:local:::", None, UNKNOWN_NAME),
    ],
)
def test_a_local_file_that_is_named_in_its_address_only(uri: str, artist: str | None, name: str) -> None:
    nameless = {"master_metadata_track_name": None, "master_metadata_album_artist_name": None}
    play = extended(EXTENDED | nameless | {"spotify_track_uri": uri})
    assert (play.track_name, [it.name for it in play.artists]) == (name, [artist] if artist else [])
    assert play.track_id == synthetic_id("track", artist or "", name)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ts": None}, "ts is missing"),
        ({"ts": "2025-08-13T14:13:22"}, "ts is not a time such as 2026-11-21T08:50:14Z"),
        ({"ts": "1970-01-01T00:00:00Z"}, "ts is not between 2006 and 2099"),
        ({"ms_played": None}, "ms_played is missing"),
        ({"ms_played": "1"}, "ms_played is not a whole number"),
        ({"ms_played": 2**63}, "ms_played does not fit in 64 bits"),
        ({"skipped": "no"}, "skipped is not true or false"),
    ],
)
def test_an_extended_row_that_makes_no_sense_says_why(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnreadableError) as error:
        extended(EXTENDED | changes)
    assert str(error.value) == reason


def test_an_account_row_is_a_play_in_whole_minutes_of_utc() -> None:
    play = account(ACCOUNT)
    assert play.played_at == parse("2020-01-16T03:13:00Z")
    assert play.track_id == synthetic_id("track", "An Artist", "A Song")
    assert (play.ms_played, play.source, play.album_name) == (199_925, Source.ACCOUNT_EXPORT, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"msPlayed": 4_454}, LeftOut.SHORT),
        ({"trackName": None}, LeftOut.NAMELESS),
        ({"artistName": ""}, LeftOut.NAMELESS),
    ],
)
def test_an_account_row_that_is_no_play_is_left_out_by_reason(changes: dict[str, Any], reason: LeftOut) -> None:
    with pytest.raises(LeftOutError) as error:
        account(ACCOUNT | changes)
    assert error.value.reason is reason


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x", "row is not an object"),
        (ACCOUNT | {"endTime": "16/01/2020"}, "endTime is not a time such as 2026-11-21 08:50"),
        (ACCOUNT | {"endTime": "2020-W03-4 03:13"}, "endTime is not a time such as 2026-11-21 08:50"),
        (ACCOUNT | {"endTime": "2020-02-30 03:13"}, "endTime is not a time such as 2026-11-21 08:50"),
        (ACCOUNT | {"endTime": None}, "endTime is not a time such as 2026-11-21 08:50"),
        (ACCOUNT | {"endTime": "1999-01-16 03:13"}, "endTime is not between 2006 and 2099"),
        ({name: value for name, value in ACCOUNT.items() if name != "msPlayed"}, "msPlayed is missing"),
    ],
)
def test_an_account_row_that_makes_no_sense_says_why(row: object, reason: str) -> None:
    with pytest.raises(UnreadableError) as error:
        account(row)
    assert str(error.value) == reason


@pytest.mark.parametrize(("ahead", "is_play"), [("2026-11-22T09:00:00Z", True), ("2026-11-22T09:00:01Z", False)])
def test_no_play_ends_more_than_a_day_after_it_was_ingested(ahead: str, is_play: bool) -> None:
    read = [
        partial(from_recently_played, "me", ITEM | {"played_at": ahead}, NOW),
        partial(extended, EXTENDED | {"ts": ahead}),
    ]
    for each in read:
        if is_play:
            assert each().played_at == parse(ahead)
        else:
            with pytest.raises((UnreadableError, LeftOutError), match="more than a day"):
                each()
