"""What answers take in a process that keeps its tables: ``python -m benchmarks.asked WAREHOUSE``, milliseconds as JSON.

The three monthly views, and the documented queries as they stand. Of each the first answer, for which its months are
read if no earlier one had them, and the middle of some more.
"""

import json
import re
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pipelines.querying.bigquery_sql import parse, to_duckdb
from pipelines.querying.reader import FolderReader
from pipelines.warehouse.folder import FolderWarehouse

_QUERIES = Path(__file__).parents[1] / "docs" / "queries.md"
_AGAIN = 5


def queries() -> Iterator[tuple[str, str]]:
    """Names and BigQuery SQL."""
    for kind in ("tracks", "artists", "albums"):
        yield f"monthly_top_{kind}", f"SELECT * FROM heavy_rotation.monthly_top_{kind}"
    for section in _QUERIES.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        for sql in re.findall(r"```sql\n(.*?)```", text, re.DOTALL):
            yield title, sql


def main(warehouse: str) -> None:
    """Print them."""
    found: dict[str, tuple[float, float, float]] = {}
    reader = FolderReader(FolderWarehouse.open(warehouse))
    for name, sql in queries():
        wall, cpu = [], []
        for _ in range(1 + _AGAIN):
            began, spent = time.perf_counter(), time.process_time()
            reader.query(to_duckdb(parse(sql)))
            wall.append((time.perf_counter() - began) * 1000)
            cpu.append((time.process_time() - spent) * 1000)
        found[name] = wall[0], statistics.median(wall[1:]), statistics.median(cpu[1:])
    reader.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
