"""Questions for a song, an artist or an album, answered in columns: what it is, its ids, its songs, its months.

The part ``chosen`` has its tracks, and all of their plays counted by copies, so that a song of 10,000 plays costs what
is different in them.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.querying.columns.arrays import dates, instants, time_heard
from pipelines.querying.columns.asked import Asked
from pipelines.querying.columns.counted import TIMES, Counts, copies_of, times_of
from pipelines.querying.columns.credited import Credits, keys_of
from pipelines.querying.columns.grouping import least, no_empty, summed
from pipelines.querying.columns.history import LATE, Column, History, day_number
from pipelines.querying.columns.spans import plays_of_copies, within
from pipelines.querying.columns.texts import EMPTY, NULL, Codes

_ITEM = ("key", "spotify_id", "name", "artist_name", "artist_key", "album_name", "album_key", "image_url")
_IDS: Mapping[str, tuple[str, str]] = {
    "track": ("track_id", "track_name"),
    "artist": ("artist_id", "artist_name"),
    "album": ("album_id", "album_name"),
}


def item(asked: Asked) -> pa.Table:
    """As the question."""
    of: Credits
    (of,) = asked.made
    history, kind, rows = asked.history(date.min, date.max), asked.values["kind"], of.rows
    at, copy = of.counts["last_played_at"], of.counts["copy"]
    key = int(keys_of(of, kind)[0]) if len(rows) else NULL

    def last(codes: Codes, is_meant: Column) -> int:
        """What the last of the plays says that are meant."""
        some = np.flatnonzero(is_meant)
        return int(codes[some[np.argmax(at[some])]]) if len(some) else NULL

    every, none = np.ones(len(rows), bool), np.zeros(len(rows), bool)
    is_track, has_album = np.full(len(rows), kind == "track"), of.album_name[rows] != NULL
    image = history.copies["album_image_url"][copy]
    id_, is_of_spotify, name, artist_name = {
        "track": (of.track_id, ~of.texts.are_made(of.track_id), of.track_name, of.artist_name),
        "artist": (of.artist_key, ~of.texts.are_made(of.artist_key), of.artist_name, of.artist_name),
        "album": (of.shown_album_id, of.is_album_of_spotify, of.album_name, of.album_artist),
    }[kind]
    said = (
        key,
        last(id_[rows], is_of_spotify[rows]),
        last(name[rows], every),
        last(artist_name[rows], none if kind == "artist" else every),
        last(of.artist_key[rows], is_track),
        last(of.album_name[rows], is_track & has_album),
        last(of.album_key[rows], is_track & has_album),
        last(image, none if kind == "artist" else image > EMPTY),
    )
    guest_plays = sum(np.count_nonzero(month["guests"] == key) for month in history.between(date.min, date.max))
    table = pa.table(
        {
            "kind": [kind],
            **{name: of.texts.array(np.array([code])) for name, code in zip(_ITEM, said, strict=True)},
            **_grouped(np.zeros(len(rows), np.intp), 1, of.counts)[0],
            "guest_plays": pa.array([guest_plays if kind == "artist" else None], pa.int64()),
        }
    )
    return table.slice(0, min(len(rows), 1))


def item_ids(asked: Asked) -> pa.Table:
    """As the question."""
    of: Credits
    (of,) = asked.made
    kind, copies = asked.values["kind"], asked.history(date.min, date.max).copies

    def said(name: str, is_said: bool = True) -> Codes:
        codes = copies[name][of.counts["copy"]]
        return codes if is_said else np.full(len(codes), NULL, np.int32)

    ids, name = map(said, _IDS[kind])
    distinct, places = np.unique(ids if kind == "track" else no_empty(ids), return_inverse=True)
    columns, last = _grouped(places, len(distinct), of.counts)
    texts = {
        "id": distinct,
        "name": name[last],
        "artist_name": no_empty(said("artist_name", kind != "artist"))[last],
        "album_name": no_empty(said("album_name", kind == "track"))[last],
    }
    table = pa.table(
        {
            **{name: of.texts.array(codes) for name, codes in texts.items()},
            **{name: columns[name] for name in ("plays", "first_played_at", "last_played_at")},
        }
    )
    return table.take(_in_order(columns, columns["plays"]))


def item_songs(asked: Asked) -> pa.Table:
    """As the question."""
    of: Credits
    (of,) = asked.made
    history, (first, last), limit = asked.history(date.min, date.max), asked.days, asked.values["limit"]
    counts, rows = of.counts, of.rows
    if not _is_whole(history, first, last):
        plays = plays_of_copies(history, _copies_of_tracks(history, of), first, last)
        counts = copies_of(within(plays, first, last))
        rows = np.searchsorted(of.track_id, history.copies["track_id"][counts["copy"]])
    songs, places = np.unique(of.song_id[rows], return_inverse=True)
    columns, newest = _grouped(places, len(songs), counts)
    names = {"id": of.track_id, "name": of.track_name, "artist_name": of.artist_name}
    amounts = columns["plays"] if asked.values["by"] != "time" else pc.fill_null(columns["heard_ms"], -1)
    order = _in_order(columns, amounts)[:limit]
    table = pa.table(
        {
            "key": of.texts.array(songs),
            **{name: of.texts.array(codes[rows[newest]]) for name, codes in names.items()},
            **columns,
        }
    ).take(order)
    table = table.add_column(0, "rank", pa.array(np.arange(1, len(order) + 1)))
    return table.append_column("songs", pa.array(np.full(len(order), len(songs))))


def item_months(asked: Asked) -> pa.Table:
    """As the question."""
    of: Credits
    of, tens = asked.made
    history, kind, texts = asked.history(date.min, date.max), asked.values["kind"], of.texts
    plays = plays_of_copies(history, _copies_of_tracks(history, of), date.min, date.max)
    months, places = np.unique(plays.of("month"), return_inverse=True)
    times = {name: summed(places, column, len(months)) for name, column in times_of(plays).items()}
    ids = {"track": of.track_id, "artist": of.artist_key, "album": of.shown_album_id}[kind]
    is_it = pc.is_in(tens["id"], texts.array(np.unique(ids)).cast(pa.string()), skip_nulls=True)
    if kind == "artist":
        is_named = pc.is_in(tens["name"], texts.array(np.unique(of.artist_name)).cast(pa.string()), skip_nulls=True)
        is_it = pc.or_(is_it, pc.and_(is_named, pc.starts_with(tens["id"], "names:")))
    own = tens.filter(is_it)
    ranked = own["month"].cast(pa.int32()).to_numpy()
    at = np.searchsorted(months, ranked)
    is_there = np.append(months, NULL)[at] == ranked
    ranks = least(at[is_there], own["rank"].to_numpy()[is_there], len(months))
    return pa.table(
        {
            "month": dates(months),
            **{name: time_heard(times) if name == "heard_ms" else times[name] for name in TIMES},
            "rank": pa.array(ranks, mask=ranks == LATE),
        }
    )


def _copies_of_tracks(history: History, of: Credits) -> Column:
    """Which copies are of these tracks."""
    is_meant = np.zeros(len(of.texts), bool)
    is_meant[of.track_id] = True
    found: Column = is_meant[history.copies["track_id"]]
    return found


def _is_whole(history: History, first: date, last: date) -> bool:
    """Whether all plays are from one day to another."""
    months = history.between(date.min, date.max)
    return bool(day_number(first) <= months[0]["played_on"].min() and months[-1]["played_on"].max() <= day_number(last))


def _grouped(places: Column, number: int, counts: Counts) -> tuple[dict[str, Any], Column]:
    """For each place ``TIMES`` and the instants of its first and last play, and the row that has the last."""
    sums = {name: summed(places, counts[name], number) for name in TIMES}
    at = counts["last_played_at"]
    newest = -least(places, -at, number)
    rows, is_last = np.zeros(number, np.intp), np.flatnonzero(at == newest[places])
    rows[places[is_last]] = is_last
    columns = {
        **{name: time_heard(sums) if name == "heard_ms" else pa.array(sums[name]) for name in TIMES},
        "first_played_at": instants(least(places, counts["first_played_at"], number)),
        "last_played_at": instants(newest),
    }
    return columns, rows


def _in_order(columns: Mapping[str, pa.Array], amounts: pa.Array) -> Column:
    """The largest amounts first, then the last played. No two plays are of one instant."""
    found: Column = np.lexsort((-columns["last_played_at"].view(pa.int64()).to_numpy(), -amounts.to_numpy()))
    return found
