"""Connections: the pool, the role they take, the feeds a transaction may see, and what a failure means."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import asyncpg
from sqlalchemy import QueuePool, TextClause, text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app import telemetry
from app.errors import Locked, Unavailable, UnsafeDatabase, UnsupportedDatabase
from app.store import revisions
from app.store.tables import APP_ROLE, FEEDS_SETTING

OLDEST = 15
PROGRAM = "starling"
"""How connections announce themselves, with the newest revision that their code knows: see `app.store.schema`."""
POOL_TIMEOUT_S = 2.0
STATEMENT_TIMEOUT_MS = 20_000
LOCK_TIMEOUT_MS = 4_000
"""Longer than a migration waits for a lock that everybody then has to wait for."""
COMMAND_TIMEOUT_S = 25
"""For a server that does not even say that a statement took too long."""
_DURABLE = {"fsync": ("on",), "full_page_writes": ("on",), "synchronous_commit": ("on", "remote_write", "remote_apply")}
DATABASE_ERRORS = (
    SQLAlchemyError,
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresError,
)
"""Whatever a query may raise, through SQLAlchemy or through the driver; time-outs are `OSError`s."""
_GONE = (PoolTimeout, OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""No connection to be had, or one that is lost: a server's farewell puts the driver out of step before it closes."""
_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
SET_FEEDS = text(f"select set_config('{FEEDS_SETTING}', :feeds, true)")
# Of a table of which it knows little, Postgres believes that sorting a whole feed for each page is cheap.
_SET_FEEDS_AND_WALK = text(f"""
select set_config('{FEEDS_SETTING}', :feeds, true), set_config('enable_sort', 'off', true),
       set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true)
""")

# Classes of SQLSTATE that say "not now" rather than "never": connection, who may connect and where, resources,
# operator intervention, system, rolled back to be tried again, read-only.
_PASSING = ("08", "25P03", "28", "3D", "53", "57", "58", "40", "25006")
_LOCK_NOT_AVAILABLE = "55P03"


def array(ids: Sequence[UUID]) -> str:
    """A uuid[] literal."""
    return "{" + ",".join(map(str, ids)) + "}"


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of a database error, or None when the connection itself failed."""
    original = getattr(error, "orig", error)
    return getattr(original, "sqlstate", None)


def is_passing(error: BaseException) -> bool:
    """Whether the database is away or overloaded, so that the same request may succeed later."""
    if isinstance(error, ValueError):
        return False
    if isinstance(error, _GONE):
        return True
    state = sqlstate(error)
    if state is not None:
        return state.startswith(_PASSING)
    return isinstance(error, (OperationalError, InterfaceError)) or getattr(error, "connection_invalidated", False)


@asynccontextmanager
async def passing_failures() -> AsyncIterator[None]:
    """Turns "the database is away" into 503 `unavailable`, a lock that others keep into 503 `locked`, and no more."""
    try:
        yield
    except DATABASE_ERRORS as error:
        if sqlstate(error) == _LOCK_NOT_AVAILABLE:
            raise Locked from error
        if is_passing(error):
            telemetry.database_failures.inc()
            raise Unavailable("The database is not available right now; nothing was changed.") from error
        raise


class _Record(asyncpg.Record):
    """A row whose columns are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


class Prepared:
    """A statement with named parameters for the driver itself, where what SQLAlchemy adds to each call would show."""

    def __init__(self, clause: TextClause) -> None:
        compiled = clause.compile(dialect=_DIALECT)
        self._sql = compiled.string
        self._names: Sequence[str] = compiled.positiontup or ()

    async def fetch(self, connection: asyncpg.Connection, arguments: Mapping[str, Any]) -> list[Any]:
        """All rows."""
        return await connection.fetch(self._sql, *(arguments[name] for name in self._names), record_class=_Record)


