"""What an answer in columns is made from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipelines.querying.columns.history import History


@dataclass(frozen=True)
class Asked:
    """A question's ``values`` by the names of its parameters; ``made`` are the steps that it needs, in order."""

    values: Mapping[str, Any]
    made: tuple[Any, ...]
    # The listener's history with all months between two first days, or more.
    history: Callable[[date, date], History]

    @property
    def days(self) -> tuple[date, date]:
        """First and last."""
        return self.values["from"], self.values["to"]
