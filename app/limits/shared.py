"""What was spent in all processes together: each decides by itself, and they settle up in Redis.

`starling:limit:<budget>:<who>` holds by when all is paid back, in microseconds of Redis's own clock, until then.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Hashable, Mapping

from app.bus.client import connect, succeeds
from app.limits.budgets import Budget
from app.limits.limiter import Limiter, Tab

SHARE = 10
"""A process tells what somebody has spent there once it is this part of the quota."""
CALL_S = 1.0
REST_S = 0.1
"""From one call to the next, so that it has much to tell."""
TOGETHER = 500
OWED_WINDOWS = 2
"""The most that anybody owes, so that a clock that is set back, or a Redis that carries out late what it was told
while it stood still, locks nobody out for long. Processes that admit all at once can lead there.
"""
_MICROSECONDS = 1_000_000
_SETTLE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local owed = {}
for i, key in ipairs(KEYS) do
    local due = math.max(tonumber(redis.call('GET', key) or 0), now) + ARGV[2 * i - 1]
    owed[i] = math.min(due - now, ARGV[2 * i])
    redis.call('SET', key, string.format('%.0f', now + owed[i]), 'PX', math.max(math.ceil(owed[i] / 1000), 1))
end
return owed
"""


class SharedLimiter(Limiter):
    """Run `run()` as one task of the process: without it, and while Redis is away, each process counts its own."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._redis = connect(url, CALL_S)
        self._script = self._redis.register_script(_SETTLE)
        self._untold: dict[tuple[Budget, Hashable], Tab] = {}
        self._wake = asyncio.Event()

    def _spent(self, budget: Budget, who: Hashable, tab: Tab, units: int) -> None:
        tab.untold += units
        if tab.untold * SHARE >= budget.quota:
            self._untold[budget, who] = tab
            self._wake.set()

    async def run(self) -> None:
        """Settles up until cancelled."""
        try:
            while True:
                await self._wake.wait()
                await asyncio.sleep(REST_S if await self.settle() else CALL_S)
        finally:
            await self._redis.aclose()

    async def settle(self) -> bool:
        """Tells what was spent here, and learns what was elsewhere; whether Redis answered."""
        told = {key: self._untold.pop(key) for key in list(self._untold)[:TOGETHER]}
        is_told = await succeeds(self._settle(told), CALL_S)
        if not is_told:  # told later, what was spent in a long outage would have to be paid back after it
            for tab in self._untold.values():
                tab.untold = 0
            self._untold.clear()
        if not self._untold:
            self._wake.clear()
        return is_told

    async def _settle(self, told: Mapping[tuple[Budget, Hashable], Tab]) -> None:
        args = []
        for (budget, _), tab in told.items():
            seconds = (tab.untold * budget.interval_s, OWED_WINDOWS * budget.window_s)
            args += [round(each * _MICROSECONDS) for each in seconds]
            tab.untold = 0
        owed: list[int] = await self._script(keys=[_key(*key) for key in told], args=args)
        now = self._clock()
        for ((budget, _), tab), microseconds in zip(told.items(), owed, strict=True):
            since_s = tab.untold * budget.interval_s
            tab.due = max(tab.due, now + microseconds / _MICROSECONDS + since_s)


def _key(budget: Budget, who: Hashable) -> str:
    """Of a fixed length: a client's name may be an address as long as it likes."""
    return f"starling:limit:{budget.name}:{hashlib.blake2b(str(who).encode(), digest_size=16).hexdigest()}"
