"""Pages of what is watched, and what snapshots add to the others: a picture, a length, genres."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from pipelines.domain.withdrawn import FEATURES
from pipelines.querying import duck
from pipelines.querying.asking import ask
from pipelines.querying.show import show
from pipelines.warehouse.folder import FolderWarehouse
from producer.snapshots.asker import Asker as SpotifyAsker
from tests.web.client import Client
from tests.web.histories import COVER, NOW, a_history, a_play, opened, written
from tests.web.pages.reading import Page
from tests.web.watching import EMPTY, NOBODY, PLAYLIST, watched
from web.asking import Asker
from web.recap.sheet import recap_html
from web.settings import Settings
from web.visit import visit_of
from web.words import day, length_of

PATHS = [
    "/watch",
    f"/watch/{PLAYLIST}",
    f"/watch/{EMPTY}",
    f"/watch/{NOBODY}",
    f"/watch/artist{1:016}",
    f"/watch/artist{0:016}",
    "/features",
    "/features?month=2026-03",
    "/month/2026-11",
    "/year/2026",
    "/recap",
    f"/song/track{15:017}",
    f"/artist/artist{1:016}",
    f"/album/album{3:017}",
    "/top/tracks",
    "/top/artists",
]
BARE = {"album_image_url": None, "album_release_date": None, "duration_ms": None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A history whose plays tell neither covers nor lengths, and snapshots that do."""
    folder = written(tmp_path_factory.mktemp("watched"), a_history(**BARE))
    watched(folder)
    return folder


@pytest.fixture(scope="module")
def followed(folder: str) -> Client:
    """A server over it."""
    return opened(folder)


@pytest.mark.parametrize("path", PATHS)
def test_it_answers_in_60_kb_and_with_every_name_escaped(followed: Client, path: str) -> None:
    answer = followed.get(path)
    assert answer.status_code == 200, answer.text
    assert len(answer.content) < 60_000
    page = Page(answer.text)
    assert page.tags.count("script") == 1
    assert not {"i", "style"}.intersection(page.tags)
    assert "<b>dub" not in answer.text
    assert not [one for one in page.attributes if one[1] == "style" or one[1].startswith("on")]


