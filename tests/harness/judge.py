"""The oracle's word on a world: after whatever happened, what devices hold and were sent is right."""

from uuid import uuid4

from app.hub.stream import Phase
from tests.harness.checker import anomalies
from tests.harness.waiting import eventually
from tests.harness.world import World

SETTLE_S = 20.0


class JudgedWorld(World):
    """`await converge()` at any time."""

    async def converge(self) -> None:
        """Within the promised time every connected device holds what the database holds, and was sent it in order."""
        for seat in self.seats:
            if seat.listener is not None and seat.listener.ended:
                await seat.leave()
        while await self.poll(3):
            pass
        await eventually(self._settled, SETTLE_S, "the hub's rest")
        mark = str(uuid4())
        for stream in self._streams():
            stream.send("mark", mark)
        await eventually(lambda: all(seat.saw(mark) for seat in self.seats), SETTLE_S, "the mark")
        devices = {seat.replica.name: str(seat.device.id) for seat in self.seats if seat.is_connected}
        if self.seats[-1].revoked_at is None:
            devices[self.pages] = str(self.seats[-1].device.id)
        truth = await self.oracle.items(self.person.feed_id)
        wrong = anomalies(self.journal, truth, devices)
        assert not wrong, "\n".join(map(str, [*wrong, *self.journal.entries[-30:], truth]))
        self.judge()

    async def _settled(self) -> bool:
        await self.check()
        feed = self.live.starling.hub.watch._feeds.get(self.person.feed_id)
        streams = self._streams()
        if feed is None or not streams:
            return True
        where = (feed.epoch, feed.head)
        return (
            feed.is_settled
            and all(stream.phase is Phase.LIVE for stream in streams)
            and where == await self.oracle.head(self.person.feed_id)
        )

    def judge(self) -> None:
        """No revoked device is connected or was sent anything that was committed after."""
        for seat in self.seats:
            if seat.revoked_at is None:
                continue
            assert not seat.is_connected, "a revoked device is connected"
            since, epoch, head = seat.revoked_at
            later = [entry for entry in self.journal.entries[since:] if entry.who == seat.replica.name and entry.item]
            # What an earlier history had was committed before, though it may come late.
            past = {entry.epoch for entry in self.journal.entries[:since]} - {epoch}
            wrong = [entry for entry in later if entry.epoch not in past and (entry.epoch != epoch or entry.seq > head)]
            assert not wrong, f"sent after its revocation at {epoch}.{head}: {wrong} of {self.journal.entries}"
