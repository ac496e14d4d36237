"""The keys of songs and albums for whole columns of names.

Months have most of their names in common: a pair that this process has met it finds again, and folds once. Beyond some
number of them it begins anew, or those of a long archive would fill the memory.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from threading import Lock

import polars as pl

_MOST = 1 << 18
_serial = count()


def _number() -> pl.Categorical:
    return pl.Categorical(pl.Categories(f"heavy-rotation-{next(_serial)}"))


@dataclass
class _Known:
    """Pairs that were met, each once, with their key. Texts have a number as long as one is held that has it."""

    number: pl.Categorical = field(default_factory=_number)
    held: list[pl.Series] = field(default_factory=list)
    keys: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(
            schema={"pair": pl.UInt64, "key": pl.String, "number": pl.UInt32, "is_known": pl.Boolean}
        )
    )
    lock: Lock = field(default_factory=Lock)


class Keys:
    """What a function of a name and an artist's name makes of columns of them. For threads of one process."""

    def __init__(self, key: Callable[[str, str | None], str | None]) -> None:
        self._key = key
        self._known = _Known()

    def of(self, names: pl.Series, artists: pl.Series) -> tuple[pl.Series, pl.Series]:
        """The key of each pair, none where there is no name, and a number that is the same for the same key.

        Numbers are in no order, and not to be compared with those of another call.
        """
        known = self._known
        numbers = [texts.cast(known.number) for texts in (names, artists)]
        pairs = pl.DataFrame([numbers[0].alias("name"), numbers[1].alias("artist")]).select(
            # Numbers begin with 0, and there may be no artist.
            pair=pl.col("name").to_physical().cast(pl.UInt64) * (1 << 32)
            + (pl.col("artist").to_physical().cast(pl.UInt64) + 1).fill_null(0)
        )
        found = _looked_up(pairs, known)
        new = found["is_known"].is_null() & pairs["pair"].is_not_null()
        if new.any():
            with known.lock:
                known.held += [texts.head(1) for texts in numbers if not known.held]
                rows = pairs.with_row_index("row").filter(new).unique("pair", keep="any")
                rows = rows.join(known.keys, on="pair", how="anti")  # another thread was faster
                both = zip(names.gather(rows["row"]).to_list(), artists.gather(rows["row"]).to_list(), strict=True)
                keys = pl.Series("key", [self._key(name, artist) for name, artist in both], pl.String)
                number = keys.cast(known.number).to_physical().alias("number")
                met = rows.select("pair", keys, number, is_known=pl.lit(value=True))
                known.keys = pl.concat([known.keys, met], rechunk=True)
            found = _looked_up(pairs, known)
            if known.keys.height > _MOST:
                self._known = _Known()
        return found["key"], found["number"]


def _looked_up(pairs: pl.DataFrame, known: _Known) -> pl.DataFrame:
    return pairs.join(known.keys, on="pair", how="left", maintain_order="left")
