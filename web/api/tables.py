"""``/tables``: what can be asked in SQL, with its columns."""

from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response

from pipelines.tables import TABLES, VIEWS, table_schema
from web.api.answering import PREFIX, documented, json_answer
from web.api.shapes import Table, Tables
from web.errors import NotFoundError
from web.routing import StrictRoute
from web.visit import asker_of

router = APIRouter(prefix=PREFIX, route_class=StrictRoute, tags=["SQL"])
ABOUT = {
    "plays": "A play, once, with the song_id that all track ids of a song share.",
    "monthly_top_tracks": "A rank of a listener's month: songs.",
    "monthly_top_artists": "A rank of a listener's month: artists.",
    "monthly_top_albums": "A rank of a listener's month: albums.",
    "monthly_top_genres": "A rank of a listener's month at one source: genres.",
    "track_info": "A track with its names, album, length, ISRC and cover, as plays and sources tell.",
    "album_info": "An album with its release date and cover.",
    "artist_info": "An artist with genres, pictures and the newest figures of each source.",
    "artist_history": "What one source said of an artist at one time, once.",
    "artist_genres": "A genre of an artist at one source, with its votes.",
    "playlist_history": "A stay of a track in a watched playlist: when it came, when it left.",
    "fullest_snapshots": "A month's ten as they were when most of its plays were known.",
    "play_events": "A play as it was written, perhaps more than once; plays reads it.",
    "top_ten_snapshots": "A month's ten as they were at one time; the fullest is the truth.",
    "rejected": "A message that could not be read, with the reason.",
    "playlist_snapshots": "A position of a watched playlist's state, perhaps more than once.",
    "artist_snapshots": "What one source said of an artist at one time, perhaps more than once.",
    "track_snapshots": "What one source said of a track at one time, perhaps more than once.",
}


@cache
def described() -> tuple[dict[str, Any], ...]:
    """Tables and views as documented, what is asked most first; names are without a dataset."""
    from pipelines.querying import duck

    told = {
        field["name"]: field.get("description") for table in reversed(TABLES) for field in table_schema(table)
    }  # fmt: skip
    columns = duck.columns()
    return tuple(
        {
            "name": name,
            "kind": "view" if name in VIEWS else "table",
            "description": about,
            "columns": [
                {"name": column, "type": kind, "description": told.get(column)} for column, kind in columns[name]
            ],
        }
        for name, about in ABOUT.items()
    )


@router.get("/tables", response_model=Tables, responses=documented(404, 503), summary="Tables and views")
def tables(request: Request) -> Response:
    """All that a query can ask, with columns."""
    return json_answer({"rows": [_in_dataset(table, asker_of(request).dataset) for table in described()]})


@router.get("/tables/{name}", response_model=Table, responses=documented(404, 503), summary="A table or a view")
def table(request: Request, name: str) -> Response:
    """With its columns. ``name`` is with the dataset or without."""
    dataset = asker_of(request).dataset
    wanted = name.removeprefix(f"{dataset}.")
    for one in described():
        if one["name"] == wanted:
            return json_answer(_in_dataset(one, dataset))
    raise NotFoundError(f"There is no table {name!r} here; there are {', '.join(ABOUT)}.")


def _in_dataset(table: dict[str, Any], dataset: str) -> dict[str, Any]:
    return {**table, "name": f"{dataset}.{table['name']}"}
