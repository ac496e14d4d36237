"""Whether all who were asked gave the same answers, to the row."""

from pathlib import Path

import duckdb

from benchmarks.process import BenchmarkError
from pipelines.tables import REBUILT

_TEN = "user_id, month, kind, rank, id, name, artist_name, album_name, image_url, plays, last_played_at"
_OURS = f"""
    SELECT {_TEN} FROM (
        SELECT user_id, month, kind, unnest(items, recursive := true)
        FROM read_parquet('{{out}}/top_ten_snapshots/*/*.parquet', hive_partitioning = false)
    )
"""
_THEIRS = f"SELECT {_TEN} FROM '{{out}}/tens.parquet'"
# Equal for the same rows in any order, and for no others that anything would make by mistake.
_PLAYS = """
    SELECT
        strftime(played_at_local, '%Y-%m') AS month, count(*) AS plays,
        sum(hash(user_id, epoch_ms(played_at), track_id, epoch_ms(ingested_at), played_at_local)) AS digest
    FROM read_parquet('{files}', hive_partitioning = false) GROUP BY ALL ORDER BY ALL
"""


def check_equal(ours: str, theirs: str, who: str) -> tuple[int, int]:
    """The distinct plays and the rows of top tens of our warehouse. Raises BenchmarkError where a rival's differ."""
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        plays = [
            connection.execute(_PLAYS.format(files=files)).fetchall()
            for files in (f"{ours}/play_events/*/*.parquet", f"{theirs}/plays/**/*.parquet")
        ]
        if plays[0] != plays[1]:
            raise BenchmarkError(f"{who} has other plays than the rebuild: {_first_difference(*plays)}")
        mine, others = _OURS.format(out=ours), _THEIRS.format(out=theirs)
        for one, other, has in ((mine, others, "has not"), (others, mine, "alone has")):
            found = connection.execute(f"({one}) EXCEPT ALL ({other}) LIMIT 1").fetchall()
            if found:
                raise BenchmarkError(f"{who} {has} {found[0]}")
        tens = connection.execute(f"SELECT count(*) FROM ({mine})").fetchall()[0][0]
    return sum(count for _, count, _ in plays[0]), int(tens)


def check_same_tables(one: str, other: str, who: str) -> None:
    """Raises BenchmarkError where two warehouses that we made differ in any row but for when they were made."""
    with duckdb.connect(config={"threads": 2}) as connection:
        for name in REBUILT:
            if not any(Path(out, name).exists() for out in (one, other)):
                continue  # an archive without snapshots
            leave_out = "EXCLUDE (computed_at)" if name == "top_ten_snapshots" else ""
            sides = [
                f"(SELECT * {leave_out} FROM read_parquet('{out}/{name}/*/*.parquet', hive_partitioning = false))"
                for out in (one, other)
            ]
            for left, right in (sides, sides[::-1]):
                found = connection.execute(f"{left} EXCEPT ALL {right} LIMIT 1").fetchall()
                if found:
                    raise BenchmarkError(f"{who} differs in {name}: {found[0]}")


def _first_difference(one: list[tuple[object, ...]], other: list[tuple[object, ...]]) -> str:
    return str(
        next(((a, b) for a, b in zip(one, other, strict=False) if a != b), f"{len(one)} and {len(other)} months")
    )
