"""Files in a Cloud Storage bucket. An upload appears when it is complete."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any
from uuid import uuid4

from pipelines.storage.errors import StorageError, changed, storage_explained
from pipelines.storage.interface import NO_FILE, File, Version

SCHEME = "gs://"
# For one answer, and for a request with all of its tries: a bucket that does not answer is told before long.
_ANSWERS_WITHIN_SECONDS = 15.0
_PATIENCE_SECONDS = 60.0
_WRITER = "heavy-rotation-writer"
_OLDER = re.compile(r"(.+)#(\d+)")


class BucketStorage:
    """A bucket. The version of a file is its object's generation."""

    def read(self, path: str) -> File:
        """The object's bytes, and its generation, which comes with them."""
        blob = _blob(path)
        with storage_explained(path):
            data: bytes = blob.download_as_bytes(**_patience())
            if blob.generation is None:  # as emulators leave it out
                blob.reload(**_patience())
        return File(data, Version(str(blob.generation)))

    def write_new(self, path: str, data: bytes | memoryview) -> Version:
        """Upload if there is no object."""
        return self.replace(path, data, NO_FILE)

    def replace(self, path: str, data: bytes | memoryview, version: Version) -> Version:
        """Upload if the generation matches; in a bucket with versions, what was there becomes an older version.

        The client tries again when an answer is lost, and may so be refused because of its own first try: who wrote
        what is there is in the object's metadata.
        """
        from google.api_core.exceptions import PreconditionFailed

        blob, writer = _blob(path), uuid4().hex
        blob.metadata = {_WRITER: writer}
        with storage_explained(path):
            try:
                blob.upload_from_string(bytes(data), if_generation_match=int(version or 0), **_patience())
            except PreconditionFailed:
                blob = blob.bucket.get_blob(blob.name, **_patience())
                if blob is None or (blob.metadata or {}).get(_WRITER) != writer:
                    raise changed(path) from None
        return Version(str(blob.generation))

    def files(self, folder: str, suffix: str) -> list[str]:
        """Objects under the folder whose name ends so."""
        return sorted(_path(blob) for blob in _list(folder) if blob.name.endswith(suffix))

    def sizes(self, folder: str, suffix: str) -> dict[str, int]:
        """The listing says them."""
        return dict(sorted((_path(blob), int(blob.size)) for blob in _list(folder) if blob.name.endswith(suffix)))

    def older_versions(self, folder: str, suffix: str) -> list[str]:
        """Noncurrent versions of objects under the folder, as ``gs://bucket/name#generation``."""
        blobs = _list(folder, versions=True)
        return [f"{_path(b)}#{b.generation}" for b in blobs if b.time_deleted and b.name.endswith(suffix)]

    def abandoned(self, folder: str) -> list[str]:  # noqa: ARG002 - a folder's
        """An upload that was not completed is nowhere."""
        return []

    def remove(self, path: str) -> None:
        """Delete each version by its generation, which leaves no noncurrent one."""
        from google.api_core.exceptions import NotFound

        blob = _blob(path)
        with storage_explained(path):
            if blob.generation:
                blobs = [blob]
            else:
                found = client().list_blobs(blob.bucket, prefix=blob.name, versions=True, **_patience())
                blobs = [version for version in found if version.name == blob.name]
            for version in blobs:
                with suppress(NotFound):
                    blob.bucket.delete_blob(version.name, generation=version.generation, **_patience())

    def check_writable(self, root: str, *, replacing: bool = False) -> None:
        """Ask for the bucket. Whether a folder in it may be written is known only by writing: no test of that is free.

        What may be done in all of the bucket can be asked for.
        """
        if not replacing:
            next(_list(root, max_results=1), None)
            return
        bucket, _ = bucket_and_name(root)
        needed = {f"storage.objects.{verb}" for verb in ("get", "list", "create", "delete")}
        with storage_explained(root):
            granted = client().bucket(bucket).test_iam_permissions(sorted(needed), timeout=4, retry=None)
        if missing := sorted(needed - set(granted)):
            raise StorageError(
                f"no permission for gs://{bucket} ({', '.join(missing)}); grant it: gcloud storage buckets "
                f"add-iam-policy-binding gs://{bucket} --member MEMBER --role roles/storage.objectUser"
            )


def upload_page(path: str, data: bytes, content_type: str) -> None:
    """Upload what browsers are to get, as it is, and to ask for again each time: what is taken back is gone at once.

    Raises StorageError, also where there is such an object.
    """
    blob = _blob(path)
    blob.cache_control = "no-store"
    with storage_explained(path):
        blob.upload_from_string(data, content_type=content_type, if_generation_match=0, **_patience())


def is_bucket(path: str) -> bool:
    """Whether it is ``gs://bucket/...``, and no folder or file of this machine."""
    return path.startswith(SCHEME)


def bucket_and_name(path: str) -> tuple[str, str]:
    """The two parts of ``gs://bucket/name``; the name may be empty. Raises StorageError."""
    bucket, _, name = path.removeprefix(SCHEME).partition("/")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*[a-z0-9]", bucket):
        raise StorageError(f"{path} names no bucket; write it as gs://bucket/folder")
    return bucket, name


@cache
def client() -> Any:
    """The client of Cloud Storage, one for the process. Raises StorageError."""
    # It would ask for each bucket's own data on a thread beside, to name it in traces that nobody asked for: a right
    # that no role here has, and two minutes of attempts where nobody answers.
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    from google.cloud.storage import Client

    with storage_explained(SCHEME):
        return Client()


def _patience(seconds: float = _PATIENCE_SECONDS) -> dict[str, Any]:
    from google.cloud.storage.retry import DEFAULT_RETRY

    return {"timeout": _ANSWERS_WITHIN_SECONDS, "retry": DEFAULT_RETRY.with_timeout(seconds)}


def _list(folder: str, **options: Any) -> Iterator[Any]:
    bucket, prefix = bucket_and_name(folder.rstrip("/") + "/")
    with storage_explained(f"{SCHEME}{bucket}"):
        # Every command begins with this, and without a network it should not take minutes to say so.
        yield from client().list_blobs(bucket, prefix=prefix, **_patience(_ANSWERS_WITHIN_SECONDS), **options)


def _blob(path: str) -> Any:
    bucket, name = bucket_and_name(path)
    older = _OLDER.fullmatch(name)
    if older:
        return client().bucket(bucket).blob(older[1], generation=int(older[2]))
    return client().bucket(bucket).blob(name)


def _path(blob: Any) -> str:
    return f"{SCHEME}{blob.bucket.name}/{blob.name}"
