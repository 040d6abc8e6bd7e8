"""`starling login`: the device grant from a terminal, and a token that only its owner can read."""

import asyncio
import json
import re
import stat
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
import zxingcpp

from tests.harness.browser import Browser
from tests.harness.live import Live
from tests.harness.machine import Machine
from tests.harness.terminal import on_terminal

WITHIN_S = 60


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device may ask each second."""
    monkeypatch.setattr("app.auth.grants.DeviceEndpoint.INTERVAL", 1)


async def allow(live: Live, code: str) -> None:
    """As a person does, on any machine."""
    async with Browser.open(live.url) as browser:
        await browser.sign_up()
        await browser.go("/activate")
        await browser.send("/activate", user_code=code)
        await browser.send("/activate", decision="allow")


async def begin(url: str, home: Path, *arguments: str) -> tuple[Process, str]:
    """The command, and the code that it shows."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", "login", url, *arguments,
        env={"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    line = (await asyncio.wait_for(process.stderr.readline(), WITHIN_S)).decode()
    assert f"{url}/activate" in line, line
    return process, line.split()[-1]


async def test_it_waits_for_the_person_and_keeps_the_token(live: Live, tmp_path: Path) -> None:
    process, code = await begin(live.url, tmp_path, "--name", "work laptop")
    async with Browser.open(live.url) as browser:
        await browser.sign_up()
        await browser.go("/activate")
        await browser.send("/activate", user_code=code)
        assert "work laptop" in browser.text
        await browser.send("/activate", decision="allow")
    out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert (process.returncode, out) == (0, b"")
    path = Machine(tmp_path).credentials(live.url).directory / "token.json"
    assert str(path) in err.decode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    kept = json.loads(path.read_text())
    assert kept["access_token"] not in err.decode()
    me = (await live.get("/v1/me", kept["access_token"])).json()
    assert (me["device"]["id"], me["device"]["name"]) == (kept["device_id"], "work laptop")


async def test_a_refusal_is_told_in_one_line(live: Live, tmp_path: Path) -> None:
    process, code = await begin(live.url, tmp_path)
    async with Browser.open(live.url) as browser:
        await browser.sign_up()
        await browser.go("/activate")
        await browser.send("/activate", user_code=code)
        await browser.send("/activate", decision="deny")
    _, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert (process.returncode, err.decode()) == (1, "starling: It was not allowed.\n")
    assert not (tmp_path / "config").exists()


@pytest.mark.parametrize(("url", "code"), [("http://127.0.0.1:1", 1), ("http://starling.example", 2), ("nonsense", 2)])
async def test_a_server_that_cannot_be_used(tmp_path: Path, url: str, code: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", "login", url, env={"HOME": str(tmp_path)}, stdout=PIPE, stderr=PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert (process.returncode, out) == (code, b"")
    assert b"Traceback" not in err


DARK = ("▀█", "▄█")
"""What is dark above, and below."""
STYLED = re.compile(r"\x1b\[38;2;0;0;0;48;2;255;255;255m([ ▀▄█]+)\x1b\[0m")


def scanned(text: str) -> list[str]:
    """What a phone reads on a terminal that shows this: black and white, whatever its own colours are."""
    rows = []
    for line in STYLED.findall(text):
        for half in (0, 1):
            row = bytes(255 * (block not in DARK[half]) for block in line for _ in range(4))
            rows += [row] * 4
    picture = memoryview(b"".join(rows)).cast("B", (len(rows), len(rows[0])))
    return [found.text for found in zxingcpp.read_barcodes(picture)]


async def test_a_terminal_shows_a_code_for_a_phone(live: Live, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with on_terminal(machine.command("login", live.url), machine.environment, columns=60) as terminal:
        text = await terminal.until("allow it there")
        code = re.search(r"type (\S+)", text)
        assert code is not None
        assert scanned(text) == [f"{live.url}/activate?user_code={code[1]}"]
        await allow(live, code[1])
        assert await terminal.end() == 0


async def test_a_terminal_that_is_too_narrow_or_without_colour_shows_none(live: Live, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for columns, environment in ((30, {}), (80, {"TERM": "dumb"})):
        async with on_terminal(
            machine.command("login", live.url), {**machine.environment, **environment}, columns=columns
        ) as terminal:
            await terminal.until("/activate and type")
            terminal.interrupt()
            assert await terminal.end() == 1
        assert "█" not in terminal.text


async def test_signing_in_again_and_out_takes_back_what_there_was(live: Live, tmp_path: Path) -> None:
    machine, tokens = Machine(tmp_path), []
    for _ in range(2):
        process, code = await begin(live.url, tmp_path)
        await allow(live, code)
        await asyncio.wait_for(process.communicate(), WITHIN_S)
        tokens.append(machine.credentials(live.url).token().access_token)
    statuses = [(await live.get("/v1/me", token)).status_code for token in tokens]
    assert statuses == [401, 200]
    code_, out, err = await machine.run("logout")
    assert (code_, out, err) == (0, "", f"Signed out of {live.url}.\n")
    assert (await live.get("/v1/me", tokens[1])).status_code == 401
    assert not list(machine.home.rglob("token.json"))
    assert (await machine.run("logout"))[0] == 1


async def test_a_server_that_does_not_answer_is_not_forgotten(live: Live, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    token = await machine.sign_in(live, await live.person(), "http://127.0.0.1:1")
    code, _, err = await machine.run("logout", "http://127.0.0.1:1")
    assert (code, len(err.splitlines())) == (1, 1)
    assert machine.credentials(token.server).token() == token
