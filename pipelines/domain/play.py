"""The play: one listening of one track by one user, its identity, and its three written forms.

The forms are the Avro record of the archive (``play.avsc``), the Pub/Sub message, which is the same record as
JSON with RFC 3339 times, and the row of ``play_events``.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson

from pipelines.domain.instants import parse, rfc3339, to_millis
from pipelines.domain.month import Calendar

# Spotify was founded in 2006. Exports hold rows of 1970, and a broken clock can write any year: such a row
# would open a month that nobody lived in.
FIRST_YEAR, LAST_YEAR = 2006, 2099
# How far a clock may be ahead of another one.
_AHEAD = timedelta(days=1)


class Source(StrEnum):
    """Where a play was learned from, the one that knows most about a play first."""

    RECENTLY_PLAYED = "RECENTLY_PLAYED"
    EXTENDED_EXPORT = "EXTENDED_EXPORT"
    ACCOUNT_EXPORT = "ACCOUNT_EXPORT"


SOURCE_RANK = {source: rank for rank, source in enumerate(Source)}


class UnreadableError(ValueError):
    """What was given is not a play and should have been one. Its text says why, without the payload."""


@dataclass(frozen=True, slots=True)
class Artist:
    """An artist by name, and by Spotify's id where it is known (exports have none)."""

    name: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Play:
    """One play. Times are UTC with whole milliseconds; durations are milliseconds."""

    user_id: str
    played_at: datetime
    track_id: str
    track_name: str
    artists: tuple[Artist, ...]
    source: Source
    ingested_at: datetime
    duration_ms: int | None = None
    isrc: str | None = None
    explicit: bool | None = None
    album_id: str | None = None
    album_name: str | None = None
    album_release_date: str | None = None
    album_image_url: str | None = None
    context_uri: str | None = None
    ms_played: int | None = None
    skipped: bool | None = None
    reason_start: str | None = None
    reason_end: str | None = None

    @property
    def preference(self) -> tuple[int, int, str]:
        """Of several copies of one play, the one with the smallest preference is kept, on every path.

        The copy that knows most comes first (the API's, the extended export's, the account data's), then the
        oldest, so that reading a play again changes nothing. Copies with one preference are one copy: one
        reading of one play. ``views/plays.sql`` has the same order.
        """
        return SOURCE_RANK[self.source], to_millis(self.ingested_at), self.track_id

    def to_record(self) -> dict[str, Any]:
        """The Avro record of ``play.avsc``, times as milliseconds since 1970."""
        record = self._fields()
        record["played_at"], record["ingested_at"] = to_millis(self.played_at), to_millis(self.ingested_at)
        return record

    def to_row(self, calendar: Calendar) -> dict[str, Any]:
        """The row of ``play_events``: times are datetimes, local ones naive as BigQuery's DATETIME is."""
        local = calendar.local(self.played_at)
        return self._fields() | {
            "played_at": self.played_at,
            "ingested_at": self.ingested_at,
            "played_on": local.date(),
            "played_at_local": local,
            "month": calendar.month_of(self.played_at),
        }

    def to_message(self) -> tuple[bytes, dict[str, str]]:
        """Data and attributes of the Pub/Sub message."""
        played_at = rfc3339(self.played_at)
        record = self._fields() | {"played_at": played_at, "ingested_at": rfc3339(self.ingested_at)}
        attributes = {"user_id": self.user_id, "played_at": played_at, "source": self.source.value}
        return orjson.dumps(record), attributes

    def _fields(self) -> dict[str, Any]:
        # Written out in the order of play.avsc: dataclasses.asdict copies deeply, at ten times the price.
        return {
            "user_id": self.user_id,
            "played_at": None,
            "track_id": self.track_id,
            "track_name": self.track_name,
            "duration_ms": self.duration_ms,
            "isrc": self.isrc,
            "explicit": self.explicit,
            "artists": [{"id": artist.id, "name": artist.name} for artist in self.artists],
            "album_id": self.album_id,
            "album_name": self.album_name,
            "album_release_date": self.album_release_date,
            "album_image_url": self.album_image_url,
            "context_uri": self.context_uri,
            "ms_played": self.ms_played,
            "skipped": self.skipped,
            "reason_start": self.reason_start,
            "reason_end": self.reason_end,
            "source": self.source.value,
            "ingested_at": None,
        }


