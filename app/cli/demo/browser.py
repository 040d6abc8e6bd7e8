"""A browser: keeps cookies, opens pages, and sends the forms on them as they are filled in."""

from html.parser import HTMLParser
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import httpx2

from app.cli.credentials import connect
from app.cli.demo.refused import Refused


class _Forms(HTMLParser):
    """The fields of each form, by where it leads."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, dict[str, str]] = {}
        self._open: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = self.fields.setdefault(given.get("action", ""), {})
        elif tag == "input" and "name" in given:
            self._open[given["name"]] = given.get("value", "")


class Browser:
    """Of one person. `path` is of the page that is shown, `is_fine`: it is what was asked for, no refusal.

    `left_for` is where the last form led, if that was outside of the server.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._http = connect(server)
        self._page = self.path = self.left_for = ""
        self.is_fine = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def open(self, address: str) -> None:
        """Shows a page of the server. Raises `Refused`."""
        await self._show(await self._ask("GET", address))

    async def send(self, action: str, **typed: str) -> None:
        """Sends the page's form that leads there, and shows what comes of it. Raises `Refused`."""
        forms = _Forms()
        forms.feed(self._page)
        if action not in forms.fields:
            raise Refused(f"The page {self.path} has no form for {action}.")
        await self._show(await self._ask("POST", action, forms.fields[action] | typed))

    async def _ask(self, method: str, address: str, form: dict[str, str] | None = None) -> httpx2.Response:
        headers = {} if form is None else {"origin": self._server, "sec-fetch-site": "same-origin"}
        try:
            return await self._http.request(method, address, data=form, headers=headers)
        except httpx2.HTTPError as error:
            raise Refused(f"{method} {address}: {type(error).__name__}.") from error

    async def _show(self, answer: httpx2.Response) -> None:
        self.left_for = ""
        while answer.is_redirect:
            to = urljoin(str(answer.url), answer.headers["location"])
            if not to.startswith(f"{self._server}/"):
                self.left_for = to
                return
            answer = await self._ask("GET", to)
        self.path, self.is_fine, self._page = answer.url.path, answer.is_success, answer.text
