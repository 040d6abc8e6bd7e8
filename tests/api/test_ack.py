"""POST /v1/ack: the device has stored everything up to the cursor."""

from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from app.model import Scope
from tests.harness.live import Live
from tests.harness.people import Person, TestDevice
from tests.harness.problems import problem


@dataclass
class Acker:
    """A device in a feed whose head is 3."""

    live: Live
    person: Person
    device: TestDevice
    epoch: str

    async def ack(self, cursor: Any) -> httpx2.Response:
        return await self.live.http.post("/v1/ack", json={"cursor": cursor}, headers=self.device.headers)

    async def acked(self) -> Any:
        return (await self.live.get("/v1/me", self.device.token)).json()["device"]["acked_seq"]


@pytest.fixture
async def acker(live: Live) -> Acker:
    person = await live.person()
    assistant = await live.assistant(person)
    for _ in range(3):
        await assistant.save()
    device = await person.device()
    return Acker(live, person, device, (await live.get("/v1/me", device.token)).json()["feed"]["epoch"])


async def test_an_acknowledgement_only_ever_rises(acker: Acker) -> None:
    for seq, known in ((0, 0), (1, 1), (3, 3), (2, 3), (0, 3), (3, 3)):
        response = await acker.ack(f"{acker.epoch}.{seq}")
        assert (response.status_code, response.content) == (204, b"")
        assert await acker.acked() == known


async def test_a_cursor_of_a_first_sync_acknowledges_its_seq(acker: Acker) -> None:
    assert (await acker.ack(f"{acker.epoch}.1.3")).status_code == 204
    assert await acker.acked() == 1


async def test_what_is_above_the_head_is_refused(acker: Acker) -> None:
    for seq in (4, 2**63 - 1, 2**63, 10**19 - 1):
        assert problem(await acker.ack(f"{acker.epoch}.{seq}"), 422, "invalid")["field"] == "cursor"
    assert await acker.acked() == 0


@pytest.mark.parametrize("cursor", ["", "now", "1", "{epoch}", "{epoch}.-1", "{epoch}.1 ", "x" * 101, None, 1, ["x"]])
async def test_what_is_no_cursor_is_refused(acker: Acker, cursor: Any) -> None:
    sent = cursor.format(epoch=acker.epoch) if isinstance(cursor, str) else cursor
    assert problem(await acker.ack(sent), 422, "invalid")["field"] == "cursor"


async def test_another_epoch_is_refused(acker: Acker) -> None:
    problem(await acker.ack("zzzzzzzz.1"), 409, "epoch_changed")
    assert await acker.acked() == 0


async def test_an_acknowledgement_of_a_history_that_is_no_more_counts_for_nothing(live: Live, acker: Acker) -> None:
    assert (await acker.ack(f"{acker.epoch}.3")).status_code == 204
    async with live.starling.database.engine.begin() as connection:
        await connection.execute(text("update feeds set epoch = 'newepoch'"))
    assert await acker.acked() == 0
    assert (await acker.ack("newepoch.1")).status_code == 204
    assert await acker.acked() == 1


async def test_only_a_device_acknowledges(live: Live, acker: Acker) -> None:
    for scopes, code in (([Scope.STREAM], "device_required"), ([Scope.ITEMS_READ], "insufficient_scope")):
        client = await live.assistant(acker.person, scopes=scopes)
        problem(await client.call("POST", "/v1/ack", {"cursor": f"{acker.epoch}.1"}), 403, code)
