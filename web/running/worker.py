"""A process that answers one query of a folder, and ends: ``python -m web.running.worker``.

It loads what it needs, waits for one line of JSON on standard input, and writes to standard output ``A``, how many
rows there were (8 bytes, the largest byte first) and Arrow's stream of the first of them; or ``E`` and a sentence.
"""

import json
import os
import signal
import struct
import sys

import pyarrow as pa

from pipelines.failure import Failure
from pipelines.querying.limits import too_much

NUMBER = struct.Struct(">Q")
ANSWER, REFUSAL = b"A", b"E"
_MOST_BYTES = 64 * 2**20


def main() -> None:
    """The process's whole life."""
    # Loaded here: who starts it needs neither them nor the translator of SQL.
    from pipelines.querying import duck
    from pipelines.querying.asking import ask

    duck.columns()  # which makes every view once, so that the query need not wait for that
    line = sys.stdin.buffer.readline()
    if not line:  # whoever kept it ready has ended
        return
    asked = json.loads(line)
    # It ends in time also where nobody is left to end it.
    signal.setitimer(signal.ITIMER_REAL, asked["seconds"] + 1)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no part of the answer
    try:
        table = ask(asked["warehouse"], asked["sql"], max_megabytes=asked["megabytes"])
        first = table.slice(0, asked["rows"])
        if first.nbytes > _MOST_BYTES:
            raise Failure(f"The answer has more than {_MOST_BYTES // 2**20} MB; ask for fewer columns or rows.")
        out.write(ANSWER + NUMBER.pack(table.num_rows))
        with pa.ipc.new_stream(out, table.schema) as stream:
            stream.write_table(first)
    except Failure as error:
        out.write(REFUSAL + str(error).encode())
    except MemoryError:
        out.write(REFUSAL + str(too_much(asked["megabytes"])).encode())
    out.flush()


if __name__ == "__main__":
    main()
