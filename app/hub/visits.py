"""What happens to an open stream with time: keep-alives, its token's end or its own, a device that does not read."""

import random
import time

from app.hub import sse
from app.hub.calendar import Calendar
from app.hub.stream import NEVER, Stream
from app.model import Principal

KEEPALIVE_S = 10
STALL_S = 20
FLUSH_S = 2
REAUTH_S = 60
LATEST_S = 1.5
"""How late a visit may be, by the calendar's whole seconds and ticks."""
KEEPALIVE = sse.chunk(sse.COMMENT)


class Visits:
    """Visits every stream when something is due. `lifetime_s` is the longest life of a stream."""

    def __init__(self, lifetime_s: int) -> None:
        self._lifetime_s = lifetime_s
        self.calendar: Calendar[Stream] = Calendar(self.visit)

    def begin(self, stream: Stream, principal: Principal) -> None:
        """Plans a stream's end: before its token's, and at a time of its own within its longest life."""
        now = time.monotonic()
        stream.ends_at = now + self._lifetime_s * random.uniform(0.8, 1.0)  # noqa: S311 - spreads reconnects
        stream.reauth_at = max(now, principal.good_until - REAUTH_S)
        if principal.good_until - LATEST_S <= stream.ends_at:
            stream.ends_at, stream.ends_for = principal.good_until - LATEST_S, "expired"
        self._plan(stream, now)

    def visit(self, stream: Stream, now: float) -> None:
        """Does what is due and plans the next visit."""
        if stream.lost:
            return
        if not stream.is_open:  # it was closed, but what is buffered does not get out
            stream.cut("unflushed")
            return
        if now >= stream.ends_at:
            stream.bye(stream.ends_for)
            self.calendar.add(stream, now + FLUSH_S)
            return
        if now >= stream.reauth_at:
            stream.reauth_at = NEVER
            stream.send("reauth", {"expires_in": REAUTH_S})
        if stream.is_paused:
            if self._stalls(stream, now):
                stream.cut("stalled")
                return
        else:
            stream.write(KEEPALIVE)
        self._plan(stream, now)

    @staticmethod
    def _stalls(stream: Stream, now: float) -> bool:
        if stream.buffered < stream.stalled_bytes:
            stream.stalled_at, stream.stalled_bytes = now, stream.buffered
        return now - stream.stalled_at >= STALL_S

    def _plan(self, stream: Stream, now: float) -> None:
        self.calendar.add(stream, min(now + KEEPALIVE_S, stream.ends_at, stream.reauth_at))
