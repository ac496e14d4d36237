"""What a person does with the project, as functions that run in a process of their own (``apart``)."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import fastavro

from tests.siege.world import ZONE, Heard, instant, item

_KINDS = ("track", "artist", "album")


def poll(folder: Path, user: str, listed: Sequence[Heard], now: int) -> None:
    """``heavy-rotation poll --once --archive``, once Spotify has answered."""
    from pipelines.domain.month import Calendar
    from pipelines.storage.archive import Archive
    from producer.polling.poll import poll as poll_once
    from producer.polling.publishing import ArchiveDestination
    from producer.state.cursor import Cursors

    calendar = Calendar(ZONE)
    destination = ArchiveDestination(Archive(str(folder / "archive")), calendar)
    poll_once([item(play) for play in listed], user, Cursors(folder / "state"), destination, instant(now))


def import_exports(folder: Path, user: str, export: Path, now: int) -> None:
    """``heavy-rotation import EXPORT --user USER --archive``."""
    from pipelines.domain.month import Calendar
    from pipelines.storage.archive import Archive
    from producer.importing.finding import find
    from producer.importing.importer import Importer
    from producer.state.cursor import Cursors

    importer = Importer(user, Calendar(ZONE), instant(now), Cursors(folder / "state"))
    importer.run(find([export]).files, Archive(str(folder / "archive")))


def rebuild(folder: Path, months: str = "changed", engine: Sequence[str] = ()) -> None:
    """``heavy-rotation rebuild --months``. Raises AssertionError where it says that it failed."""
    from pipelines.rebuild import main

    places = [f"--archive={folder / 'archive'}", f"--warehouse={folder / 'warehouse'}", f"--time-zone={ZONE}"]
    code = main([*places, *([f"--months={months}"] if months != "all" else []), *engine])
    assert code == 0, f"rebuild ended with {code}"


def forget(folder: Path, user: str) -> None:
    """``heavy-rotation forget --user``."""
    from pipelines.forget import main

    code = main([f"--user={user}", f"--archive={folder / 'archive'}", f"--warehouse={folder / 'warehouse'}"])
    assert code == 0, f"forget ended with {code}"


def stream(folder: Path, pubsub: str, subscription: str) -> int:
    """``heavy-rotation stream``, until it is stopped: its exit code. ``pubsub`` is host:port."""
    os.environ["PUBSUB_EMULATOR_HOST"] = pubsub
    from pipelines.stream import main

    return main(
        [
            *(f"--subscription={subscription}", f"--archive={folder / 'archive'}"),
            *(f"--warehouse={folder / 'warehouse'}", f"--time-zone={ZONE}"),
            *("--refresh-seconds=1", "--archive-batch-seconds=1"),
        ]
    )


def ask(folder: Path, sql: str) -> list[dict[str, Any]]:
    """``heavy-rotation query``."""
    from pipelines.querying import duck
    from pipelines.warehouse.folder import FolderWarehouse

    rows: list[dict[str, Any]] = duck.query(FolderWarehouse.open(folder / "warehouse"), sql).to_pylist()
    return rows


def plays(folder: Path) -> list[dict[str, Any]]:
    """Every row of ``plays``, with its main artist."""
    return ask(
        folder,
        "SELECT user_id, played_at, track_id, track_name, artists[SAFE_OFFSET(0)].name AS artist "
        "FROM heavy_rotation.plays",
    )


def tens(folder: Path) -> list[dict[str, Any]]:
    """Every rank of the three monthly views."""
    columns = "user_id, month, rank, plays, last_played_at"
    return ask(
        folder,
        " UNION ALL ".join(
            f"SELECT '{kind}' AS kind, {columns}, {kind}_id AS id, "
            f"{kind}_name AS name FROM heavy_rotation.monthly_top_{kind}s"
            for kind in _KINDS
        ),
    )


def archived(folder: Path) -> Iterable[dict[str, Any]]:
    """Every record of the archive, read by fastavro alone."""
    for path in sorted((folder / "archive" / "plays").glob("month=*/*.avro")):
        with path.open("rb") as file:
            yield from fastavro.reader(file)


def is_unreadable(path: Path) -> bool:
    """Whether fastavro alone cannot read a file to its end."""
    try:
        with path.open("rb") as file:
            return len(list(fastavro.reader(file))) < 0
    except Exception:  # whatever it raises
        return True


def preload() -> None:
    """Load what all of this needs, and start nothing."""
    for module in (
        "apache_beam",
        "pipelines.forget",
        "pipelines.forgetting.tables",
        "pipelines.querying.duck",
        "pipelines.rebuild",
        "pipelines.stream",
        "producer.importing.finding",
        "producer.importing.importer",
        "producer.polling.poll",
        "web.app",
    ):
        import_module(module)


def write_export(folder: Path, files: Mapping[str, Sequence[dict[str, Any]]]) -> Path:
    """An export in a folder: rows by file name."""
    folder.mkdir(parents=True)
    for name, rows in files.items():
        (folder / f"{name}.json").write_text(json.dumps(rows))
    return folder


def remove(folder: Path) -> None:
    """A seed's folder goes."""
    shutil.rmtree(folder, ignore_errors=True)
