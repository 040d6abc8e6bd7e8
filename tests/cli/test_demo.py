"""The demo as a person runs it, and its verdict."""

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.cli.demo.verdict import faults, newest
from app.local import sockets

DEADLINE_S = 180
STARLING = "from app.cli import main; main()"
# The phone is deaf to one of the items that are saved while it is away.
DEAF = """
from app.cli import main
from app.cli.demo.follower import Follower

keep = Follower._keep

def half_deaf(self, receipt):
    if (self.name, receipt.item.get("title")) != ("phone", "Train at 14:32"):
        keep(self, receipt)

Follower._keep = half_deaf
main()
"""


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """Not below pytest's own directory, which is closed to the account that Postgres runs as."""
    parent = Path(tempfile.mkdtemp(prefix="starling-test-"))
    parent.chmod(0o755)
    yield parent / "data"
    shutil.rmtree(sockets.socket_directory(parent / "data"), ignore_errors=True)
    shutil.rmtree(parent)


def environment(data_dir: Path) -> dict[str, str]:
    return {**os.environ, "STARLING_DATA_DIR": str(data_dir)}


def starling(data_dir: Path, *arguments: str, program: str = STARLING, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment(data_dir) | more,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def run(data_dir: Path, *arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
    return starling(data_dir, "demo", *arguments, **options)


def postmaster(data_dir: Path) -> Path:
    return data_dir / "postgres" / "postmaster.pid"


def test_tells_the_story_twice(data_dir: Path) -> None:
    for signs in ("signs up", "signs in"):
        told = run(data_dir, "--once", "--port", "0")
        assert told.returncode == 0, told.stdout + told.stderr
        assert told.stderr == ""
        lines = told.stdout.splitlines()
        assert lines[0].startswith("Starling")
        assert any(f"demo@example.com {signs} and lets two assistants" in line for line in lines)
        assert sum("shows the code" in line and "allowed at /activate" in line for line in lines) == 3
        assert sum("online after" in line for line in lines) == 3
        assert sum("allowed on the consent page" in line for line in lines) == 2
        for got in ('got "Milk"', 'got "Coffee"'):
            assert sum(got in line and line.rstrip().endswith(" acknowledged") for line in lines) == 3
        assert any("saveItem, by MCP" in line for line in lines)
        assert sum("got 7 changes" in line for line in lines) == 2
        assert sum(line.startswith("   phone   #") for line in lines) == 6
        assert any('"Rye bread"' in line and "changed" in line for line in lines)
        assert any('"Milk"' in line and "deleted" in line for line in lines)
        assert any("All is well" in line for line in lines)
        assert not any("\x1b" in line for line in lines)
        assert not postmaster(data_dir).exists()
    for path in (data_dir / "demo").rglob("*.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    listed = starling(data_dir, "device", "list", "demo@example.com").stdout.splitlines()
    assert [line.split("\t")[1] for line in listed] == ["laptop", "phone", "browser"], "those of the first run are gone"


def test_says_what_a_device_missed(data_dir: Path) -> None:
    told = run(data_dir, "--once", "--port", "0", program=DEAF)
    assert told.returncode == 1, told.stdout + told.stderr
    assert "FAILED: the phone missed #" in told.stdout
    assert '"Train at 14:32"' in told.stdout
    assert "All is well" not in told.stdout


def test_a_taken_port(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = run(data_dir, "--port", str(port))
    assert told.returncode == 1
    assert told.stderr.startswith(f"starling: Port {port} is taken.")
    assert len(told.stderr.splitlines()) == 1
    assert told.stdout == ""


@pytest.mark.parametrize(("seen", "number"), [("Starling", signal.SIGTERM), ("Who is let in", signal.SIGINT)])
async def test_ends_in_order(data_dir: Path, seen: str, number: signal.Signals) -> None:
    program = (sys.executable, "-c", STARLING, "demo", "--port", "0")
    process = await asyncio.create_subprocess_exec(
        *program, env=environment(data_dir), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        while seen not in (line := (await process.stdout.readline()).decode()):
            assert line, "it ended by itself"
        process.send_signal(number)
        told, logged = await process.communicate()
    assert process.returncode == 0, logged
    assert told.decode().endswith("Stopped.\n")
    assert logged == b""
    assert not postmaster(data_dir).exists()


def test_who_may_not_sign_up_is_told_so(data_dir: Path) -> None:
    (data_dir / "demo" / "person.json").unlink(missing_ok=True)
    told = run(data_dir, "--once", "--port", "0", STARLING_SIGN_UP="closed")
    assert told.returncode == 1
    assert "STARLING_SIGN_UP" in told.stderr
    assert len(told.stderr.splitlines()) == 1


def state(seq: int, item_id: str, title: str | None) -> dict[str, Any]:
    return {"id": item_id, "seq": seq, "title": title, "deleted": title is None}


SAVED = [state(1, "a", "old"), state(2, "b", "two"), state(3, "a", "new"), state(4, "b", None)]


def test_the_newest_states() -> None:
    assert newest(SAVED) == SAVED[2:]


@pytest.mark.parametrize("got", [SAVED, SAVED[2:], SAVED[1:]])
def test_nothing_is_wrong(got: list[dict[str, Any]]) -> None:
    assert faults(got, SAVED) == []


@pytest.mark.parametrize(
    ("got", "wrong"),
    [
        (SAVED[:3], ["missed #4 (a deletion)"]),
        ([SAVED[0], SAVED[3]], ['missed #3 "new"']),
        ([], ['missed #3 "new"', "missed #4 (a deletion)"]),
        ([*SAVED, state(5, "c", "five")], ['got #5 "five", which was not saved']),
        ([state(3, "a", "other"), SAVED[3]], ['got #3 "other" not as it was saved']),
        ([SAVED[3], SAVED[2]], ["got #4 before #3"]),
        ([SAVED[2], SAVED[3], SAVED[3]], ["got #4 2 times"]),
    ],
)
def test_what_is_wrong(got: list[dict[str, Any]], wrong: list[str]) -> None:
    assert faults(got, SAVED) == wrong
