"""The month's top ten as the warehouse tells it, drawn for a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipelines.querying import duck
from pipelines.storage.files import StorageError
from pipelines.warehouse.folder import FolderWarehouse

_KINDS = ("track", "artist", "album")
_SIDE_BY_SIDE = 130


@dataclass(frozen=True, slots=True)
class Board:
    """One month of one user: how many plays, and for each kind (name, by whom, plays) by rank."""

    month: date
    plays: int
    tops: dict[str, list[tuple[str, str, int]]]


def read_board(folder: Path, user_id: str) -> Board | None:
    """The newest month that has a snapshot; None while there is none."""
    sql = f"""
        WITH newest AS (SELECT MAX(month) AS month FROM fullest_snapshots WHERE user_id = '{user_id}')
        SELECT kind, month, plays_in_month, item.name, COALESCE(item.artist_name, '') AS artist_name, item.plays
        FROM fullest_snapshots JOIN newest USING (month), UNNEST(items) AS item
        WHERE user_id = '{user_id}'
        ORDER BY kind, item.rank
    """
    try:
        rows = duck.query(FolderWarehouse.open(folder), sql).to_pylist()
    except StorageError:
        return None
    if not rows:
        return None
    tops: dict[str, list[tuple[str, str, int]]] = {kind: [] for kind in _KINDS}
    for row in rows:
        tops[row["kind"]].append((row["name"], row["artist_name"], row["plays"]))
    return Board(rows[0]["month"], rows[0]["plays_in_month"], tops)


def draw(board: Board, before: Board | None, caption: str, width: int) -> Group:
    """The three top tens in so many columns; what has changed since ``before`` stands out.

    Side by side where names have room for that, else songs above the others: 23 lines, which a small terminal has.
    """
    rows = (_KINDS,) if width >= _SIDE_BY_SIDE else (_KINDS[:1], _KINDS[1:])
    title = Text.assemble((f"{board.month:%B %Y}", "bold"), f"  {board.plays:,} plays    ", (caption, "dim"))
    title.no_wrap = True
    return Group(title, *(_row(board, before, kinds) for kinds in rows))


def _row(board: Board, before: Board | None, kinds: Sequence[str]) -> Table:
    grid = Table.grid(expand=True, padding=(0, 1))
    for _ in kinds:
        grid.add_column(ratio=1)
    grid.add_row(*(_column(board, before, kind) for kind in kinds))
    return grid


def _column(board: Board, before: Board | None, kind: str) -> Table:
    old = {name: plays for name, _, plays in before.tops[kind]} if before else {}
    table = Table(expand=True, box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="bold cyan")
    table.add_column("#", justify="right", width=2)
    table.add_column(f"Top {kind}s", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("plays", justify="right", width=5)
    for rank, (name, artist, plays) in enumerate(board.tops[kind], start=1):
        changed = before is not None and old.get(name) != plays
        shown = Text.assemble(name, (f" · {artist}" if artist else "", "dim"))
        table.add_row(str(rank), shown, str(plays), style="green" if changed else "")
    return table
