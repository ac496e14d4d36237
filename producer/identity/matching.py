"""Pairs between rows and known plays, one to one, as many as can be."""

from collections.abc import Iterable

# How far apart they are; the row; the known play.
Candidate = tuple[int, int, int]


def pairs(*turns: Iterable[Candidate]) -> dict[int, int]:
    """The known play of each row that gets one. All candidates of a row are in one turn.

    Within a turn, no other choice among the candidates gives more rows a play; a row that got one in its turn has
    one in the end, though perhaps another. Pairs are taken nearest first; where that leaves a row over, the pairs
    along the shortest path to a play that is free are changed. What is equally near is taken in the order of the
    numbers, so the result does not depend on the order of the candidates.
    """
    reach: dict[int, list[int]] = {}
    of_row: dict[int, int] = {}
    of_play: dict[int, int] = {}
    # Plays from which no free one can be reached: that stays so, and looking once is enough.
    dead: set[int] = set()
    for candidates in turns:
        rows: dict[int, None] = {}
        for _, row, play in sorted(candidates):
            rows[row] = None
            reach.setdefault(row, []).append(play)
            if row not in of_row and play not in of_play:
                of_row[row], of_play[play] = play, row
        for row in rows:
            if row not in of_row:
                _make_room(row, reach, of_row, of_play, dead)
    return of_row


def _make_room(
    start: int, reach: dict[int, list[int]], of_row: dict[int, int], of_play: dict[int, int], dead: set[int]
) -> None:
    """Pair ``start`` too, if the rows in its way can change over to other plays."""
    came_from: dict[int, int] = {}
    queue = [start]
    for row in queue:
        for play in reach[row]:
            if play in came_from or play in dead:
                continue
            came_from[play] = row
            if play in of_play:
                queue.append(of_play[play])
                continue
            while True:
                changing = came_from[play]
                left = of_row.get(changing)
                of_row[changing], of_play[play] = play, changing
                if left is None:
                    return
                play = left
    dead.update(came_from)
