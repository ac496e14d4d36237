"""The play: one listening of one track by one user, its identity, and its three written forms.

The forms are the Avro record of the archive (``play.avsc``), the Pub/Sub message, which is the same record as
JSON with RFC 3339 times, and the row of ``play_events``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Any, get_args, get_type_hints

import orjson

from pipelines.domain.instants import from_millis, parse, rfc3339, to_millis
from pipelines.domain.month import Calendar
from pipelines.domain.song import album_key, song_key

# Spotify was founded in 2006. Exports hold rows of 1970, and a broken clock can write any year: such a row
# would open a month that nobody lived in.
FIRST_YEAR, LAST_YEAR = 2006, 2099
_FIRST, _END = (datetime(year, 1, 1, tzinfo=UTC) for year in (FIRST_YEAR, LAST_YEAR + 1))
_FIRST_MS, _END_MS = to_millis(_FIRST), to_millis(_END)
# How far a clock may be ahead of another one.
AHEAD = timedelta(days=1)


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
    """One play. Times are UTC with whole milliseconds; durations are milliseconds.

    A field stands here and in ``play.avsc``, in one order, and nowhere else: messages, records and rows are derived.
    A new one comes last and is None by default, so that what was written before it stays readable.
    """

    user_id: str
    played_at: datetime
    track_id: str
    track_name: str
    duration_ms: int | None = field(default=None, kw_only=True)
    isrc: str | None = field(default=None, kw_only=True)
    explicit: bool | None = field(default=None, kw_only=True)
    artists: tuple[Artist, ...]
    album_id: str | None = field(default=None, kw_only=True)
    album_name: str | None = field(default=None, kw_only=True)
    album_release_date: str | None = field(default=None, kw_only=True)
    album_image_url: str | None = field(default=None, kw_only=True)
    context_uri: str | None = field(default=None, kw_only=True)
    ms_played: int | None = field(default=None, kw_only=True)
    skipped: bool | None = field(default=None, kw_only=True)
    reason_start: str | None = field(default=None, kw_only=True)
    reason_end: str | None = field(default=None, kw_only=True)
    source: Source
    ingested_at: datetime
    album_artist_name: str | None = field(default=None, kw_only=True)

    @property
    def artist_name(self) -> str | None:
        """The main artist's name. Empty is not known, as everywhere in what Spotify says."""
        return (self.artists[0].name or None) if self.artists else None

    @property
    def album_artist(self) -> str | None:
        """The album's artist; the track's where it is not known, which in exports is the same."""
        return self.album_artist_name or self.artist_name

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
        record = self._plain()
        record["played_at"], record["ingested_at"] = to_millis(self.played_at), to_millis(self.ingested_at)
        return record

    def to_row(self, calendar: Calendar) -> dict[str, Any]:
        """The row of ``play_events``: times are datetimes, local ones naive as BigQuery's DATETIME is."""
        local = calendar.local(self.played_at)
        values = _values(self)
        row = dict(zip(_CAME_FIRST, values, strict=False))
        row["artists"] = [{"id": artist.id, "name": artist.name} for artist in self.artists]
        row["source"] = self.source.value
        row["played_on"], row["played_at_local"] = local.date(), local
        row["month"] = calendar.month_of(self.played_at)
        row["song_key"] = song_key(self.track_id, self.track_name, self.artist_name)
        row["album_key"] = album_key(self.album_name, self.album_artist)
        row.update(zip(_CAME_LATER, values[len(_CAME_FIRST) :], strict=True))
        return row

    def to_message(self) -> tuple[bytes, dict[str, str]]:
        """Data and attributes of the Pub/Sub message."""
        played_at = rfc3339(self.played_at)
        record = self._plain() | {"played_at": played_at, "ingested_at": rfc3339(self.ingested_at)}
        attributes = {"user_id": self.user_id, "played_at": played_at, "source": self.source.value}
        return orjson.dumps(record), attributes

    def to_values(self) -> list[Any]:
        """The fields in their order as what JSON has: times as milliseconds since 1970, an artist as name and id."""
        values = list(_values(self))
        values[_PLAYED_AT], values[_INGESTED_AT] = to_millis(self.played_at), to_millis(self.ingested_at)
        values[_ARTISTS] = [[artist.name, artist.id] for artist in self.artists]
        return values

    def _plain(self) -> dict[str, Any]:
        # dataclasses.asdict copies deeply, at ten times the price.
        plain = dict(zip(_NAMES, _values(self), strict=True))
        plain["artists"] = [{"id": artist.id, "name": artist.name} for artist in self.artists]
        plain["source"] = self.source.value
        return plain


