"""Blobs in a directory: `sha256/<hash>`, and `incoming/<name>` for what is still arriving."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from io import FileIO
from pathlib import Path

PIECE = 256 * 1024


class DiskArrival:
    """A file that is being written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = FileIO(path, "xb")

    def write(self, content: bytes) -> None:
        """Appends all of it. Raises `OSError`, such as for a full disk."""
        left = memoryview(content)
        while left:
            left = left[self._file.write(left) :]

    def finish(self) -> None:
        """Ends the file; what was written is on disk."""
        os.fsync(self._file.fileno())
        self._file.close()

    def abort(self) -> None:
        """Removes what was written."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class Disk:
    """A directory of one machine, or one that several mount. Its calls block."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._blobs, self._incoming = self._root / "sha256", self._root / "incoming"

    def prepare(self) -> None:
        """Makes the directories, for nobody else to look into."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (self._blobs, self._incoming):
            directory.mkdir(exist_ok=True)
        _sync(self._root)

    def begin(self, name: str) -> DiskArrival:
        """A new arrival of that name."""
        return DiskArrival(self._incoming / name)

    def settle(self, name: str, sha256: str) -> None:
        """Puts a finished arrival under its hash, where the same content may be already."""
        (self._incoming / name).replace(self._blobs / sha256)
        _sync(self._blobs)

    def discard(self, name: str) -> None:
        """Forgets a finished arrival."""
        (self._incoming / name).unlink(missing_ok=True)

    def read(self, sha256: str, start: int, end: int) -> Iterator[bytes]:
        """Bytes from `start` up to `end`, in pieces. Raises `FileNotFoundError` at once."""
        return _pieces(FileIO(self._blobs / sha256), start, end)

    def delete(self, sha256: str) -> None:
        """Removes a blob. Who is reading it reads on."""
        (self._blobs / sha256).unlink(missing_ok=True)

    def sweep(self, age: timedelta) -> int:
        """Removes arrivals that nobody has written to for that long: their process is gone. How many."""
        oldest = time.time() - age.total_seconds()
        count = 0
        for path in self._incoming.iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
                    count += 1
        return count


def _pieces(file: FileIO, start: int, end: int) -> Iterator[bytes]:
    with file:
        while start < end:
            piece = os.pread(file.fileno(), min(PIECE, end - start), start)
            if not piece:
                raise EOFError("A blob is shorter than it was.")
            yield piece
            start += len(piece)


def _sync(directory: Path) -> None:
    """Makes the names in it outlive a crash."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
