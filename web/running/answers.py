"""What a query of somebody's gives."""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Answer:
    """The first rows, and how many there were."""

    table: pa.Table
    rows: int

    @property
    def is_cut(self) -> bool:
        """Whether there were more."""
        return self.table.num_rows < self.rows
