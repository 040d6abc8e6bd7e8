"""What callers get, as JSON bytes around the items' own bytes."""

from collections.abc import Iterable
from typing import Any

import msgspec

from app.errors import StarlingError
from app.model import File
from app.store.items import Found


class _WithFiles(msgspec.Struct):
    files: list[File]


def files_of(wire: bytes) -> list[File]:
    """The files of an item."""
    return msgspec.json.decode(wire, type=_WithFiles).files


def json(value: object) -> bytes:
    """A plain value."""
    return msgspec.json.encode(value)


def array(wires: Iterable[bytes]) -> bytes:
    """A list of items."""
    return b"[" + b",".join(wires) + b"]"


def page(wires: Iterable[bytes], **members: Any) -> bytes:
    """`{"items": […], …}`."""
    return b'{"items":%b,%b' % (array(wires), json(members)[1:])


def found(matching: Found, **members: Any) -> bytes:
    """A page of what matches a search."""
    counted = {"page": matching.page, "total_pages": matching.total_pages, "total": matching.total}
    return page(matching.wires, **counted, **members)


def problem(error: StarlingError) -> dict[str, Any]:
    """An error as a member of an answer: `type`, `title`, `status`, `detail`, `code` and what helps."""
    title = (type(error).__doc__ or "").strip().splitlines()[0].rstrip(".")
    named = {"type": "about:blank", "title": title, "status": error.status, "detail": error.detail, "code": error.code}
    helps = {} if error.next_step is None else {"next_step": error.next_step}
    return {**named, **helps, **error.members}