@pytest.mark.parametrize("path", ["/watch", "/features", "/month/2026-11", "/year/2026", "/recap", "/top/artists"])
def test_without_a_snapshot_nothing_breaks(browser: Client, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200
    assert 'id="genres"' not in answer.text


def test_what_is_not_there_is_said(browser: Client) -> None:
    assert "Nothing is watched yet" in browser.get("/watch").text
    assert "Spotify gives audio features to no new app" in browser.get("/features").text
    assert browser.get(f"/watch/{PLAYLIST}").status_code == 404


def test_a_playlist_s_comings_and_goings_are_those_of_its_states(followed: Client) -> None:
    text = Page(followed.get(f"/watch/{PLAYLIST}").text).text
    # Of 40, 5 left; 70, 71, 90 came; then 38, 39, 71 left and 2 came back; then 8 left and 72 came.
    rows = followed.get(f"/data/playlist_changes.json?id={PLAYLIST}&limit=1000").json()
    moves = [(row["change"], row["track_id"][-2:]) for row in rows]
    assert sorted(name for change, name in moves if change == "came") == ["02", "70", "71", "72", "90"]
    assert sorted(name for change, name in moves if change == "left") == [
        *(f"{number:02}" for number in [*range(5), *range(30, 40)]), "71",
    ]  # fmt: skip
    places = followed.get(f"/data/playlist_tracks.json?id={PLAYLIST}&limit=1000").json()
    assert [row["track_id"][-2:] for row in places] == ["02", "90", *(f"{n:02}" for n in range(5, 30)), "70", "72"]
    assert "Rotation & <i>more</i>" in text
    assert "4 states read" in text


def test_an_artist_s_figures_are_a_line_for_each_source(followed: Client) -> None:
    text = followed.get(f"/watch/artist{1:016}").text
    for heading in ("Popularity, Spotify", "Followers, Spotify", "Listeners, ListenBrainz", "Listens, ListenBrainz"):
        assert f"<h2>{heading}</h2>" in text
    assert "Followers of Artist 1 at Spotify: 120,777 on" not in text
    assert "Followers of Artist 1 at Spotify: 120,000 on 29 Oct 2026, 123,108 on 26 Nov 2026." in text
    # What one was not given is not drawn.
    assert "Popularity" not in followed.get(f"/watch/artist{0:016}").text


def test_a_month_s_genres_are_those_of_the_view(followed: Client, folder: str) -> None:
    rows = followed.get("/data/genres.json?from=2026-11-01&to=2026-11-30").json()
    sql = "SELECT source, rank, genre, plays, known_plays, all_plays FROM heavy_rotation.monthly_top_genres "
    sql += "WHERE month = '2026-11-01' ORDER BY source, rank"
    by_view = duck.query(FolderWarehouse.open(folder), sql).to_pylist()
    assert [{name: row[name] for name in by_view[0]} for row in rows] == by_view
    text = Page(followed.get("/month/2026-11").text).text
    assert f"of the artists of {rows[0]['known_plays']:,} of {rows[0]['all_plays']:,} plays" in text


@pytest.mark.long
def test_every_figure_s_sql_gives_its_csv(followed: Client, folder: str) -> None:
    paths = [path for path in PATHS if EMPTY not in path]
    links = {link for path in paths for link in Page(followed.get(path).text).links if link.startswith("/sql/")}
    own = {
        "watched",
        "playlist_tracks",
        "playlist_changes",
        "artist_figures",
        "artist_genres_known",
        "genres",
        "features",
    }
    asked = {name: link for link in links if (name := link.partition("?")[0].removeprefix("/sql/")) in own}
    assert set(asked) == own
    for name, link in asked.items():
        sql = followed.get(link.replace(f"/sql/{name}", f"/data/{name}.sql")).text
        csv = followed.get(link.replace(f"/sql/{name}", f"/data/{name}.csv")).text
        assert "".join(show(ask(folder, sql), "csv")) == csv, name
        assert csv.count("\n") > 1, name


def test_several_ids_are_asked_for_with_commas(followed: Client) -> None:
    answer = followed.get(f"/data/artist_pictures.json?ids=artist{0:016},artist{1:016},nobody")
    assert [row["id"] for row in answer.json()] == [f"artist{0:016}", f"artist{1:016}"]
    keys = followed.get("/data/tens.json?from=2026-11-01&to=2026-11-30&keys=a,b")
    assert (keys.status_code, keys.json()) == (200, [])
    assert followed.get("/data/artist_pictures.json").status_code == 400


def test_a_recap_to_send_has_the_genres_and_no_address_of_ours(folder: str) -> None:
    settings = Settings(folder, clock=lambda: NOW)
    asker = Asker(folder, clock=settings.clock)
    text = recap_html(visit_of(settings, asker, None), date(2026, 1, 1), date(2026, 12, 31))
    asker.close()
    assert '<section class="ten" id="genres">' in text
    assert "post-rock" in text
    assert "/data/" not in text


def test_covers_and_lengths_come_from_snapshots_where_plays_have_none(followed: Client, tmp_path: Path) -> None:
    small = COVER.replace("ab67616d0000b273", "ab67616d00004851")
    song = followed.get(f"/song/track{15:017}").text
    assert small in song
    assert "<dt>length</dt><dd>3:20</dd>" in song
    assert "<dt>came out</dt><dd>2001-02-03</dd>" in song
    assert small in followed.get("/top/tracks").text
    assert "ab6761610000f178" in followed.get("/top/artists").text
    assert f'href="/watch/artist{1:016}"' in followed.get(f"/artist/artist{1:016}").text
    folder = written(tmp_path, a_history(number=20, **BARE))
    watched(folder)
    assert "i.scdn.co" not in opened(folder, covers=False).get("/top/tracks").text


def test_a_polled_song_s_length_needs_no_snapshot(tmp_path: Path) -> None:
    folder = written(tmp_path, [a_play(NOW, 1, duration_ms=185_000)])
    assert "<dt>length</dt><dd>3:05</dd>" in opened(folder).get(f"/song/track{1:017}").text


@pytest.mark.parametrize(("milliseconds", "text"), [(185_000, "3:05"), (3_723_499, "1:02:03"), (400, "0:00")])
def test_a_length_is_minutes_and_seconds(milliseconds: int, text: str) -> None:
    assert length_of(milliseconds) == text


def test_features_are_bars_of_the_month_s_ten(followed: Client) -> None:
    page = followed.get("/features?month=2026-03").text
    ten = followed.get("/data/features.json?from=2026-03-01&to=2026-03-31").json()
    assert [row["rank"] for row in ten] == list(range(1, 11))
    assert page.count('class="now"') == 5 * sum(row["danceability"] is not None for row in ten)
    assert "/features?month=2026-04" in page


def test_features_that_spotify_refused_this_app_are_said_with_its_words(
    folder: str, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    state = str(tmp_path)
    bare = opened(written(tmp_path_factory.mktemp("bare"), a_history(number=30)), state=state)
    assert "Spotify gives audio features to no new app" in bare.get("/features").text
    SpotifyAsker([], state, "client", clock=lambda: NOW).withdraw(FEATURES, "403: Forbidden")
    since, again = day(NOW.date()), day((NOW + timedelta(days=30)).date())
    told = f"Spotify refused them to this app on {since} (403: Forbidden); it is asked again from {again} on."
    assert told in bare.get("/features").text
    assert told not in opened(folder, state=state).get("/features?month=2026-11").text, (
        "all that are asked for are there"
    )
    without_a_month_after = {"withdrawn": {FEATURES: {"since": "9999-12-31T00:00:00Z", "why": "403"}}}
    for damaged in ("{", "[]", '{"withdrawn": []}', json.dumps(without_a_month_after)):
        (tmp_path / "asking.json").write_text(damaged)
        assert "Spotify gives audio features to no new app" in bare.get("/features").text