@dataclass(frozen=True)
class _Lent:
    """A connection of the pool, and its driver."""

    connection: AsyncConnection
    driver: asyncpg.Connection

    @classmethod
    async def of(cls, engine: AsyncEngine) -> "_Lent":
        connection = await engine.connect()
        raw = await connection.get_raw_connection()
        return cls(connection, cast("asyncpg.Connection", raw.driver_connection))

    async def give_up(self) -> None:
        """Closes it; the pool makes another."""
        await self.connection.invalidate()
        await self.connection.close()


class Database:
    """A pool of connections that act as `starling_app`."""

    def __init__(self, url: str, *, pool_size: int = 10, lock_timeout_ms: int = LOCK_TIMEOUT_MS) -> None:
        settings = {
            "role": APP_ROLE,
            "application_name": f"{PROGRAM} {revisions.head()}",
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
            "lock_timeout": str(lock_timeout_ms),
            "idle_in_transaction_session_timeout": str(STATEMENT_TIMEOUT_MS),
            "jit": "off",
            "timezone": "UTC",
        }
        self._kept: _Lent | None = None
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            hide_parameters=True,
            pool_timeout=POOL_TIMEOUT_S,
            connect_args={"server_settings": settings, "timeout": 5, "command_timeout": COMMAND_TIMEOUT_S},
        )

    @asynccontextmanager
    async def transaction(self, *feed_ids: UUID, walks: bool = False) -> AsyncIterator[AsyncConnection]:
        """One transaction that sees the content of these feeds alone. `walks`: it reads along an index, never sorts."""
        async with passing_failures(), self.engine.begin() as connection:
            if feed_ids:
                naming = _SET_FEEDS_AND_WALK if walks else SET_FEEDS
                await connection.execute(naming, {"feeds": array(feed_ids)})
            yield connection

    @asynccontextmanager
    async def driver(self, *, keep: bool = True) -> AsyncIterator[asyncpg.Connection]:
        """A connection's driver, outside of any transaction. It is closed when the body fails.

        Else, with `keep`, it stays out of the pool for the next call: for the one who writes all the time.
        """
        async with passing_failures():
            lent, self._kept = (self._kept, None) if keep else (None, self._kept)
            if lent is not None and lent.driver.is_closed():
                await lent.give_up()
                lent = None
            lent = lent or await _Lent.of(self.engine)
            try:
                yield lent.driver
            except BaseException:
                await lent.give_up()
                raise
            if keep and self._kept is None:
                self._kept = lent
            else:
                await lent.connection.close()

    @property
    def connections(self) -> tuple[int, int]:
        """How many are in use, and how many may be."""
        pool = cast("QueuePool", self.engine.pool)
        return pool.checkedout(), pool.size()

    async def ping(self) -> None:
        """Raises `Unavailable` unless the database answers."""
        async with self.transaction() as connection:
            await connection.execute(text("select 1"))

    async def require_version(self) -> None:
        """Refuses a Postgres that is too old for the statements used here."""
        async with self.transaction() as connection:
            version = int((await connection.execute(text("show server_version_num"))).scalar_one())
        if version < OLDEST * 10_000:
            raise UnsupportedDatabase(f"The database is Postgres {version // 10_000}; {OLDEST} or newer is needed.")

    async def require_durability(self) -> None:
        """Refuses a database that may forget a commit it has confirmed."""
        async with self.transaction() as connection:
            for name, safe in _DURABLE.items():
                value = (await connection.execute(text(f"show {name}"))).scalar_one()
                if value not in safe:
                    raise UnsafeDatabase(
                        f"The database runs with {name} = {value}, so a crash could lose saved items. Turn it on, "
                        "or set STARLING_UNSAFE_DURABILITY=true if losing data is acceptable (tests)."
                    )

    async def close(self) -> None:
        """Closes every connection."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.give_up()
        await self.engine.dispose()


def is_data_error(error: BaseException) -> bool:
    """Whether one change carried something that can never be stored: no UTF-8, or SQLSTATE classes 22, 23 and 54."""
    if isinstance(error, (DBAPIError, asyncpg.PostgresError)):
        return (sqlstate(error) or "").startswith(("22", "23", "54"))
    return isinstance(error, ValueError)  # our encoder's refusal
