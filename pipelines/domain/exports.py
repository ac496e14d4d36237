"""From the rows of Spotify's exports to plays, of both kinds: the extended history, and account data.

Which rows count is decided here and nowhere else: those of music, from 30 seconds on. What a row says of the person, of
the device and of the network is not read.

A lifetime has hundreds of thousands of rows and few tracks, so a row is read to its numbers, and to what it shares with
others; ``ExportedPlay.to_play`` has the whole play.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import unquote_plus

from pipelines.domain.instants import from_millis, to_millis
from pipelines.domain.play import FIRST_YEAR, Artist, Play, Source, UnreadableError, check_times, in_its_years
from pipelines.domain.reading import Row, flag_of, mapping, millis_of, number_of, text, text_of
from pipelines.domain.song import UNKNOWN_NAME, synthetic_id

COUNTS_FROM_MS = 30_000
# A play that was heard offline was reported late if it ended more than this before it was reported.
_LATE_MS = 30_000
# As seconds the year 5138, as milliseconds 1973: Spotify writes either.
_MILLISECONDS_FROM = 10**11
_FIRST_MS = to_millis(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC))
_TRACK_URI = "spotify:track:"
_LOCAL_URI = "spotify:local:"
_MINUTE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}")
_NAME, _ARTIST = "master_metadata_track_name", "master_metadata_album_artist_name"
_ALBUM = "master_metadata_album_album_name"
# More than most people's tracks of some years.
_TRACKS = 2**13


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


class ExportedTrack(NamedTuple):
    """What was played: all of a row that every other row of the track has too."""

    id: str
    name: str
    artist: str | None
    album: str | None = None
    album_artist: str | None = None


class Manner(NamedTuple):
    """How it was played, where the row says so: the fields of a play."""

    skipped: bool | None = None
    reason_start: str | None = None
    reason_end: str | None = None


class ExportedPlay(NamedTuple):
    """A row of an export that is a play. Instants are milliseconds since 1970, UTC.

    ``reported`` is when Spotify learned of the play: up to days after its end for one that was heard offline, and the
    end for every other.
    """

    source: Source
    ended: int
    reported: int
    ms_played: int
    track: ExportedTrack
    manner: Manner

    def to_play(self, user_id: str, ingested_at: datetime) -> Play:
        """The play of a user, at its own end."""
        track = self.track
        return Play(
            user_id=user_id,
            played_at=from_millis(self.ended),
            track_id=track.id,
            track_name=track.name,
            artists=(Artist(track.artist),) if track.artist else (),
            source=self.source,
            ingested_at=ingested_at,
            album_name=track.album,
            ms_played=self.ms_played,
            album_artist_name=track.album_artist,
            **self.manner._asdict(),
        )


def from_extended_row(row: object, read_at: int) -> ExportedPlay:
    """The play of one row of ``Streaming_History_Audio_*.json`` or ``endsong_*.json``; it is read at an instant in
    milliseconds.

    A play ends at ``ts``; one that was heard offline where it began plus how long it was played, if that is sound.
    Raises LeftOutError where the row is not a play, UnreadableError where it makes no sense.
    """
    row = mapping("row", row)
    try:
        ms_played, ts, uri, name, artist, album, skipped, reason_start, reason_end, offline = _extended(row)
    except KeyError:
        ms_played, ts, uri, name, artist, album, skipped, reason_start, reason_end, offline = map(row.get, _EXTENDED)
    ms_played = number_of("ms_played", ms_played)
    reported = ended = millis_of("ts", ts)
    if not (uri or name):
        text_of("spotify_track_uri", uri)
        text_of(_NAME, name)
        if text(row, "spotify_episode_uri") or text(row, "episode_name"):
            raise LeftOutError(LeftOut.PODCAST)
        if text(row, "audiobook_uri") or text(row, "audiobook_title"):
            raise LeftOutError(LeftOut.AUDIOBOOK)
        raise LeftOutError(LeftOut.NAMELESS)
    _check_row(ms_played, reported, read_at)
    # Nearly every row has an offline_timestamp; of one that was heard online it says nothing.
    if offline is True:
        ended = _ended_offline(row, ms_played, reported) or reported
    try:
        track, manner = _track(uri, name, artist, album), _manner(skipped, reason_start, reason_end)
    except TypeError:  # a list or an object, which cannot be looked up, and is neither text nor flag
        track = _track.__wrapped__(uri, name, artist, album)
        manner = _manner.__wrapped__(skipped, reason_start, reason_end)
    return ExportedPlay(Source.EXTENDED_EXPORT, ended, reported, ms_played, track, manner)


_EXTENDED = (
    "ms_played",
    "ts",
    "spotify_track_uri",
    _NAME,
    _ARTIST,
    _ALBUM,
    "skipped",
    "reason_start",
    "reason_end",
    "offline",
)
_extended = itemgetter(*_EXTENDED)


# Typed, since 1 is no True, and would be found in its place.
@lru_cache(_TRACKS, typed=True)
def _track(uri: object, name: object, artist: object, album: object) -> ExportedTrack:
    uri, name = text_of("spotify_track_uri", uri) or "", text_of(_NAME, name)
    artist = album_artist = text_of(_ARTIST, artist)
    if name is None and uri.startswith(_LOCAL_URI):
        artist, name = _local_names(uri)
    name = name or UNKNOWN_NAME
    is_spotifys = uri.startswith(_TRACK_URI)
    track_id = uri.removeprefix(_TRACK_URI) if is_spotifys else synthetic_id("track", artist or "", name)
    return ExportedTrack(track_id, name, artist, text_of(_ALBUM, album), album_artist)


@lru_cache(typed=True)
def _manner(skipped: object, reason_start: object, reason_end: object) -> Manner:
    return Manner(flag_of("skipped", skipped), text_of("reason_start", reason_start), text_of("reason_end", reason_end))


def _ended_offline(row: Row, ms_played: int, reported: int) -> int | None:
    """When a play ended that was reported late, as far as its ``offline_timestamp`` can be believed."""
    began = row.get("offline_timestamp")
    if type(began) is not int:
        return None
    ended = (began if began >= _MILLISECONDS_FROM else began * 1000) + ms_played
    return ended if _FIRST_MS <= ended < reported - _LATE_MS else None


def from_account_row(row: object, read_at: int) -> ExportedPlay:
    """The play of one row of ``StreamingHistory_music_*.json`` or the older ``StreamingHistory*.json``.

    Raises LeftOutError and UnreadableError as from_extended_row does. The times are UTC, in whole minutes.
    """
    row = mapping("row", row)
    if not row.get("trackName"):
        if "podcastName" in row:
            raise LeftOutError(LeftOut.PODCAST)
        if "audiobookName" in row:
            raise LeftOutError(LeftOut.AUDIOBOOK)
    ms_played = number_of("msPlayed", row.get("msPlayed"))
    ended = to_millis(in_its_years("endTime", _minute(row, "endTime")))
    name, artist = text(row, "trackName"), text(row, "artistName")
    if not name or not artist:
        raise LeftOutError(LeftOut.NAMELESS)
    _check_row(ms_played, ended, read_at)
    return ExportedPlay(Source.ACCOUNT_EXPORT, ended, ended, ms_played, _named_track(name, artist), Manner())


@lru_cache(_TRACKS)
def _named_track(name: str, artist: str) -> ExportedTrack:
    return ExportedTrack(synthetic_id("track", artist, name), name, artist)


def _local_names(uri: str) -> tuple[str | None, str | None]:
    """Artist and title of ``spotify:local:ARTIST:ALBUM:TITLE:SECONDS``; an export has them nowhere else."""
    parts = uri.split(":")
    if len(parts) != 6:
        return None, None
    return unquote_plus(parts[2]) or None, unquote_plus(parts[4]) or None


def _check_row(ms_played: int, reported: int, read_at: int) -> None:
    """Raises LeftOutError where a row of music is too short, or of a time that cannot be: exports are read as they
    are ingested."""
    if ms_played < COUNTS_FROM_MS:
        raise LeftOutError(LeftOut.SHORT)
    if reported > read_at:  # rarely: the rule itself would take a while for a lifetime's rows
        ingested_at = from_millis(read_at)
        try:
            check_times(from_millis(reported), ingested_at, ingested_at)
        except UnreadableError:
            raise LeftOutError(LeftOut.FUTURE) from None


def _minute(row: Row, name: str) -> datetime:
    told = text(row, name) or ""
    try:
        # strptime takes twenty times as long; the form is checked, since fromisoformat knows many more.
        if _MINUTE.fullmatch(told):
            return datetime.fromisoformat(told).replace(tzinfo=UTC)
    except ValueError:
        pass
    raise UnreadableError(f"{name} is not a time such as 2026-11-21 08:50")
