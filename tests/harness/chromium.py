"""A person's real browser: Chromium, driven over pipes. Whatever it complains of fails the test."""

import asyncio
import json
import os
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from tests.harness.browser import PASSWORD
from tests.harness.live import Live
from tests.harness.oauth import session_of
from tests.harness.people import Person
from tests.harness.waiting import eventually

DRIVER = Path(__file__).parents[1] / "chromium" / "driver.mjs"
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 800}
NARROWEST = {"width": 320, "height": 640}
"""At which nothing may have to be scrolled sideways (WCAG 2.2, 1.4.10)."""
END_S = 30.0
SHOTS = os.environ.get("SHOTS")
_IS_WIDER = "document.documentElement.scrollWidth > window.innerWidth"
_FOCUSED = """(() => {
    const at = document.activeElement, style = getComputedStyle(at), label = at.labels && at.labels[0] || at
    return [label.textContent.trim(), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2]
})()"""


def installed() -> str | None:
    """Where Chromium is, or the browser that `CHROMIUM` names."""
    return shutil.which(os.environ.get("CHROMIUM", "chromium"))


@dataclass
class Chromium:
    """A browser process; tabs have profiles of their own."""

    process: Process
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, **request: Any) -> Any:
        """One request to the driver, which says what there is; its value. An error of Playwright fails the test."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        async with self._turn:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            line = await self.process.stdout.readline()
        assert line, "Chromium has ended"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    @asynccontextmanager
    async def tab(self, **options: Any) -> AsyncIterator["Tab"]:
        """A new profile with one tab, as wide as a phone's. Fails if the browser found anything wrong meanwhile."""
        tab = Tab(self, await self.ask(open={"viewport": PHONE, **options}))
        try:
            yield tab
        finally:
            wrong = [words for words in await self.ask(close=tab.number) if not tab.is_expected(words)]
        assert wrong == [], wrong


@dataclass
class Tab:
    """One page at a time. Things are named as a person sees them, or a screen reader tells them."""

    chromium: Chromium
    number: int
    expected: list[str] = field(default_factory=list)
    """Parts of complaints that are meant to come."""

    def is_expected(self, complaint: str) -> bool:
        """Whether it is."""
        return any(part in complaint for part in self.expected)

    async def call(self, *calls: list[Any], until: str | None = None) -> Any:
        """Calls of Playwright, from the tab on."""
        return await self.chromium.ask(tab=self.number, calls=calls, until=until)

    async def go(self, url: str) -> int:
        """Opens an address; the HTTP status of the page to which that led."""
        return int(await self.call(["goto", url], until="load"))

    async def click(self, name: str, role: str = "button", until: str | None = "load") -> Any:
        """Clicks a button, or a link; the status of the page to which that led."""
        return await self.call(["getByRole", role, {"name": name, "exact": True}], ["click"], until=until)

    async def unfold(self, summary: str) -> None:
        """Shows what is folded behind these words."""
        await self.call(["locator", "summary", {"hasText": summary}], ["click"])

    async def fill(self, label: str, words: str) -> None:
        """Fills in a field."""
        await self.call(["getByLabel", label, {"exact": True}], ["fill", words])

    async def value(self, label: str) -> str:
        """What is filled in there."""
        return str(await self.call(["getByLabel", label, {"exact": True}], ["inputValue"]))

    async def sign_up(self, live: Live) -> Person:
        """Makes an account on the pages, the last of which is open then."""
        email = f"{uuid4()}@example.com"
        await self.go(f"{live.url}/sign-up")
        await self.fill("E-mail address", email)
        await self.fill("Password", PASSWORD)
        assert await self.click("Make the account") == 200
        return Person(live.starling.database, await live.starling.grants.feed_of(email), email)

    async def sign_in(self, live: Live) -> Person:
        """Somebody without a password, whose session is in the browser already."""
        person = await live.person()
        session = {"name": "starling_session", "value": await session_of(live, person), "url": live.url}
        await self.call(["context"], ["addCookies", [session]])
        return person

    async def type(self, words: str) -> None:
        """On the keyboard, wherever it acts."""
        await self.call(["keyboard"], ["type", words])

    async def next_focused(self) -> str:
        """Where the Tab key leads."""
        await self.key("Tab")
        return await self.focused()

    async def key(self, name: str, until: str | None = None) -> Any:
        """Presses a key, such as `Tab`."""
        return await self.call(["keyboard"], ["press", name], until=until)

    async def url(self) -> str:
        """The page's address."""
        return str(await self.call(["url"]))

    async def path(self) -> str:
        """Of that."""
        return urlsplit(await self.url()).path

    async def words(self) -> str:
        """All that can be read."""
        return str(await self.call(["locator", "body"], ["innerText"]))

    async def focused(self) -> str:
        """What the keyboard would act on; that has to be visible."""
        name, is_visible = await self.call(["evaluate", _FOCUSED])
        assert is_visible, f"nothing shows that {name!r} has the focus"
        return str(name)

    async def until_focused(self, name: str) -> None:
        """Returns when the page has given that the focus by itself."""

        async def is_focused() -> bool:
            return bool((await self.call(["evaluate", _FOCUSED]))[0] == name)

        await eventually(is_focused, END_S, f"the focus of {name}")

    async def judge(self, name: str) -> None:
        """Fails unless everybody can use the page, in both themes and on a narrow phone. `SHOTS=directory` keeps it."""
        for theme in ("light", "dark"):
            await self.call(["emulateMedia", {"colorScheme": theme}])
            wrong = await self.chromium.ask(tab=self.number, judge={} if theme == "light" else _CONTRAST)
            assert wrong == [], f"{name}, {theme}: {json.dumps(wrong, indent=1)}"
            if SHOTS is not None:
                await self._keep(Path(SHOTS) / f"{name}-{theme}")
        await self.call(["setViewportSize", NARROWEST])
        assert not await self.call(["evaluate", _IS_WIDER]), f"{name} has to be scrolled sideways"
        await self.call(["setViewportSize", PHONE])

    async def _keep(self, path: Path) -> None:
        for device, size in (("desktop", DESKTOP), ("phone", PHONE)):
            await self.call(["setViewportSize", size])
            await self.call(["screenshot", {"path": f"{path}-{device}.png", "fullPage": True}])


_CONTRAST = {"runOnly": ["color-contrast"]}


@asynccontextmanager
async def chromium() -> AsyncIterator[Chromium]:
    """A browser, ended whatever happens."""
    program = installed()
    assert program is not None
    process = await asyncio.create_subprocess_exec("node", str(DRIVER), program, stdin=PIPE, stdout=PIPE, limit=2**24)
    try:
        yield Chromium(process)
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(END_S):
            await process.wait()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
