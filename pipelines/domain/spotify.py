"""From what Spotify says to plays: items of the recently-played endpoint, rows of the two kinds of export.

Which rows count is decided here and nowhere else. The API lists only plays of more than 30 seconds, so all of
its items count; a row of an export counts from 30 seconds on.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import unquote_plus

from pipelines.domain.instants import from_millis, parse, to_millis
from pipelines.domain.play import (
    FIRST_YEAR,
    Artist,
    Play,
    Source,
    UnreadableError,
    check_times,
    in_64_bits,
    in_its_years,
)
from pipelines.domain.song import UNKNOWN_NAME, synthetic_id

COUNTS_FROM_MS = 30_000
# A play that was heard offline was reported late if it ended more than this before it was reported.
_LATE_MS = 30_000
# As seconds the year 5138, as milliseconds 1973: Spotify writes either.
_MILLISECONDS_FROM = 10**11
_FIRST_MS = to_millis(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC))
_TRACK_URI = "spotify:track:"
_MINUTE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}")
_LOCAL_URI = "spotify:local:"


class LeftOut(StrEnum):
    """Why a readable row of an export is not a play."""

    SHORT = "played for less than 30 seconds"
    PODCAST = "podcast episode"
    AUDIOBOOK = "audiobook chapter"
    VIDEO = "video"
    NAMELESS = "no track named"
    FUTURE = "more than a day in the future"
    DUPLICATE = "the same play again"


class LeftOutError(Exception):
    """The row is readable and is not a play, for a reason of LeftOut."""

    def __init__(self, reason: LeftOut) -> None:
        super().__init__(reason.value)
        self.reason = reason


Row = Mapping[str, Any]


def from_recently_played(user_id: str, item: object, ingested_at: datetime) -> Play:
    """The play of one item of ``GET /v1/me/player/recently-played``. Raises UnreadableError."""
    item = _object("item", item)
    track = _object("track", item.get("track"))
    album = _object("album", track.get("album") or {})
    names = [_object("artist", artist) for artist in _list("artists", track.get("artists"))]
    # A local file's artist can be there without a name.
    artists = tuple(Artist(name, _text(row, "id")) for row in names if (name := _text(row, "name")))
    album_artists = [_object("album artist", artist) for artist in _list("album artists", album.get("artists") or [])]
    name = _text(track, "name") or UNKNOWN_NAME
    # A local file has no id: its names stand for it.
    track_id = _text(track, "id") or synthetic_id("track", artists[0].name if artists else "", name)
    images = _list("images", album.get("images") or [])
    covers = [_object("image", image) for image in images]
    widest = max(covers, key=lambda image: _number(image, "width") or 0, default={})
    played_at = _instant(item, "played_at")
    check_times(played_at, ingested_at, ingested_at)
    return Play(
        user_id=user_id,
        played_at=played_at,
        track_id=track_id,
        track_name=name,
        artists=artists,
        source=Source.RECENTLY_PLAYED,
        ingested_at=ingested_at,
        duration_ms=_number(track, "duration_ms"),
        isrc=_text(_object("external_ids", track.get("external_ids") or {}), "isrc"),
        explicit=_flag(track, "explicit"),
        album_id=_text(album, "id"),
        album_name=_text(album, "name"),
        album_release_date=_text(album, "release_date"),
        album_image_url=_text(widest, "url"),
        context_uri=_text(_object("context", item.get("context") or {}), "uri"),
        album_artist_name=_text(album_artists[0], "name") if album_artists else None,
    )


def from_extended_row(user_id: str, row: object, ingested_at: datetime) -> Play:
    """The play of one row of ``Streaming_History_Audio_*.json`` or ``endsong_*.json``.

    A play ends at ``ts``; one that was heard offline where it began plus how long it was played, if that is sound.
    Raises LeftOutError where the row is not a play, UnreadableError where it makes no sense. What the row
    says of the person, of the device and of the network is not read.
    """
    row = _object("row", row)
    ms_played = _required_number(row, "ms_played")
    reported = _instant(row, "ts")
    uri = _text(row, "spotify_track_uri") or ""
    name = _text(row, "master_metadata_track_name")
    if not uri and name is None:
        if _text(row, "spotify_episode_uri") or _text(row, "episode_name"):
            raise LeftOutError(LeftOut.PODCAST)
        if _text(row, "audiobook_uri") or _text(row, "audiobook_title"):
            raise LeftOutError(LeftOut.AUDIOBOOK)
        raise LeftOutError(LeftOut.NAMELESS)
    _check_row(ms_played, reported, ingested_at)
    # Nearly every row has an offline_timestamp; of one that was heard online it says nothing.
    is_offline = row.get("offline") is True
    played_at = (_ended_offline(row, ms_played, reported) if is_offline else None) or reported
    artist = album_artist = _text(row, "master_metadata_album_artist_name")
    if name is None and uri.startswith(_LOCAL_URI):
        artist, name = _local_names(uri)
    name = name or UNKNOWN_NAME
    is_spotifys = uri.startswith(_TRACK_URI)
    return Play(
        user_id=user_id,
        played_at=played_at,
        track_id=uri.removeprefix(_TRACK_URI) if is_spotifys else synthetic_id("track", artist or "", name),
        track_name=name,
        artists=(Artist(artist),) if artist else (),
        source=Source.EXTENDED_EXPORT,
        ingested_at=ingested_at,
        album_name=_text(row, "master_metadata_album_album_name"),
        ms_played=ms_played,
        skipped=_flag(row, "skipped"),
        reason_start=_text(row, "reason_start"),
        reason_end=_text(row, "reason_end"),
        album_artist_name=album_artist,
    )


def reported_at(row: object) -> datetime | None:
    """The ``ts`` of a row of a play that was heard offline; None for every other row.

    Spotify learned of such a play when the device was online again, up to days after it ended. For a row that
    from_extended_row reads without an error.
    """
    return _instant(row, "ts") if isinstance(row, dict) and row.get("offline") is True else None


def _ended_offline(row: Row, ms_played: int, reported: datetime) -> datetime | None:
    """When a play ended that was reported late, as far as its ``offline_timestamp`` can be believed."""
    began = row.get("offline_timestamp")
    if type(began) is not int:
        return None
    ended = (began if began >= _MILLISECONDS_FROM else began * 1000) + ms_played
    is_sound = _FIRST_MS <= ended < to_millis(reported) - _LATE_MS
    return from_millis(ended) if is_sound else None


def from_account_row(user_id: str, row: object, ingested_at: datetime) -> Play:
    """The play of one row of ``StreamingHistory_music_*.json`` or the older ``StreamingHistory*.json``.

    Raises LeftOutError and UnreadableError as from_extended_row does. The times are UTC, in whole minutes.
    """
    row = _object("row", row)
    if not row.get("trackName"):
        if "podcastName" in row:
            raise LeftOutError(LeftOut.PODCAST)
        if "audiobookName" in row:
            raise LeftOutError(LeftOut.AUDIOBOOK)
    ms_played = _required_number(row, "msPlayed")
    played_at = in_its_years("endTime", _minute(row, "endTime"))
    name, artist = _text(row, "trackName"), _text(row, "artistName")
    if not name or not artist:
        raise LeftOutError(LeftOut.NAMELESS)
    _check_row(ms_played, played_at, ingested_at)
    return Play(
        user_id=user_id,
        played_at=played_at,
        track_id=synthetic_id("track", artist, name),
        track_name=name,
        artists=(Artist(artist),),
        source=Source.ACCOUNT_EXPORT,
        ingested_at=ingested_at,
        ms_played=ms_played,
    )


def _local_names(uri: str) -> tuple[str | None, str | None]:
    """Artist and title of ``spotify:local:ARTIST:ALBUM:TITLE:SECONDS``; an export has them nowhere else."""
    parts = uri.split(":")
    if len(parts) != 6:
        return None, None
    return unquote_plus(parts[2]) or None, unquote_plus(parts[4]) or None


def _check_row(ms_played: int, played_at: datetime, ingested_at: datetime) -> None:
    """Raises LeftOutError where a row of music is too short, or of a time that cannot be: exports are read as they
    are ingested."""
    if ms_played < COUNTS_FROM_MS:
        raise LeftOutError(LeftOut.SHORT)
    if played_at > ingested_at:  # rarely: the rule itself would take a while for a lifetime's rows
        try:
            check_times(played_at, ingested_at, ingested_at)
        except UnreadableError:
            raise LeftOutError(LeftOut.FUTURE) from None


def _object(name: str, value: object) -> Row:
    if not isinstance(value, dict):
        raise UnreadableError(f"{name} is not an object")
    return value


def _list(name: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise UnreadableError(f"{name} is not a list")
    return value


def _text(row: Row, name: str) -> str | None:
    """The text, or None where it is missing or empty: Spotify writes both for 'not known'."""
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value or None
    raise UnreadableError(f"{name} is not a string")


def _number(row: Row, name: str) -> int | None:
    value = row.get(name)
    if value is not None and type(value) is not int:
        raise UnreadableError(f"{name} is not a whole number")
    return value if value is None else in_64_bits(name, value)


def _required_number(row: Row, name: str) -> int:
    value = _number(row, name)
    if value is None:
        raise UnreadableError(f"{name} is missing")
    return value


def _flag(row: Row, name: str) -> bool | None:
    value = row.get(name)
    if value is not None and not isinstance(value, bool):
        raise UnreadableError(f"{name} is not true or false")
    return value


def _instant(row: Row, name: str) -> datetime:
    text = _text(row, name)
    if text is None:
        raise UnreadableError(f"{name} is missing")
    try:
        instant = parse(text)
    except (ValueError, OverflowError):
        raise UnreadableError(f"{name} is not a time such as 2026-11-21T08:50:14Z") from None
    return in_its_years(name, instant)


def _minute(row: Row, name: str) -> datetime:
    text = _text(row, name) or ""
    try:
        # strptime takes twenty times as long; the form is checked, since fromisoformat knows many more.
        if _MINUTE.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        pass
    raise UnreadableError(f"{name} is not a time such as 2026-11-21 08:50")
