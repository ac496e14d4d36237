"""Parts of questions that are made in columns give the rows that their SQL gives, of histories that need all rules."""

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from pipelines.domain import ranking
from pipelines.domain.play import Artist, Play, Source
from pipelines.domain.snapshots import SnapshotSource, TrackSnapshot
from pipelines.querying.columns import counted
from pipelines.querying.columns.answers import ANSWERS
from pipelines.querying.columns.steps import PARTS
from pipelines.querying.reader import FolderReader
from pipelines.querying.translations import duckdb_question
from pipelines.tables.questions import Value, bound, parameters_of
from pipelines.warehouse.folder import FolderWarehouse
from tests.warehouse.listening import CALENDAR, READ_AT, play
from tests.warehouse.watching import snapshots

SPANS = {
    "a month": (date(2026, 11, 1), date(2026, 11, 30)),
    "part of a month": (date(2026, 10, 5), date(2026, 10, 20)),
    "over months": (date(2026, 9, 11), date(2026, 11, 30)),
    "of nothing": (date(2026, 4, 1), date(2026, 4, 30)),
    "all there is": (date(2026, 7, 1), date(2026, 12, 31)),
}
HIDDEN = ("track:track-3", "artist:artist-2", "artist_name:Artist 4", "album:album-5", "context:list", "track:no such")
OF_ITEMS = ("item", "item_ids", "item_songs", "item_months")
OF_SPANS = sorted(ANSWERS.keys() - {"compare", "tops", "known", *OF_ITEMS})
DAYS: dict[str, Value] = {"today": date(2026, 12, 1), "unknown_days": (date(2026, 10, 7), date(2026, 11, 3))}
# What the parts' SQL is that pipelines/querying/columns does in columns.
SEEN = {
    "span": "1397a67a1b8e",
    "credits": "6e4df7421d22",
    "lines": "a81ad28426ee",
    "firsts": "c63ca05a284b",
    "known": "fb6a9614dc4c",
    "different": "148c9832ae9e",
    "item": "a9f3fa537fbd",
    "chosen": "424f766f8bda",
    "guests": "0222f7fb0460",
    "told_by_plays": "da9efb983fc1",
    "matching": "872b44811e86",
    "every_play": "7de0d55eb9a9",
    "holding": "eca7a1f10483",
    "shown": "50e5037e2e88",
    "folded_search": "0d025481f0e2",
    "first_artist": "579db5d9b4c9",
    "source_rank": "1de62a7495eb",
    "time_heard": "258a67c78ecc",
}
# And that of the questions that answers.py answers.
ANSWERED = {
    "totals": "778b58412c4e",
    "tens": "832ce538102c",
    "tops": "2326d8d45985",
    "discoveries": "50cf7bd4ec38",
    "compare": "4a0480dbd68f",
    "days": "eea0296fd79e",
    "month_totals": "de12b0609225",
    "clock": "8608b48d7f9f",
    "releases": "3fbbe6f0b0d3",
    "edges": "6d97faf49950",
    "endings": "3110e83493dd",
    "streaks": "0f77aa42b71e",
    "sessions": "5f0b3f09c9c4",
    "known": "7d8e5ad3cee5",
    "item": "bd749ac3a84f",
    "item_ids": "dd5c5824913c",
    "item_songs": "be8a848a8713",
    "item_months": "344cd0ed43b6",
}


def hostile(seed: int, number: int = 400) -> list[Play]:
    """Plays of few tracks in many copies: nameless, empty, renamed, of one second, of one ingestion."""
    dice = random.Random(seed)

    def one_of(*values: object) -> object:
        return dice.choice(values)

    made = []
    for _ in range(number):
        track, artist, album = dice.randrange(9), dice.randrange(5), dice.randrange(6)
        at = datetime(2026, 7, 1, tzinfo=UTC) + timedelta(
            seconds=dice.randrange(0, 150 * 86_400, 40), milliseconds=dice.choice((0, 0, 1))
        )
        if dice.random() < 0.3:  # soon after another
            at = made[-1].played_at + timedelta(seconds=dice.choice((0.5, 90, 250))) if made else at
        names = (
            (Artist(f"Artist {artist}", one_of(f"artist-{artist}", None, "", "artist-9")),)
            if dice.random() < 0.9
            else ()
        )
        guests = [Artist("Guest", one_of("artist-1", "artist-2", "", None)) for _ in range(dice.randrange(4))]
        fields = {
            "track_id": one_of(f"track-{track}", f"names:{track}"),
            "track_name": one_of(f"Track {track}", f"Tràck {track} (Live)", f"TRACK {track}", f"Straße {track}"),
            "artists": names and (*names, *guests),
            "album_id": one_of(f"album-{album}", None, f"album-{album}"),
            "album_name": one_of(f"Album {album}", None, "", f"Album {album} (Deluxe)"),
            "album_artist_name": one_of(None, "", f"Artist {artist}", "Various Artists"),
            "album_release_date": one_of(None, "1999", "2004-05-06", ""),
            "album_image_url": one_of(None, "", f"https://i.scdn.co/image/{album}"),
            "duration_ms": one_of(None, 200_000, 0),
            "ms_played": one_of(None, None, 30_000, 0),
            "skipped": one_of(None, True, False),
            "reason_start": (None, "", "clickrow")[len(made) % 3],
            "reason_end": one_of(None, "", "trackdone"),
            "context_uri": one_of(None, "list", ""),
            "source": one_of(*Source),
            "ingested_at": READ_AT + timedelta(milliseconds=dice.choice((0, 0, 1, 5))),
        }
        made.append(play(at.isoformat(), track, artist, **fields))
    return made