_NAMES = tuple(each.name for each in fields(Play))
_values = attrgetter(*_NAMES)
_PLAYED_AT, _INGESTED_AT, _ARTISTS, _SOURCE = map(_NAMES.index, ("played_at", "ingested_at", "artists", "source"))
# In a table these are the last columns (``tables.play_events_schema``).
_CAME_FIRST, _CAME_LATER = _NAMES[: _INGESTED_AT + 1], _NAMES[_INGESTED_AT + 1 :]
# Of a message: texts that must not be empty, and what may be missing or null.
_REQUIRED = tuple(each.name for each in fields(Play) if each.default is MISSING and each.name != "artists")
_OPTIONAL: dict[str, type] = {
    each.name: get_args(get_type_hints(Play)[each.name])[0] for each in fields(Play) if each.default is None
}
# What a field has that nothing is known of.
_NOT_KNOWN = tuple(each.default for each in fields(Play))
_SOURCES = {source.value: source for source in Source}
# The same come again and again, and are compared more quickly where they are one object.
_artist = lru_cache(2**12)(Artist)
_SETTERS = tuple(vars(Play)[name].__set__ for name in _NAMES)


def _of_values(values: Iterable[Any]) -> Play:
    """A play of its fields' values in their order, all of them: in half of the time that ``Play(...)`` takes, which is
    asked three times for each play of a stream."""
    play = object.__new__(Play)
    for set_field, value in zip(_SETTERS, values, strict=True):
        set_field(play, value)
    return play


def from_record(record: Mapping[str, Any]) -> Play:
    """The play of an Avro record as fastavro reads it, with aware datetimes. Trusts the archive's schema."""
    values = dict(record)
    values["artists"] = tuple(Artist(artist["name"], artist["id"]) for artist in record["artists"])
    values["source"] = Source(record["source"])
    return Play(**values)


def from_values(values: Sequence[Any]) -> Play:
    """The play that ``to_values`` was asked of, by this version, one that knew fewer fields, or one that knew more."""
    plain = [*values[: len(_NAMES)], *_NOT_KNOWN[len(values) :]]
    plain[_PLAYED_AT], plain[_INGESTED_AT] = from_millis(values[_PLAYED_AT]), from_millis(values[_INGESTED_AT])
    plain[_ARTISTS] = tuple([_artist(*artist) for artist in values[_ARTISTS]])
    plain[_SOURCE] = _SOURCES.get(values[_SOURCE]) or Source(values[_SOURCE])
    return _of_values(plain)


def from_message(data: bytes) -> Play:
    """The play in a Pub/Sub message's data. Unknown fields are ignored. Raises UnreadableError."""
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise UnreadableError("not JSON") from None
    if not isinstance(message, dict):
        raise UnreadableError("not a JSON object")
    values: dict[str, Any] = dict.fromkeys(_NAMES)
    for name, kind in _OPTIONAL.items():
        if (value := message.get(name)) is not None:
            values[name] = value if type(value) is kind is not int else _check(name, value, kind)
    for name in _REQUIRED:
        value = values[name] = message.get(name)
        if type(value) is not str or not value:
            raise UnreadableError(f"{name} is missing" if value in (None, "") else f"{name} is not a string")
    if (source := _SOURCES.get(values["source"])) is None:
        raise UnreadableError(f"source is none of {', '.join(Source)}")
    values["source"] = source
    for name in ("played_at", "ingested_at"):
        values[name] = in_its_years(name, _instant(name, values[name]))
    values["artists"] = _artists(message.get("artists"))
    return _of_values(values.values())


def in_its_years(name: str, instant: datetime) -> datetime:
    """The instant, if its year of UTC is one that every later step can carry, in any time zone: FIRST_YEAR to
    LAST_YEAR. Raises UnreadableError."""
    if _FIRST <= instant < _END:
        return instant
    raise _out_of_years(name)


def millis_in_its_years(name: str, millis: int) -> int:
    """The same of milliseconds since 1970."""
    if _FIRST_MS <= millis < _END_MS:
        return millis
    raise _out_of_years(name)


def _out_of_years(name: str) -> UnreadableError:
    return UnreadableError(f"{name} is not between {FIRST_YEAR} and {LAST_YEAR}")


def check_times(played_at: datetime, ingested_at: datetime, now: datetime) -> None:
    """Raises UnreadableError where a play cannot be of these instants: one is out of its years, or later than a day
    after ``now``, when it is read; or ``played_at`` is later than a day after ``ingested_at``."""
    check_instant("played_at", played_at, now)
    check_instant("ingested_at", ingested_at, now)
    if played_at > ingested_at + AHEAD:
        raise UnreadableError("played_at is more than a day after ingested_at")


def check_instant(name: str, instant: datetime, now: datetime) -> None:
    """Raises UnreadableError for an instant that is out of its years, or later than a day after it is read, ``now``."""
    if in_its_years(name, instant) > now + AHEAD:
        raise UnreadableError(f"{name} is more than a day after it was read")


def _check(name: str, value: Any, kind: type) -> Any:
    # type(), not isinstance(): True is an int to isinstance.
    if value is not None and type(value) is not kind:
        raise UnreadableError(f"{name} is not {_KINDS[kind]}")
    return in_64_bits(name, value) if type(value) is int else value


def in_64_bits(name: str, value: int) -> int:
    """The number, if Avro and BigQuery can hold it. Raises UnreadableError."""
    if not -(2**63) <= value < 2**63:
        raise UnreadableError(f"{name} does not fit in 64 bits")
    return value


_KINDS: dict[type, str] = {str: "a string", int: "a whole number", bool: "true or false"}


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
        artists.append(_artist(artist["name"], _check("an artist's id", artist.get("id"), str)))
    return tuple(artists)
