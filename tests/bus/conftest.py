"""A Valkey of a test's own, to be killed, stopped and emptied."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.local import Valkey


@pytest.fixture
async def own_valkey(data_dir: Path) -> AsyncIterator[Valkey]:
    server = Valkey(data_dir)
    await server.start()
    yield server
    with suppress(ProcessLookupError):
        os.kill(server.pid or 0, signal.SIGCONT)
    await server.stop()
