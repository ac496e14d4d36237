"""Whether polling works, for a supervisor to ask over HTTP on this machine."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from pipelines.clock import Clock, utc_now
from pipelines.domain.instants import rfc3339
from pipelines.failure import Failure
from producer.polling.account import Account, Outcome

_HOST = "127.0.0.1"
_CLIENT_SECONDS = 5
# One poll may fail, and the next one may be a little late.
_INTERVALS = 2


@dataclass(slots=True)
class _Seen:
    since: datetime
    success: datetime | None = None
    trouble: str = "its first poll has not ended"


class Health:
    """What was seen of each account. For any number of threads."""

    def __init__(self, interval: timedelta, clock: Clock = utc_now) -> None:
        self._patience = _INTERVALS * interval
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[Account, _Seen] = {}

    def add(self, accounts: Sequence[Account]) -> None:
        """Expect these accounts to be polled from now on."""
        with self._lock:
            self._seen |= {account: _Seen(self._clock()) for account in accounts}

    def tell(self, account: Account, outcome: Outcome) -> None:
        """Take in what came of an account's turn."""
        if outcome.is_over:
            with self._lock:
                del self._seen[account]
            return
        seen = self._seen[account]
        if outcome.trouble is None:
            seen.success = self._clock()
        else:
            seen.trouble = outcome.trouble

    def problems(self) -> list[dict[str, Any]]:
        """The accounts that had no success within two intervals, and what went wrong last."""
        longest_ago = self._clock() - self._patience
        with self._lock:
            late = [each for each in self._seen.items() if (each[1].success or each[1].since) < longest_ago]
        return [
            {
                "account": account.id,
                "problem": seen.trouble,
                "last_success": seen.success and rfc3339(seen.success),
            }
            for account, seen in late
        ]


@contextmanager
def endpoint(health: Health, port: int) -> Iterator[str]:
    """Answer every GET on 127.0.0.1: 200 and ``[]``, or 503 and the problems as JSON. Gives the address.

    Port 0 is any free one. Raises Failure where the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = _CLIENT_SECONDS

        def do_GET(self) -> None:
            problems = health.problems()
            body = orjson.dumps(problems)
            self.send_response(503 if problems else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing: a supervisor asks every few seconds."""

    try:
        server = ThreadingHTTPServer((_HOST, port), Handler)
    except (OSError, OverflowError) as error:
        raise Failure(f"cannot listen on {_HOST}:{port} ({error}); name another --health-port") from None
    threading.Thread(target=server.serve_forever, args=(0.1,), name="health", daemon=True).start()
    try:
        yield f"http://{_HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
