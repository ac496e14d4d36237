"""What grows with listeners, as arithmetic: ``python infra/growth.py`` prints the table that docs/performance.md ends
with; a test holds the two equal. Listeners' habits, sizes and prices are those of ``cost.py``; what is measured, and on
which machine, docs/performance.md says.
"""

from dataclasses import replace

from cost import (
    ARCHIVED,
    COUNTED,
    DAYS,
    FILE,
    MESSAGE,
    PLAYS_A_DAY,
    POLLS_WITH_PLAYS_A_DAY,
    REQUEST,
    ROW,
    SEEN,
    SHAPES,
    SNAPSHOT,
    STATE,
    total,
)

# Microseconds of one core for a play: through the stream's graph, and in a rebuild of many; for a poll.
STREAMED, REBUILT, POLLED = 115, 8, 4_500
# What a file of the archive takes in a manifest, which one worker reads and writes whole.
NOTED = 82
PLAYS_OF_A_FILE, SECONDS_OF_A_FILE = 10_000, 30
POLL_MINUTES = 10
# A month takes late plays until 35 days after its end: two are open, for some days three.
OPEN_MONTHS = 2
LISTENERS = (1, 1_000, 100_000, 1_000_000, 100_000_000)


def rows(listeners: int) -> dict[str, str]:
    """Figures by what they are of, for so many listeners."""
    plays = listeners * PLAYS_A_DAY * DAYS
    second = listeners * PLAYS_A_DAY / 86_400
    # One worker's files; more workers begin more of them.
    files = max(plays / PLAYS_OF_A_FILE, min(plays, DAYS * 86_400 / SECONDS_OF_A_FILE))
    snapshots = 3 * POLLS_WITH_PLAYS_A_DAY * DAYS * listeners
    polls = listeners / (POLL_MINUTES * 60)
    share = listeners / SHAPES[-1].listeners
    tasks, workers = (max(1, round(share * many)) for many in (SHAPES[-1].tasks, SHAPES[-1].workers))
    stream = replace(SHAPES[-1], listeners=listeners, tasks=tasks, workers=workers)
    return {
        "plays a second": in_short(second),
        "plays a month": in_short(plays),
        "polls of Spotify a second": in_short(polls),
        "polling, cores": in_short(polls * POLLED / 1e6),
        "logins, reads a minute": in_short(polls * 60),
        "state of accounts, GB": in_short(listeners * STATE / 1e9),
        "Pub/Sub, MB a second": in_short(second * MESSAGE / 1e6),
        "to Spotify, MB a second": in_short(polls * REQUEST / 1e6),
        "stream, cores": in_short(second * STREAMED / 1e6),
        "stream's state of open months, GB": in_short(plays * OPEN_MONTHS * (SEEN + COUNTED) / 1e9),
        "archive, files a month": in_short(files),
        "archive, GB a year": in_short(12 * (plays * ARCHIVED + files * FILE) / 1e9),
        "manifest after five years, GB": in_short(60 * files * NOTED / 1e9),
        "play_events, rows a year": in_short(12 * plays),
        "play_events, GB a year": in_short(12 * plays * ROW / 1e9),
        "top_ten_snapshots, rows a month": in_short(snapshots),
        "the same, once a day": in_short(3 * DAYS * listeners),
        "the same after the nightly rebuild": in_short(3 * listeners),
        "snapshots, GB a month": in_short(snapshots * SNAPSHOT / 1e9),
        "rebuild of a month, core hours": in_short(plays * REBUILT / 3.6e9),
        "of which a rebuild parts by listener, GB a month": in_short(
            plays * ROW / 1e9 if plays * ARCHIVED > 24e6 else 0
        ),
        "dollars a month, size stream": in_short(total(stream)),
    }


def report() -> str:
    """A Markdown table: a line for each figure, a column for each number of listeners."""
    columns = [rows(listeners) for listeners in LISTENERS]
    lines = [["listeners", *(f"{listeners:,}" for listeners in LISTENERS)], ["---", *["---:"] * len(LISTENERS)]]
    lines += [[name, *(column[name] for column in columns)] for name in columns[0]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def in_short(number: float) -> str:
    """A figure as the table has it. Two digits are enough, of what was never measured at that size."""
    for size, name in ((1e12, " T"), (1e9, " G"), (1e6, " M")):
        if number >= size:
            return f"{number / size:,.0f}{name}" if number >= 10 * size else f"{number / size:.1f}{name}"
    if number >= 10:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 0.1 else "< 0.1" if number else "0"


if __name__ == "__main__":
    print(report(), end="")
