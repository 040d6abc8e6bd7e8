"""Starts servers as processes of their own, stops them, and reads from /proc what they used."""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.local import Postgres, Valkey
from app.telemetry import configure_logging

SERVE = ("-c", "from app.cli import main; main()", "serve", "--port", "0")
START_S = 60.0
STOP_S = 40.0
NANOSECONDS = 1_000_000_000
KIB = 1024
POSTGRES, VALKEY = "postgres", "valkey-server"


class BenchError(Exception):
    """A part of the benchmark did not do what it is there for."""


@dataclass(frozen=True)
class Running:
    """A server that accepts connections on a loopback port."""

    pid: int
    port: int

    def cpu_s(self) -> float:
        """CPU seconds of this process and its workers so far, user and system."""
        return cpu_s(self.pid) + sum(map(cpu_s, self.workers()))

    def workers(self) -> list[int]:
        """The processes that serve for it; none when it serves alone."""
        return [pid for pid in _children(self.pid) if b"worker" in _words(pid)]

    def helpers(self, program: str = POSTGRES) -> dict[int, float]:
        """CPU seconds so far of each process below it that runs this program."""
        return {pid: cpu_s(pid) for pid in _descendants(self.pid) if _program(pid) == program}

    def helpers_cpu_s(self, since: Mapping[int, float], program: str = POSTGRES) -> float:
        """CPU seconds of these since `helpers()` was asked; one that has ended does not count."""
        return sum(spent - since.get(pid, 0.0) for pid, spent in self.helpers(program).items())

    def rss_bytes(self) -> int:
        """Resident memory of the process itself."""
        return rss_bytes(self.pid)


@contextmanager
def data_directory() -> Iterator[Path]:
    """A fresh directory that the account of the embedded Postgres can enter."""
    with tempfile.TemporaryDirectory(prefix="starling-bench-") as made:
        directory = Path(made)
        directory.chmod(0o755)
        yield directory


def database_url(data_dir: Path) -> str:
    """Where the embedded database of this directory answers while a server runs."""
    return Postgres(data_dir).url


@contextmanager
def starling(
    data_dir: Path, *, workers: int = 1, environment: Mapping[str, str] | None = None, **settings: object
) -> Iterator[Running]:
    """`starling serve` on this directory, without rate limits. `settings` become `STARLING_*` variables.

    `environment` is what else is in the environment.
    """
    command = [*SERVE, "--workers", str(workers)]
    own = {"data_dir": data_dir, "rate_limits": "off", **settings}
    with process(command, own, data_dir / "serve.log", environment) as running:
        yield running


@contextmanager
def valkey(data_dir: Path) -> Iterator[Valkey]:
    """A Valkey for several servers, on a Unix socket."""
    configure_logging("warning", "auto")
    started = Valkey(data_dir)
    with asyncio.Runner() as runner:
        runner.run(started.start())
        try:
            yield started
        finally:
            runner.run(started.stop())


@contextmanager
def process(
    arguments: Sequence[str], settings: Mapping[str, object], log: Path, more: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """A Python process that logs `starling.listening`, until the body ends."""
    own = {f"STARLING_{name.upper()}": str(value) for name, value in settings.items()}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STARLING_")}
    environment = {**inherited, "STARLING_LOG_FORMAT": "json", **own, **(more or {})}
    with log.open("wb") as said:
        child = subprocess.Popen([sys.executable, *arguments], env=environment, stderr=said, stdin=subprocess.DEVNULL)
    try:
        yield Running(child.pid, _port(child, log))
    finally:
        stop(child)


def stop(child: subprocess.Popen[bytes]) -> None:
    """Ends a process, politely first."""
    child.terminate()
    try:
        child.wait(STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _port(child: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and child.poll() is None:
        for line in log.read_text().splitlines():
            if "starling.listening" in line:
                return int(json.loads(line)["address"].rpartition(":")[2])
        time.sleep(0.05)
    raise BenchError(f"A server did not start: {log.read_text()[-2000:]}")


def cpu_s(pid: int) -> float:
    """CPU seconds of one process so far, user and system; 0 when it is gone.

    `schedstat` counts nanoseconds where `stat` counts hundredths of a second. A thread that ended is not in the sum.
    """
    spent = 0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            spent += int(thread.read_text().split()[0])
    return spent / NANOSECONDS


def rss_bytes(pid: int) -> int:
    """Resident memory of one process; 0 when it is gone."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", _told(pid, "status").decode(), re.MULTILINE)
    return int(found[1]) * KIB if found else 0


def _children(pid: int) -> Iterator[int]:
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            yield from map(int, listed.read_text().split())


def _descendants(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _descendants(child)


def _words(pid: int) -> list[bytes]:
    return _told(pid, "cmdline").split(b"\0")


def _program(pid: int) -> str:
    return _told(pid, "comm").decode().strip()


def _told(pid: int, name: str) -> bytes:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return b""
