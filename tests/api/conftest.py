"""A device that was offline."""

import pytest

from tests.harness.live import Live
from tests.harness.offline import Offline


@pytest.fixture
async def offline(live: Live) -> Offline:
    person = await live.person()
    device = await person.device()
    epoch = (await live.get("/v1/me", device.token)).json()["feed"]["epoch"]
    return Offline(live, device, await live.assistant(person), epoch)
