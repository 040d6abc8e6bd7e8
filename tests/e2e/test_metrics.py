"""The numbers on `/metrics` tell what really happened to a server."""

from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path

import httpx2
import pytest

from app.store.database import Database
from tests.harness.listener import Listener
from tests.harness.metrics import Metrics
from tests.harness.people import Assistant, Person
from tests.harness.process import ServerProcess, free_port
from tests.store.making import Published, committing, put


@pytest.fixture
async def server(database_url: str, data_dir: Path) -> AsyncIterator[ServerProcess]:
    """A process, so that its numbers are its own."""
    environment = {
        "STARLING_DATABASE_URL": database_url,
        "STARLING_UNSAFE_DURABILITY": "true",
        "STARLING_METRICS_PORT": str(free_port()),
    }
    made = await ServerProcess(data_dir, environment=environment).start()
    yield made
    await made.stop()


@pytest.fixture
def metrics(server: ServerProcess) -> Metrics:
    """What it says."""
    return Metrics(f"http://127.0.0.1:{server.environment['STARLING_METRICS_PORT']}/metrics")


async def test_what_was_written_and_delivered(server: ServerProcess, metrics: Metrics, person: Person) -> None:
    devices = [await person.device(name) for name in ("laptop", "phone")]
    async with (
        httpx2.AsyncClient(base_url=server.url) as http,
        Listener(server.url, devices[0].token) as laptop,
        Listener(server.url, devices[1].token) as phone,
    ):
        for listener in (laptop, phone):
            await listener.until_ready()
        await metrics.until(2, "starling_streams", state="live")
        await metrics.until(2, "starling_devices", state="live")
        assistant = Assistant(http, await person.token())
        for _ in range(3):
            await assistant.save()
        for listener in (laptop, phone):
            await listener.until_seq(3)
        await metrics.until(6, "starling_frames_total")
        events = [event + b"\n\n" for event in bytes(laptop.raw).split(b"\n\n") if event.startswith(b"event: item\n")]
        chunks = sum(len(b"%x\r\n%b\r\n" % (len(event), event)) for event in events)
        assert await metrics.value("starling_frame_bytes_total") == 2 * chunks
        assert await metrics.value("starling_changes_total") == 3
        assert await metrics.value("starling_commit_changes_count") == 3
        assert await metrics.value("starling_commit_seconds_count") == 3
        assert await metrics.value("starling_delivery_seconds_count") == 3
        assert 0 < await metrics.value("starling_delivery_seconds_sum") < 60
        assert await metrics.value("starling_join_seconds_count") == 2
        assert await metrics.value("starling_bus_published_total") == 3
        assert await metrics.value("starling_bus_received_total") == 3
        assert await metrics.value("starling_replies_total", route="actions", status="201") == 3
        assert await metrics.value("starling_request_seconds_count", route="actions", method="POST") == 3
        assert await metrics.value("starling_processes", version=version("starling")) == 1
        await metrics.until(0, "starling_commit_queue_changes")
        await metrics.until(2, "starling_database_connections_max", pool="write")
        assert await metrics.value("starling_loop_lag_seconds_count") > 0


async def test_cuts_resets_and_refusals(server: ServerProcess, metrics: Metrics, person: Person) -> None:
    device, other = await person.device("laptop"), await person.device("phone")
    async with httpx2.AsyncClient(base_url=server.url) as http:
        assistant = Assistant(http, await person.token())
        for _ in range(3):
            await assistant.save()
        async with Listener(server.url, device.token, cursor="nonsense") as laptop:
            await laptop.until_seq(3)
            await metrics.until(1, "starling_resets_total", reason="cursor_invalid")
            await metrics.until(3, "starling_frames_total")  # what it catches up with counts, too
            assert await metrics.value("starling_cuts_total") == 0
            async with Listener(server.url, other.token) as phone:
                await phone.until_ready()
                gone = await http.delete(f"/v1/devices/{other.id}", headers=other.headers)
                assert gone.status_code == 204
                await phone.until_end()
            await metrics.until(1, "starling_cuts_total", reason="revoked")
            await metrics.until(1, "starling_devices", state="live")
        await metrics.until(0, "starling_streams", state="live")
        assert (await http.get("/v1/me", headers=other.headers)).status_code == 401
        assert (await http.get("/v1/nothing/at/all")).status_code == 404
    assert await metrics.value("starling_replies_total", route="me", status="401") == 1
    assert await metrics.value("starling_replies_total", route="other", status="404") == 1
    assert await metrics.value("starling_replies_total", route="stream", status="200") == 2


async def test_what_the_bus_did_not_say_is_a_find_of_the_check(
    server: ServerProcess, metrics: Metrics, person: Person, database: Database
) -> None:
    device = await person.device("laptop")
    async with Listener(server.url, device.token) as laptop:
        await laptop.until_ready()
        async with committing(database, Published()) as elsewhere:
            await elsewhere.submit(put(person.feed_id, title="from a process that this one does not hear"))
        await laptop.until_seq(1, 30)
        await metrics.until(1, "starling_check_finds_total")
        assert await metrics.value("starling_fills_total") >= 1
        await metrics.until(1, "starling_frames_total")
        assert await metrics.value("starling_delivery_seconds_count") == 0
