"""A stand-in for ChatGPT: it knows what its editor was told and what the served document says, and nothing else.

What it sends and what it enforces is what OpenAI documents for actions and what is seen in the field.
"""

import asyncio
import base64
import json
import re
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

import httpx2

from app.doors.lint import FILES_IN, check
from app.doors.manifest import OAuth, callbacks
from tests.harness.browser import Browser
from tests.harness.oauth import query_of
from tests.harness.operations import JSON, Json, Operation, read

MAX_CHARACTERS = 100_000
ROUND_TRIP_S = 45
FILE_S = 10
MAX_FILES, MAX_FILE_BYTES = 10, 10_000_000
FILES_OUT = "openaiFileResponse"
Exchange = Literal["default_post", "basic_auth_header"]
Attach = Callable[[], AbstractAsyncContextManager[list[Json]]]
"""Files of the conversation, as `{"name", "id", "mime_type", "download_link"}`, while their links live."""


class Edge(httpx2.AsyncBaseTransport):
    """What stands before a server on the internet: https, its one host, and nothing else."""

    def __init__(self, public_url: str, url: str) -> None:
        self._public, self._behind = urlsplit(public_url), urlsplit(url)
        self._plain = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Passes it on."""
        assert (request.url.scheme, request.url.host) == (self._public.scheme, self._public.hostname), request.url
        url = request.url.copy_with(scheme="http", host=self._behind.hostname, port=self._behind.port)
        stream = request.stream
        assert isinstance(stream, httpx2.AsyncByteStream)
        passed = httpx2.Request(request.method, url, headers=request.headers, stream=stream)
        passed.extensions = request.extensions
        return await self._plain.handle_async_request(passed)

    async def aclose(self) -> None:
        """Hangs up."""
        await self._plain.aclose()


class NotConfirmed(Exception):
    """The person was asked, and did not agree."""


def characters(text: str) -> int:
    """As JavaScript counts."""
    return len(text.encode("utf-16-le")) // 2


@dataclass(frozen=True)
class Answer:
    """What an action was answered."""

    status: int
    json: Any
    text: str


@dataclass
class Gpt:
    """A custom GPT: what was entered in its editor, and the document that it read."""

    http: httpx2.AsyncClient
    oauth: OAuth
    secret: str
    operations: dict[str, Operation]
    gpt_id: str
    server: str

    @classmethod
    async def create(
        cls, http: httpx2.AsyncClient, schema_url: str, oauth: OAuth, secret: str, gpt_id: str = "g-1"
    ) -> "Gpt":
        """Imports the document from its address, as the editor does: it must be one that the editor accepts."""
        response = await http.get(schema_url)
        assert response.status_code == 200, response.text
        document = response.json()
        assert check(document) == []
        server = document["servers"][0]["url"]
        for url in (oauth.authorization_url, oauth.token_url, schema_url):
            assert urlsplit(url).netloc == urlsplit(server).netloc, "authorization, tokens and actions share one domain"
        return cls(http, oauth, secret, read(document), gpt_id, server)

    def with_oauth(self, **fields: Any) -> "Gpt":
        """The same with other entries in the editor's fields."""
        return replace(self, oauth=self.oauth.model_copy(update=fields))

    @property
    def callback(self) -> str:
        """Where it waits for the person to come back."""
        return callbacks(self.gpt_id)[0]

    async def sign_in(self, browser: Browser, attach: Attach | None = None) -> "Chat":
        """A conversation of the person at the browser, who allows all that is asked. No PKCE: it has none."""
        state = secrets.token_urlsafe(16)
        asked = {
            "response_type": "code",
            "client_id": self.oauth.client_id,
            "redirect_uri": self.callback,
            "scope": self.oauth.scope,
            "state": state,
        }
        await browser.go(f"{self.oauth.authorization_url}?{urlencode(asked, quote_via=quote)}")
        location = (await browser.send("/oauth/authorize", decision="allow")).headers["location"]
        assert location.partition("?")[0] == self.callback
        came = query_of(location)
        assert came["state"] == state
        chat = Chat(self, attach)
        await chat.exchange(grant_type="authorization_code", code=came["code"], redirect_uri=self.callback)
        return chat


