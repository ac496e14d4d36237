"""Google Secret Manager: for each account a secret with its grant, and the app's secret where it is kept there.

``SECRET_MANAGER_EMULATOR_HOST`` names another server than Google's, without TLS, for tests.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from typing import Any

import grpc
import orjson
from google.api_core.exceptions import AlreadyExists, FailedPrecondition, GoogleAPICallError, NotFound, RetryError
from google.auth.exceptions import GoogleAuthError
from google.cloud import secretmanager
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

from pipelines.clock import utc_now
from producer.accounts.grant import Grant, ended_record, from_record, to_record
from producer.accounts.secret_lease import LASTS, Lease, leased
from producer.private_files import StateError

EMULATOR_HOST = "SECRET_MANAGER_EMULATOR_HOST"
_DEFAULT_PREFIX = "heavy-rotation"
_LABEL = "heavy_rotation_logins"
_SPEC = re.compile(r"secretmanager://(?P<project>[a-z][a-z0-9:.-]*)(/(?P<prefix>[a-z][a-z0-9-]{0,62}))?/?")
_SECRET = re.compile(r"projects/[^/]+/secrets/[^/]+")
_TIMEOUT_SECONDS = 30
_LEASE_PATIENCE_SECONDS = 10.0
_log = logging.getLogger(__name__)


class SecretManagerStore:
    """For each account a secret, labelled with the prefix; its latest version is the grant, others are destroyed."""

    def __init__(self, project: str, prefix: str = _DEFAULT_PREFIX) -> None:
        self._project = f"projects/{project}"
        self._prefix = prefix
        self._spec = f"secretmanager://{project}" + ("" if prefix == _DEFAULT_PREFIX else f"/{prefix}")
        self._leases: dict[str, Lease] = {}

    @classmethod
    def of(cls, spec: str) -> "SecretManagerStore":
        """The store that ``secretmanager://PROJECT[/PREFIX]`` names. Raises StateError."""
        found = _SPEC.fullmatch(spec)
        if not found:
            raise StateError(
                f"{spec} names no store; write it as secretmanager://PROJECT or secretmanager://PROJECT/PREFIX"
            )
        return cls(found["project"], found["prefix"] or _DEFAULT_PREFIX)

    def __str__(self) -> str:
        return self._spec

    def accounts(self) -> list[str]:
        """The names of the secrets say it; none is opened."""
        with _secret_manager_explained(self._spec):
            request = {"parent": self._project, "filter": f"labels.{_LABEL}={self._prefix}"}
            names = [secret.name for secret in _client().list_secrets(request, timeout=_TIMEOUT_SECONDS)]
        return sorted(_account_of(name.rpartition("/")[2].removeprefix(f"{self._prefix}-")) for name in names)

    def load(self, account_id: str) -> Grant | None:
        """The latest version."""
        secret = self._secret(account_id)
        try:
            return from_record(orjson.loads(_read(secret)))
        except _NoVersionError:
            return None
        except ValueError:
            raise StateError(f"the latest version of {secret} is not a login; log in again") from None

    def is_there(self, account_id: str) -> bool:
        """It is if its secret is. Only where nothing can be read all secrets are listed, which is more work."""
        try:
            _read(self._secret(account_id))
        except _NoVersionError:
            return account_id in self.accounts()
        return True

    @contextmanager
    def refreshing(self, account_id: str) -> Iterator[None]:
        """A lease on the secret, if there is one."""
        with self._leased(account_id, _LEASE_PATIENCE_SECONDS):
            yield

    def save(self, grant: Grant) -> None:
        """A new version, and the secret if there is none yet; then the older versions are destroyed."""
        # Somebody has just been to the browser: it waits even for the lease of a process that was killed.
        with self._leased(grant.account_id, LASTS.total_seconds() + _LEASE_PATIENCE_SECONDS, creates=True):
            stored = None
            with suppress(StateError):  # what is no login is replaced, too
                stored = self.load(grant.account_id)
            if stored is None or stored.gives_way_to(grant, utc_now()):
                self._add(grant.account_id, to_record(grant))

    def replace(self, grant: Grant) -> bool:
        """A new version, which Secret Manager takes only while the secret is there."""
        stored = self.load(grant.account_id)
        if stored is not None and stored.is_newer_than(grant):
            return True
        return self._add(grant.account_id, to_record(grant))

    def discard(self, account_id: str, token: str) -> None:
        """A version without a token; then the older versions are destroyed."""
        stored = self.load(account_id)
        if stored is not None and stored.refresh_token == token:
            self._add(account_id, ended_record(account_id))

    def traces(self, account_id: str) -> list[str]:
        """The secret, if it has the label: another one may have such a name, and is nobody's login."""
        return [self._secret(account_id)] if account_id in self.accounts() else []

    def remove(self, account_id: str) -> None:
        """The secret goes with all of its versions."""
        for secret in self.traces(account_id):
            with _secret_manager_explained(secret), suppress(NotFound):
                _client().delete_secret({"name": secret}, timeout=_TIMEOUT_SECONDS)

    @contextmanager
    def _leased(self, account_id: str, patience_seconds: float, *, creates: bool = False) -> Iterator[None]:
        """Hold the lease on the account's secret; without a secret there is no token to refresh, and no lease."""
        secret = self._secret(account_id)
        lease = Lease(_client(), secret)
        busy = f"another process is refreshing the login of {account_id}; try again in a few minutes"
        with _secret_manager_explained(secret), ExitStack() as held:
            try:
                held.enter_context(leased(lease, patience_seconds, busy))
            except NotFound:
                if creates:
                    self._create(secret)
                    held.enter_context(leased(lease, patience_seconds, busy))
            self._leases[secret] = lease
            held.callback(self._leases.pop, secret)
            yield

    def _add(self, account_id: str, record: dict[str, Any]) -> bool:
        """Whether it was done, which it is not where there is no secret. Only with the lease."""
        secret = self._secret(account_id)
        version = {"parent": secret, "payload": {"data": orjson.dumps(record)}}
        with _secret_manager_explained(secret):
            try:
                self._leases[secret].confirm()
                added = _client().add_secret_version(version, timeout=_TIMEOUT_SECONDS)
            except NotFound:
                return False
        try:
            _destroy_before(secret, added.name)
        except GoogleAPICallError as error:
            # What counts is done. A right to add and none to destroy is a choice that an owner can make.
            _log.warning("older versions of %s were not destroyed: %s", secret, error.message)
        return True

    def _create(self, secret: str) -> None:
        parent, _, secret_id = secret.partition("/secrets/")
        settings = {"replication": {"automatic": {}}, "labels": {_LABEL: self._prefix}}
        request = {"parent": parent, "secret_id": secret_id, "secret": settings}
        with _secret_manager_explained(secret), suppress(AlreadyExists):
            _client().create_secret(request, timeout=_TIMEOUT_SECONDS)

    def _secret(self, account_id: str) -> str:
        return f"{self._project}/secrets/{self._prefix}-{_name_of(account_id)}"


