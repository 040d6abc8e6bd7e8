"""Fetching and posting for one purpose: where to, how much, and how long."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

import httpcore2
import structlog

from app.outbound.errors import FetchFailed, FetchTooLarge
from app.outbound.internet import Internet
from app.outbound.urls import Hosts, judge

SILENCE_S = 10.0
AT_ONCE = 16
_TIMEOUTS = {"read": SILENCE_S, "write": SILENCE_S}
_HEADERS = {"accept-encoding": "identity", "connection": "close", "user-agent": "Starling"}

log = structlog.get_logger(__name__)


class Response:
    """The head of an answer, and its body as it comes. Header names are lower-case; of equal ones the last counts."""

    def __init__(self, host: str, response: httpcore2.Response, max_bytes: int) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {
            name.decode("ascii").lower(): value.decode("latin-1") for name, value in response.headers
        }
        self._host = host
        self._response = response
        self._max_bytes = max_bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body. Raises `FetchTooLarge` as soon as that is known, and `FetchFailed` when it breaks off."""
        if int(self.headers.get("content-length", "0")) > self._max_bytes:
            raise self._too_large()
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise FetchFailed("This URL serves something compressed, though it was asked not to.", retryable=False)
        size = 0
        with _failing(self._host):
            async for chunk in self._response.aiter_stream():
                size += len(chunk)
                if size > self._max_bytes:
                    raise self._too_large()
                yield chunk

    def _too_large(self) -> FetchTooLarge:
        next_step = f"Give the URL of something of at most {self._max_bytes} bytes."
        return FetchTooLarge(limit=self._max_bytes, next_step=next_step)

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join([chunk async for chunk in self.chunks()])


class Outbound:
    """Requests for one purpose. No redirect is followed, no cookie kept, no proxy asked, no connection used twice."""

    def __init__(
        self, internet: Internet, *, max_bytes: int, within_s: float, hosts: Iterable[str] | None = None
    ) -> None:
        """`within_s` is for all of a request, what is done with the body included; `hosts` as in `Hosts`."""
        self._internet = internet
        self._hosts = Hosts(hosts)
        self._max_bytes = max_bytes
        self._within_s = within_s
        self._gate = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def get(self, url: str, headers: dict[str, str] | None = None) -> AsyncIterator[Response]:
        """What is there: an answer 200. Names of headers are lower-case.

        Raises `UrlRefused`, `FetchFailed`, and from its body `FetchTooLarge`.
        """
        async with self._exchange("GET", url, headers or {}, None) as response:
            if response.status != 200:
                retryable = response.status == 429 or response.status >= 500
                raise FetchFailed(f"This URL answered {response.status} instead of 200.", retryable=retryable)
            yield response

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> AbstractAsyncContextManager[Response]:
        """Any answer at all. Raises as `get`."""
        return self._exchange("POST", url, headers, body)

    @asynccontextmanager
    async def _exchange(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None
    ) -> AsyncIterator[Response]:
        judged = judge(url, self._hosts)
        host = judged.host.decode("ascii")
        length = {} if body is None else {"content-length": str(len(body))}
        request = httpcore2.Request(
            method,
            judged,
            headers=list((headers | _HEADERS | length | {"host": host}).items()),
            content=body,
            extensions={"timeout": _TIMEOUTS},
        )
        deadline = asyncio.timeout(self._within_s)
        try:
            async with deadline, self._gate:
                stream = await self._internet.connect(host)
                try:
                    with _failing(host):
                        connection = httpcore2.AsyncHTTP11Connection(judged.origin, stream)
                        response = await connection.handle_async_request(request)
                    yield Response(host, response, self._max_bytes)
                finally:
                    await stream.aclose()
        except TimeoutError:
            if not deadline.expired():
                raise
            log.info("outbound.failed", host=host, reason="deadline")
            raise FetchFailed from None


@contextmanager
def _failing(host: str) -> Iterator[None]:
    """Failures of the other side, and of the way there."""
    try:
        yield
    except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.RemoteProtocolError, OSError) as error:
        log.info("outbound.failed", host=host, reason=type(error).__name__)
        raise FetchFailed from None
