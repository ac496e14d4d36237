"""Whether an import is of one account. User names are compared in memory, and go nowhere else."""

from collections.abc import Iterable, Iterator

from producer.importing.containers import ExportError
from producer.importing.exports import Batch, ExportFile

_NAMED_FILES = 3


class Owners:
    """Which files are whose, as far as the rows, or what lies beside them, say so."""

    def __init__(self) -> None:
        # By user name. A third account would tell nothing more than the second.
        self._files: dict[str, dict[str, None]] = {}

    def watching(self, file: ExportFile, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches of a file as they are; whose they are is noted."""
        self._note(file, {file.account or ""})
        for rows, taken in batches:
            said = {name for row in rows if isinstance(row, dict) and isinstance(name := row.get("username"), str)}
            self._note(file, said)
            yield rows, taken

    def check(self) -> None:
        """Raises ExportError where there are two accounts, naming files and nobody."""
        if len(self._files) > 1:
            one, other = (_listed(list(files)) for files in self._files.values())
            raise ExportError(
                f"the files are of two accounts: {one} of one, {other} of another; nothing was written. Import each "
                "account's files by themselves, under a --user of its own"
            )

    def _note(self, file: ExportFile, names: set[str]) -> None:
        for name in {name.strip().casefold() for name in names} - {""}:
            if name in self._files or len(self._files) < 2:
                self._files.setdefault(name, {})[file.name] = None


def _listed(files: list[str]) -> str:
    more = f" and {len(files) - _NAMED_FILES:,} more" if len(files) > _NAMED_FILES else ""
    return ", ".join(files[:_NAMED_FILES]) + more
