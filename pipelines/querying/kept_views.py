"""Views that say what is known of all tracks, albums and artists: made once, until something that they read is another.

Each goes through all plays, and is asked for page by page, or in one order and then in another.
"""

from collections.abc import Collection

import duckdb

from pipelines.querying.translations import duckdb_numbered_view, duckdb_view

_VIEWS = ("track_info", "album_info", "artist_info")
_SCHEMA = "made"
# Some 60 MB each. What has more is made each time.
_MOST_ROWS = 200_000


class KeptViews:
    """The kept views of one database. For one thread at a time; others may read meanwhile, and see what was there."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        """In a schema of its own."""
        self._database = database
        self._kept: set[str] = set()
        self._too_large: set[str] = set()
        database.execute(f"CREATE SCHEMA {_SCHEMA}")

    def keep(self, names: Collection[str]) -> None:
        """Make those of these tables and views that are worth it, from tables that hold all that they read.

        Raises duckdb.Error.
        """
        missing = [view for view in _VIEWS if view in names and view not in self._kept | self._too_large]
        if not missing:
            return
        first, last = self._database.execute("SELECT MIN(user_id), MAX(user_id) FROM plays").fetchall()[0]
        for view in missing:
            made = duckdb_numbered_view(view, is_of_one=first == last)
            created = self._database.execute(f"CREATE TABLE {_SCHEMA}.{view} AS {made}").fetchone() or (0,)
            if created[0] > _MOST_ROWS:
                self._database.execute(f"DROP TABLE {_SCHEMA}.{view}")
                self._too_large.add(view)
            else:
                self._database.execute(f"CREATE OR REPLACE VIEW {view} AS FROM {_SCHEMA}.{view}")
                self._kept.add(view)

    def forget(self) -> None:
        """Something that they read is going to change."""
        for view in self._kept:
            self._database.execute(f"CREATE OR REPLACE VIEW {view} AS {duckdb_view(view)}")
            self._database.execute(f"DROP TABLE {_SCHEMA}.{view}")
        self._kept.clear()
        self._too_large.clear()
