"""The ranked lines of a span: the part ``ranked``."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.querying.columns.arrays import dates, instants
from pipelines.querying.columns.counted import TIMES
from pipelines.querying.columns.credited import Credits
from pipelines.querying.columns.history import Column
from pipelines.querying.columns.lines import Lines
from pipelines.querying.columns.spans import Span

KINDS = ("album", "artist", "track")
_CODED = ("key", "id", "name", "artist_name", "artist_key", "album_name", "image_url")
COLUMNS = (
    *("kind", "rank", "amount", "lines", "is_tied", "tied_after"),
    *_CODED,
    *TIMES,
    *("first_played_at", "first_played_on", "last_played_at"),
)


@dataclass(frozen=True)
class Ranked:
    """The lines of each kind, the kinds by name."""

    credited: Credits
    of: tuple[Lines, ...]

    def __len__(self) -> int:
        return sum(map(len, self.of))

    def table(self, names: Iterable[str], made: Callable[[Lines], Mapping[str, Column]] | None = None) -> pa.Table:
        """Columns of the part, of all lines or of those that are made of each kind's."""
        wanted, texts = tuple(names), self.credited.texts
        columns = [of.columns(np.arange(len(of))) if made is None else made(of) for of in self.of]
        kinds = [of.kind for of in self.of]

        def column(name: str) -> pa.Array:
            if name == "kind":
                codes = np.repeat(np.arange(len(kinds), dtype=np.int8), [len(of["key"]) for of in columns])
                return pa.DictionaryArray.from_arrays(codes, kinds).cast(pa.string())
            values = np.concatenate([of[name] for of in columns])
            if name in _CODED:
                return texts.array(values)
            if name == "heard_ms":
                is_unknown = [of["plays"] == of["unknown_plays"] for of in columns]
                return pa.array(values, mask=np.concatenate(is_unknown))
            if name == "first_played_on":
                return dates(values)
            return instants(values) if name in ("first_played_at", "last_played_at") else pa.array(values)

        return pa.table({name: column(name) for name in wanted})


def ranked_of(span: Span, credited: Credits, by: str, kind: str) -> Ranked | None:
    """As the part ``ranked``, for one kind or, if it is empty, for all three; None for no kind."""
    kinds = [name for name in KINDS if kind in ("", name)]
    return Ranked(credited, tuple(Lines(name, by, credited, span.copies) for name in kinds)) if kinds else None
