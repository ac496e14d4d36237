"""A Spotify for thousands of accounts: refreshes and recently played, over HTTPS on 127.0.0.1.

It is lean so that what is measured is the producer: one process, answers kept compressed until an account has
played something. `demo.spotify` is the look-alike that behaves; this one only answers.
"""

import asyncio
import random
import re
import ssl
import time
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from multiprocessing.connection import Connection
from pathlib import Path

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from demo.catalogue import invent_catalogue
from demo.spotify_feed import write_track

_LISTED = 50
_TOKEN_SECONDS = 3600
# Between two polls ten minutes apart, most listen to nothing, and nobody to more than a few tracks.
_SHARE_WITH_NEW_PLAYS = 0.15
_NEW_PLAYS, _WEIGHTS = (1, 2, 3, 4, 5, 6), (6, 8, 5, 2, 1, 1)
_ACCOUNT_OF = re.compile(rb"(?:Bearer |refresh_token=)[a-z]+-(\d+)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_GZIP = re.compile(rb"\r\naccept-encoding:[^\r]*gzip", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Settings:
    """``latency`` is what the way to Spotify and back takes, in seconds. ``certificate`` holds its key too."""

    accounts: int
    latency: float
    seed: int
    certificate: Path


@dataclass(slots=True)
class Counts:
    """What was answered so far. ``plays`` are those that were listed, each once; ``json_bytes`` before compression."""

    tokens: int = 0
    lists: int = 0
    plays: int = 0
    json_bytes: int = 0
    sent_bytes: int = 0
    others: int = 0


def account_id(number: int) -> str:
    """As long as the ones Spotify gives."""
    return f"account{number:018}"


def refresh_token(number: int) -> str:
    """The account's, as long as Spotify's."""
    return f"refresh-{number}-".ljust(131, "x")


def serve(settings: Settings, pipe: Connection) -> None:
    """Answer until the other end of the pipe says anything that is not a question for ``Counts``, or is gone.

    Sends the address first. To be run in a process of its own.
    """
    asyncio.run(_serve(settings, pipe))


def write_certificate(path: Path) -> bytes:
    """Make a key and a certificate for 127.0.0.1; gives back the certificate alone, for those who are to trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "benchmark")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + public)
    path.chmod(0o600)
    return public


@dataclass(slots=True)
class _Account:
    """``plays`` are a track's number and milliseconds since 1970, newest first; ``answers`` by whether compressed."""

    plays: list[tuple[int, int]]
    asked_at: int
    is_new: bool = True
    answers: dict[bool, bytes] = field(default_factory=dict)
    json_bytes: int = 0


class _Crowd:
    def __init__(self, settings: Settings) -> None:
        albums = invent_catalogue(settings.seed).albums
        self._tracks = [orjson.dumps(write_track(track)) for _, tracks in albums for track in tracks]
        self._rng = random.Random(settings.seed)
        self.counts = Counts()
        now = time.time_ns() // 1_000_000
        self._accounts = [self._invent(now) for _ in range(settings.accounts)]
        for account in self._accounts:
            self._write(account, is_gzip=True)

    def answer(self, request: bytes) -> bytes:
        """The whole response to a whole request."""
        found = _ACCOUNT_OF.search(request)
        account = int(found[1]) if found else -1
        if not 0 <= account < len(self._accounts):
            self.counts.others += 1
            return _response("401 Unauthorized", b'{"error":{"status":401,"message":"Invalid access token"}}')
        if request.startswith(b"POST /api/token "):
            self.counts.tokens += 1
            token = f"access-{account}-".ljust(240, "x")
            granted = {"access_token": token, "token_type": "Bearer", "expires_in": _TOKEN_SECONDS}
            return _response("200 OK", orjson.dumps(granted | {"scope": "user-read-recently-played"}))
        if request.startswith(b"GET /v1/me/player/recently-played?limit=50 "):
            return self._list(self._accounts[account], is_gzip=_GZIP.search(request) is not None)
        self.counts.others += 1
        return _response("404 Not Found", b'{"error":{"status":404,"message":"Service not found"}}')

    def _list(self, account: _Account, *, is_gzip: bool) -> bytes:
        now = time.time_ns() // 1_000_000
        if account.is_new:
            account.is_new = False
            self.counts.plays += len(account.plays)
        elif self._rng.random() < _SHARE_WITH_NEW_PLAYS:
            (count,) = self._rng.choices(_NEW_PLAYS, _WEIGHTS)
            apart = (now - account.asked_at) // (count + 1)
            new = [(self._rng.randrange(len(self._tracks)), now - nth * apart) for nth in range(count)]
            account.plays = (new + account.plays)[:_LISTED]
            account.answers.clear()
            self.counts.plays += count
        account.asked_at = now
        answer = account.answers.get(is_gzip) or self._write(account, is_gzip=is_gzip)
        self.counts.lists += 1
        self.counts.json_bytes += account.json_bytes
        self.counts.sent_bytes += len(answer)
        return answer

    def _invent(self, now: int) -> _Account:
        plays, at = [], now - self._rng.randrange(3_600_000)
        for _ in range(_LISTED):
            plays.append((self._rng.randrange(len(self._tracks)), at))
            at -= self._rng.randrange(120_000, 1_200_000)
        return _Account(plays, now)

    def _write(self, account: _Account, *, is_gzip: bool) -> bytes:
        items = b",".join(
            b'{"track":%b,"played_at":"%b","context":null}' % (self._tracks[track], _time(at).encode())
            for track, at in account.plays
        )
        newest, oldest = account.plays[0][1], account.plays[-1][1]
        body = (
            b'{"items":[%b],"next":"https://api.example.com/v1/me/player/recently-played?before=%d&limit=50",'
            b'"cursors":{"after":"%d","before":"%d"},"limit":50,'
            b'"href":"https://api.example.com/v1/me/player/recently-played?limit=50"}' % (items, oldest, newest, oldest)
        )
        account.json_bytes = len(body)
        account.answers[is_gzip] = _response("200 OK", _gzip(body) if is_gzip else body, is_gzip=is_gzip)
        return account.answers[is_gzip]


class _Talk(asyncio.Protocol):
    """A connection, kept open for one request after the other."""

    def __init__(self, crowd: _Crowd, latency: float) -> None:
        self._crowd = crowd
        self._latency = latency
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._received, 0, end)
            end += 4 + (int(length[1]) if length else 0)
            if len(self._received) < end:
                return
            request, self._received = self._received[:end], self._received[end:]
            answer = self._crowd.answer(request)
            asyncio.get_running_loop().call_later(self._latency, self._transport.write, answer)


async def _serve(settings: Settings, pipe: Connection) -> None:
    crowd = _Crowd(settings)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.certificate)
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(lambda: _Talk(crowd, settings.latency), "127.0.0.1", 0, ssl=context, backlog=512)

    def asked() -> None:
        try:
            is_question = pipe.recv() is Counts
        except EOFError:
            is_question = False
        if is_question:
            pipe.send(crowd.counts)
        else:
            loop.remove_reader(pipe)
            stopped.set()

    loop.add_reader(pipe, asked)
    pipe.send(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await stopped.wait()
    server.close()


def _response(status: str, body: bytes, *, is_gzip: bool = False) -> bytes:
    encoding = "Content-Encoding: gzip\r\n" if is_gzip else ""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\nCache-Control: private, max-age=0\r\n"
        f"{encoding}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _gzip(data: bytes) -> bytes:
    compressor = zlib.compressobj(level=5, wbits=31)
    return compressor.compress(data) + compressor.flush()


def _time(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
