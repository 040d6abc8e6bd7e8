"""`starling serve --workers`: several processes behind one port, their deaths, their renewal, their end."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.store.database import Database
from tests.harness.killing import family
from tests.harness.listener import Listener
from tests.harness.metrics import Metrics
from tests.harness.people import Person
from tests.harness.process import ServerProcess, free_port
from tests.harness.waiting import eventually

WITHIN = 90.0


@pytest.fixture
async def crew(database_url: str, own_dir: Path) -> AsyncIterator[ServerProcess]:
    """Two workers, which serve, on the test's database and an embedded Valkey."""
    settings = {"DATABASE_URL": database_url, "UNSAFE_DURABILITY": "true", "METRICS_PORT": str(free_port())}
    environment = {f"STARLING_{name}": value for name, value in settings.items()}
    server = ServerProcess(own_dir, environment=environment, workers=2)
    await server.start()
    await eventually(lambda: "starling.listening" in logged(server), WITHIN, "all workers")
    yield server
    await server.stop(within=60)


def logged(server: ServerProcess) -> str:
    return (server.data_dir / "server.log").read_text()


class Device:
    """A device that reconnects with its cursor whenever its stream ends, as the protocol says."""

    def __init__(self, url: str, token: str) -> None:
        self.listener = Listener(url, token)
        self.connections = 0

    async def run(self) -> None:
        while True:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self.listener.open()
                self.connections += 1
                await self.listener.until_end(within=3600)
            await self.listener.close()
            await asyncio.sleep(0.1)

    @property
    def titles(self) -> list[str]:
        return [item["title"] for item in self.listener.items]


async def save(url: str, token: str, title: str) -> httpx2.Response:
    """On a connection of its own, so that any worker may get it."""
    async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
        body = {"title": title, "request_id": title}
        return await http.post("/actions/items", json=body, headers={"authorization": f"Bearer {token}"})


async def devices_of(person: Person, server: ServerProcess, count: int) -> tuple[list[Device], list[Any]]:
    devices = [Device(server.url, (await person.device(f"{n}")).token) for n in range(count)]
    tasks = [asyncio.create_task(device.run()) for device in devices]
    await eventually(lambda: all("ready" in device.listener.names for device in devices), WITHIN, "all devices")
    return devices, tasks


async def stop_all(devices: list[Device], tasks: list[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for device in devices:
        await device.listener.close()


async def all_have(devices: list[Device], titles: list[str]) -> None:
    await eventually(lambda: all(set(titles) <= set(device.titles) for device in devices), WITHIN, "every item")
    for device in devices:
        seqs = device.listener.seqs
        assert seqs == sorted(set(seqs))


async def test_a_dead_worker_is_replaced_and_nothing_is_lost(crew: ServerProcess, database: Database) -> None:
    person = await Person.make(database)
    token = await person.token()
    devices, tasks = await devices_of(person, crew, 8)
    before = crew.worker_pids
    assert len(before) == 2
    titles = []
    for n in range(60):
        if n == 20:
            os.kill(before[0], signal.SIGKILL)
        titles.append(f"item {n}")
        with suppress(httpx2.TransportError):
            assert (await save(crew.url, token, titles[-1])).status_code == 201
            continue
        assert (await save(crew.url, token, titles[-1])).status_code in (200, 201)  # it died with the request
    await all_have(devices, titles)
    await eventually(lambda: len(crew.worker_pids) == 2 and before[0] not in crew.worker_pids, WITHIN, "another worker")
    assert before[1] in crew.worker_pids
    metrics = Metrics(f"http://127.0.0.1:{crew.environment['STARLING_METRICS_PORT']}/metrics")
    assert await metrics.value("starling_changes_total") >= 59  # the dead one's are still counted
    await metrics.until(2, "starling_processes")
    await metrics.until(8, "starling_streams")
    await stop_all(devices, tasks)


async def test_sighup_renews_the_workers_and_loses_no_request(crew: ServerProcess, database: Database) -> None:
    assert crew.process
    person = await Person.make(database)
    token = await person.token()
    devices, tasks = await devices_of(person, crew, 4)
    before = crew.worker_pids
    titles: list[str] = []
    crew.process.send_signal(signal.SIGHUP)
    while "workers.renewed" not in logged(crew):
        titles.append(f"item {len(titles)}")
        assert (await save(crew.url, token, titles[-1])).status_code == 201
    assert set(before).isdisjoint(crew.worker_pids)
    assert len(crew.worker_pids) == 2
    await all_have(devices, titles)
    assert all(device.connections > 1 for device in devices)
    assert all("bye" in device.listener.names for device in devices)
    assert not any(device.listener.dropped for device in devices)
    await stop_all(devices, tasks)


async def test_sigterm_ends_everything_and_every_stream_is_told(crew: ServerProcess, database: Database) -> None:
    assert crew.process
    person = await Person.make(database)
    listeners = [await Listener(crew.url, (await person.device(f"{n}")).token).open() for n in range(6)]
    for each in listeners:
        await each.until_ready()
    everybody = family(crew.process.pid)
    assert len(everybody) == 4  # with the workers and Valkey
    assert await crew.stop(within=30) == 0
    for each in listeners:
        await each.until_end()
        assert (each.names[-1], each.dropped) == ("bye", False)
        await each.close()
    await eventually(lambda: not any(family(pid) for pid in everybody), 10, "the end of all")
    assert logged(crew).count("starling.listening") == 1
    assert "worker.died" not in logged(crew)


async def test_workers_and_servers_die_with_a_killed_parent(data_dir: Path) -> None:
    server = await ServerProcess(data_dir, workers=2).start()
    assert server.process
    await eventually(lambda: "starling.listening" in logged(server), WITHIN, "all workers")
    everybody = [*family(server.process.pid), server.postmaster, server.valkey]
    server.kill()
    await eventually(lambda: not any(family(pid) for pid in everybody), 30, "the end of all")
    await server.start()
    assert await server.stop(within=60) == 0


async def test_a_crew_that_cannot_start_says_why_once(data_dir: Path, database_url: str) -> None:
    server = ServerProcess(data_dir, environment={"STARLING_DATABASE_URL": database_url}, workers=3)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "app.cli", *server.serving()],
        env=server._environment(),
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("so a crash could lose saved items") == 1
    assert done.stderr.splitlines()[-1].startswith("starling: A worker did not start")


async def test_sigterm_before_they_serve_ends_them_too(own_dir: Path) -> None:
    server = ServerProcess(own_dir, workers=2)
    with (own_dir / "server.log").open("ab") as log:
        server.process = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-m", "app.cli", *server.serving()], env=server._environment(), stderr=log
        )
    await eventually(lambda: bool(server.worker_pids), WITHIN, "a worker")
    everybody = family(server.process.pid)
    assert await server.stop(within=60) == 0
    await eventually(lambda: not any(family(pid) for pid in everybody), 10, "the end of all")
