from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain import ranking
from pipelines.domain.month import Calendar
from pipelines.domain.play import Artist, Play, Source
from pipelines.domain.ranking import KINDS, Tally
from pipelines.domain.song import UNKNOWN_NAME, song_key
from pipelines.rebuilding import columns
from tests import oracle
from tests.builders import INGESTED_AT, play, plays
from tests.rebuilding.test_columns import frame_of

MONTH = date(2026, 11, 1)
START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)

# Few instants and few names, so that copies, ties, songs of several ids and shared names are the rule.
some_plays = st.lists(
    st.builds(
        lambda minute, millis, track, title, artist, artist_id, album, album_id, album_artist, image, source, age: play(
            START + timedelta(minutes=minute, milliseconds=millis),
            track,
            track_name=title,
            artists=(Artist(artist, artist_id),) if artist is not None else (),
            album_name=album,
            album_id=album_id if album else None,
            album_artist_name=album_artist,
            album_image_url=image,
            source=source,
            ingested_at=INGESTED_AT + timedelta(seconds=age),
        ),
        st.integers(0, 20),
        st.sampled_from([0, 1, 999]),
        st.sampled_from([*"abcdefghijkl", "names:a", "names:b"]),
        st.sampled_from(["One", "ONE ", "Two", "Two (Live)", "ﬁve", "Five", UNKNOWN_NAME]),
        st.sampled_from(["X", "x", "Y", "Z", "", UNKNOWN_NAME, None]),
        st.sampled_from(["x1", "x2", "", None]),
        st.sampled_from(["Red", "red", "Blue", "", None]),
        st.sampled_from(["r", "b", "", None]),
        st.sampled_from(["Various", "X", "", None]),
        st.sampled_from(["cover", "other", "", None]),
        st.sampled_from(Source),
        st.integers(0, 3),
    ),
    max_size=60,
    # Copies of one preference are one reading of one play: they do not differ.
    unique_by=lambda p: (p.played_at, p.preference),
)


def tally_of(some: list[Play]) -> Tally:
    tally: Tally = {}
    for p in some:
        ranking.add(tally, *ranking.entry(p))
    return tally


def ten(some: list[Play]) -> dict[str, list[dict[str, Any]]]:
    return {kind: ranking.top_ten(tally_of(some), kind) for kind in KINDS}


@given(some_plays, st.randoms(use_true_random=False))
def test_the_order_of_plays_does_not_matter(some: list[Play], random: Any) -> None:
    shuffled = random.sample(some, len(some))
    assert ten(shuffled + shuffled[::2]) == ten(some)


@given(some_plays)
def test_it_agrees_with_plain_counting(some: list[Play]) -> None:
    rows = ranking.snapshots("me", MONTH, tally_of(some), is_final=False, computed_at=INGESTED_AT)
    assert oracle.of_rows(rows if some else []) == oracle.top_tens(some)


@given(some_plays)
def test_the_columnar_ranking_is_the_same(some: list[Play]) -> None:
    calendar = Calendar("Europe/Paris")
    once = columns.with_keys(columns.each_once(frame_of(some, calendar)))
    by_columns = columns.snapshots(once, calendar, INGESTED_AT).to_dicts()
    rows = ranking.snapshots("me", MONTH, tally_of(some), is_final=False, computed_at=INGESTED_AT)
    by_kind = {row["kind"]: row for row in by_columns}
    assert by_kind == ({row["kind"]: row for row in rows} if some else {})


def test_more_plays_rank_higher() -> None:
    assert [(i["id"], i["plays"], i["rank"]) for i in ten(plays("abbccc"))["track"]] == [
        ("c", 3, 1),
        ("b", 2, 2),
        ("a", 1, 3),
    ]


def test_of_equals_the_one_heard_last_ranks_higher() -> None:
    assert [i["id"] for i in ten(plays("abba"))["track"]] == ["a", "b"]


def test_of_equals_heard_last_in_one_second_the_smaller_id_ranks_higher() -> None:
    # Exports know no more than the second, and an import puts what shares one some milliseconds apart.
    items = ten([play(START, "b"), play(START + timedelta(milliseconds=999), "c")])
    assert [(i["id"], i["last_played_at"]) for i in items["track"]] == [("b", START), ("c", START)]
    items = ten([play(START + timedelta(milliseconds=1), "b"), play(START + timedelta(milliseconds=2), "a")])
    assert [i["id"] for i in items["track"]] == ["a", "b"]
    assert [i["id"] for i in items["artist"]] == ["artist-a", "artist-b"]


def test_there_are_at_most_ten() -> None:
    items = ten(plays("abcdefghijklmno"))
    assert [i["rank"] for i in items["track"]] == list(range(1, 11))
    assert [len(items[kind]) for kind in KINDS] == [10, 10, 10]


def test_fewer_than_ten_are_all_there() -> None:
    assert len(ten(plays("abc"))["artist"]) == 3


def test_a_play_without_album_or_artist_counts_where_it_can() -> None:
    items = ten(plays("a", album_name=None, album_id=None, artists=()))
    assert [len(items[kind]) for kind in KINDS] == [1, 0, 0]


def test_names_without_an_id_count_for_the_one_id_that_the_month_knows() -> None:
    polled = play(START, "a", artists=(Artist("X", "x1"),), album_name="Red", album_id="r1")
    exported = play(START + timedelta(hours=1), "b", artists=(Artist("X"),), album_name="Red", album_id=None)
    items = ten([polled, exported])
    assert [(i["id"], i["plays"]) for i in items["artist"]] == [("x1", 2)]
    assert [(i["id"], i["plays"]) for i in items["album"]] == [("r1", 2)]


