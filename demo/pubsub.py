"""A small Pub/Sub on this machine, for the demonstration and for tests.

It speaks gRPC on 127.0.0.1, unencrypted and without credentials, as clients expect of the address in
`PUBSUB_EMULATOR_HOST`, and keeps everything in memory. It does what Google's publisher client and Beam's
DirectRunner ask for: topics, subscriptions, Publish, Pull, Acknowledge, ModifyAckDeadline, Seek to a time.
What it cannot do (push, filters, ordering, dead letters, snapshots, StreamingPull) it refuses with
UNIMPLEMENTED, so that nothing is accepted and then ignored.

One difference to the service is meant: a Pull that finds nothing answers after `idle_wait_seconds`, where
the service may hold it for a minute. DirectRunner's timers stand still while its reader waits for a pull.
A few milliseconds are worth waiting all the same, since that reader asks again at once: idle, it takes a
whole core without them, and a tenth of one with 20.

`python -m demo.pubsub --port 8085` is one by itself, until it is stopped.
"""

import argparse
import socket
import sys
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from types import TracebackType
from typing import Any, Self

import grpc

from demo.processes import serve
from demo.pubsub_broker import Broker
from demo.pubsub_services import Services

# A publish may hold 10 MB, and gRPC's own limit is 4.
_MAX_REQUEST_BYTES = 16 * 1024 * 1024


class PubSubServer:
    """A local Pub/Sub; use it as a context manager, or call `start` and `stop`.

    `port` 0 takes any free port; `address` is then what to put in `PUBSUB_EMULATOR_HOST`. At most
    `max_threads` requests are answered at a time, the rest wait. `clock` gives nanoseconds since the Unix
    epoch, UTC; leases and publish times follow it. `interceptors` are gRPC's, for what is to go wrong.

    After `stop`, `start` goes on with what was stored, at the same address.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        max_threads: int = 8,
        idle_wait_seconds: float = 0.02,
        clock: Callable[[], int] = time.time_ns,
        interceptors: Sequence[grpc.ServerInterceptor] = (),
    ) -> None:
        self._port = port
        self._max_threads = max_threads
        self._services = Services(Broker(clock), idle_wait_seconds)
        self._interceptors = tuple(interceptors)
        self._server: Any = None

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`; known once the server has started."""
        if self._server is None:
            raise RuntimeError("the Pub/Sub server isn't running")
        return f"127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Listen. OSError (EADDRINUSE) when the port is taken."""
        require_free_port(self._port)
        self._threads = futures.ThreadPoolExecutor(self._max_threads, thread_name_prefix="pubsub")
        server = grpc.server(
            self._threads,
            interceptors=self._interceptors,
            options=[
                # Without this, gRPC shares a port that is in use, and requests go to either server.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", _MAX_REQUEST_BYTES),
            ],
        )
        server.add_generic_rpc_handlers(self._services.handlers())
        self._port = server.add_insecure_port(f"127.0.0.1:{self._port}")
        server.start()
        self._server = server
        return self

    def stop(self) -> None:
        """Stop and wait for the requests under way, for at most a second."""
        if self._server is not None:
            self._server.stop(grace=1).wait()
            self._threads.shutdown()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def require_free_port(port: int) -> None:
    """Raise OSError (EADDRINUSE) when 127.0.0.1:`port` is taken; port 0 never is.

    Asked before gRPC does, since gRPC writes its own report of it to stderr.
    """
    with socket.socket() as probe:
        # Connections that ended a moment ago don't count, a server that listens does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            message = f"cannot listen on 127.0.0.1:{port}: {error.strerror}"
            raise OSError(error.errno, message) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Be a Pub/Sub until stopped. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.pubsub",
        description="A small Pub/Sub on this machine, in memory, until it is stopped.",
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=int, default=8085, help="where to listen, 0 for any free port (default: 8085)")
    options = parser.parse_args(argv)

    def told(server: PubSubServer) -> list[str]:
        return [
            "A small Pub/Sub on this machine, until Ctrl-C. In the shell of whoever uses it:",
            f"export PUBSUB_EMULATOR_HOST={server.address}",
        ]

    return serve(lambda: PubSubServer(options.port), told)


if __name__ == "__main__":
    sys.exit(main())
