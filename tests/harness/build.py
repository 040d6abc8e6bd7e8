"""A server process of any build: the real one, or one that was broken on purpose."""

import sys
from dataclasses import dataclass

from tests.harness.process import ServerProcess


@dataclass
class BuildProcess(ServerProcess):
    """`python -m <module> serve`; the module takes the arguments of `starling`."""

    module: str = "app.cli"

    @property
    def program(self) -> list[str]:
        """The module."""
        return [sys.executable, "-m", self.module]
