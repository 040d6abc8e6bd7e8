"""A person's browser without scripts: cookies, pages, and the forms on them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Self
from urllib.parse import urljoin, urlsplit
from uuid import uuid4

import httpx2

PASSWORD = "correct horse battery"


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((given["action"], {}))
        elif tag == "input" and "name" in given:
            self.forms[-1][1][given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


def forms(html: str) -> list[tuple[str, dict[str, str]]]:
    """The forms of a page: where each leads, and its fields as they are filled in."""
    parser = _Forms()
    parser.feed(html)
    return parser.forms


@dataclass
class Browser:
    """Follows redirects within the server, and stops where one leads elsewhere."""

    url: str
    http: httpx2.AsyncClient
    response: httpx2.Response = field(init=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    @classmethod
    def open(cls, url: str) -> "Browser":
        """A new one, without cookies; to be closed."""
        return cls(url, httpx2.AsyncClient(base_url=url, timeout=60))

    @property
    def text(self) -> str:
        """The words on the page."""
        parser = _Forms()
        parser.feed(self.response.text)
        return " ".join(word for word in parser.words if word)

    @property
    def path(self) -> str:
        """Of the page that is shown."""
        return self.response.url.path

    async def _follow(self, response: httpx2.Response) -> httpx2.Response:
        while response.status_code == 303:
            to = urljoin(str(response.url), response.headers["location"])
            if urlsplit(to).netloc != urlsplit(self.url).netloc:
                break
            response = await self.http.get(to)
        self.response = response
        return response

    async def go(self, path: str, **options: Any) -> httpx2.Response:
        """Opens a page."""
        return await self._follow(await self.http.get(path, **options))

    def form(self, action: str) -> dict[str, str]:
        """The fields of the form on this page that leads there, as they are filled in."""
        (found,) = [fields for to, fields in forms(self.response.text) if to == action]
        return found

    async def send(self, action: str, **fields: str) -> httpx2.Response:
        """Fills in a form of the page and sends it."""
        headers = {"sec-fetch-site": "same-origin", "origin": self.url}
        filled = {**self.form(action), **fields}
        return await self._follow(await self.http.post(action, data=filled, headers=headers))

    async def sign_up(self, email: str | None = None) -> str:
        """A new account; its address."""
        email = email or f"{uuid4()}@example.com"
        await self.go("/sign-up")
        response = await self.send("/sign-up", email=email, password=PASSWORD)
        assert response.status_code == 200, response.text
        return email
