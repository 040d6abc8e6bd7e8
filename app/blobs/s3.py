"""Blobs in an S3 bucket. Key, secret, region and endpoint are those of the `AWS_*` environment.

obstore's blocking calls are used, not its coroutines: a process that ends just after one of those now and then aborts,
because a thread of the library still wants the interpreter.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import S3Store

if TYPE_CHECKING:
    from obstore import WritableFile

PIECE = 256 * 1024
PART = 5 * 1024 * 1024
"""The smallest part that S3 takes; up to two of them are in memory for an arrival."""

log = structlog.get_logger(__name__)


class S3Arrival:
    """A multipart upload, or a single put if it stays below one part."""

    def __init__(self, writer: "WritableFile") -> None:
        self._writer = writer

    def write(self, content: bytes) -> None:
        """Appends all of it."""
        self._writer.write(content)

    def finish(self) -> None:
        """Completes the upload."""
        self._writer.close()

    def abort(self) -> None:
        """Takes the parts back."""
        if not self._writer.closed():
            self._writer.__exit__(InterruptedError, InterruptedError(), None)


class S3:
    """`s3://bucket/prefix`. Its calls block, for some seconds at most."""

    def __init__(self, url: str) -> None:
        bucket, _, prefix = url.removeprefix("s3://").strip("/").partition("/")
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            client_options={"connect_timeout": "5s", "timeout": "30s", "allow_http": True},  # if the endpoint says so
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=15)},
        )

    def prepare(self) -> None:
        """Warns when the bucket cannot be read; it may be back when the first file comes."""
        try:
            self._has("sha256/none")
        except (BaseError, OSError) as error:
            log.warning("blobs.unreachable", exc_info=error)

    def begin(self, name: str) -> S3Arrival:
        """A new arrival of that name."""
        return S3Arrival(obstore.open_writer(self._store, f"incoming/{name}", buffer_size=PART, max_concurrency=1))

    def settle(self, name: str, sha256: str) -> None:
        """Copies a finished arrival to its hash, unless the same content is there already."""
        if self._has(f"sha256/{sha256}"):
            self.discard(name)
        else:
            obstore.rename(self._store, f"incoming/{name}", f"sha256/{sha256}")

    def discard(self, name: str) -> None:
        """Forgets a finished arrival."""
        obstore.delete(self._store, f"incoming/{name}")

    def read(self, sha256: str, start: int, end: int) -> Iterator[bytes]:
        """Bytes from `start` up to `end`, which is more than `start`, in pieces. Raises `FileNotFoundError` at once."""
        found = obstore.get(self._store, f"sha256/{sha256}", options={"range": (start, end)})
        return iter(found.stream(PIECE))

    def delete(self, sha256: str) -> None:
        """Removes a blob."""
        obstore.delete(self._store, f"sha256/{sha256}")

    def sweep(self, age: timedelta) -> int:
        """Removes finished arrivals of that age: their process is gone. How many.

        Unfinished uploads are hidden; a lifecycle rule of the bucket ends them.
        """
        oldest = datetime.now(UTC) - age
        listed = (each for page in obstore.list(self._store, "incoming/") for each in page)
        old = [each["path"] for each in listed if each["last_modified"] < oldest]
        for path in old:
            obstore.delete(self._store, path)
        return len(old)

    def _has(self, path: str) -> bool:
        try:
            obstore.head(self._store, path)
        except FileNotFoundError:
            return False
        return True
