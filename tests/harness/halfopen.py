"""A device behind a cable of its own that can be pulled: a network namespace, a pair of interfaces, a process in it."""

import asyncio
import os
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass, field

NEEDS = None if shutil.which("ip") and os.geteuid() == 0 else "needs root and iproute2 for a network namespace"

_DEVICE = """
import socket, sys, time
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=30)
peer.sendall(f"GET /v1/stream HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer {sys.argv[3]}\\r\\n\\r\\n".encode())
seen = b""
while b"event: ready" not in seen:
    seen += peer.recv(65536)
print("ready", flush=True)
time.sleep(600)
"""


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=True)


@dataclass
class Cable:
    """`async with Cable() as cable:`; the server's end has the address `server`."""

    name: str = field(default_factory=lambda: f"st{os.getpid() % 100000}")
    server: str = "198.18.77.1"
    device: str = "198.18.77.2"
    process: Process | None = None

    async def __aenter__(self) -> "Cable":
        here, there = f"{self.name}a", f"{self.name}b"
        _ip("netns", "add", self.name)
        _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", self.name)
        _ip("address", "add", f"{self.server}/30", "dev", here)
        _ip("link", "set", here, "up")
        _ip("-n", self.name, "address", "add", f"{self.device}/30", "dev", there)
        _ip("-n", self.name, "link", "set", there, "up")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        _ip("link", "delete", f"{self.name}a", check=False)
        _ip("netns", "delete", self.name, check=False)

    async def listen(self, port: int, token: str) -> None:
        """A device at the other end opens a stream; returns when it is ready."""
        arguments = ["netns", "exec", self.name, sys.executable, "-c", _DEVICE, self.server, str(port), token]
        self.process = await asyncio.create_subprocess_exec("ip", *arguments, stdout=PIPE)
        assert self.process.stdout is not None
        assert await asyncio.wait_for(self.process.stdout.readline(), 30) == b"ready\n"

    def pull(self) -> None:
        """No packet passes any more, and nobody is told."""
        _ip("-n", self.name, "link", "set", f"{self.name}b", "down")
