"""An archive as Parquet, for who reads that: ``python -m benchmarks.parquet ARCHIVE OUT``, before anything is measured.

One file a month, as who keeps Parquet would. It is a process of its own, so that its memory goes with it.
"""

import sys
from pathlib import Path

import polars as pl


def main(source: str, out: str) -> None:
    """``source`` is an archive, ``out`` a folder that is not there yet."""
    folder = Path(out)
    folder.mkdir()
    for month in sorted(Path(source, "plays").iterdir()):
        plays = pl.concat([pl.read_avro(path) for path in sorted(month.glob("*.avro"))])
        plays.write_parquet(folder / f"{month.name}.parquet")


if __name__ == "__main__":
    main(*sys.argv[1:])
