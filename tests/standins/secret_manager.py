"""Stands in for Google Secret Manager, of which there is no emulator: a real gRPC server, and a small memory.

It has what the producer uses, with the service's errors: secrets with labels, annotations and etags (which a version
that is added leaves alone), versions that are enabled or destroyed, "latest", and the two filters. It knows no
permissions, regions, replication or quotas: that the producer's own requests are right in those respects, no test here
can say.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import grpc
import pytest
from google.cloud.secretmanager_v1 import types as sm
from google.protobuf import empty_pb2

from producer.accounts.secret_manager import client_of

_PAGE = 2  # small, so that a client that reads one page only is found out


class SecretManager:
    """Use it as a context manager. ``secrets`` are the labels by name, ``versions`` the payloads, None: destroyed.

    ``annotations`` and ``etags`` are there for secrets that the client made.
    """

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, str]] = {}
        self.annotations: dict[str, dict[str, str]] = {}
        self.etags: dict[str, int] = {}
        self.versions: dict[str, list[bytes | None]] = {}
        self._lock = threading.Lock()
        self.refuses: dict[str, grpc.StatusCode] = {}
        self.after_adding: Callable[[], object] = lambda: None
        self._server = grpc.server(ThreadPoolExecutor(4))
        methods: dict[str, tuple[Callable[[Any], Any], Any]] = {
            "CreateSecret": (self.create, sm.CreateSecretRequest),
            "GetSecret": (self.get, sm.GetSecretRequest),
            "UpdateSecret": (self.update, sm.UpdateSecretRequest),
            "ListSecrets": (self.list_secrets, sm.ListSecretsRequest),
            "AddSecretVersion": (self.add_version, sm.AddSecretVersionRequest),
            "AccessSecretVersion": (self.access, sm.AccessSecretVersionRequest),
            "ListSecretVersions": (self.list_versions, sm.ListSecretVersionsRequest),
            "DestroySecretVersion": (self.destroy, sm.DestroySecretVersionRequest),
            "DeleteSecret": (self.delete, sm.DeleteSecretRequest),
        }
        handlers = {name: self._handler(name, method, request) for name, (method, request) in methods.items()}
        service = "google.cloud.secretmanager.v1.SecretManagerService"
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def create(self, request: Any) -> Any:
        name = f"{request.parent}/secrets/{request.secret_id}"
        if name in self.secrets:
            raise RefusedError(grpc.StatusCode.ALREADY_EXISTS)
        if "automatic" not in request.secret.replication:
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT)
        self.secrets[name], self.versions[name] = dict(request.secret.labels), []
        self.annotations[name], self.etags[name] = dict(request.secret.annotations), 1
        return self._as_secret(name)

    def get(self, request: Any) -> Any:
        with self._lock:
            self._versions(request.name)
            return self._as_secret(request.name)

    def update(self, request: Any) -> Any:
        name = request.secret.name
        with self._lock:
            self._versions(name)
            if request.secret.etag not in ("", self._as_secret(name).etag):
                raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION)
            assert list(request.update_mask.paths) == ["annotations"]
            self.annotations[name] = dict(request.secret.annotations)
            self.etags[name] = self.etags.get(name, 0) + 1
            return self._as_secret(name)

    def list_secrets(self, request: Any) -> Any:
        label, _, value = request.filter.removeprefix("labels.").partition("=")
        names = [
            name
            for name, labels in sorted(self.secrets.items())
            if name.startswith(f"{request.parent}/secrets/") and labels.get(label) == value
        ]
        begin = int(request.page_token or 0)
        more = str(begin + _PAGE) if begin + _PAGE < len(names) else ""
        secrets = [sm.Secret(name=name) for name in names[begin : begin + _PAGE]]
        return sm.ListSecretsResponse(secrets=secrets, next_page_token=more)

    def add_version(self, request: Any) -> Any:
        versions = self._versions(request.parent)
        versions.append(request.payload.data)
        name = f"{request.parent}/versions/{len(versions)}"
        self.after_adding()
        return sm.SecretVersion(name=name)

    def access(self, request: Any) -> Any:
        secret, _, version = request.name.partition("/versions/")
        versions = self._versions(secret)
        if not versions:
            raise RefusedError(grpc.StatusCode.NOT_FOUND)
        data = versions[-1 if version == "latest" else int(version) - 1]
        if data is None:
            raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION)
        return sm.AccessSecretVersionResponse(name=request.name, payload=sm.SecretPayload(data=data))

    def list_versions(self, request: Any) -> Any:
        assert request.filter == "state:ENABLED"
        versions = enumerate(self._versions(request.parent), 1)
        names = [f"{request.parent}/versions/{number}" for number, data in versions if data is not None]
        return sm.ListSecretVersionsResponse(versions=[sm.SecretVersion(name=name) for name in reversed(names)])

    def destroy(self, request: Any) -> Any:
        secret, _, number = request.name.partition("/versions/")
        self._versions(secret)[int(number) - 1] = None
        return sm.SecretVersion(name=request.name)

    def delete(self, request: Any) -> Any:
        self._versions(request.name)
        del self.secrets[request.name], self.versions[request.name]
        self.annotations.pop(request.name, None)
        return empty_pb2.Empty()

    def _as_secret(self, name: str) -> Any:
        etag = f'"{self.etags.get(name, 0)}"'
        return sm.Secret(name=name, labels=self.secrets[name], annotations=self.annotations.get(name, {}), etag=etag)

    def _versions(self, secret: str) -> list[bytes | None]:
        if secret not in self.versions:
            raise RefusedError(grpc.StatusCode.NOT_FOUND)
        return self.versions[secret]

    def _handler(self, name: str, method: Callable[[Any], Any], request: Any) -> Any:
        def handle(message: Any, context: Any) -> Any:
            try:
                if name in self.refuses:
                    raise RefusedError(self.refuses[name])
                return method(message)
            except RefusedError as error:
                context.abort(error.code, f"{name} refused")
                return empty_pb2.Empty()

        return grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=request.deserialize,
            response_serializer=lambda answer: (
                answer.SerializeToString() if isinstance(answer, empty_pb2.Empty) else type(answer).serialize(answer)
            ),
        )

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(None).wait()


class RefusedError(Exception):
    """A status of gRPC's, for an answer."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__(code)
        self.code = code


@pytest.fixture
def secret_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretManager]:
    """One that Google's client is sent to."""
    with SecretManager() as service:
        monkeypatch.setenv("SECRET_MANAGER_EMULATOR_HOST", service.address)
        yield service
        client_of(service.address).transport.close()
