"""Messages over the wire, in both eras of the protocol."""

import pytest

from tests.harness.live import Live
from tests.harness.mcp import ERAS, Wire
from tests.harness.people import Person


@pytest.fixture
async def person(live: Live) -> Person:
    return await live.person()


@pytest.fixture
async def wires(live: Live) -> list[Wire]:
    """The assistant of somebody for each era, of the newest last."""
    return [Wire(live.http, await (await live.person()).token(), era) for era in ERAS]
