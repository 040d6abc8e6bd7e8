"""Which bytes of a file a request wants (RFC 9110, sections 13 and 14): pure."""

import re
from collections.abc import Mapping

import msgspec

_RANGE = re.compile(r"bytes=\s*(\d{0,20})-(\d{0,20})\s*", re.ASCII | re.IGNORECASE)


class Wanted(msgspec.Struct, frozen=True):
    """The answer's status, and the bytes from `start` up to `end` that are its content."""

    status: int
    start: int = 0
    end: int = 0


def etag_of(sha256: str) -> str:
    """A strong validator: the content's hash."""
    return f'"{sha256}"'


def wanted(headers: Mapping[str, str], size: int, etag: str) -> Wanted:
    """What of a file of that size is asked for: 200, 206, 304, or 416.

    More than one range is answered with the whole, as a server may; so is what is no range at all.
    """
    known = headers.get("if-none-match")
    if known is not None and (known.strip() == "*" or etag in _tags(known)):
        return Wanted(304)
    whole = Wanted(200, 0, size)
    asked = _RANGE.fullmatch(headers.get("range", ""))
    if asked is None or headers.get("if-range", etag).strip() != etag:
        return whole
    first, last = asked.groups()
    if first:
        start, end = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < int(first):
            return whole
    elif last:
        start, end = max(size - int(last), 0), size
    else:
        return whole
    return Wanted(206, start, end) if start < end else Wanted(416)


def _tags(header: str) -> set[str]:
    """Weak comparison: `W/` counts for nothing."""
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}
