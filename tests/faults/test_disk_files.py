"""The disk of the files is full, and nothing else is: uploads are refused cleanly, all else goes on, and it heals."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from app.store.database import Database
from tests.harness.people import Person
from tests.harness.problems import problem
from tests.harness.smalldisk import SmallDisk, why_not

WHY_NOT = why_not()
MEGABYTES = 16

pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


@pytest.fixture
async def server(data_dir: Path, database_url: str) -> AsyncIterator[SmallDisk]:
    """A server whose data directory alone is on a small disk; ended whatever happens."""
    environment = {"STARLING_DATABASE_URL": database_url, "STARLING_UNSAFE_DURABILITY": "true"}
    process = SmallDisk(data_dir, environment=environment, megabytes=MEGABYTES)
    yield process
    if process.process is not None:
        process.kill()


@pytest.mark.case(12, "the disk of the files alone fills up before and during uploads")
async def test_on_a_full_disk_uploads_are_refused_and_nothing_of_them_stays(
    server: SmallDisk, database: Database
) -> None:
    device = await (await Person.make(database)).device()
    await server.start()
    blobs = server.ballast.parent / "blobs"
    content = b"x" * (MEGABYTES * 1024 * 1024 // 4)
    async with httpx2.AsyncClient(base_url=server.url, headers=device.headers, timeout=60) as http:
        kept = (await http.post("/v1/files?name=kept", content=content)).json()
        for full in (False, True):
            if full:
                server.fill()
            refused = await http.post("/v1/files?name=refused", content=content * 4)
            problem(refused, 503, "unavailable")
            assert refused.headers["retry-after"]
            assert list((blobs / "incoming").iterdir()) == []
            assert [path.name for path in (blobs / "sha256").iterdir()] == [kept["sha256"]]
            assert (await http.post("/actions/items", json={"title": f"{full}"})).status_code == 201
        server.free()
        assert (await http.get("/v1/items?kind=file")).json()["items"] == [kept["item"]]
        assert (await http.get(f"/v1/files/{kept['id']}")).content == content
        assert (await http.post("/v1/files?name=taken", content=content + b"y")).status_code == 201
    assert server.told('"blobs.failed"') == 2
