"""Redirect addresses: which may be registered, and which of a request matches one (RFC 9700, 2.1; RFC 8252, 7.3)."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

MAX_LENGTH = 2000
_VISIBLE = re.compile(r"[!-~]+")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]{1,5})?(/[^#\\]*)?")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


def is_registrable(uri: str) -> bool:
    """https anywhere, http on this very machine, or an app's own scheme such as `com.example.app:/done`."""
    if len(uri) > MAX_LENGTH or not _VISIBLE.fullmatch(uri) or "#" in uri or "\\" in uri:
        return False
    if _LOOPBACK.fullmatch(uri):
        return True
    try:
        parts = urlsplit(uri)
        _ = parts.port  # not a number: it raises
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname) and "@" not in parts.netloc
    return _PRIVATE_SCHEME.fullmatch(parts.scheme) is not None


def matches(registered: Sequence[str], asked: str) -> bool:
    """Equal character by character; on the loopback interface only the port may be another one."""
    if asked in registered:
        return True
    local = _LOOPBACK.fullmatch(asked) if _VISIBLE.fullmatch(asked) else None
    if local is None:
        return False
    known = [_LOOPBACK.fullmatch(each) for each in registered]
    return any(each is not None and (each[1], each[3]) == (local[1], local[3]) for each in known)


def is_local(uri: str) -> bool:
    """Whether it leads to this very machine, where anybody may listen."""
    return _LOOPBACK.fullmatch(uri) is not None


def form_target(uri: str) -> str:
    """What a page's Content-Security-Policy has to allow so that its form can lead there."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"
