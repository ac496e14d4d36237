"""What was heard when for the first time: the parts ``firsts`` and ``known``."""

from collections.abc import Mapping
from datetime import date

import numpy as np

from pipelines.querying.columns.counted import copies_of
from pipelines.querying.columns.credited import Credits
from pipelines.querying.columns.grouping import first_of, no_empty
from pipelines.querying.columns.history import Column, History, day_number
from pipelines.querying.columns.spans import every_play
from pipelines.querying.columns.texts import EMPTY, NULL, Codes

_NEVER = np.iinfo(np.int64).max


def known_of(history: History, credited: Credits, first: date) -> dict[str, Codes]:
    """As the part ``known``: the keys of each kind of which anything was heard before ``first``, some of them twice.

    The history has all plays of before.
    """
    firsts, before = _firsts(history), day_number(first)

    def heard(known_by: str, codes: Codes) -> Column:
        days = firsts[known_by]  # the last of them is of what was never heard
        is_before: Column = days[np.minimum(codes, len(days) - 1)] < before
        return is_before

    artists, names = credited.artist_key, credited.artist_name
    is_made = credited.texts.are_made(artists)
    artist = heard("artist", artists) | heard("name alone", names) | (is_made & heard("name", names))
    track = heard("song", credited.song_id) | heard("track", credited.track_id)
    album = heard("album", credited.album_key) | heard("album id", credited.shown_album_id)
    return {"track": credited.song_id[track], "artist": artists[artist], "album": credited.album_key[album]}


def _firsts(history: History) -> Mapping[str, Column]:
    """For each text by its number the day on which what is known by it was heard first."""
    if "firsts" in history.memo:
        of: Mapping[str, Column] = history.memo["firsts"]
        return of
    counts = copies_of(every_play(history))
    said = {name: codes[counts["copy"]] for name, codes in history.copies.items()}
    has_id = said["artist_id"] > EMPTY
    known_by = {
        "song": said["song_id"],
        "track": said["track_id"],
        "artist": no_empty(said["artist_id"]),
        "name": np.where(has_id, said["artist_name"], np.int32(NULL)),
        "name alone": np.where(has_id, np.int32(NULL), said["artist_name"]),
        "album": first_of(said["album_key"], said["album_id"], said["album_name"]),
        "album id": said["album_id"],
    }
    made = {}
    for name, codes in known_by.items():
        days = np.full(codes.max(initial=NULL) + 2, _NEVER)
        np.minimum.at(days, codes, counts["first_played_on"])
        days[NULL] = _NEVER
        made[name] = days
    history.memo["firsts"] = made
    return made
