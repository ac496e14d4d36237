"""A listener's most played of a month, from its views, or of a longer span, from the question ``tens``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

import pyarrow as pa

from pipelines.domain.month import following, month_text, preceding
from pipelines.failure import Failure
from pipelines.querying.asking import ask
from pipelines.querying.parameters import Parameters
from pipelines.querying.ranks import Ranks
from pipelines.tables.questions import bound, question_sql
from pipelines.warehouse.bigquery import dataset_of

KINDS = ("track", "artist", "album")
_NAMED = 10
_MONTHS = """\
SELECT user_id, month, MAX(plays_in_month) AS plays, LOGICAL_AND(is_final) AS is_final
FROM {dataset}.fullest_snapshots
GROUP BY user_id, month
ORDER BY user_id, month"""
_TENS = """\
SELECT 'track' AS kind, month, rank, track_name AS name, artist_name, plays, COALESCE(song_id, track_id) AS key
FROM {dataset}.monthly_top_tracks
WHERE user_id = @user_id AND month BETWEEN @before AND @month
UNION ALL
SELECT 'artist', month, rank, artist_name, NULL, plays, artist_id
FROM {dataset}.monthly_top_artists
WHERE user_id = @user_id AND month BETWEEN @before AND @month
UNION ALL
SELECT 'album', month, rank, album_name, artist_name, plays,
  LOWER(CONCAT(album_name, '\\n', COALESCE(artist_name, '')))
FROM {dataset}.monthly_top_albums
WHERE user_id = @user_id AND month BETWEEN @before AND @month
ORDER BY kind, month, rank"""

_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("user_id", pa.string()),
    ("first_month", pa.date32()),
    ("last_month", pa.date32()),
    ("kind", pa.string()),
    ("rank", pa.int64()),
    ("name", pa.string()),
    ("artist_name", pa.string()),
    ("plays", pa.int64()),
    ("rank_before", pa.int64()),
]


@dataclass(frozen=True)
class Month:
    """A month that has plays, and whether it was over when they were counted."""

    first: date
    plays: int
    is_final: bool


@dataclass(frozen=True)
class Line:
    """A rank. ``artist`` is empty for an artist; ``before`` is the rank in the ten of the month before."""

    rank: int
    name: str
    artist: str
    plays: int
    before: int | None


@dataclass(frozen=True)
class Top:
    """Tens by kind of KINDS. ``months`` are those with plays; ``compared`` is the month whose ranks are ``before``."""

    user_id: str
    first: date
    last: date
    months: tuple[Month, ...]
    tens: Mapping[str, tuple[Line, ...]]
    compared: date | None

    @property
    def plays(self) -> int:
        """How many in all."""
        return sum(month.plays for month in self.months)

    def table(self, kinds: tuple[str, ...]) -> pa.Table:
        """The lines of some kinds as rows."""
        rows = [
            {
                "user_id": self.user_id,
                "first_month": self.first,
                "last_month": self.last,
                "kind": kind,
                "rank": line.rank,
                "name": line.name,
                "artist_name": line.artist or None,
                "plays": line.plays,
                "rank_before": line.before,
            }
            for kind in kinds
            for line in self.tens[kind]
        ]
        return pa.Table.from_pylist(rows, pa.schema(_COLUMNS))


class Listener:
    """One listener of a warehouse: a folder or ``bigquery://project.dataset``. ``months`` has at least one."""

    def __init__(self, warehouse: str, user: str | None) -> None:
        """Without ``user`` the only one there is. Raises Failure, which says who there is."""
        self.warehouse, self._dataset = warehouse, dataset_of(warehouse)
        rows = ask(warehouse, _MONTHS.format(dataset=self._dataset)).to_pylist()
        there = {
            name: tuple(Month(row["month"], row["plays"], row["is_final"]) for row in some)
            for name, some in groupby(rows, lambda row: str(row["user_id"]))
        }
        if not there:
            raise Failure(f"there are no plays in {warehouse} yet; heavy-rotation import or rebuild brings them in")
        if user is None and len(there) > 1:
            raise Failure(f"whose? There are {len(there):,} listeners in {warehouse}: {_named(there)}. Say --user NAME")
        self.user_id = user if user is not None else next(iter(there))
        if self.user_id not in there:
            raise Failure(f"there are no plays of {self.user_id} in {warehouse}; there are those of {_named(there)}")
        self.months = there[self.user_id]
        self.is_alone = len(there) == 1

    def top(self, first: date | None, last: date | None) -> Top:
        """The tens from a month to a month, both in it; None is the first or the newest month that there is.

        Raises Failure where nothing was played in them.
        """
        first, last = first or self.months[0].first, last or self.months[-1].first
        months = tuple(month for month in self.months if first <= month.first <= last)
        if not months:
            raise Failure(f"there are no plays of {self.user_id} in {_span(first, last)}; {self._there()}")
        if first == last:
            return self._of_month(months[0])
        asked = bound("tens", {"user_id": self.user_id, "from": first, "to": following(last) - timedelta(days=1)})
        tens = _tens(ask(self.warehouse, question_sql("tens", self._dataset), parameters=asked).to_pylist(), Ranks([]))
        return Top(self.user_id, first, last, months, tens, None)

    def newest(self) -> Top:
        """The tens of the newest month."""
        return self._of_month(self.months[-1])

    def before(self, first: date) -> date | None:
        """The last month with plays before ``first``."""
        return max((month.first for month in self.months if month.first < first), default=None)

    def _of_month(self, month: Month) -> Top:
        before = preceding(month.first)
        asked: Parameters = {"user_id": self.user_id, "month": month.first, "before": before}
        found = ask(self.warehouse, _TENS.format(dataset=self._dataset), parameters=asked).to_pylist()
        ranks = Ranks(row for row in found if row["month"] == before)
        tens = _tens([row for row in found if row["month"] == month.first], ranks)
        return Top(self.user_id, month.first, month.first, (month,), tens, before if ranks else None)

    def _there(self) -> str:
        return f"months here: {_span(self.months[0].first, self.months[-1].first)}"


def years(listener: Listener) -> Iterator[Top]:
    """The calendar years that the listener has plays of, the newest first."""
    for year in sorted({month.first.year for month in listener.months}, reverse=True):
        yield listener.top(date(year, 1, 1), date(year, 12, 1))


def _tens(rows: list[dict[str, object]], ranks: Ranks) -> dict[str, tuple[Line, ...]]:
    tens: dict[str, list[Line]] = {kind: [] for kind in KINDS}
    for row in rows:
        line = Line(
            int(str(row["rank"])),
            str(row["name"]),
            str(row["artist_name"] or ""),
            int(str(row["plays"])),
            ranks.of(row),
        )
        tens[str(row["kind"])].append(line)
    return {kind: tuple(lines) for kind, lines in tens.items()}


def _span(first: date, last: date) -> str:
    return month_text(first) if first == last else f"{month_text(first)} to {month_text(last)}"


def _named(there: Mapping[str, object]) -> str:
    names = sorted(there)
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
