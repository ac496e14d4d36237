"""Parsers of plays: what Pub/Sub brings, what the API lists, exports and zips, and what the producer remembers."""

import io
import json
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from hypothesis import strategies as st

from tests.siege import product
from tests.siege.hostile.drawing import HEARD, NOW, Parser, a_folder, as_json, calendar, changed, damaged
from tests.siege.world import EPISODE, account_row, extended_row, item, message


def messages() -> Parser:
    """What the stream pulls."""
    from pipelines.domain.play import UnreadableError
    from pipelines.streaming.parsing import read
    from pipelines.warehouse.json_rows import to_line

    good = message(HEARD[0], HEARD[0].end + 60_000)

    def feed(data: bytes) -> None:
        try:
            play: Any = read(data, {}, NOW)
        except UnreadableError:
            return
        to_line(play.to_row(calendar()))

    return changed(good).map(as_json) | damaged(as_json(good)), feed


def items() -> Parser:
    """What recently-played lists."""
    from pipelines.domain.play import UnreadableError
    from pipelines.domain.spotify import from_recently_played

    def feed(listed: Any) -> None:
        try:
            from_recently_played("a-listener", listed, NOW)
        except UnreadableError:
            return

    return changed(item(HEARD[0])), feed


def exports() -> Parser:
    """Files of both kinds of export."""
    rows = [extended_row(play) for play in HEARD[:4]] + [EPISODE]
    others = [account_row(play) for play in HEARD[:4]]
    names = st.sampled_from(["Streaming_History_Audio_2026_0.json", "StreamingHistory_music_0.json", "x.json", "a.zip"])
    data = (changed(rows) | changed(others)).map(as_json) | damaged(as_json(rows)) | damaged(as_json(others))

    def feed(case: tuple[str, bytes]) -> None:
        with a_folder() as folder:
            path = folder / case[0]
            path.write_bytes(case[1])
            _imported([path], folder)

    return st.tuples(names, data), feed


def zips() -> Parser:
    """Zips: broken, bombs, with names that leave their folder, in each other."""
    rows = as_json([extended_row(play) for play in HEARD[:4]])
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
        with a_folder() as folder:
            path = folder / "inside" / "my_spotify_data.zip"
            path.parent.mkdir()
            path.write_bytes(data)
            _imported([path], folder)
            strangers = {p.name for p in folder.iterdir()} - {"inside", "state", "archive"}
            assert not strangers, f"files outside: {strangers}"
            assert [p.name for p in path.parent.iterdir()] == [path.name]

    return damaged(small) | whole | bombs, feed


def states() -> Parser:
    """The producer's documents."""
    from pipelines.failure import Failure
    from producer.state.cursor import Cursors

    with a_folder() as folder:
        product.poll(folder, "me", HEARD[:8], HEARD[8].listed_at)
        [path] = (folder / "state" / "cursors").glob("*")
        good, name = path.read_bytes(), path.name

    def feed(data: bytes) -> None:
        with a_folder() as folder:
            document = folder / "state" / "cursors" / name
            document.parent.mkdir(parents=True, mode=0o700)
            document.write_bytes(data)
            cursors = Cursors(folder / "state")
            try:
                cursors.load("me")
                product.poll(folder, "me", HEARD[4:12], HEARD[12].listed_at)
            except Failure:
                return

    return changed(json.loads(good)).map(as_json) | damaged(good), feed


def _imported(paths: list[Path], folder: Path) -> None:
    from pipelines.failure import Failure
    from pipelines.storage.archive import Archive
    from producer.importing.finding import find
    from producer.importing.importer import Importer
    from producer.state.cursor import Cursors

    try:
        found = find(paths)
        Importer("me", calendar(), NOW, Cursors(folder / "state")).run(found.files, Archive(str(folder / "archive")))
    except Failure:
        return
