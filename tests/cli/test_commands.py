"""The `starling` command: what each prints and how it ends, with a server on the same data and without one."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app import cli
from tests.harness.listener import Listener
from tests.harness.process import ServerProcess

WITHIN_S = 90


async def starling(server: ServerProcess, *arguments: str, stdin: str = "", **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "app.cli", *arguments],
        env={**server._environment(), **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def failed(answer: tuple[int, str, str], code: int = 1) -> str:
    """The one line on stderr of a command that failed."""
    status, out, err = answer
    assert (status, out) == (code, ""), answer
    assert "Traceback" not in err
    if code == 1:
        assert len(err.splitlines()) == 1, err
        assert err.startswith("starling: ")
    return err


@pytest.fixture
def named(database_url: str, data_dir: Path) -> ServerProcess:
    """Commands on a named database, migrated and empty."""
    return ServerProcess(
        data_dir, environment={"STARLING_DATABASE_URL": database_url, "STARLING_UNSAFE_DURABILITY": "true"}
    )


@pytest.fixture
async def running(named: ServerProcess) -> AsyncIterator[ServerProcess]:
    """A server on that database."""
    yield await named.start()
    await named.stop()


async def test_people_devices_and_tokens_are_made_while_a_server_runs(running: ServerProcess) -> None:
    assert await starling(running, "user", "add", "ada@example.com") == (0, "Added ada@example.com.\n", "")
    code, token, err = await starling(running, "device", "add", "ada@example.com", "laptop", "--kind", "desktop")
    assert (code, err, token.count("\n")) == (0, "", 1)
    assert token.startswith("stl_")
    scope = "items:read items:write"
    code, issued, err = await starling(
        running, "token", "issue", "ada@example.com", "--client", "gpt", "--scope", scope
    )
    assert (code, err, issued.count("\n")) == (0, "", 1)
    async with httpx2.AsyncClient(base_url=running.url) as http:
        me = await http.get("/v1/me", headers={"authorization": f"Bearer {token.strip()}"})
        assert (me.json()["device"]["name"], me.json()["device"]["kind"]) == ("laptop", "desktop")
        assert "devices:manage" not in me.json()["scopes"]
        me = await http.get("/v1/me", headers={"authorization": f"Bearer {issued.strip()}"})
        assert (me.json()["client"], me.json()["scopes"], me.json()["device"]) == ("gpt", scope.split(), None)


async def test_a_new_epoch_resets_the_open_streams_of_a_running_server(running: ServerProcess) -> None:
    await starling(running, "user", "add", "ada@example.com")
    _, token, _ = await starling(running, "device", "add", "ada@example.com", "laptop")
    async with Listener(running.url, token.strip()) as device:
        await device.until_ready()
        code, out, err = await starling(running, "feed", "new-epoch")
        assert (code, out, err) == (0, "1 feeds have a new epoch.\n", "")
        await device.until_event("reset", 20)


async def test_pruning_says_what_it_did(named: ServerProcess) -> None:
    assert await starling(named, "prune") == (0, "0 expired, 0 pruned, 0 forgotten\n", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["device", "add", "nobody@example.com", "laptop"], "nobody@example.com"),
        (["token", "issue", "nobody@example.com", "--client", "x", "--scope", "stream"], "nobody@example.com"),
        (["user", "add", "Ada@example.com"], "already"),
        (["user", "add", "eve@example.com", "--password-stdin"], "password"),
    ],
)
async def test_what_cannot_be_done_is_told_in_one_line(named: ServerProcess, arguments: list[str], says: str) -> None:
    await starling(named, "user", "add", "ada@example.com")
    assert says in failed(await starling(named, *arguments, stdin="short\n"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["serve", "--port", "65536"],
        ["serve", "--nothing"],
        ["user", "add"],
        ["user", "add", "no-address"],
        ["user", "add", ""],
        ["device", "add", "ada@example.com", ""],
        ["device", "add", "ada@example.com", "x" * 101],
        ["device", "add", "ada@example.com", "laptop", "--kind", "toaster"],
        ["device", "add", "ada@example.com", "laptop", "--expires-in", "0"],
        ["token", "issue", "ada@example.com", "--scope", "stream"],
        ["token", "issue", "ada@example.com", "--client", "x"],
        ["feed"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    ended = CliRunner().invoke(cli.starling, arguments)
    assert failed((ended.exit_code, ended.stdout, ended.stderr), 2)


async def test_an_unknown_scope_is_wrong_usage_and_the_known_ones_are_named(named: ServerProcess) -> None:
    await starling(named, "user", "add", "ada@example.com")
    for scope in ("everything", "stream everything", ""):
        issue = ["token", "issue", "ada@example.com", "--client", "x", "--scope", scope]
        assert "items:read" in failed(await starling(named, *issue), 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_URL", "mysql://x"), ("METRICS_PORT", "x"), ("STREAMS_PER_USER", "0"), ("LOG_LEVEL", "loud")],
)
async def test_a_setting_that_makes_no_sense_is_named(named: ServerProcess, name: str, value: str) -> None:
    assert f"STARLING_{name}" in failed(await starling(named, "prune", **{f"STARLING_{name}": value}), 2)


async def test_a_password_is_kept_as_its_hash(named: ServerProcess) -> None:
    given = await starling(named, "user", "add", "ada@example.com", "--password-stdin", stdin="correct horse\n")
    assert given == (0, "Added ada@example.com.\n", "")
    engine = create_async_engine(named.environment["STARLING_DATABASE_URL"])
    async with engine.connect() as connection:
        kept = (await connection.execute(text("select password_hash from users"))).scalar_one()
    await engine.dispose()
    assert kept.startswith("$argon2id$")


@pytest.mark.parametrize("command", [["prune"], ["serve", "--port", "0"], ["user", "add", "ada@example.com"]])
async def test_a_named_database_is_migrated_by_its_own_command_alone(named: ServerProcess, command: list[str]) -> None:
    address = named.environment["STARLING_DATABASE_URL"]
    engine = create_async_engine(address, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("create database unmigrated"))
        try:
            empty = address.replace("/starling?", "/unmigrated?")
            assert empty != address
            assert "starling migrate" in failed(await starling(named, *command, STARLING_DATABASE_URL=empty))
            assert (await starling(named, "migrate", STARLING_DATABASE_URL=empty))[0] == 0
            assert (await starling(named, "prune", STARLING_DATABASE_URL=empty))[0] == 0
        finally:
            await connection.execute(text("drop database unmigrated with (force)"))
    await engine.dispose()


@pytest.mark.parametrize("half", ["--pre", "--post"])
async def test_each_half_of_a_migration_says_what_it_did(named: ServerProcess, half: str) -> None:
    assert await starling(named, "migrate", half) == (0, "There was nothing to do.\n", "")


@pytest.mark.parametrize("command", [["prune"], ["migrate"], ["serve", "--port", "0"]], ids=" ".join)
async def test_a_database_that_is_not_there_is_told_in_one_line(named: ServerProcess, command: list[str]) -> None:
    failed(await starling(named, *command, STARLING_DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing"))


async def test_a_database_that_may_lose_data_is_refused(named: ServerProcess) -> None:
    line = failed(await starling(named, "serve", "--port", "0", STARLING_UNSAFE_DURABILITY="false"))
    assert "fsync" in line


async def test_a_busy_port_is_told_in_one_line(named: ServerProcess) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        assert port in failed(await starling(named, "serve", "--port", port))


def test_help_and_version() -> None:
    for arguments in (["--help"], ["-h"], ["serve", "-h"], ["--version"]):
        ended = CliRunner().invoke(cli.starling, arguments)
        assert (ended.exit_code, ended.stderr) == (0, "")
        assert ended.stdout
