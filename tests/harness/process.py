"""A server as a process of its own: started by the command a person uses, killed as a machine kills."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx2

from app.local import Postgres
from tests.harness.killing import family
from tests.harness.waiting import eventually

WORKERS_S = 90.0


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class ServerProcess:
    """`starling serve` on a data directory of its own; with a database URL, on that database."""

    data_dir: Path
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    workers: int = 1
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def program(self) -> list[str]:
        """What takes the arguments of `starling`."""
        return [sys.executable, "-m", "app.cli"]

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STARLING_")}
        own = {"DATA_DIR": str(self.data_dir), "LOG_FORMAT": "json", "RATE_LIMITS": "off"}
        return {**kept, **{f"STARLING_{name}": value for name, value in own.items()}, **self.environment}

    def serving(self) -> list[str]:
        """What the command is given."""
        more = [] if self.workers == 1 else ["--workers", str(self.workers)]
        return ["serve", "--port", str(self.port), *more]

    def command(self, *arguments: str) -> str:
        """Runs another `starling` command on the same data; what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    async def start(self) -> Self:
        """Starts it; returns when it is ready, with all its workers."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        before = self.told("starling.listening")
        with (self.data_dir / "server.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220
                [*self.program, *self.serving()],
                env=self._environment(),
                stderr=log,
            )
        await self.ready()
        await eventually(lambda: self.told("starling.listening") > before, WORKERS_S, "all workers")
        return self

    async def renew(self) -> None:
        """SIGHUP: other workers; returns when the last of the old ones has ended."""
        assert self.process is not None
        before = self.told("workers.renewed")
        self.process.send_signal(signal.SIGHUP)
        await eventually(lambda: self.told("workers.renewed") > before, WORKERS_S, "the renewal")

    async def ready(self, within: float = 45.0) -> None:
        """Returns when it answers that it is ready."""
        async with httpx2.AsyncClient(timeout=5) as http:

            async def is_ready() -> bool:
                assert self.process is None or self.process.poll() is None, self.log()
                try:
                    return (await http.get(f"{self.url}/readyz")).status_code == 200
                except httpx2.TransportError:
                    return False

            await eventually(is_ready, within, "readiness")

    def told(self, event: str) -> int:
        """How often its log names that event."""
        log = self.data_dir / "server.log"
        return log.read_text().count(event) if log.exists() else 0

    def log(self) -> str:
        """The end of its log."""
        return (self.data_dir / "server.log").read_text()[-4000:]

    def kill(self) -> None:
        """As a machine kills: kill -9, at once."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    async def stop(self, within: float = 15.0) -> int:
        """As a person stops it: SIGTERM; its exit code."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(asyncio.to_thread(process.wait), within)

    @property
    def database_url(self) -> str:
        """The database that it was given, or the embedded one."""
        return self.environment.get("STARLING_DATABASE_URL") or Postgres(self.data_dir).url

    @property
    def postmaster(self) -> int:
        """The embedded Postgres's process id."""
        return int((self.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])

    @property
    def valkey(self) -> int:
        """The embedded Valkey's process id."""
        return int((self.data_dir / "valkey.pid").read_text())

    @property
    def worker_pids(self) -> list[int]:
        """The processes that serve, when there are several."""
        assert self.process is not None
        return [pid for pid in family(self.process.pid) if b"worker" in _arguments(pid)]


def _arguments(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
