"""Requests to URLs that people or assistants name: they reach what is on the public internet, or nothing.

- `outbound`: `Outbound`, which fetches and posts within bounds of its purpose
- `urls`: which URLs are worth a look, by their text alone
- `internet`: `Internet`, the only way out: resolves a host once, judges, and connects to what was judged
- `addresses`: which addresses are public
- `errors`: what goes wrong, without telling what was found
"""

from app.outbound.errors import FetchFailed, FetchTooLarge, UrlRefused
from app.outbound.internet import Internet
from app.outbound.outbound import Outbound, Response

__all__ = ["FetchFailed", "FetchTooLarge", "Internet", "Outbound", "Response", "UrlRefused"]