def told_by_sources(seed: int) -> list[TrackSnapshot]:
    """What sources say of the same tracks, of which little and at two times."""
    dice = random.Random(seed)
    return [
        TrackSnapshot(
            track_id=f"{dice.choice(('track-', 'names:'))}{dice.randrange(9)}",
            source=dice.choice((SnapshotSource.SPOTIFY, SnapshotSource.MUSICBRAINZ)),
            taken_at=READ_AT + timedelta(hours=dice.randrange(2)),
            found=dice.random() < 0.8,
            album_id=dice.choice((None, "album-1", "album-5")),
            album_release_date=dice.choice((None, "", "2001", "2002-03-04")),
            album_image_url=dice.choice((None, "", "https://i.scdn.co/image/told")),
            duration_ms=dice.choice((None, 0, 199_000)),
        )
        for _ in range(40)
    ]


def in_folder(folder: Path, plays: list[Play]) -> FolderWarehouse:
    warehouse = FolderWarehouse(folder, "Europe/Paris")
    warehouse.append("play_events", [one.to_row(CALENDAR) for one in plays])
    by_month: dict[date, ranking.Tally] = {}
    for one in plays:
        by_month.setdefault(CALENDAR.month_of(one.played_at), {}).update([ranking.entry(one)])
    for month, tally in by_month.items():
        tens = ranking.snapshots("listener", month, tally, is_final=False, computed_at=READ_AT)
        warehouse.append("top_ten_snapshots", list(tens))
    return warehouse


@pytest.fixture(params=[1, pytest.param(2, marks=pytest.mark.long)])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> FolderWarehouse:
    return in_folder(tmp_path / "warehouse", hostile(request.param))


@pytest.fixture
def of(warehouse: FolderWarehouse) -> Iterator[FolderReader]:
    made = FolderReader(warehouse)
    yield made
    made.close()


def asked(question: str, span: str, **more: Value) -> dict[str, Value]:
    first, last = SPANS.get(span, SPANS["all there is"])
    given: dict[str, Value] = {"user_id": "listener", "from": first, "to": last, "limit": 1000, **DAYS, **more}
    return bound(question, {name: value for name, value in given.items() if name in parameters_of(question)})


def agree(of: FolderReader, question: str, values: dict[str, Value]) -> list[dict[str, object]]:
    """The answer, which is that of the whole SQL to the names of the columns."""
    statement = duckdb_question(question)
    answer, whole = of.rows(statement, values), of.rows(statement.whole, values)
    assert [list(row.items()) for row in answer] == [list(row.items()) for row in whole], (question, values)
    return answer


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("hidden", [(), HIDDEN], ids=["", "some hidden"])
def test_questions_of_spans_answer_as_their_sql(of: FolderReader, span: str, hidden: tuple[str, ...]) -> None:
    for question in OF_SPANS:
        for more in ({}, {"by": "time", "limit": 2}) if "by" in parameters_of(question) else ({},):
            agree(of, question, asked(question, span, hidden=hidden, **more))
    some = tuple(row["key"] for row in agree(of, "tens", asked("tens", span, kind="artist"))[1:4])
    agree(of, "tens", asked("tens", span, keys=(*some, "of nothing")))


@pytest.mark.parametrize("order", ["plays", "time", "first", "name"])
@pytest.mark.parametrize("kind", ["track", "album"])
def test_pages_of_a_list_answer_as_their_sql(of: FolderReader, kind: str, order: str) -> None:
    for by in ("plays", "time"):
        given = {"kind": kind, "order": order, "by": by}
        rows = agree(of, "tops", asked("tops", "over months", **given))
        assert len(rows) > 3
        for after in (*(str(row["place"]) for row in rows), "0", "nonsense", str(rows[0]["place"])[:9]):
            agree(of, "tops", asked("tops", "over months", **given, after=after) | {"limit": 2})


