"""Secrets are planted everywhere, and looked for in what a server process leaves behind: its logs and its database."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.e2e.test_oauth_secrets import everything
from tests.harness.browser import PASSWORD, Browser
from tests.harness.crew import crew
from tests.harness.listener import Listener
from tests.harness.oauth import CALLBACK, DEVICE_GRANT, pkce, query_of

WORDS = "the words that nobody else may read"
WRONG = "a wrong password, nearly right"
DEBUG = {"STARLING_LOG_LEVEL": "debug"}


class Walk:
    """A person, an assistant and a device on a running server; every secret that came up, by its name."""

    def __init__(self, browser: Browser) -> None:
        self.browser, self.http = browser, browser.http
        self.secrets = {"password": PASSWORD, "wrong password": WRONG}

    async def whole(self) -> None:
        """Every flow, with mistakes in between."""
        await self.person()
        await self.assistant()
        await self.device()
        await self.mistakes()

    async def person(self) -> None:
        await self.browser.go("/sign-in")
        assert (await self.browser.send("/sign-in", email="a@example.com", password=WRONG)).status_code == 403
        await self.browser.sign_up()
        self.secrets["session"] = self.http.cookies["starling_session"]
        self.secrets["form cookie"] = self.http.cookies["starling_form"]
        self.secrets["form token"] = self.browser.form("/sign-out")["csrf"]

    async def assistant(self) -> None:
        asked = {"redirect_uris": [CALLBACK], "client_name": "assistant"}
        client = (await self.http.post("/oauth/register", json=asked)).json()
        self.secrets["client's secret"] = client["client_secret"]
        self.secrets["verifier"], challenge = pkce()
        pairs = {"response_type": "code", "client_id": client["client_id"], "redirect_uri": CALLBACK, "state": "s"}
        more = {"code_challenge": challenge, "code_challenge_method": "S256", "scope": "items:read items:write"}
        await self.browser.go("/oauth/authorize?" + urlencode({**pairs, **more}))
        allowed = await self.browser.send("/oauth/authorize", decision="allow")
        self.secrets["code"] = query_of(allowed.headers["location"])["code"]
        known = {"client_id": client["client_id"], "client_secret": client["client_secret"]}
        form = {"grant_type": "authorization_code", "code": self.secrets["code"], "redirect_uri": CALLBACK}
        given = await self.http.post("/oauth/token", data={**known, **form, "code_verifier": self.secrets["verifier"]})
        self.keep("assistant's", given.json())
        saved = {"title": WORDS, "text": WORDS}
        answer = await self.http.post("/actions/items", json=saved, headers=self.bearer("assistant's access token"))
        assert answer.status_code == 201

    async def device(self) -> None:
        asked = (await self.http.post("/oauth/device_authorization", data={"client_id": "starling"})).json()
        self.secrets["device code"], self.secrets["user code"] = asked["device_code"], asked["user_code"]
        await self.browser.go("/activate")
        await self.browser.send("/activate", user_code=asked["user_code"])
        await self.browser.send("/activate", decision="allow")
        form = {"grant_type": DEVICE_GRANT, "device_code": asked["device_code"], "client_id": "starling"}
        self.keep("device's", (await self.http.post("/oauth/token", data=form)).json())
        spent = {"grant_type": "refresh_token", "refresh_token": self.secrets["device's refresh token"]}
        again = await self.http.post("/oauth/token", data={**spent, "client_id": "starling"})
        self.keep("device's second", again.json())
        headers = self.bearer("device's second access token")
        self.secrets["ticket"] = (await self.http.post("/v1/stream/tickets", headers=headers)).json()["ticket"]
        async with Listener(self.browser.url, query=f"?ticket={self.secrets['ticket']}") as stream:
            await stream.until_ready()
            assert stream.items[0]["title"] == WORDS

    async def mistakes(self) -> None:
        """Secrets where they do not belong, words in bodies that cannot be read."""
        token = self.secrets["device's access token"]
        for path in (f"/v1/items/{token}", f"/v1/me?access_token={token}", f"/v1/stream?ticket={token}", f"/{token}"):
            assert (await self.http.get(path)).status_code in (401, 404)
        headers = self.bearer("assistant's access token")
        for body in (f'{{"title": "{WORDS}', json.dumps({"nothing": WORDS}), f'{{"title": 1e400, "{WORDS}"'):
            assert (await self.http.post("/actions/items", content=body, headers=headers)).status_code in (400, 422)
        await self.browser.go("/activate")
        await self.browser.send("/activate", user_code=WRONG[:20])

    def keep(self, whose: str, given: dict[str, str]) -> None:
        for name in ("access_token", "refresh_token"):
            self.secrets[f"{whose} {name.replace('_', ' ')}"] = given[name]

    def bearer(self, name: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secrets[name]}"}


async def left_behind(own_dir: Path, database_url: str, module: str) -> tuple[set[str], set[str], int]:
    """Which secrets the log holds, and which the database; how many there were."""
    async with crew(own_dir, database_url, 1, module=module, more=DEBUG) as server:
        await server.start()
        async with Browser.open(server.url) as browser:
            walk = Walk(browser)
            await walk.whole()
        await server.stop()
    log, kept = (own_dir / "server.log").read_text(), await everything(database_url)
    assert "starling.listening" in log
    assert WORDS in kept
    in_log = {name for name, secret in {**walk.secrets, "words": WORDS}.items() if secret in log}
    return in_log, {name for name, secret in walk.secrets.items() if secret in kept}, len(walk.secrets)


@pytest.mark.case(33, "secrets of every flow on a server process, in its log of all levels and in a dump of all tables")
async def test_no_secret_is_left_behind(own_dir: Path, database_url: str, saw: Callable[[str], None]) -> None:
    in_log, in_tables, planted = await left_behind(own_dir, database_url, "app.cli")
    assert (in_log, in_tables) == (set(), set())
    saw(f"{planted} secrets planted, 0 found")


@pytest.mark.control(33, "a server that logs tokens and keeps sessions as they are")
async def test_control_a_server_that_leaks_is_found_out(own_dir: Path, database_url: str) -> None:
    in_log, in_tables, _ = await left_behind(own_dir, database_url, "tests.harness.leaking")
    assert "device's second access token" in in_log
    assert in_tables == {"session"}
