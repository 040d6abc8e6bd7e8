"""A person lets a device in by its code."""

from datetime import timedelta

from app.auth.tokens import digest
from app.auth.usercodes import normalized
from app.limits.networks import network
from app.store.ledger import Ledgers
from app.store.requests import DeviceRequest
from app.store.sessions import Account
from app.store.throttles import Throttles

TRIES = 5
"""Of a person."""
TRIES_PER_ADDRESS = 50
"""Of all who share it: one of them must not keep the others out."""
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
        tries = {str(account.user_id): TRIES, network(address): TRIES_PER_ADDRESS}
        for who, limit in tries.items():
            await self._throttles.hit("user code", who, limit=limit, period=PERIOD)
        found = await self._ledgers.run(lambda ledger: ledger.requests.find(hashed))
        if found is not None:
            for who in tries:
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
