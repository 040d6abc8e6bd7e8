"""A server process of any build: the real one, or one that was broken on purpose."""

import subprocess
import sys
from dataclasses import dataclass

from tests.harness.process import ServerProcess


@dataclass
class BuildProcess(ServerProcess):
    """`python -m <module> serve`; the module takes the arguments of `starling`."""

    module: str = "app.cli"

    async def start(self) -> "BuildProcess":
        """Starts it; returns when it is ready."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / "server.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220
                [sys.executable, "-m", self.module, "serve", "--port", str(self.port)],
                env=self._environment(),
                stderr=log,
            )
        await self.ready()
        return self
