"""Hostile input to every parser that reads what others wrote: no crash, no hang, no file outside, bounded memory.

``python -m tests.siege.hostile --cases N``. Each parser runs in a process of its own with 2 GB of address space beyond
what is loaded, and seconds for a case. Cases start from something valid, which is then changed: what is nearly right
goes deeper than noise. Hypothesis draws and shrinks them; what it finds prints itself as a test to keep.
"""

import argparse
import io
import json
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.siege import product
from tests.siege.apart import FailedError, begin
from tests.siege.world import EPISODE, World, account_row, extended_row, item, message

_SECONDS_A_CASE = 20
_MEMORY = 2 << 30
NOW = datetime(2026, 11, 28, tzinfo=UTC)
_WORLD = World(1)
_HEARD = [play for play in _WORLD.heard if play.stamp is not None][:40]

scalars: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["\x00", "\ud800", "../../x", "9" * 400, "2026-02-30T25:61:61Z", "0001-01-01T00:00:00Z", "<b>", "'--"]
    )
)
trees = st.recursive(
    scalars, lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=4), some, max_size=3)
)


def changed(value: Any) -> st.SearchStrategy[Any]:
    """A JSON value with one to four places changed: another value, gone, or doubled."""
    places = list(_places(value))
    edit = st.tuples(st.sampled_from(places), st.sampled_from(["put", "put", "drop", "double"]), trees)
    return st.lists(edit, min_size=1, max_size=4).map(lambda edits: _edited(value, edits))


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """Bytes with one to six places changed: others put there, cut out, or the rest cut off."""
    edit = st.tuples(
        st.integers(0, max(0, len(data) - 1)),
        st.sampled_from(["put", "put", "insert", "cut", "end"]),
        st.binary(min_size=1, max_size=6)
        | st.sampled_from([b"\xff" * 9, b"\x80" * 10 + b"\x01", b"[" * 2000, b"\x00" * 64]),
    )
    return st.lists(edit, min_size=1, max_size=6).map(lambda edits: _cut(data, edits))


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from _places(part, (*path, key))


def _edited(value: Any, edits: Sequence[tuple[tuple[Any, ...], str, Any]]) -> Any:
    value = json.loads(json.dumps(value))
    for path, how, new in edits:
        if not path:
            if how == "put":
                value = new
            continue
        holder = value
        try:
            for key in path[:-1]:
                holder = holder[key]
            if how == "put":
                holder[path[-1]] = new
            elif how == "drop":
                del holder[path[-1]]
            elif isinstance(holder, list):
                holder.append(holder[path[-1]])
        except (KeyError, IndexError, TypeError):
            continue  # another edit took the place away
    return value


def _cut(data: bytes, edits: Sequence[tuple[int, str, bytes]]) -> bytes:
    made = bytearray(data)
    for at, how, new in edits:
        if how == "put":
            made[at : at + len(new)] = new
        elif how == "insert":
            made[at:at] = new
        elif how == "cut":
            del made[at : at + 7 * len(new)]
        else:
            del made[at:]
    return bytes(made)


def as_json(value: Any) -> bytes:
    """JSON as others may write it: with lone surrogates, infinities and numbers beyond all bounds."""
    return json.dumps(value).encode()


# A target feeds one case to a parser; the errors that it names are what a person is told, all others are defects.


def messages() -> tuple[st.SearchStrategy[Any], Callable[[Any], None]]:
    """What the stream pulls."""
    from pipelines.domain.play import UnreadableError
    from pipelines.streaming.parsing import play_of
    from pipelines.warehouse.json_rows import to_line

    good = message(_HEARD[0], _HEARD[0].end + 60_000)

    def feed(data: bytes) -> None:
        try:
            play = play_of(data, NOW)
        except UnreadableError:
            return
        to_line(play.to_row(_calendar()))

    return changed(good).map(as_json) | damaged(as_json(good)), feed


def items() -> tuple[st.SearchStrategy[Any], Callable[[Any], None]]:
    """What recently-played lists."""
    from pipelines.domain.play import UnreadableError
    from pipelines.domain.spotify import from_recently_played

    def feed(listed: Any) -> None:
        try:
            from_recently_played("a-listener", listed, NOW)
        except UnreadableError:
            return

    return changed(item(_HEARD[0])), feed


