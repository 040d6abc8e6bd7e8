"""The person: has an account, lets an assistant and devices in, all on the server's pages."""

import secrets
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from app.cli.credentials import replace
from app.cli.demo.browser import Browser
from app.cli.demo.refused import Refused

EMAIL = "demo@example.com"


class Account(msgspec.Struct, frozen=True):
    """What the person types to sign in. The password is made up once, so that nobody else knows it."""

    email: str
    password: str


class Person:
    """Sits at a browser, signed in."""

    def __init__(self, browser: Browser, account: Account, *, is_new: bool) -> None:
        self._browser = browser
        self.email = account.email
        self.is_new = is_new

    @classmethod
    async def arrive(cls, browser: Browser, kept: Path) -> "Person":
        """Signs in to the account in that file, or signs up for a new one. Raises `Refused`."""
        known = _read(kept)
        if known is not None and await _sign_in(browser, known):
            return cls(browser, known, is_new=False)
        for email in (EMAIL, f"demo-{secrets.token_hex(4)}@example.com"):
            account = Account(email, secrets.token_urlsafe())
            if await _sign_up(browser, account):
                replace(kept, msgspec.json.encode(account), durable=True)
                return cls(browser, account, is_new=True)
        raise Refused("The demo signs up as anybody would, which STARLING_SIGN_UP does not allow here.")

    async def allow_assistant(self, authorize: str) -> str:
        """Follows an assistant's link and allows what it asks for; where that leads. Raises `Refused`."""
        await self._browser.open(authorize)
        await self._browser.send("/oauth/authorize", decision="allow")
        return self._browser.left_for

    async def allow_device(self, link: str, user_code: str) -> None:
        """Follows a device's link, compares the code, and allows it. Raises `Refused`."""
        parts = urlsplit(link)
        await self._browser.open(f"{parts.path}?{parts.query}")
        await self._browser.send("/activate", user_code=user_code)
        await self._browser.send("/activate", decision="allow")


def _read(kept: Path) -> Account | None:
    try:
        return msgspec.json.decode(kept.read_bytes(), type=Account)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


async def _sign_in(browser: Browser, account: Account) -> bool:
    await browser.open("/sign-in")
    await browser.send("/sign-in", email=account.email, password=account.password)
    return browser.path == "/account"


async def _sign_up(browser: Browser, account: Account) -> bool:
    await browser.open("/sign-up")
    if browser.is_fine:
        await browser.send("/sign-up", email=account.email, password=account.password)
    return browser.path == "/account"