@dataclass
class Chat:
    """A conversation, with the tokens of the person who has it."""

    gpt: Gpt
    attach: Attach | None = None
    access_token: str = ""
    refresh_token: str = ""
    conversation: str = field(default_factory=lambda: str(uuid4()))
    known: dict[str, Any] = field(default_factory=dict)
    """What answers made known: an answer with an `item` that has an id makes an `item_id` known."""
    files: list[bytes] = field(default_factory=list)
    """What answers brought into the conversation."""

    async def exchange(self, **form: str) -> None:
        """The token request, by either of the two methods that the editor offers."""
        own, headers = {"client_id": self.gpt.oauth.client_id, "client_secret": self.gpt.secret}, {}
        if self.gpt.oauth.token_exchange_method == "basic_auth_header":
            credentials = f"{quote(own['client_id'], safe='')}:{quote(own['client_secret'], safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
            own = {}
        response = await self.gpt.http.post(self.gpt.oauth.token_url, data={**form, **own}, headers=headers)
        assert response.status_code == 200, response.text
        given = response.json()
        assert given["token_type"] == "bearer"
        assert given["expires_in"] > 0
        self.access_token, self.refresh_token = given["access_token"], given["refresh_token"]

    async def refresh(self) -> None:
        """New tokens for old."""
        await self.exchange(grant_type="refresh_token", refresh_token=self.refresh_token)

    @property
    def headers(self) -> dict[str, str]:
        """What each call carries."""
        return {
            "authorization": f"Bearer {self.access_token}",
            "accept": "*/*",
            "user-agent": "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0",
            "openai-conversation-id": self.conversation,
            "openai-ephemeral-user-id": str(uuid4()),
            "openai-gpt-id": self.gpt.gpt_id,
        }

    async def call(self, name: str, *, confirmed: bool = False, **arguments: Any) -> Answer:
        """Calls an operation with a model's arguments. Raises `NotConfirmed` for one that the person must agree to."""
        operation = self.gpt.operations[name]
        if operation.is_consequential and not confirmed:
            raise NotConfirmed(name)
        if operation.takes_files:
            assert self.attach is not None, f"{name} takes files: give the conversation some"
            async with self.attach() as refs:
                return await self._ask(operation, {**arguments, FILES_IN: refs})
        return await self._ask(operation, arguments)

    async def _ask(self, operation: Operation, arguments: Json) -> Answer:
        asked = operation.request(arguments)
        content = None if asked.body is None else json.dumps(asked.body, ensure_ascii=False)
        answer = await self.send(operation, asked.path, asked.query, content)
        if answer.status == 401:
            await self.refresh()
            answer = await self.send(operation, asked.path, asked.query, content)
        if answer.status < 300:
            self._learn(answer.json)
            await self._open_files(answer.json)
        return answer

    async def call_by_document(self, name: str) -> Answer:
        """Calls an operation as the document alone tells to; the person agrees."""
        return await self.call(name, confirmed=True, **self.gpt.operations[name].sample(self.known))

    async def send(
        self, operation: Operation, path: str, query: Json | None = None, content: str | bytes | None = None
    ) -> Answer:
        """One round trip, with all that ChatGPT enforces; the answer must be one that the document tells of."""
        assert content is None or len(content) < MAX_CHARACTERS
        headers = self.headers if content is None else {**self.headers, "content-type": JSON}
        async with asyncio.timeout(ROUND_TRIP_S):
            response = await self.gpt.http.request(
                operation.method, f"{self.gpt.server}{path}", params=query, content=content, headers=headers
            )
        assert characters(response.text) < MAX_CHARACTERS
        media_type = response.headers["content-type"].partition(";")[0]
        answer = Answer(response.status_code, response.json(), response.text)
        assert operation.wrong_answer(answer.status, media_type, answer.json) == []
        return answer

    def _learn(self, value: Any) -> None:
        for name, each in value.items() if isinstance(value, dict) else ():
            first = each[0] if isinstance(each, list) and each else each
            if isinstance(first, dict) and "id" in first and not first.get("deleted"):
                self.known[f"{name.removesuffix('s')}_id"] = first["id"]

    async def _open_files(self, value: Any) -> None:
        """Files come in the answer or behind addresses that need no token."""
        files = value.get(FILES_OUT, [])
        assert len(files) <= MAX_FILES
        for each in files:
            if isinstance(each, dict):
                kind, content = each["mime_type"], base64.b64decode(each["content"], validate=True)
                assert each["name"]
            else:
                async with asyncio.timeout(FILE_S):
                    response = await self.gpt.http.get(each)
                assert response.status_code == 200
                assert re.search(r"filename", response.headers["content-disposition"])
                kind, content = response.headers["content-type"], response.content
            assert not kind.startswith(("image/", "video/"))
            assert len(content) <= MAX_FILE_BYTES
            self.files.append(content)
