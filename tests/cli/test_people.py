"""`starling user` and `device`: lists for people and programs, and access taken back while a server runs."""

import sys

import httpx2

from tests.cli.test_commands import failed, named, running, starling
from tests.harness.listener import Listener
from tests.harness.process import ServerProcess
from tests.harness.terminal import on_terminal

__all__ = ["named", "running"]  # fixtures
ADA = "ada@example.com"


async def added(server: ServerProcess, name: str, email: str = ADA) -> str:
    """A device's token."""
    code, out, err = await starling(server, "device", "add", email, name)
    assert code == 0, err
    return out.strip()


async def status(server: ServerProcess, token: str) -> int:
    async with httpx2.AsyncClient(base_url=server.url, timeout=30) as http:
        return (await http.get("/v1/me", headers={"authorization": f"Bearer {token}"})).status_code


async def rows(server: ServerProcess, *arguments: str) -> list[list[str]]:
    code, out, err = await starling(server, *arguments)
    assert (code, err) == (0, "")
    return [line.split("\t") for line in out.splitlines()]


async def test_a_person_is_disabled_and_enabled_while_a_server_runs(running: ServerProcess) -> None:
    for email in (ADA, "bob@example.com"):
        await starling(running, "user", "add", email)
    token = await added(running, "laptop")
    async with Listener(running.url, token) as device:
        await device.until_ready()
        assert await starling(running, "user", "disable", ADA.upper()) == (0, f"Disabled {ADA.upper()}.\n", "")
        await device.until_end()
        assert device.names[-1] == "revoked"
    assert [row[:2] for row in await rows(running, "user", "list")] == [
        [ADA, "disabled"],
        ["bob@example.com", "enabled"],
    ]
    assert await starling(running, "user", "disable", ADA) == (0, f"{ADA} was disabled already.\n", "")
    assert await status(running, token) == 401
    assert await starling(running, "user", "enable", ADA) == (0, f"Enabled {ADA}.\n", "")
    assert await starling(running, "user", "enable", ADA) == (0, f"{ADA} was not disabled.\n", "")
    assert await status(running, token) == 200


async def test_a_device_is_revoked_by_name_or_id_while_a_server_runs(running: ServerProcess) -> None:
    await starling(running, "user", "add", ADA)
    tokens = [await added(running, name) for name in ("laptop", "phone", "phone")]
    listed = await rows(running, "device", "list", ADA)
    assert [(name, kind, seen, behind) for _, name, kind, seen, behind, _ in listed] == [
        ("laptop", "cli", "", "0"),
        ("phone", "cli", "", "0"),
        ("phone", "cli", "", "0"),
    ]
    laptop, phone, other = [row[0] for row in listed]
    async with Listener(running.url, tokens[0]) as lost, Listener(running.url, tokens[2]) as kept:
        await lost.until_ready()
        await kept.until_ready()
        assert await starling(running, "device", "revoke", ADA, "laptop") == (0, "Revoked laptop.\n", "")
        await lost.until_end()
        assert lost.names[-1] == "revoked"
        assert phone in failed(await starling(running, "device", "revoke", ADA, "phone"), 2)
        assert await starling(running, "device", "revoke", ADA, phone) == (0, "Revoked phone.\n", "")
        assert [row[0] for row in await rows(running, "device", "list", ADA)] == [other]
        assert not kept.ended
    failed(await starling(running, "device", "revoke", ADA, laptop))


async def test_who_or_what_is_not_there_is_told_in_one_line(named: ServerProcess) -> None:
    assert "nobody@example.com" in failed(await starling(named, "user", "disable", "nobody@example.com"))
    assert "nobody@example.com" in failed(await starling(named, "device", "list", "nobody@example.com"))
    await starling(named, "user", "add", ADA)
    assert r"\x1b[2Jlaptop" in failed(await starling(named, "device", "revoke", ADA, "\x1b[2Jlaptop"))


async def test_a_terminal_gets_a_table(named: ServerProcess) -> None:
    await starling(named, "user", "add", ADA)
    await added(named, "Ada's laptop \U0001f4bb")
    command = [sys.executable, "-m", "app.cli", "device", "list", ADA]
    async with on_terminal(command, named._environment(), columns=140) as terminal:
        assert await terminal.end() == 0
    head, rule, row = [line for line in terminal.text.splitlines() if line.strip()]
    assert all(title in head for title in ("Id", "Name", "Kind", "Last seen", "Behind", "Since"))
    assert "──" in rule
    assert "never" in row
    assert "Ada's laptop \U0001f4bb" in row
