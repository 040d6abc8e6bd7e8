"""A command on a terminal of its own, as a person runs it."""

import asyncio
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

WITHIN_S = 60.0


@dataclass
class Terminal:
    """What the process has written to its terminal by now, standard error included."""

    process: asyncio.subprocess.Process
    written: bytearray = field(default_factory=bytearray)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    @property
    def text(self) -> str:
        """As characters."""
        return self.written.decode(errors="replace")

    async def until(self, words: str, within: float = WITHIN_S) -> str:
        """Returns when these words were written."""
        async with asyncio.timeout(within):
            while words not in self.text:
                assert not self.ended, self.text
                self._news.clear()
                await self._news.wait()
        return self.text

    async def end(self, within: float = WITHIN_S) -> int:
        """Returns when the process has ended: its exit code."""
        async with asyncio.timeout(within):
            while not self.ended:
                self._news.clear()
                await self._news.wait()
            return await self.process.wait()

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def take(self, side: int) -> None:
        """Reads what is there."""
        try:
            received = os.read(side, 65536)
        except OSError:  # nobody has the other side any more
            received = b""
        self.written += received
        if not received:
            self.ended = True
            asyncio.get_running_loop().remove_reader(side)
        self._news.set()


@asynccontextmanager
async def on_terminal(
    arguments: list[str], environment: Mapping[str, str], *, columns: int = 100, lines: int = 40
) -> AsyncIterator[Terminal]:
    """The command; it is killed if it still runs at the end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    kept = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    given = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", **kept}
    process = await asyncio.create_subprocess_exec(
        *arguments, env=given, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    terminal, loop = Terminal(process), asyncio.get_running_loop()
    loop.add_reader(ours, terminal.take, ours)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        loop.remove_reader(ours)
        os.close(ours)