def exports() -> tuple[st.SearchStrategy[Any], Callable[[Any], None]]:
    """Files of both kinds of export."""
    rows = [extended_row(play) for play in _HEARD[:4]] + [EPISODE]
    others = [account_row(play) for play in _HEARD[:4]]
    names = st.sampled_from(["Streaming_History_Audio_2026_0.json", "StreamingHistory_music_0.json", "x.json", "a.zip"])
    data = (changed(rows) | changed(others)).map(as_json) | damaged(as_json(rows)) | damaged(as_json(others))

    def feed(case: tuple[str, bytes]) -> None:
        with _folder() as folder:
            path = folder / case[0]
            path.write_bytes(case[1])
            _imported([path], folder)

    return st.tuples(names, data), feed


def zips() -> tuple[st.SearchStrategy[Any], Callable[[Any], None]]:
    """Zips: broken, bombs, with names that leave their folder, in each other."""
    rows = as_json([extended_row(play) for play in _HEARD[:4]])
    odd = [
        "../../outside.json",
        "/etc/outside.json",
        "a\x00b.json",
        "C:\\x.json",
        "é" * 120 + ".json",
        "Streaming_History_Audio_1.json",
    ]

    def made(names: list[str], inner: bool, bomb: bool) -> bytes:
        file = io.BytesIO()
        with ZipFile(file, "w", ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(name, b" " * (30 << 20) + b"[" if bomb else rows)
            if inner:
                archive.writestr("inner.zip", made(names, False, False))
        return file.getvalue()

    small = made(["Streaming_History_Audio_2026_0.json"], True, False)
    whole = st.builds(
        made, st.lists(st.sampled_from(odd), min_size=1, max_size=3, unique=True), st.booleans(), st.just(False)
    )
    bombs = st.just(made(["Streaming_History_Audio_2026_0.json"], True, True))

    def feed(data: bytes) -> None:
        with _folder() as folder:
            path = folder / "inside" / "my_spotify_data.zip"
            path.parent.mkdir()
            path.write_bytes(data)
            _imported([path], folder)
            strangers = {p.name for p in folder.iterdir()} - {"inside", "state", "archive"}
            assert not strangers, f"files outside: {strangers}"
            assert [p.name for p in path.parent.iterdir()] == [path.name]

    return damaged(small) | whole | bombs, feed


def archive_files() -> tuple[st.SearchStrategy[Any], Callable[[Any], None]]:
    """Files of the archive, as the stream's replay, the forgetting and the import read them."""
    from pipelines.domain.play import from_message
    from pipelines.storage.archive import Archive, decode, fields_of, without
    from pipelines.storage.files import StorageError

    plays = [from_message(as_json(message(play, play.end + 60_000))) for play in _HEARD[:6]]
    with tempfile.TemporaryDirectory() as place:
        path = Archive(place).write(_calendar().month_of(plays[0].played_at), plays)
        assert path
        good = Path(path).read_bytes()

    def feed(data: bytes) -> None:
        for read in (
            lambda: list(decode("a.avro", data)),
            lambda: list(fields_of("a.avro", data, ("user_id", "played_at"))),
            lambda: without("a.avro", data, lambda record: record.get("track_id") == "x"),
        ):
            try:
                read()
            except StorageError:
                continue

    return damaged(good), feed


def states() -> tuple[st.SearchStrategy[Any], Callable[[Any], None]]:
    """The producer's documents."""
    from pipelines.failure import Failure
    from producer.state.cursor import Cursors

    with _folder() as folder:
        product.poll(folder, "me", _HEARD[:8], _HEARD[8].listed_at)
        [path] = (folder / "state" / "cursors").glob("*")
        good, name = path.read_bytes(), path.name

    def feed(data: bytes) -> None:
        with _folder() as folder:
            document = folder / "state" / "cursors" / name
            document.parent.mkdir(parents=True, mode=0o700)
            document.write_bytes(data)
            cursors = Cursors(folder / "state")
            try:
                cursors.load("me")
                product.poll(folder, "me", _HEARD[4:12], _HEARD[12].listed_at)
            except Failure:
                return

    return changed(json.loads(good)).map(as_json) | damaged(good), feed


_WORDS = """
SELECT * FROM heavy_rotation.plays WHERE track_name = 'x' GROUP BY 1 ORDER BY COUNT(*) UNNEST(artists) , ( ) JOIN ON
artists[SAFE_OFFSET(0)].name LIMIT 10 WITH a AS read_csv('/etc/passwd') COPY ATTACH '/tmp/x' PRAGMA INSERT INTO ; -- /*
@p CAST INT64 QUALIFY ROW_NUMBER() OVER PARTITION user_id played_at EXCEPT STRUCT ARRAY (SELECT 1) INTERVAL CASE WHEN
THEN END NULL pipelines \x00 é getenv('HOME') glob('/*') DATE_TRUNC(month,YEAR) ` TRUE
"""


def queries() -> tuple[st.SearchStrategy[Any], Callable[[Any], None]]:
    """SQL given to ``query`` and to the API: an answer or a sentence, and nothing is written or read besides."""
    from pipelines.failure import Failure
    from pipelines.querying.asking import ask
    from pipelines.warehouse.folder import FolderWarehouse

    words = _WORDS.split()
    folder = Path(tempfile.mkdtemp(prefix="siege-queries-"))
    FolderWarehouse(folder, "Europe/Paris")
    before = sorted(folder.rglob("*"))

    def feed(parts: list[str]) -> None:
        with suppress(Failure):  # a sentence
            ask(str(folder), " ".join(parts))
        assert sorted(folder.rglob("*")) == before

    start = st.sampled_from(
        [["SELECT"], ["SELECT", "*", "FROM", "heavy_rotation.plays"], ["WITH", "a", "AS", "(SELECT", "1)"], []]
    )
    rest = st.lists(st.sampled_from(words), max_size=12)
    return st.builds(lambda first, more: [*first, *more], start, rest), feed


# Of what takes long, fewer.
_SHARE = {"zips": 4, "queries": 20}
TARGETS = {f.__name__: f for f in (messages, items, exports, zips, archive_files, states, queries)}


def attack(name: str, cases: int) -> int:
    """Feed so many cases; how many there were. Raises what Hypothesis found, shrunk."""
    strategy, feed = TARGETS[name]()
    fed = 0

    def one(case: Any) -> None:
        nonlocal fed
        fed += 1
        with _within(_SECONDS_A_CASE):
            feed(case)

    loaded = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (loaded + _MEMORY, resource.RLIM_INFINITY))
    # The same cases whenever it is run: a find can be repeated.
    settings(
        max_examples=max(1, cases // _SHARE.get(name, 1)),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )(given(strategy)(one))()
    return fed


@contextmanager
def _within(seconds: int) -> Iterator[None]:
    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"a case takes longer than {seconds} s")

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="siege-hostile-") as name:
        yield Path(name)


