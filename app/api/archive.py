"""All that a person has, as a zip that is made while it is sent."""

import time
from collections.abc import AsyncIterator
from zipfile import ZipFile, ZipInfo

from app.actions import answers
from app.actions.files import FileActions
from app.errors import NotFound
from app.model import File, Principal

DOCUMENT = "starling.json"
GATHERED = 64 * 1024


class _Outlet:
    """Where the zip is written to: what came since it was last taken. It cannot seek, so sizes follow the content."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, content: bytes) -> int:
        """Keeps it."""
        self._written += content
        return len(content)

    def flush(self) -> None:
        """There is nothing below."""

    def close(self) -> None:
        """There is nothing to end."""

    def take(self, least: int = 0) -> bytes:
        """What there is, if that is enough."""
        if len(self._written) < least:
            return b""
        taken = bytes(self._written)
        self._written.clear()
        return taken


async def archive(
    about: bytes, items: AsyncIterator[bytes], files: FileActions, principal: Principal
) -> AsyncIterator[bytes]:
    """`starling.json`: the object `about` with `items`; and each of their files as `files/<id>/<name>`.

    A file that is deleted meanwhile is left out. Raises `Unavailable`, then the zip is visibly incomplete.
    """
    outlet, found = _Outlet(), list[File]()
    target = ZipFile(outlet, "w")
    with target.open(_entry(DOCUMENT), "w", force_zip64=True) as entry:
        entry.write(about.removesuffix(b"}") + b',"items":[')
        comma = b""
        async for item in items:
            entry.write(comma + item)
            found += answers.files_of(item)
            comma = b","
            if piece := outlet.take(GATHERED):
                yield piece
        entry.write(b"]}")
    for file in found:
        try:
            there = await files.find(principal, file.id)
        except NotFound:
            continue
        async with files.reading(there, 0, there.size) as pieces:
            with target.open(_entry(f"files/{there.id}/{there.name}", there.size), "w") as entry:
                async for piece in pieces:
                    entry.write(piece)
                    yield outlet.take()
    target.close()
    yield outlet.take()


def _entry(name: str, size: int = 0) -> ZipInfo:
    entry = ZipInfo(name, time.gmtime()[:6])
    entry.file_size = size
    entry.external_attr = 0o600 << 16
    return entry
