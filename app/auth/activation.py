"""A person lets a device in by its code."""

from datetime import timedelta

from app.auth.people import network
from app.auth.tokens import digest
from app.auth.usercodes import normalized
from app.store.ledger import Ledgers
from app.store.requests import DeviceRequest
from app.store.sessions import Account
from app.store.throttles import Throttles

TRIES = 5
PERIOD = timedelta(minutes=10)
REQUESTS_PER_ADDRESS = 60


class Activation:
    """Looking a request up, and answering it."""

    def __init__(self, ledgers: Ledgers, throttles: Throttles) -> None:
        self._ledgers = ledgers
        self._throttles = throttles

    async def find(self, typed: str, account: Account, address: str) -> DeviceRequest | None:
        """The open request with this code. Raises `TooManyRequests` after five codes that were none."""
        hashed = digest(normalized(typed))
        for who in (str(account.user_id), network(address)):
            await self._throttles.hit("user code", who, limit=TRIES, period=PERIOD)
        found = await self._ledgers.run(lambda ledger: ledger.requests.find(hashed))
        if found is not None:
            for who in (str(account.user_id), network(address)):
                await self._throttles.give_back("user code", who)
        return found

    async def answer(self, typed: str, account: Account, address: str, *, approved: bool) -> bool:
        """Notes the person's answer; whether there still was such a request. A code that is none is a try, too."""
        if await self.find(typed, account, address) is None:
            return False
        hashed = digest(normalized(typed))
        return await self._ledgers.run(
            lambda ledger: ledger.requests.answer(hashed, account.feed_id, approved=approved)
        )

    async def admit_request(self, address: str) -> None:
        """Counts a device's request. Raises `TooManyRequests`."""
        await self._throttles.hit("device request", network(address), limit=REQUESTS_PER_ADDRESS, period=PERIOD)