def test_names_that_two_ids_share_stay_apart() -> None:
    some = [
        play(START + timedelta(hours=n), track, artists=(Artist("X", id_),))
        for n, (track, id_) in enumerate([("a", "x1"), ("b", "x2"), ("c", None)])
    ]
    assert [i["plays"] for i in ten(some)["artist"]] == [1, 1, 1]


def heard(hour: int, track: str, title: str, artist: str, **fields: Any) -> Play:
    return play(START + timedelta(hours=hour), track, track_name=title, artists=(Artist(artist),), **fields)


def test_one_recording_under_several_ids_is_one_song() -> None:
    single = heard(0, "s", "Beet It", "Velvet Turnip", album_name="Beet It", album_image_url="single")
    album = heard(1, "a", "BEET  IT", "velvet turnip", album_name="Root Songs", album_image_url=None)
    (item,) = ten([single, album])["track"]
    assert (item["id"], item["plays"]) == ("a", 2)
    assert (item["name"], item["artist_name"]) == ("BEET  IT", "velvet turnip")
    assert (item["album_name"], item["image_url"]) == ("Root Songs", "single")
    assert item["song_id"] == song_key("s", "Beet It", "Velvet Turnip")


@pytest.mark.parametrize("title", ["Beet It (Live)", "Beet It - Remastered 2011", "Beet It (feat. Leek)"])
def test_another_version_is_a_song_of_its_own(title: str) -> None:
    some = [heard(0, "s", "Beet It", "Velvet Turnip"), heard(1, "a", title, "Velvet Turnip")]
    assert [i["plays"] for i in ten(some)["track"]] == [1, 1]


@pytest.mark.parametrize(("title", "artist"), [(UNKNOWN_NAME, "X"), ("One", ""), ("One", UNKNOWN_NAME)])
def test_a_track_without_a_real_title_or_artist_is_a_song_by_its_id_alone(title: str, artist: str) -> None:
    some = [heard(0, "s", title, artist), heard(1, "a", title, artist), heard(2, "s", title, artist)]
    assert [(i["id"], i["plays"], i["song_id"]) for i in ten(some)["track"]] == [("s", 2, "s"), ("a", 1, "a")]


def test_an_id_of_spotify_is_shown_where_a_play_of_the_song_has_one() -> None:
    account = {"source": Source.ACCOUNT_EXPORT, "album_name": None}
    some = [heard(0, "s", "One", "X"), heard(1, "names:1", "One", "X", **account)]
    assert [(i["id"], i["plays"]) for i in ten(some)["track"]] == [("s", 2)]
    assert [(i["id"], i["plays"]) for i in ten(some[1:])["track"]] == [("names:1", 1)]


def compilation(source: Source, **fields: Any) -> list[Play]:
    """Four tracks, whose artists an export does not name."""
    polled = source is Source.RECENTLY_PLAYED
    return [
        heard(
            n if polled else n + 24,
            f"hit-{n}",
            f"Hit {n}",
            f"Artist {n}" if polled else "Various Artists",
            source=source,
            **{"album_name": "Various Hits", "album_artist_name": "Various Artists"} | fields,
        )
        for n in range(4)
    ]


def test_the_copies_of_a_compilation_meet_through_their_ids() -> None:
    polled, exported = (
        compilation(source, album_id=id_)
        for source, id_ in ((Source.RECENTLY_PLAYED, "c1"), (Source.EXTENDED_EXPORT, None))
    )
    items = ten([*polled, *exported])
    assert [(i["name"], i["artist_name"], i["plays"]) for i in items["album"]] == [
        ("Various Hits", "Various Artists", 8)
    ]
    assert {(i["name"], i["artist_name"], i["plays"]) for i in items["track"]} == {
        (f"Hit {n}", f"Artist {n}", 2) for n in range(4)
    }
    assert {(i["name"], i["plays"]) for i in items["artist"]} == {(f"Artist {n}", 2) for n in range(4)}


def test_a_compilation_that_was_archived_before_albums_had_artists_is_one_album() -> None:
    polled = compilation(Source.RECENTLY_PLAYED, album_id="c1", album_artist_name=None)
    exported = compilation(Source.EXTENDED_EXPORT, album_id=None, album_artist_name=None)
    assert [(i["id"], i["plays"]) for i in ten([*polled, *exported])["album"]] == [("c1", 8)]


def test_one_album_under_several_ids_is_one_album_and_another_artists_is_another() -> None:
    some = [
        heard(0, "a", "One", "X", album_name="Greatest Hits", album_id="1", album_image_url="cover"),
        heard(1, "b", "Two", "X", album_name="greatest hits", album_id="2", album_image_url=None),
        heard(2, "c", "Three", "Y", album_name="Greatest Hits", album_id="3"),
    ]
    assert [(i["id"], i["plays"], i["name"], i["image_url"]) for i in ten(some)["album"]] == [
        ("2", 2, "greatest hits", "cover"),
        ("3", 1, "Greatest Hits", None),
    ]


def test_an_id_goes_by_its_preferred_copy_and_of_equals_by_the_one_heard_last() -> None:
    later = INGESTED_AT + timedelta(days=1)
    some = [heard(0, "a", "Old", "X"), heard(1, "a", "New", "X"), heard(2, "a", "Newest", "X", ingested_at=later)]
    assert [(i["name"], i["plays"]) for i in ten(some)["track"]] == [("New", 3)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_tally_has_no_items(kind: ranking.Kind) -> None:
    assert ranking.top_ten({}, kind) == []
