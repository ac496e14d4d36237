"""DuckDB, from Parquet: ``python -m benchmarks.rivals.duck PARQUET OUT``.

Which copy stays is decided on narrow columns and taken by its place in the files, and so is what is shown of the ten:
of the ways that were tried (a window over whole rows, DISTINCT ON, grouping by minimum, arg_max of what is shown) these
take the least. Two threads, and no order to be kept.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb

_SOURCE = "read_parquet('{source}/*.parquet', filename = true, file_row_number = true)"
_KEPT = """
    CREATE TEMP TABLE kept AS
    SELECT filename, file_row_number
    FROM {files}
    QUALIFY row_number() OVER (PARTITION BY user_id, played_at ORDER BY ingested_at, track_id) = 1
"""
_ONCE = """
    CREATE TEMP TABLE once AS
    SELECT
        * EXCLUDE (filename, file_row_number), played_at AT TIME ZONE 'Europe/Paris' AS played_at_local,
        date_trunc('month', played_at AT TIME ZONE 'Europe/Paris')::DATE AS month
    FROM {files} SEMI JOIN kept USING (filename, file_row_number)
"""
_PLAYS = """
    COPY once TO '{out}/plays'
    (FORMAT parquet, PARTITION_BY (month), WRITE_PARTITION_COLUMNS true, COMPRESSION zstd, COMPRESSION_LEVEL 1)
"""
_FOLDED = "lower(nfc_normalize(trim({})))"
_ALBUM_ARTIST = "coalesce(album_artist_name, artists[1].name)"
# Kind, key, and what the newest play says.
_KINDS = (
    (
        "track",
        f"{_FOLDED.format('track_name')}, {_FOLDED.format('artists[1].name')}",
        ("track_id", "track_name", "artists[1].name", "album_name", "album_image_url"),
    ),
    ("artist", "artists[1].id", ("artists[1].id", "artists[1].name", "NULL", "NULL", "NULL")),
    (
        "album",
        f"{_FOLDED.format('album_name')}, {_FOLDED.format(_ALBUM_ARTIST)}",
        ("album_id", "album_name", _ALBUM_ARTIST, "NULL", "album_image_url"),
    ),
)
_COLUMNS = ("id", "name", "artist_name", "album_name", "image_url")
_TENS = """
    SELECT ten.user_id, ten.month, '{kind}' AS kind, rank, {shown}, plays, date_trunc('second', last) AS last_played_at
    FROM (
        SELECT
            user_id, month, count(*) AS plays, max(played_at) AS last, arg_max({id}, played_at) AS id,
            row_number() OVER (
                PARTITION BY user_id, month ORDER BY plays DESC, date_trunc('second', last) DESC, id
            ) AS rank
        FROM once GROUP BY user_id, month, {key}
        QUALIFY rank <= 10
    ) AS ten
    JOIN once ON once.user_id = ten.user_id AND once.played_at = ten.last
"""


def main(source: str, out: str) -> None:
    """Everything in one connection."""
    Path(out).mkdir(parents=True)
    files = _SOURCE.format(source=source)
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        connection.execute(_KEPT.format(files=files))
        connection.execute(_ONCE.format(files=files))
        connection.execute(_PLAYS.format(out=out))
        connection.execute(f"COPY ({' UNION ALL '.join(_rankings())}) TO '{out}/tens.parquet' (FORMAT parquet)")


def _rankings() -> Iterator[str]:
    for kind, key, said in _KINDS:
        shown = ", ".join(f"{text}::VARCHAR AS {name}" for name, text in zip(_COLUMNS, said, strict=True))
        yield _TENS.format(kind=kind, key=key, id=said[0], shown=shown)


if __name__ == "__main__":
    main(*sys.argv[1:])