def from_record(record: Mapping[str, Any]) -> Play:
    """The play of an Avro record as fastavro reads it, with aware datetimes. Trusts the archive's schema."""
    fields = dict(record)
    fields["artists"] = tuple(Artist(artist["name"], artist["id"]) for artist in record["artists"])
    fields["source"] = Source(record["source"])
    return Play(**fields)


def from_message(data: bytes) -> Play:
    """The play in a Pub/Sub message's data. Unknown fields are ignored. Raises UnreadableError."""
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise UnreadableError("not JSON") from None
    if not isinstance(message, dict):
        raise UnreadableError("not a JSON object")
    fields = {name: _check(name, message.get(name), kind) for name, kind in _OPTIONAL.items()}
    for name in _REQUIRED:
        fields[name] = _check(name, message.get(name), str)
        if not fields[name]:
            raise UnreadableError(f"{name} is missing")
    try:
        fields["source"] = Source(fields["source"])
    except ValueError:
        raise UnreadableError("source is none that is known") from None
    for name in ("played_at", "ingested_at"):
        fields[name] = in_its_years(name, _instant(name, fields[name]))
    fields["artists"] = _artists(message.get("artists"))
    return Play(**fields)


def in_its_years(name: str, instant: datetime) -> datetime:
    """The instant, if its year of UTC is one that every later step can carry, in any time zone: FIRST_YEAR to
    LAST_YEAR. Raises UnreadableError."""
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise UnreadableError(f"{name} is not between {FIRST_YEAR} and {LAST_YEAR}")
    return instant


def check_times(played_at: datetime, ingested_at: datetime, now: datetime) -> None:
    """Raises UnreadableError where a play cannot be of these instants: one is out of its years, or later than a day
    after ``now``, when it is read; or ``played_at`` is later than a day after ``ingested_at``."""
    for name, instant in (("played_at", played_at), ("ingested_at", ingested_at)):
        if in_its_years(name, instant) > now + _AHEAD:
            raise UnreadableError(f"{name} is more than a day after it was read")
    if played_at > ingested_at + _AHEAD:
        raise UnreadableError("played_at is more than a day after ingested_at")


def synthetic_id(kind: str, *names: str) -> str:
    """A stable id for what Spotify gives no id for: the same kind and names give the same id, for ever."""
    digest = hashlib.sha256("\x1f".join((kind, *names)).encode()).hexdigest()
    return f"names:{digest[:22]}"


_REQUIRED = ("user_id", "played_at", "track_id", "track_name", "source", "ingested_at")
_OPTIONAL: dict[str, type] = {
    "duration_ms": int,
    "isrc": str,
    "explicit": bool,
    "album_id": str,
    "album_name": str,
    "album_release_date": str,
    "album_image_url": str,
    "context_uri": str,
    "ms_played": int,
    "skipped": bool,
    "reason_start": str,
    "reason_end": str,
}


def _check(name: str, value: Any, kind: type) -> Any:
    # type(), not isinstance(): True is an int to isinstance.
    if value is not None and type(value) is not kind:
        raise UnreadableError(f"{name} is not {_NAMES[kind]}")
    return in_64_bits(name, value) if type(value) is int else value


def in_64_bits(name: str, value: int) -> int:
    """The number, if Avro and BigQuery can hold it. Raises UnreadableError."""
    if not -(2**63) <= value < 2**63:
        raise UnreadableError(f"{name} does not fit in 64 bits")
    return value


_NAMES: dict[type, str] = {str: "a string", int: "a whole number", bool: "true or false"}


def _instant(name: str, text: str) -> datetime:
    try:
        return parse(text)
    except (ValueError, OverflowError):
        raise UnreadableError(f"{name} is not an RFC 3339 time with an offset") from None


def _artists(value: Any) -> tuple[Artist, ...]:
    if not isinstance(value, list):
        raise UnreadableError("artists is not a list")
    artists = []
    for artist in value:
        if not isinstance(artist, dict) or not isinstance(artist.get("name"), str):
            raise UnreadableError("an artist has no name")
        artists.append(Artist(artist["name"], _check("an artist's id", artist.get("id"), str)))
    return tuple(artists)
