"""``heavy-rotation recap``: the files, what is not in them, and how they are published and taken back."""

import json
import re
import stat
from base64 import b64decode
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from pipelines.domain.exports import LeftOut
from tests.standins.cloud_storage import Bucket, bucket  # noqa: F401
from tests.web.histories import NOW, a_history, a_play, written
from web.hiding.hidden import Hidden
from web.recap.command import main, parse, span_name

NAMES = ["tall.png", "tall.svg", "wide.png", "wide.svg"]
# Of a day, of an hour, of a session, of one play; and whose it is.
TIMES = re.compile(r"\d\d:\d\d(?!0Z)|longest session|first play|last play|Weekdays|Day by day")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> str:
    plays = a_history(number=600, user_id="a.person.of.spotify")
    return written(tmp_path_factory.mktemp("recap"), plays)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVY_ROTATION_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def plain(warehouse: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "plain"
    assert main(["--warehouse", warehouse, "--year", "2026", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def timed(warehouse: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "timed"
    assert main(["--warehouse", warehouse, "--year", "2026", "--with-times", "--out", str(folder)]) == 0
    return folder


def test_a_page_and_four_cards_for_their_owner_only(plain: Path) -> None:
    there = sorted(path.name for path in plain.iterdir())
    assert there == [*(f"recap-2026-{name}" for name in NAMES), "recap-2026.html"]
    for path in plain.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(plain.stat().st_mode) == 0o700


def test_the_page_has_the_rate_of_all_starts_too_where_imports_are_remembered(
    warehouse: str, plain: Path, tmp_path: Path
) -> None:
    short = {"reason": LeftOut.SHORT, "month": "2026-03", "rows": 400, "skip_known": 400, "skipped": 300}
    record = {**dict.fromkeys(("files", "rows", "plays", "new", "unreadable"), 1), "at": "2026-11-02T10:00:00Z"}
    record |= {"left_out": {LeftOut.SHORT: 400}, "left_out_by_month": [short]}
    (tmp_path / "state" / "imports").mkdir(parents=True)
    (tmp_path / "state" / "imports" / "a.person.of.spotify.json").write_text(json.dumps({"imports": [record]}))
    assert main(["--warehouse", warehouse, "--year", "2026", "--state", "state", "--out", "both"]) == 0
    one, both = ((folder / "recap-2026.html").read_text() for folder in (plain, tmp_path / "both"))
    found = re.search(r"(\d+) plays? of (\d+) skipped after 30 seconds or more", one)
    assert found
    assert found[0] in both
    skipped, plays = int(found[1]) + 300, int(found[2]) + 400
    assert f"{skipped} starts of {plays:,} skipped, {100 * skipped / plays:.1f} %" in both
    assert "starts of" not in one


def test_the_page_loads_nothing_runs_nothing_and_its_policy_allows_its_own_style_alone(timed: Path) -> None:
    html = (timed / "recap-2026.html").read_text()
    assert not re.search(r"<script|<link|<img|<iframe|@import|url\(|style=| on\w+=", html)
    assert set(re.findall(r'https?://[^/"]+', html)) <= {"https://open.spotify.com"}
    assert "127.0.0.1" not in html
    style = re.search(r"<style>(.*)</style>", html, re.DOTALL)
    digest = re.search(r"style-src 'sha256-([^']+)'", html)
    assert style
    assert digest
    assert b64decode(digest[1]) == sha256(style[1].encode()).digest()


def test_no_time_no_day_no_single_play_and_nobodys_name_unless_asked_for(plain: Path, timed: Path) -> None:
    for path in (plain / name for name in ("recap-2026.html", "recap-2026-wide.svg", "recap-2026-tall.svg")):
        text = re.sub(r"<style>.*</style>", "", path.read_text(), flags=re.DOTALL)
        assert not TIMES.findall(text), path.name
        assert "a.person" not in text
    with_them = (timed / "recap-2026.html").read_text()
    assert "a.person" not in with_them
    assert len(set(TIMES.findall(with_them))) > 5
    for name in ("recap-2026-wide.svg", "recap-2026-tall.svg"):
        assert (timed / name).read_text() == (plain / name).read_text()


def test_what_is_hidden_is_in_none_of_it_whatever_the_tables(tmp_path: Path) -> None:
    plays = [a_play(NOW - timedelta(hours=number), number % 3 + 20) for number in range(30)]
    warehouse = written(tmp_path / "elsewhere", plays)
    Hidden(str(tmp_path / "home" / "state")).add("me", f"track:{plays[1].track_id}", "a link")
    assert main(["--warehouse", warehouse, "--with-times", "--out", "made"]) == 0
    for path in (tmp_path / "made").glob("*[lg]"):
        if path.suffix != ".png":
            text = path.read_text()
            assert "Song 20" in text
            assert "Song 21" not in text
            assert "hidden" not in re.sub(r"<style>.*</style>|aria-hidden", "", text, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["--month", "2026-10"], "2026-10"),
        (["--year", "2025"], "2025"),
        (["--from", "2026-06-03", "--to", "2026-06-20"], "2026-06-03_2026-06-20"),
    ],
)
def test_files_are_named_by_their_span(options: list[str], name: str) -> None:
    asked = parse(options)
    assert span_name(asked.first, asked.last) == name


def test_without_more_it_is_the_newest_year_beside_where_it_was_called(
    warehouse: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--warehouse", warehouse]) == 0
    page = Path("recap-2026") / "recap-2026.html"
    assert capsys.readouterr().out.split()[0] == str(page)
    assert (tmp_path / page).exists()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--year", "2001"], 1, "error: There are no plays in 2001\n"),
        (["--user", "nobody"], 1, "error: There are no plays of nobody here\n"),
        (["--year", "2026", "--month", "2026-10"], 2, "three ways to name a span"),
        (["--from", "2026-06-03"], 2, "--from and --to belong together"),
        (["--from", "2026-06-03", "--to", "2026-06-02"], 2, "--from 2026-06-03 is after --to 2026-06-02"),
        (["--from", "yesterday", "--to", "2026-06-02"], 2, "'yesterday' is not a day; write it as 2026-11-28"),
        (["--publish", "gs://a-bucket", "--published", "gs://a-bucket"], 2, "do one at a time"),
        (["--unpublish", "https://example.com/"], 1, "is no address of a recap"),
        (["--publish", "folder"], 1, "names no bucket"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_line(
    warehouse: str, capsys: pytest.CaptureFixture[str], options: list[str], code: int, words: str
) -> None:
    if code == 2:
        with pytest.raises(SystemExit) as ended:
            main(["--warehouse", warehouse, *options])
        assert ended.value.code == 2
    else:
        assert main(["--warehouse", warehouse, *options]) == code
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_of_several_listeners_one_has_to_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plays = [a_play(NOW - timedelta(hours=1), user_id=user) for user in ("ana", "ben")]
    warehouse = written(tmp_path / "warehouse", plays)
    assert main(["--warehouse", warehouse]) == 1
    assert capsys.readouterr().err == "error: there are several listeners; name one by --user: ana, ben\n"


def test_published_under_a_name_nobody_guesses_as_a_browser_needs_it_and_taken_back(
    warehouse: str,
    bucket: Bucket,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["--warehouse", warehouse, "--year", "2026", "--publish", "gs://bucket/recaps"]
    assert main(asked) == 0
    assert main(asked) == 0
    first, second = capsys.readouterr().out.split()
    address = re.fullmatch(r"https://storage\.googleapis\.com/bucket/(recaps/[0-9a-f]{32})/recap-2026\.html", first)
    assert address
    assert first != second
    assert not (tmp_path / "recap-2026").exists()
    names = [*(f"{address[1]}/recap-2026-{name}" for name in NAMES), f"{address[1]}/recap-2026.html"]
    assert set(names) < set(bucket.objects)
    kinds = [bucket.served[name] for name in names]
    assert [kind for kind, _ in kinds] == ["image/png", "image/svg+xml"] * 2 + ["text/html; charset=utf-8"]
    assert {caching for _, caching in kinds} == {"no-store"}
    picture = first.replace(".html", "-wide.png")
    assert f'property="og:image" content="{picture}"' in bucket.objects[names[-1]].decode()

    assert main(["--published", "gs://bucket"]) == 0
    assert sorted(capsys.readouterr().out.split()) == sorted([first, second])
    assert main(["--unpublish", first]) == 0
    assert capsys.readouterr().out == "5 files are taken back\n"
    assert not [name for name, _ in bucket.versions if name.startswith(address[1])]  # older versions neither
    assert main(["--published", "gs://bucket"]) == 0
    assert capsys.readouterr().out.split() == [second]
    assert main(["--unpublish", first]) == 1
    assert "nothing is published at" in capsys.readouterr().err


def test_other_things_in_the_bucket_stay(bucket: Bucket) -> None:  # noqa: F811
    bucket.put("archive/plays/a.avro", b"a")
    bucket.put(f"{'a' * 32}/recap-2026.html", b"a")
    for address in ("gs://bucket", "gs://bucket/archive", "https://storage.googleapis.com/bucket/archive/plays/a.avro"):
        assert main(["--unpublish", address]) == 1
    assert len(bucket.objects) == 2
    assert main(["--unpublish", f"gs://bucket/{'a' * 32}"]) == 0
    assert list(bucket.objects) == ["archive/plays/a.avro"]
