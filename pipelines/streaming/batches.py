"""How plays travel from the archive to the tables: together, as far as they are of one user and month.

A listener's state is then read and written once for many plays, not once for each.
"""

from collections.abc import Iterable, Iterator
from datetime import date

from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.streaming import coders  # noqa: F401  registers the play's coder

# A user, and plays of that user in one month: one or more, in any order.
UserPlays = tuple[str, list[Play]]
# So that an element stays below a megabyte or two, whatever is in a file.
_MOST_PLAYS = 1_000


def by_user_and_month(plays: Iterable[Play], calendar: Calendar) -> Iterator[TimestampedValue]:
    """UserPlays, each at the ``played_at`` of its first play, which lies in the month that they have in common."""
    groups: dict[tuple[str, date], list[Play]] = {}
    for play in plays:
        groups.setdefault((play.user_id, calendar.month_of(play.played_at)), []).append(play)
    for (user_id, _), group in groups.items():
        for start in range(0, len(group), _MOST_PLAYS):
            some = group[start : start + _MOST_PLAYS]
            yield TimestampedValue((user_id, some), Timestamp.from_utc_datetime(some[0].played_at))
