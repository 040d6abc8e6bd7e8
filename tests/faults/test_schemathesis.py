"""Every operation of both documents, called with what they allow and with what they do not (case 24)."""

import asyncio
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from litestar import Request

from app.api import requests
from app.auth.clients import ASSISTANT_SCOPES
from app.model import Scope
from tests.harness import schemathesis_hooks
from tests.harness.counts import times
from tests.harness.live import Live
from tests.harness.people import Person

EXAMPLES = times(15, full=150)
PROGRAM = Path(sys.executable).with_name("schemathesis")
ENDLESS = "openStream"
"""A stream has no end to wait for. What it refuses, tests of its own ask (`tests/e2e/test_stream.py`)."""


async def run(
    live: Live, folder: Path, document: str, token: str, *options: str, own_device: str = ""
) -> tuple[int, str]:
    """Its exit status and what it printed. The same document leads to the same requests, each time."""
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        "run",
        f"{live.url}/openapi/{document}.json",
        f"--header=Authorization: Bearer {token}",
        "--checks=all",
        "--generation-deterministic",
        "--generation-allow-x00=false",  # no document says so, and case 23 does
        "--continue-on-failure",
        "--request-timeout=60",
        "--no-color",
        *options,
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": schemathesis_hooks.__file__, "OWN_DEVICE": own_device},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), times(240, full=1800))
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, printed.decode()


TESTED, KNOWN, CASES = r"Tested: (\d+)", r"Selected: \d+/(\d+)", r"(\d+) generated"


def count(words: str, printed: str) -> int:
    found = re.search(words, printed)
    assert found is not None, printed
    return int(found[1])


async def seeded(live: Live) -> Person:
    """Somebody with items, so that reads find some."""
    person = await live.person()
    assistant = await live.assistant(person)
    for n in range(3):
        await assistant.save(title=f"item {n}")
    return person


@pytest.mark.case(24, f"all operations but the stream, valid, invalid, without auth and in sequences, {EXAMPLES} each")
async def test_what_assistants_may_call(live: Live, tmp_path: Path, saw: Callable[[str], None]) -> None:
    token = await (await seeded(live)).token(scopes=ASSISTANT_SCOPES)
    status, printed = await run(live, tmp_path, "actions", token, f"--max-examples={EXAMPLES}")
    assert status == 0, printed
    assert count(TESTED, printed) == count(KNOWN, printed)
    saw(f"{count(CASES, printed)} requests by actions.json")


@pytest.mark.case(24, "the same for devices")
async def test_what_devices_may_call(live: Live, tmp_path: Path, saw: Callable[[str], None]) -> None:
    device = await (await seeded(live)).device(more=[Scope.DEVICES_MANAGE])
    options = (f"--max-examples={EXAMPLES}", f"--exclude-operation-id={ENDLESS}")
    status, printed = await run(live, tmp_path, "api", device.token, *options, own_device=str(device.id))
    assert status == 0, printed
    assert count(TESTED, printed) == count(KNOWN, printed) - 1
    assert (await live.get("/v1/me", device.token)).json()["device"]["id"] == str(device.id)
    saw(f"{count(CASES, printed)} requests by api.json")


@pytest.mark.control(24, "a server that lets anybody in, and fails at one operation")
async def test_control_both_are_found_out(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await (await seeded(live)).token()

    def anybody(_: Request[Any, Any, Any]) -> str:
        return token

    async def failing(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(requests, "bearer", anybody)
    monkeypatch.setattr(live.starling.services.devices, "page", failing)
    chosen = ("--include-operation-id=findItems", "--include-operation-id=listDevices")
    status, printed = await run(live, tmp_path, "actions", token, "--phases=fuzzing", "--max-examples=3", *chosen)
    assert status == 1
    assert "API accepts requests without authentication" in printed, printed
    assert "Server error" in printed, printed
