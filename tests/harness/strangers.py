"""Two people: one who has something of every kind, and a stranger who knocks at every door with the ids of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.model import Scope
from app.store.push import Subscription, Subscriptions
from app.store.tables import metadata
from tests.harness.browser import Browser
from tests.harness.counts import times
from tests.harness.doors import DOORS, knocks, takes_ids_in_its_path
from tests.harness.live import Live
from tests.harness.oauth import SECRET, OAuthClient, account_of
from tests.harness.people import Person
from tests.harness.uploads import Uploader

WORDS = "the words of somebody else"
NO_ID, NO_CURSOR = str(uuid4()), "00000000.1"
"""Of nothing."""
KINDS = times(4, full=12)
"""Of ids, the telling ones first."""
COUNTED = {"throttles", "sessions"}
"""Tables that others may change: who tries too often, and who looks."""


@dataclass
class Owner:
    """Somebody, and all ids of what is theirs."""

    person: Person
    ids: dict[str, str]
    user_id: str

    @classmethod
    async def make(cls, live: Live) -> "Owner":
        """With items, one of them deleted, a device to wake, an assistant, and requests that were made once."""
        person, gpt = await live.person(), await OAuthClient.make(live)
        device, account = await person.device(WORDS), await account_of(live, person)
        await gpt.grant(person)
        assistant, request = await live.assistant(person, scopes=Scope), str(uuid4())
        saved = (await assistant.save(title=WORDS, text=WORDS, collection=WORDS, request_id=request))["item"]["id"]
        deleted = (await assistant.save(title=WORDS))["item"]["id"]
        await assistant.call("DELETE", f"/actions/items/{deleted}")
        feed = (await live.get("/v1/me", device.token)).json()["feed"]
        change, made = str(uuid4()), str(uuid4())
        put = {"change_id": change, "id": made, "base_seq": None, "put": {"title": WORDS}}
        sent = {"epoch": feed["epoch"], "changes": [put]}
        assert (await live.http.post("/v1/changes", json=sent, headers=device.headers)).status_code == 200
        file = await Uploader.of(live, device).upload(WORDS.encode(), name=WORDS)
        pushed_at = Subscription(device.id, "https://push.example.com/send/1", b"key", b"secret")
        await Subscriptions(live.starling.database).keep(person.feed_id, pushed_at)
        ids = {
            "item": saved,
            "file": file["id"],
            "device": str(device.id),
            "grant": str((await live.starling.services.ledgers.assistants(person.feed_id))[0]["id"]),
            "cursor": f"{feed['epoch']}.1",
            "epoch": feed["epoch"],
            "item of a device": made,
            "deleted item": deleted,
            "change": change,
            "request": request,
            "feed": str(person.feed_id),
            "user": str(account.user_id),
        }
        return cls(person, ids, str(account.user_id))

    async def rows(self, database_url: str) -> set[str]:
        """All that is kept of them, read as the database's owner."""
        engine = create_async_engine(database_url)
        async with engine.connect() as connection:
            found = [
                f"{table.name} {row}"
                for table in metadata.sorted_tables
                if table.name not in COUNTED
                for row in await connection.execute(text(f"select * from {table.name}"))
            ]
        await engine.dispose()
        return {row for row in found if self.user_id in row or str(self.person.feed_id) in row}


@dataclass
class Stranger:
    """Everything that lets somebody in: a session, a device's token with all scopes, and a client with a secret."""

    http: httpx2.AsyncClient
    token: str
    csrf: str
    epoch: str

    async def knock(self, door: str, foreign: str) -> list[httpx2.Response]:
        """The answers to that id in each place that the door has for one."""
        answers = []
        for method, path, carried in knocks(door, foreign, own=self.epoch):
            headers = {} if path == "/v1/stream" else {"authorization": f"Bearer {self.token}"}
            if "data" in carried:
                is_page = not path.startswith("/oauth/") or path == "/oauth/authorize"
                own = {"csrf": self.csrf} if is_page else {"client_id": "stranger", "client_secret": SECRET}
                carried["data"] |= own
                headers = {}
            headers |= carried.pop("headers", {})
            answers.append(await self.http.request(method, path, headers=headers, **carried))
        return answers


@asynccontextmanager
async def stranger(live: Live) -> AsyncIterator[Stranger]:
    """A new one."""
    await OAuthClient.make(live, "stranger")
    async with Browser.open(live.url) as browser:
        email = await browser.sign_up()
        person = Person(live.starling.database, await live.starling.grants.feed_of(email), email)
        token = (await person.device(more=Scope)).token
        epoch = (await live.get("/v1/me", token)).json()["feed"]["epoch"]
        yield Stranger(browser.http, token, browser.form("/sign-out")["csrf"], epoch)


async def knock_everywhere(live: Live, database_url: str) -> int:
    """A stranger tries the ids of somebody at all doors; how many requests that were. Fails for one foreign byte."""
    owner = await Owner.make(live)
    before, count = await owner.rows(database_url), 0
    async with stranger(live) as intruder:
        for door in DOORS:
            unknown = {nothing: await intruder.knock(door, nothing) for nothing in (NO_ID, NO_CURSOR)}
            for kind, foreign in list(owner.ids.items())[:KINDS]:
                answers = await intruder.knock(door, foreign)
                expected = unknown[NO_ID if len(foreign) == len(NO_ID) else NO_CURSOR]
                for answer, other in zip(answers, expected, strict=True):
                    judge(f"{door} with the {kind}", answer, other, is_path=takes_ids_in_its_path(door))
                    count += 1
    assert before == await owner.rows(database_url), "a stranger changed something"
    return count


def judge(where: str, answer: httpx2.Response, unknown: httpx2.Response, *, is_path: bool) -> None:
    """The answer is that to an id of nothing."""
    told: Any = f"{where}: {answer.status_code} {answer.text}"
    assert WORDS not in answer.text, told
    assert answer.status_code < 500, told
    if is_path:
        assert (answer.status_code, answer.text) == (404, unknown.text), told
