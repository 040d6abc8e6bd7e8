"""Is the process alive, are the parts behind it there."""

from pathlib import Path

from tests.harness.live import Live
from tests.harness.outage import outage_before, serving_through
from tests.harness.problems import problem
from tests.harness.waiting import eventually


async def test_a_healthy_server_says_so_to_anybody(live: Live) -> None:
    for path in ("/healthz", "/readyz"):
        response = await live.http.get(path)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("application/json")


async def test_readiness_names_its_parts(live: Live) -> None:
    assert (await live.http.get("/readyz")).json() == {"status": "ready", "database": "up", "bus": "up"}


async def test_without_its_database_the_process_is_alive_and_not_ready(database_url: str, own_dir: Path) -> None:
    async with outage_before(database_url) as outage, serving_through(outage, own_dir) as live:
        assert (await live.http.get("/readyz")).status_code == 200
        await outage.begin()
        response = await live.http.get("/readyz")
        found = problem(response, 503, "unavailable")
        assert found["retryable"] is True
        assert int(response.headers["retry-after"]) >= 1
        assert (await live.http.get("/healthz")).status_code == 200
        await outage.end()

        async def ready() -> bool:
            return (await live.http.get("/readyz")).status_code == 200

        await eventually(ready)
