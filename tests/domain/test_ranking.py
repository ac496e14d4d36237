from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain import ranking
from pipelines.domain.month import Calendar
from pipelines.domain.play import Artist, Play, Source
from pipelines.domain.ranking import KINDS, Tally
from pipelines.rebuilding import columns
from tests import oracle
from tests.builders import INGESTED_AT, play, plays

MONTH = date(2026, 11, 1)
START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)

# Few instants and few names, so that copies, ties and shared names are the rule.
some_plays = st.lists(
    st.builds(
        lambda minute, track, artist, artist_id, album, album_id, image, source, age: play(
            START + timedelta(minutes=minute),
            track,
            artists=(Artist(artist, artist_id),) if artist else (),
            album_name=album,
            album_id=album_id if album else None,
            album_image_url=image,
            source=source,
            ingested_at=INGESTED_AT + timedelta(seconds=age),
        ),
        st.integers(0, 30),
        st.sampled_from("abcdefghijklm"),
        st.sampled_from(["X", "Y", "Z", ""]),
        st.sampled_from(["x1", "x2", "", None]),
        st.sampled_from(["Red", "Blue", None]),
        st.sampled_from(["r", "b", "", None]),
        st.sampled_from(["cover", None]),
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


@given(some_plays, st.lists(st.integers(0, 4)), st.permutations(range(5)))
def test_splitting_and_merging_does_not_matter(some: list[Play], cuts: list[int], order: list[int]) -> None:
    groups: list[list[Play]] = [[] for _ in range(5)]
    for n, p in enumerate(some):
        groups[cuts[n % len(cuts)] if cuts else 0].append(p)
    merged = ranking.merge(tally_of(groups[n]) for n in order)
    assert {kind: ranking.top_ten(merged, kind) for kind in KINDS} == ten(some)


@given(some_plays)
def test_it_agrees_with_plain_counting(some: list[Play]) -> None:
    rows = ranking.snapshots("me", MONTH, tally_of(some), is_final=False, computed_at=INGESTED_AT)
    assert oracle.of_rows(rows if some else []) == oracle.top_tens(some)


@given(some_plays)
def test_the_columnar_ranking_is_the_same(some: list[Play]) -> None:
    calendar = Calendar("Europe/Paris")
    frame = pl.DataFrame(
        [p.to_record() | {"played_at": p.played_at, "ingested_at": p.ingested_at} for p in some],
        schema_overrides=COLUMNS,
        schema=list(COLUMNS),
    )
    once = columns.each_once(columns.with_local_time(frame, calendar))
    by_columns = columns.snapshots(once, calendar, INGESTED_AT).to_dicts()
    rows = ranking.snapshots("me", MONTH, tally_of(some), is_final=False, computed_at=INGESTED_AT)
    by_kind = {row["kind"]: row for row in by_columns}
    assert by_kind == ({row["kind"]: row for row in rows} if some else {})


_TEXT = dict.fromkeys(
    ["user_id", "track_id", "track_name", "isrc", "album_id", "album_name", "album_release_date"]
    + ["album_image_url", "context_uri", "reason_start", "reason_end", "source"],
    pl.String(),
)
_TIME = dict.fromkeys(["played_at", "ingested_at"], pl.Datetime("ms", "UTC"))
_REST = {
    "duration_ms": pl.Int64(),
    "ms_played": pl.Int64(),
    "explicit": pl.Boolean(),
    "skipped": pl.Boolean(),
    "artists": pl.List(pl.Struct({"id": pl.String(), "name": pl.String()})),
}
COLUMNS: dict[str, pl.DataType] = {name: {**_TEXT, **_TIME, **_REST}[name] for name in play().to_record()}


def test_more_plays_rank_higher() -> None:
    assert [(i["id"], i["plays"], i["rank"]) for i in ten(plays("abbccc"))["track"]] == [
        ("c", 3, 1),
        ("b", 2, 2),
        ("a", 1, 3),
    ]


def test_of_equals_the_one_heard_last_ranks_higher() -> None:
    assert [i["id"] for i in ten(plays("abba"))["track"]] == ["a", "b"]


def test_of_equals_heard_last_at_one_instant_the_smaller_id_ranks_higher() -> None:
    # Two tracks cannot share an instant of one user, but a play counts for one artist and one album, so ids
    # decide only where a tally was made of them by hand.
    tally = tally_of([play(START, "b"), play(START + timedelta(minutes=1), "a")])
    high = max(tally)
    tally[high] = tally.pop(high)
    assert [i["id"] for i in ranking.top_ten(tally, "track")] == ["a", "b"]


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
        play(START + timedelta(hours=n), "a", artists=(Artist("X", id_),)) for n, id_ in enumerate(["x1", "x2", None])
    ]
    assert [i["plays"] for i in ten(some)["artist"]] == [1, 1, 1]


def test_what_is_shown_is_what_the_latest_play_says_with_the_latest_cover() -> None:
    old = play(START, "a", track_name="Old Name", album_image_url="cover")
    new = play(START + timedelta(hours=1), "a", track_name="New Name", album_image_url=None)
    item = ten([new, old])["track"][0]
    assert (item["name"], item["image_url"]) == ("New Name", "cover")


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_tally_has_no_items(kind: ranking.Kind) -> None:
    assert ranking.top_ten({}, kind) == []
