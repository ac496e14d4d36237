"""What the archive knows of a user's plays in the months that an import touches."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date

from pipelines.domain.instants import from_millis, to_millis
from pipelines.domain.month import Calendar
from pipelines.storage.archive import Archive
from pipelines.storage.files import MissingError
from pipelines.storage.scanning import ScannedTrack, Scanner
from producer.identity.rows import POLLED, Copies, Tracks

_DAY = 86_400_000
# A bucket answers slowly, and the stream writes many small files; so many are on their way at once.
_AT_ONCE = 8
# How often it begins again because files went meanwhile.
_ATTEMPTS = 3


def touched_months(instants: Iterable[int], calendar: Calendar) -> list[date]:
    """The months of these instants (milliseconds) and of a day before and after each, oldest first.

    A play may be known by its start, in the month before, or lie in a folder named in another time zone.
    """
    days = {instant // _DAY for instant in instants}
    edges = {edge for day in days for edge in ((day - 1) * _DAY, (day + 2) * _DAY - 1)}
    return sorted({calendar.month_of(from_millis(edge)) for edge in edges})


def read_copies(archive: Archive, months: list[date], user_id: str, tracks: Tracks, tell: Callable[[], None]) -> Copies:
    """The archive's copies of the user's plays, sorted; of tracks that ``tracks`` does not know, the instants only.

    Those that were forgotten, and are about to go, are not among them.
    ``tell`` is called for every file. Raises StorageError.
    """
    for _ in range(_ATTEMPTS - 1):
        # What is left of a file after somebody was forgotten is in one of another name.
        with suppress(MissingError):
            return _read_copies(archive, months, user_id, tracks, tell)
    return _read_copies(archive, months, user_id, tracks, tell)


def _read_copies(
    archive: Archive, months: list[date], user_id: str, tracks: Tracks, tell: Callable[[], None]
) -> Copies:
    copies, scanner = Copies(tracks), Scanner()
    spans: dict[tuple[int, int], list[int]] = {}
    numbers: dict[ScannedTrack, int] = {}
    forgotten_at = archive.marks.read().until(user_id)
    forgotten = to_millis(forgotten_at) if forgotten_at else None
    for path, data in _read(archive, archive.files(months)):
        tell()
        for user, instant, track, ms_played, rank, ingested_at in scanner.plays(path, data):
            if user == user_id and (forgotten is None or ingested_at > forgotten):
                number = numbers.get(track)
                if number is None:
                    number = numbers[track] = tracks.number_if_known(track.id, track.artist, track.name)
                copies.add(instant, rank, number, ms_played)
                if rank != POLLED:
                    # All that one import wrote has the same time of ingestion.
                    span = spans.setdefault((rank, ingested_at), [instant, instant])
                    if instant < span[0]:
                        span[0] = instant
                    if instant > span[1]:
                        span[1] = instant
    for (source, _), (first, last) in spans.items():
        copies.spans.setdefault(source, []).append((first, last))
    copies.sort()
    return copies


def _read(archive: Archive, files: list[str]) -> Iterator[tuple[str, bytes]]:
    """The files' bytes, in order; no more than a few files in memory."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for first in range(0, len(files), _AT_ONCE):
            some = files[first : first + _AT_ONCE]
            yield from zip(some, threads.map(archive.read_bytes, some), strict=True)
