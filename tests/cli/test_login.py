"""`starling login`: the device grant from a terminal, and a token that only its owner can read."""

import asyncio
import json
import stat
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from tests.harness.browser import Browser
from tests.harness.live import Live

WITHIN_S = 60


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
    path = tmp_path / "config" / "starling" / "credentials.json"
    assert str(path) in err.decode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    kept = json.loads(path.read_text())[live.url]
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