def _calendar() -> Any:
    from pipelines.domain.month import Calendar

    return Calendar("Europe/Paris")


def _imported(paths: list[Path], folder: Path) -> None:
    from pipelines.failure import Failure
    from pipelines.storage.archive import Archive
    from producer.importing.finding import find
    from producer.importing.importer import Importer
    from producer.state.cursor import Cursors

    try:
        found = find(paths)
        Importer("me", _calendar(), NOW, Cursors(folder / "state")).run(found.files, Archive(str(folder / "archive")))
    except Failure:
        return


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where nothing was found."""
    parser = argparse.ArgumentParser("python -m tests.siege.hostile", description=__doc__)
    parser.add_argument(
        "--cases", type=int, default=3000, help="for each parser, of those that take long a part (default: 3000)"
    )
    parser.add_argument("--parser", choices=TARGETS, action="append", help="only these (default: all)")
    options = parser.parse_args(arguments)
    product.preload()
    failures = 0
    for name in options.parser or TARGETS:
        began = time.monotonic()
        try:
            fed = begin(attack, name, options.cases).wait(3600)
            print(f"{name:16}{fed:>8,} cases  {time.monotonic() - began:5.0f} s  nothing found", flush=True)
        except FailedError as error:
            failures += 1
            print(f"{name:16} FOUND\n{str(error)[-3000:]}", flush=True)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
