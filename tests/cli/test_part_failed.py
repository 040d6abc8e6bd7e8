"""A server whose part has ended does not stay up half dead: it ends, so that it is started anew."""

import asyncio
from pathlib import Path

import httpx2

from tests.harness.build import BuildProcess


async def test_a_server_ends_when_one_of_its_parts_does(data_dir: Path) -> None:
    server = await BuildProcess(data_dir, module="tests.harness.crumbling").start()
    process = server.process
    assert process is not None
    try:
        server.command("user", "add", "ada@example.com")
        token = server.command("token", "issue", "ada@example.com", "--client", "gpt", "--scope", "items:write")
        async with httpx2.AsyncClient(base_url=server.url, timeout=30) as http:
            save = http.post("/actions/items", json={"title": "a"}, headers={"authorization": f"Bearer {token}"})
            await asyncio.gather(save, return_exceptions=True)
        assert await asyncio.wait_for(asyncio.to_thread(process.wait), 45) == 1
        assert server.told("starling.part_failed") == 1
    finally:
        if process.poll() is None:
            server.kill()