def read_secret(name: str) -> str:
    """The latest version of ``projects/PROJECT/secrets/SECRET``. Raises StateError."""
    if not _SECRET.fullmatch(name):
        raise StateError(f"{name} names no secret; write it as projects/PROJECT/secrets/SECRET")
    try:
        return _read(name).decode()
    except _NoVersionError:
        raise StateError(f"there is no {name}, or it has no version") from None
    except UnicodeDecodeError:
        raise StateError(f"the latest version of {name} is not text") from None


class _NoVersionError(Exception):
    pass


def _read(secret: str) -> bytes:
    request = {"name": f"{secret}/versions/latest"}
    with _secret_manager_explained(secret):
        try:
            data: bytes = _client().access_secret_version(request, timeout=_TIMEOUT_SECONDS).payload.data
        except (NotFound, FailedPrecondition):  # the latter: it was disabled or destroyed
            raise _NoVersionError from None
    return data


def _destroy_before(secret: str, newest: str) -> None:
    """Destroy the versions before the newest that this process knows: one that another added meanwhile stays."""
    versions = _client().list_secret_versions({"parent": secret, "filter": "state:ENABLED"}, timeout=_TIMEOUT_SECONDS)
    for name in [version.name for version in versions]:
        if _number(name) < _number(newest):
            _client().destroy_secret_version({"name": name}, timeout=_TIMEOUT_SECONDS)


def _number(version: str) -> int:
    return int(version.rpartition("/")[2])


def _name_of(account_id: str) -> str:
    """A secret's id has letters, digits, - and _ only, and an old account id may hold anything."""
    return re.sub(rb"[^A-Za-z0-9-]", lambda found: b"_%02x" % found[0][0], account_id.encode()).decode()


def _account_of(name: str) -> str:
    return re.sub(rb"_([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), name.encode()).decode()


@contextmanager
def _secret_manager_explained(what: str) -> Iterator[None]:
    try:
        yield
    except (GoogleAPICallError, RetryError) as error:
        raise StateError(f"Secret Manager refused {what}: {error.message}") from None
    except GoogleAuthError as error:
        raise StateError(f"{what}: no use of Google Cloud without credentials ({error})") from None


@cache
def client_of(host: str | None) -> Any:
    """Google's client: one for the process, for Google's own server or for that at HOST:PORT, without TLS."""
    if host is None:
        return secretmanager.SecretManagerServiceClient()
    transport = SecretManagerServiceGrpcTransport(host=host, channel=grpc.insecure_channel(host))
    return secretmanager.SecretManagerServiceClient(transport=transport)


def _client() -> Any:
    return client_of(os.environ.get(EMULATOR_HOST) or None)
