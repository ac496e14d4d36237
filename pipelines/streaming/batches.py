"""How plays travel: many at a time, for each element costs a runner more than a play does.

Behind the archive those of one user and month are together: a listener's state is read and written once for all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import orjson
from apache_beam.coders import Coder
from apache_beam.coders.typecoders import registry
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from pipelines.domain.instants import to_millis
from pipelines.domain.month import Calendar
from pipelines.domain.play import Play, from_values


@dataclass(frozen=True, slots=True)
class Plays:
    """Plays that travel as one element: one or more, in any order.

    ``are_there`` says that ``play_events`` has them: they are counted, and nothing is written of them.
    """

    plays: Sequence[Play]
    are_there: bool = False


# A user, and plays of that user in one month.
UserPlays = tuple[str, Plays]
# So that an element stays below a megabyte or two, whatever is in a file.
_MOST_PLAYS = 1_000
_FORM = b"\x01"
_BYTES_A_PLAY = 350


class PlaysCoder(Coder):
    """A byte for the version of the form, one for whether they are there, and the plays' values as JSON. Deterministic.

    A job that is updated to a version with new optional fields reads what is on its way, and the other way round.
    """

    def encode(self, value: Plays) -> bytes:
        """The plays' fields, in the schema's order."""
        return _FORM + bytes([value.are_there]) + orjson.dumps([play.to_values() for play in value.plays])

    def decode(self, encoded: bytes) -> Plays:
        """The plays that were encoded, by this version or an older one. Raises ValueError for a form of a newer one."""
        if encoded[:1] != _FORM:
            raise ValueError(f"plays on their way have form {encoded[:1]!r}, which a newer version wrote")
        return Plays([*map(from_values, orjson.loads(memoryview(encoded)[2:]))], are_there=bool(encoded[1]))

    def estimate_size(self, value: Plays) -> int:
        """About as many bytes as ``encode`` gives, without asking it: runners count what goes by."""
        return _BYTES_A_PLAY * len(value.plays)

    def is_deterministic(self) -> bool:
        """True, since fields are always written in the same order."""
        return True

    def to_type_hint(self) -> type[Plays]:
        """The type that Beam chooses this coder for."""
        return Plays


registry.register_coder(Plays, PlaysCoder)


def by_user_and_month(
    plays: Iterable[Play], calendar: Calendar, *, are_there: bool = False
) -> Iterator[TimestampedValue]:
    """UserPlays, each at the ``played_at`` of its first play, which lies in the month that they have in common."""
    groups: dict[tuple[str, date], list[Play]] = {}
    for play in plays:
        groups.setdefault((play.user_id, calendar.month_of(play.played_at)), []).append(play)
    for (user_id, _), group in groups.items():
        for start in range(0, len(group), _MOST_PLAYS):
            some = group[start : start + _MOST_PLAYS]
            at = Timestamp(micros=to_millis(some[0].played_at) * 1000)
            yield TimestampedValue((user_id, Plays(some, are_there)), at)
