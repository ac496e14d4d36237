"""What Heavy Rotation costs a month on Google Cloud, as arithmetic: ``python infra/cost.py`` prints the tables that
docs/operations.md has under "What it costs"; a test holds the two equal.

List prices in US dollars for us-central1, without taxes and discounts, of September 2026 (Cloud Run, Dataflow, Secret
Manager, Logging, Storage, BigQuery, Pub/Sub) and before (the others). Nothing here was seen on a bill.
"""

from collections.abc import Iterator
from dataclasses import dataclass

DAYS = 30
GIB, TIB = 2**30, 2**40

# --- What a listener does ---
PLAYS_A_DAY = 40  # the two real histories that tests use: 11 and 14
POLLS_WITH_PLAYS_A_DAY = 14  # 40 plays are some two and a half hours
MESSAGE = 824  # bytes, with attributes
ROW, SNAPSHOT = 500, 1600  # bytes in BigQuery
ARCHIVED, FILE = 250, 2300  # bytes of a play in a file of many, and of a file without a play: mostly the schema
STATE = 2900  # bytes of an account's state
SEEN, COUNTED = 14, 46  # bytes of the stream's state a play: for deduplication, for counting (measured)
QUERIES = 100  # questions a month, each about the three tens of one month
LOG_LINE = 700  # bytes of a poll's line
REQUEST = 1200  # bytes that go to Spotify for a poll

# --- What pages do; a figure is a query of one or two tables, of each of which BigQuery bills 10 MiB at least ---
VISITS_A_DAY, PAGES_A_VISIT = 3, 10
FIGURES, TABLES_A_FIGURE, LEAST_BYTES = 10, 1.5, 10 * 2**20
PAGE_SECONDS, STARTING_SECONDS = 2, 5  # most of it waiting for BigQuery

# --- What watching takes a day: mostly a few requests; 200 to Spotify at most, one a second to MusicBrainz ---
SNAPSHOT_SECONDS, ENRICH_SECONDS = 60, 300

# --- What alerts are made of; a test counts them in infra/ ---
LOG_CONDITIONS = 6
METRIC_CONDITIONS = {"small": 2, "stream": 6}
WATCHING_CONDITIONS = 1  # on a metric too


@dataclass(frozen=True, slots=True)
class Shape:
    """A size, and for how many. A run takes ``seconds``, 60 are paid for at least, in each of ``tasks`` containers."""

    size: str
    listeners: int
    poll_minutes: int = 10
    seconds: int = 60
    gib: float = 1.0
    tasks: int = 1
    workers: int = 1
    web: bool = False
    watch: bool = False

    @property
    def pages(self) -> int:
        """Pages that are looked at in a month."""
        return DAYS * VISITS_A_DAY * PAGES_A_VISIT * self.listeners if self.web else 0

    @property
    def runs(self) -> int:
        """Runs of the Cloud Run job in a month."""
        return DAYS * 24 * 60 // self.poll_minutes

    @property
    def runs_with_plays(self) -> int:
        """Of those, runs after which somebody has a new play."""
        return self.runs if self.listeners > 10 else POLLS_WITH_PLAYS_A_DAY * DAYS * self.listeners

    @property
    def plays(self) -> int:
        """Plays in a month."""
        return PLAYS_A_DAY * DAYS * self.listeners

    @property
    def updates(self) -> int:
        """How often in a month somebody's top tens change: with each poll that found plays of theirs."""
        return POLLS_WITH_PLAYS_A_DAY * DAYS * self.listeners

    @property
    def snapshots(self) -> int:
        """Rows of top tens that a month leaves, of three kinds. A rebuild replaces those of the run before."""
        return 3 * (self.listeners if self.size == "small" else self.updates)

    @property
    def name(self) -> str:
        """As a column's heading."""
        often = "" if self.poll_minutes == 10 else f", every {self.poll_minutes} minutes"
        more = f"{', with pages' if self.web else ''}{', watching' if self.watch else ''}"
        return f"{self.size}, {self.listeners:,}{often}{more}"


SHAPES = (
    Shape("small", 1),
    Shape("small", 1, poll_minutes=15),
    Shape("small", 1, web=True),
    Shape("small", 1, watch=True),
    Shape("small", 1_000, seconds=240, gib=2.0),
    Shape("stream", 1, gib=0.5),
    Shape("stream", 1_000, gib=0.5),
    Shape("stream", 1_000_000, gib=0.5, tasks=200, workers=3),
)