def test_what_is_kept_of_some_months_together_adds_up(of: FolderReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long history: here each month stands for some, and three for some years."""
    monkeypatch.setattr(counted, "_TOGETHER", (3, 1))
    for span in ("all there is", "over months", "all there is"):
        for question in ("tens", "totals", "releases", "discoveries"):
            for hidden in ((), HIDDEN):
                agree(of, question, asked(question, span, hidden=hidden))
    assert {key[0] for key in of._histories._of["listener"].history.kept} >= {"copies of 1", "copies of 3"}


def test_spans_are_answered_in_columns(of: FolderReader, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier: dict[str, Value] = {"before_from": date(2026, 8, 1), "before_to": date(2026, 8, 31)}
    for question in ("item_months", "known"):  # which read tables, once
        of.rows(duckdb_question(question), asked(question, "", kind="track", id="track-1", ids=("track-1",)))
    monkeypatch.setattr(of._keeper, "_filled", lambda *_: pytest.fail("DuckDB is asked"))
    for question in ANSWERS:
        kind = "track" if question in ("tops", "known", *OF_ITEMS) else ""
        more: dict[str, Value] = {"tops": {"order": "name"}, "compare": earlier}.get(question, {})
        values = asked(question, "over months", kind=kind, id="track-2", ids=("track-2",), **more)
        empty = frozenset({"until"}.intersection(values))
        of.rows(duckdb_question(question, empty), {name: values[name] for name in values if name not in empty})


@pytest.mark.parametrize("kind", ["track", "artist", "album"])
def test_items_answer_as_their_sql(of: FolderReader, kind: str) -> None:
    keys = [row["key"] for row in of.rows(duckdb_question("tens"), asked("tens", "all there is", kind=kind))]
    assert keys
    ranks = set()
    for id_ in (*keys[:4], f"{kind}-1", f"{kind}-5", "Album 3", "nothing of this id"):
        agree(of, "item", asked("item", "", kind=kind, id=id_))
        agree(of, "item_ids", asked("item_ids", "", kind=kind, id=id_))
        ranks |= {row["rank"] for row in agree(of, "item_months", asked("item_months", "", kind=kind, id=id_))}
        for span in ("over months", "all there is", "of nothing"):
            agree(of, "item_songs", asked("item_songs", span, kind=kind, id=id_))
            agree(of, "item_songs", asked("item_songs", span, kind=kind, id=id_, by="time", limit=2))
    assert len(ranks - {None}) > 1


def test_an_item_of_no_kind_is_duckdbs(of: FolderReader) -> None:
    for question in OF_ITEMS:
        agree(of, question, asked(question, "a month", kind="nonsense", id="track-1"))


@pytest.mark.parametrize("q", ["", "track", "TRÁCK 1", "strasse", "artist", "um 3", "\u0301", "nowhere"])
def test_searches_answer_as_their_sql(of: FolderReader, q: str) -> None:
    search = duckdb_question("search"), bound("search", {"user_id": "listener", "q": q, "limit": 3})
    assert of.rows(*search) == of.rows(search[0].whole, search[1])
    statement = duckdb_question("history")
    for span in SPANS:
        for before in ({}, {"before": datetime(2026, 10, 7, 12, tzinfo=UTC)}):
            values = asked("history", span, q=q, **before) | {"limit": 30}
            assert of.rows(statement, values) == of.rows(statement.whole, values), (span, before)
    assert bool(of.rows(*search)) == (q != "nowhere")


@pytest.mark.parametrize("kind", ["track", "album"])
@pytest.mark.parametrize("span", ["all there is", "of nothing", "over months"])
@pytest.mark.parametrize("told", [False, True], ids=["by plays", "by sources too"])
def test_what_is_known_of_things_is_as_their_sql(
    warehouse: FolderWarehouse, of: FolderReader, kind: str, span: str, told: bool
) -> None:
    if told:
        warehouse.append("track_snapshots", [one.to_row() for one in told_by_sources(4)])
        warehouse.append("playlist_snapshots", snapshots()["playlist_snapshots"])
    ids = [f"{kind}-{number}" for number in range(9)] + [f"names:{number}" for number in range(9)] + ["nowhere"]
    keys = [row["key"] for row in of.rows(duckdb_question("tens"), asked("tens", "all there is", kind=kind))]
    for some in (tuple(sorted({*ids, *keys})), (f"{kind}-1",), ("nowhere",)):
        agree(of, "known", asked("known", span, kind=kind, ids=some))


def test_a_search_finds_the_names_that_lists_of_all_time_show(tmp_path: Path) -> None:
    """An album of one id has one name, whatever it is called beside the songs that are found."""
    plays = [
        play("2026-11-01T08:00:00Z", 1, 1, album_id="album-1", album_name="Foo", source=Source.RECENTLY_PLAYED),
        play("2026-11-02T08:00:00Z", 2, 1, album_id="album-1", album_name="Foo (Deluxe)", source=Source.ACCOUNT_EXPORT),
    ]
    of = FolderReader(in_folder(tmp_path / "warehouse", plays))
    [listed] = of.rows(duckdb_question("tens"), asked("tens", "a month", kind="album"))

    def found(q: str) -> list[tuple[str, str, int]]:
        rows = of.rows(duckdb_question("search"), bound("search", {"user_id": "listener", "q": q}))
        return [(row["key"], row["name"], row["plays"]) for row in rows if row["kind"] == "album"]

    assert found("FOO") == [(listed["key"], listed["name"], 2)]
    assert found("deluxe") == []
    of.close()


def test_two_spans_beside_each_other_answer_as_their_sql(of: FolderReader) -> None:
    before = {"before_from": date(2026, 9, 1), "before_to": date(2026, 9, 30)}
    for question in ("compare", "dropped"):
        for more in ({}, {"limit": 3}, {"kind": "artist", "by": "time"}, {"before_from": date(2026, 4, 1)}):
            agree(of, question, asked(question, "a month", **{**before, **more}))


def test_months_that_change_are_read_again_and_no_other_copies_stay(tmp_path: Path) -> None:
    """A copy that only a play of before the change had leads to nothing any more."""
    warehouse = in_folder(tmp_path / "warehouse", hostile(3, 60))
    of = FolderReader(warehouse)
    by = (Artist("Artist 1", "artist-77"),)  # a name that others have, too
    gone = play("2026-11-05T08:00:00Z", 77, 77, artists=by, source=Source.ACCOUNT_EXPORT, ingested_at=READ_AT)
    warehouse.append("play_events", [gone.to_row(CALENDAR)])
    item = duckdb_question("item"), asked("item", "a month", kind="artist", id="artist-77")
    assert of.rows(*item) == of.rows(item[0].whole, item[1]) != []
    told = play("2026-11-05T08:00:00Z", 78, 78, source=Source.RECENTLY_PLAYED)  # the same play, by who knows more
    warehouse.append("play_events", [told.to_row(CALENDAR)])
    for question, values in (
        ("item", asked("item", "a month", kind="artist", id="artist-77")),
        ("item", asked("item", "a month", kind="artist", id="artist-78")),
        ("tens", asked("tens", "a month")),
        ("discoveries", asked("discoveries", "a month")),
    ):
        statement = duckdb_question(question)
        assert of.rows(statement, values) == of.rows(statement.whole, values), question
    assert of.rows(*item) == []
    of.close()


def test_a_ten_that_comes_after_its_plays_is_seen_beside_an_item(tmp_path: Path) -> None:
    warehouse = FolderWarehouse(tmp_path / "warehouse", "Europe/Paris")
    one = play("2026-11-05T08:00:00Z", 1, 1)
    warehouse.append("play_events", [one.to_row(CALENDAR)])
    of = FolderReader(warehouse)
    of_song = duckdb_question("item_months"), asked("item_months", "", kind="track", id="track-1")
    assert [row["rank"] for row in of.rows(*of_song)] == [None]
    tens = ranking.snapshots(
        "listener", date(2026, 11, 1), dict([ranking.entry(one)]), is_final=False, computed_at=READ_AT
    )
    warehouse.append("top_ten_snapshots", list(tens))
    assert [row["rank"] for row in of.rows(*of_song)] == [1]
    of.close()


def test_every_part_that_is_made_in_columns_is_found(of: FolderReader) -> None:
    """It is by its text: one that read otherwise would be DuckDB's, slowly."""
    for question, parts in PARTS.items():
        values = asked(question, "a month", kind="track", id="track-1", ids=("track-1",), q="t")
        statement = duckdb_question(question, frozenset({"until"}.intersection(values)))
        of.rows(statement, values)
        held = {key[0]: kept.made for key, kept in of._keeper._tables.items()}  # type: ignore[index]
        steps = [step for step in statement.steps if step.part in parts]
        assert {step.part for step in steps} == set(parts)
        assert all(held[step.sql] is not None for step in steps)


@pytest.mark.parametrize("part", SEEN)
def test_a_part_whose_sql_changes_is_looked_at_in_columns_too(part: str) -> None:
    assert digest(f"parts/{part}.sql") == SEEN[part], f"see that pipelines/querying/columns does as {part}.sql says"


@pytest.mark.parametrize("question", ANSWERS)
def test_a_question_whose_sql_changes_is_looked_at_in_columns_too(question: str) -> None:
    assert digest(f"{question}.sql") == ANSWERED[question], f"see that answers.py does as {question}.sql says"


def digest(path: str) -> str:
    """Of a file's SQL without comments; what is to be written above once the columns do as it says."""
    text = resources.files("pipelines.tables.questions").joinpath(path).read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return hashlib.sha256(lines.encode()).hexdigest()[:12]
