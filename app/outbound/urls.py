"""Which URLs are worth a look, by their text alone. Where two readers could disagree about one, it is refused."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from httpcore2 import URL

from app.outbound.errors import UrlRefused

MAX_LENGTH = 8_000
HTTPS = 443
_VISIBLE = re.compile(r"[!-~]+")
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
# The last label begins with a letter: what ends in a number is read as an IPv4 address, in octal and hexadecimal, too.
_NAME = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?")


class Hosts:
    """The hosts that may be asked for: exact names, and `*.example.com` for all below that name."""

    def __init__(self, allowed: Iterable[str] | None) -> None:
        """None: any. Raises `ValueError` for what is no name."""
        self._allowed = None if allowed is None else frozenset(each.lower() for each in allowed)
        for each in self._allowed or ():
            if not _NAME.fullmatch(each.removeprefix("*.")):
                raise ValueError(f"{each}: must be a host name, or *.name for all below it")

    def __contains__(self, host: str) -> bool:
        if self._allowed is None or host in self._allowed:
            return True
        labels = host.split(".")
        return any(f"*.{'.'.join(labels[at:])}" in self._allowed for at in range(1, len(labels)))


def judge(url: str, hosts: Hosts) -> URL:
    """The parts of a URL on port 443 of an allowed host, without its fragment. Raises `UrlRefused`."""
    if len(url) > MAX_LENGTH or not _VISIBLE.fullmatch(url):
        raise UrlRefused(f"This is no URL: only visible ASCII characters, {MAX_LENGTH} at most.")
    try:
        parts = urlsplit(url)
        port = HTTPS if parts.port is None else parts.port
    except ValueError:
        raise UrlRefused("This is no URL.") from None
    host = (parts.hostname or "").lower()
    if parts.scheme != "https" or set(parts.netloc) & set("@[]") or port != HTTPS:
        raise UrlRefused
    if not _NAME.fullmatch(host):
        raise UrlRefused("The host must be a full name, such as files.example.com; an IP address is none.")
    if host not in hosts:
        raise UrlRefused("This host is not on the list of those that may be fetched from.")
    query = f"?{parts.query}" if parts.query else ""
    return URL(scheme="https", host=host, target=(parts.path or "/") + query)