def lines(shape: Shape, free: int = 1) -> Iterator[tuple[str, str, float]]:
    """What is paid for: its name, how it is counted, dollars. With ``free=0`` the free tiers are used up by others."""

    def paid(amount: float, free_amount: float, price: float) -> float:
        return max(0.0, amount - free * free_amount) * price

    small = shape.size == "small"
    seconds = shape.runs * shape.tasks * max(60, shape.seconds) + (0 if small else DAYS * 60)
    seconds += DAYS * (SNAPSHOT_SECONDS + ENRICH_SECONDS) if shape.watch else 0
    yield (
        "Cloud Run jobs",
        f"runs × seconds, 60 at least; watching {SNAPSHOT_SECONDS} seconds a day and {ENRICH_SECONDS} for enriching, "
        "which at first takes 1,800; a vCPU-second $0.000018 (240,000 free), a GiB-second $0.000002 (450,000 free)",
        paid(seconds, 240_000, 18e-6) + paid(seconds * shape.gib, 450_000, 2e-6),
    )
    # A visit starts a container, and is one after the other; between two a container sleeps, and costs nothing.
    looked = shape.pages * PAGE_SECONDS + shape.pages / PAGES_A_VISIT * STARTING_SECONDS
    yield (
        "Cloud Run, pages",
        f"{VISITS_A_DAY} visits a day of {PAGES_A_VISIT} pages, {PAGE_SECONDS} seconds each and {STARTING_SECONDS} to "
        "start; a vCPU-second $0.000024 (180,000 free), a GiB-second $0.0000025 (360,000 free)",
        paid(looked, 180_000, 24e-6) + paid(looked, 360_000, 2.5e-6),
    )
    scheduled = (1 if small else 2) + (2 if shape.watch else 0)
    yield (
        "Cloud Scheduler",
        "a job, in size stream two, with watching two more, $0.10 each (3 free)",
        paid(scheduled, 3, 0.10),
    )
    # Dataflow's launcher runs for minutes, and only when something is deployed.
    hours = shape.workers * DAYS * 24 if not small else 0
    # At each update a listener's state of the month is read, half of the month's plays on average. What is written are
    # the new plays, and now and then all: eight times the month in all, which is little beside that.
    state = (shape.updates / 2 + 8 * shape.listeners) * PLAYS_A_DAY * DAYS * (SEEN + COUNTED)
    through = 0 if small else shape.plays * MESSAGE * 2 + state
    yield (
        "Dataflow",
        "workers × 720 hours × (2 vCPU × $0.069 + 8 GiB × $0.003557 + 30 GiB of disk × $0.000054), and $0.018 a GiB "
        "through Streaming Engine: each message twice, and at each update a listener's state of the month, 60 bytes a "
        "play, read",
        hours * (2 * 0.069 + 8 * 0.003557 + 30 * 0.000054) + through / GIB * 0.018,
    )
    delivered = 0 if small else shape.plays * MESSAGE * 2
    yield "Pub/Sub, through", "each message twice; $40 a TiB (10 GiB free)", paid(delivered / TIB, 10 / 1024, 40)
    yield (
        "Pub/Sub, kept",
        "31 days in the topic, 7 in the subscription; $0.27 a GiB",
        0 if small else shape.plays * MESSAGE / GIB * (31 + 7) / DAYS * 0.27,
    )
    polls = shape.runs * shape.listeners
    files = shape.runs_with_plays if small else DAYS * 24 * 120  # Dataflow writes one every 30 seconds at most
    files = min(files, shape.plays)
    # A rebuild lists the archive of a year, a thousand files at a time, and reads a month's files and its neighbours':
    # one that is whole, and the half that is there of this one.
    lists = shape.runs * 2 * (1 + 12 * files // 1000) if small else 0
    rebuilt = shape.runs_with_plays * files * 3 // 2 if small else 0
    writes = polls + files + lists + (shape.runs_with_plays * 4 if small else 0)
    reads = 2 * polls + shape.runs * 2 + files + rebuilt
    yield (
        "Cloud Storage, requests",
        "of each poll a write and two reads of state; in size small of each run two lists of the archive, and after "
        "plays a file, three staged ones, a manifest, and reading the files of two months on average; $0.005 for 1,000 "
        "writes and lists, $0.0004 for 1,000 reads",
        writes / 1000 * 0.005 + reads / 1000 * 0.0004,
    )
    archive = 12 * (shape.plays * ARCHIVED + files * FILE)
    kept = archive + polls * STATE * 7 / DAYS
    yield (
        "Cloud Storage, bytes",
        "the archive of a year, and seven days of replaced state; $0.02 a GiB",
        kept / GIB * 0.02,
    )
    row_bytes = shape.plays * max(ROW, 1024) + shape.snapshots * SNAPSHOT
    yield (
        "BigQuery, rows in",
        "small: load jobs, nothing; stream: $0.01 for 200 MiB, a row 1 KiB at least, plays and snapshots",
        0 if small else row_bytes / (200 * 2**20) * 0.01,
    )
    stored = 12 * (shape.plays * ROW + shape.snapshots * SNAPSHOT)
    yield "BigQuery, bytes", "the tables of a year; $0.023 a GiB (10 GiB free)", paid(stored / GIB, 10, 0.023)
    asked = QUERIES * shape.snapshots * SNAPSHOT + shape.pages * FIGURES * TABLES_A_FIGURE * LEAST_BYTES
    yield (
        "BigQuery, queries",
        f"{QUERIES} questions about a month's three tens, which read a month of snapshots, and for each page {FIGURES} "
        "figures of 15 MiB, which is what the least query of one or two tables is billed; $6.25 a TiB (1 TiB free)",
        paid(asked / TIB, 1, 6.25),
    )
    yield (
        "Secret Manager",
        "a secret an account and one for the app, $0.06 each (6 free); both read at each poll, $0.03 for 10,000 "
        "(10,000 free)",
        paid(shape.listeners + 1, 6, 0.06) + paid(polls + shape.runs, 10_000, 3e-6),
    )
    yield "Logging", "a line a poll; $0.50 a GiB (50 GiB free)", paid(polls * LOG_LINE / GIB, 50, 0.50)
    on_metrics = METRIC_CONDITIONS[shape.size] + (WATCHING_CONDITIONS if shape.watch else 0)
    yield (
        "Alerts",
        "$0.10 a condition; each on a metric asks 86,400 times for one series, $0.35 a million",
        (LOG_CONDITIONS + on_metrics) * 0.10 + on_metrics * 86_400 * 0.35e-6,
    )
    yield (
        "Artifact Registry",
        "three versions of an image, 1.5 GiB, of that of the pages 0.5 GiB; $0.10 a GiB (0.5 free)",
        paid(2.0 if shape.web else 1.5, 0.5, 0.10),
    )
    yield "To Spotify", "requests that leave Google; $0.12 a GiB", polls * REQUEST / GIB * 0.12


def report() -> str:
    """Two Markdown tables: dollars a month, and how they are counted."""
    columns = [list(lines(shape)) for shape in SHAPES]
    rows = [["dollars a month", *(shape.name for shape in SHAPES)], ["---", *["---:"] * len(SHAPES)]]
    rows += [[line[0][0], *(_dollars(dollars) for _, _, dollars in line)] for line in zip(*columns, strict=True)]
    rows.append(["**together**", *(f"**{_dollars(total(shape))}**" for shape in SHAPES)])
    rows.append(["without alerts", *(_dollars(total(shape) - _of(shape, "Alerts")) for shape in SHAPES)])
    rows.append(["without free tiers", *(_dollars(total(shape, free=0)) for shape in SHAPES)])
    counted = [["", "how it is counted"], ["---", "---"], *([name, how] for name, how, _ in columns[0])]
    return f"{_table(rows)}\n\n{_table(counted)}\n"


def total(shape: Shape, free: int = 1) -> float:
    """Dollars a month. With ``free=0`` the free tiers are used up by others."""
    return sum(dollars for _, _, dollars in lines(shape, free))


def _of(shape: Shape, name: str) -> float:
    return next(dollars for line, _, dollars in lines(shape) if line == name)


def _dollars(amount: float) -> str:
    if amount == 0:
        return "0"
    return "< 0.01" if amount < 0.01 else f"{amount:.2f}" if amount < 100 else f"{amount:,.0f}"


def _table(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(report(), end="")
