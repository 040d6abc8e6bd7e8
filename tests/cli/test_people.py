"""`starling user` and `device`: lists for people and programs, and access taken back while a server runs."""

import sys

import httpx2

from app.store.database import Database
from tests.cli.test_commands import failed, named, running, starling
from tests.harness.listener import Listener
from tests.harness.people import Person
from tests.harness.process import ServerProcess
from tests.harness.terminal import on_terminal

__all__ = ["named", "running"]  # fixtures


async def status(server: ServerProcess, token: str) -> int:
    async with httpx2.AsyncClient(base_url=server.url, timeout=30) as http:
        return (await http.get("/v1/me", headers={"authorization": f"Bearer {token}"})).status_code


async def rows(server: ServerProcess, *arguments: str) -> list[list[str]]:
    code, out, err = await starling(server, *arguments)
    assert (code, err) == (0, "")
    return [line.split("\t") for line in out.splitlines()]


async def test_a_person_is_disabled_and_enabled_while_a_server_runs(running: ServerProcess, database: Database) -> None:
    ada, bob = [await Person.make(database) for _ in range(2)]
    laptop = await ada.device()
    async with Listener(running.url, laptop.token) as stream:
        await stream.until_ready()
        email = ada.email.upper()
        assert await starling(running, "user", "disable", email) == (0, f"Disabled {email}.\n", "")
        await stream.until_end()
        assert stream.names[-1] == "revoked"
    listed = [row[:2] for row in await rows(running, "user", "list")]
    assert listed == sorted([[ada.email, "disabled"], [bob.email, "enabled"]])
    assert await starling(running, "user", "disable", email) == (0, f"{email} was disabled already.\n", "")
    assert await status(running, laptop.token) == 401
    assert await starling(running, "user", "enable", email) == (0, f"Enabled {email}.\n", "")
    assert await status(running, laptop.token) == 200


async def test_a_device_is_revoked_by_name_or_id_while_a_server_runs(
    running: ServerProcess, database: Database, person: Person
) -> None:
    laptop, phone, other = [await person.device(name, "mobile") for name in ("laptop", "phone", "phone")]
    listed = await rows(running, "device", "list", person.email)
    names = ("laptop", "phone", "phone")
    ids = [str(device.id) for device in (laptop, phone, other)]
    assert [row[:5] for row in listed] == [[*each, "mobile", "", "0"] for each in zip(ids, names, strict=True)]
    async with Listener(running.url, laptop.token) as lost, Listener(running.url, other.token) as kept:
        await lost.until_ready()
        await kept.until_ready()
        assert await starling(running, "device", "revoke", person.email, "laptop") == (0, "Revoked laptop.\n", "")
        await lost.until_end()
        assert lost.names[-1] == "revoked"
        assert ids[1] in failed(await starling(running, "device", "revoke", person.email, "phone"), 2)
        assert await starling(running, "device", "revoke", person.email, ids[1]) == (0, "Revoked phone.\n", "")
        assert [await status(running, each.token) for each in (laptop, phone, other)] == [401, 401, 200]
        assert not kept.ended


async def test_who_or_what_is_not_there_is_told_in_one_line(named: ServerProcess, person: Person) -> None:
    assert "nobody@example.com" in failed(await starling(named, "user", "disable", "nobody@example.com"))
    assert "nobody@example.com" in failed(await starling(named, "device", "list", "nobody@example.com"))
    assert r"\x1b[2Jlaptop" in failed(await starling(named, "device", "revoke", person.email, "\x1b[2Jlaptop"))


async def test_a_terminal_gets_a_table(named: ServerProcess, person: Person) -> None:
    await person.device("Ada's laptop \U0001f4bb\x1b[2J")
    command = [sys.executable, "-m", "app.cli", "device", "list", person.email]
    async with on_terminal(command, named._environment(), columns=140) as terminal:
        assert await terminal.end() == 0
    head, rule, row = [line for line in terminal.text.splitlines() if line.strip()]
    assert all(title in head for title in ("Id", "Name", "Kind", "Last seen", "Behind", "Since"))
    assert "──" in rule
    assert "never" in row
    assert "Ada's laptop \U0001f4bb\\x1b[2J" in row
