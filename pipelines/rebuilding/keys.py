"""The keys of songs and albums for whole columns of names. Each pair of names is folded once for as long as it is known
in this process: months have most of their names in common."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from threading import Lock

import polars as pl

# Of a long archive the names would fill the memory: beyond so many pairs it begins anew.
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
        default_factory=lambda: pl.DataFrame(schema={"pair": pl.UInt64, "key": pl.String, "is_known": pl.Boolean})
    )
    lock: Lock = field(default_factory=Lock)


class Keys:
    """What a function of a name and an artist's name makes of columns of them. For threads of one process."""

    def __init__(self, key: Callable[[str, str | None], str | None]) -> None:
        self._key = key
        self._known = _Known()

    def of(self, names: pl.Series, artists: pl.Series) -> pl.Series:
        """The key of each pair; none where there is no name."""
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
                met = rows.select("pair", keys, is_known=pl.lit(value=True))
                known.keys = pl.concat([known.keys, met], rechunk=True)
            found = _looked_up(pairs, known)
            if known.keys.height > _MOST:
                self._known = _Known()
        return found["key"]


def _looked_up(pairs: pl.DataFrame, known: _Known) -> pl.DataFrame:
    return pairs.join(known.keys, on="pair", how="left", maintain_order="left")
