"""How things stand, looked at now and then: nothing on the way of a change or a request has to keep count."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from itertools import count
from uuid import UUID

from app import telemetry
from app.bus.local import LocalBus
from app.hub.hub import Hub
from app.hub.stream import Phase
from app.store.commit import Committer
from app.store.database import Database

TICK_S = 0.5
LOOK_TICKS = 10
"""All streams are looked at every so many ticks."""
_STATES = {Phase.JOINING: "joining", Phase.BEHIND: "behind", Phase.LIVE: "live"}


class Gauges:
    """Sets the gauges of one process. `pools` by the name they have in the metrics."""

    def __init__(self, hub: Hub, committer: Committer, bus: LocalBus, pools: Mapping[str, Database]) -> None:
        self._hub = hub
        self._committer = committer
        self._bus = bus
        self._pools = pools

    async def run(self) -> None:
        """Looks until cancelled."""
        loop = asyncio.get_running_loop()
        telemetry.processes.labels(version("starling")).set(1)
        try:
            for tick in count():
                self.look(streams=tick % LOOK_TICKS == 0)
                telemetry.output.flush()
                due = loop.time() + TICK_S
                await asyncio.sleep(TICK_S)
                telemetry.loop_lag.observe(max(0, loop.time() - due))
        finally:
            telemetry.output.flush()

    def look(self, *, streams: bool = True) -> None:
        """Sets the gauges to what is so now."""
        self._look_at_queues()
        if streams:
            self._look_at_streams()

    def _look_at_queues(self) -> None:
        waiting, size = self._committer.waiting
        telemetry.queue_changes.set(waiting)
        telemetry.queue_bytes.set(size)
        telemetry.bus_queue.set(self._bus.waiting)
        for name, pool in self._pools.items():
            used, most = pool.connections
            telemetry.connections_used.labels(name).set(used)
            telemetry.connections_max.labels(name).set(most)

    def _look_at_streams(self) -> None:
        streams: Counter[Phase] = Counter()
        furthest = 0
        live: set[UUID] = set()
        others: set[UUID] = set()
        for feed in self._hub.watch.feeds():
            for stream in feed.streams:
                streams[stream.phase] += 1
                if stream.phase is Phase.LIVE:
                    live.add(stream.device_id)
                elif stream.phase is not Phase.ENDED:
                    others.add(stream.device_id)
                if stream.phase is Phase.BEHIND:
                    furthest = max(furthest, feed.head - stream.seq)
        for phase, state in _STATES.items():
            telemetry.streams.labels(state).set(streams[phase])
        telemetry.devices.labels("live").set(len(live))
        telemetry.devices.labels("behind").set(len(others - live))
        telemetry.behind_changes.set(furthest)
