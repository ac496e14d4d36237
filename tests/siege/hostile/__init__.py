"""Hostile input to every parser that reads what others wrote: no crash, no hang, no file outside, bounded memory.

Each parser is a function that gives a strategy of cases and what feeds one case to it; the errors that it names there
are what a person is told, and all others are defects.
"""

from tests.siege.hostile.archives import archive_columns, archive_files, snapshot_files
from tests.siege.hostile.asking import api, queries
from tests.siege.hostile.plays import exports, items, messages, states, zips
from tests.siege.hostile.sources import snapshot_messages, sources

PARSERS = {
    parser.__name__: parser
    for parser in (
        messages,
        items,
        exports,
        zips,
        states,
        archive_files,
        archive_columns,
        snapshot_files,
        snapshot_messages,
        sources,
        queries,
        api,
    )
}
