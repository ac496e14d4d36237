"""What came of a rebuild, as its last step leaves it for the command."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.storage.files import storage_of


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a rebuild, as the command tells it. Months are texts, as 2026-11.

    ``made`` have plays or snapshots now, ``removed`` have none any more, ``left`` stay as they were because of
    ``troubles`` with files: whole months, or ``artist_snapshots of 2026-11``. ``passed_over`` counts plays of a time
    that cannot be, by reason, ``snapshots_passed_over`` such snapshots, ``forgotten`` plays of people who were
    forgotten. ``refused`` says why nothing was done. ``gone`` files went meanwhile, so that all of it has to begin
    again.
    """

    made: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    refused: str | None = None
    gone: int = 0
    plays_read: int = 0
    plays: int = 0
    snapshots: int = 0
    passed_over: Mapping[str, int] = field(default_factory=dict)
    snapshots_passed_over: int = 0
    forgotten: int = 0
    rejected: int = 0

    @property
    def failure(self) -> str | None:
        """What a person has to know and do; None where all went well."""
        if self.refused:
            return self.refused
        if self.gone:
            return (
                f"{self.gone:,} files were removed from the archive during the rebuild, as when a person is forgotten; "
                "run it again, or the tables may keep plays of theirs"
            )
        if not self.troubles:
            return None
        stay = f"{', '.join(self.left)} {'stay' if len(self.left) > 1 else 'stays'} as before; " if self.left else ""
        others = f"{len(self.made)} other months were replaced" if self.made else "nothing was replaced"
        return "\n".join([*self.troubles, f"{stay}{others}"])

    @classmethod
    def take(cls, path: str) -> "Result":
        """Of the file that the last step wrote, which goes. Raises StorageError."""
        value: dict[str, Any] = json.loads(storage_of(path).read(path).data)
        storage_of(path).remove(path)
        return cls(**value | {name: tuple(of) for name, of in value.items() if isinstance(of, list)})
