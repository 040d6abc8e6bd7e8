"""Two servers with one Postgres and one Valkey, as on two machines, and what each part of them uses."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from redis import Redis

from bench import database, server


class Used(NamedTuple):
    """CPU seconds of each part, Valkey's count of commands and of bytes that it sent, and bytes of WAL."""

    writer: float
    other: float
    postgres: float
    valkey: float
    commands: float
    sent: float
    wal: float
    at: float

    def since(self, before: "Used") -> "Used":
        """What was used from then to now."""
        return Used(*(now - then for now, then in zip(self, before, strict=True)))

    def by(self, number: float) -> "Used":
        """The share of each of so many."""
        return Used(*(each / number for each in self))


class Pair:
    """`writer` is asked to save, `other` hears of it over the bus."""

    def __init__(
        self, writer: server.Running, other: server.Running, valkey_pid: int, redis: Redis, directory: Path
    ) -> None:
        self.writer, self.other, self.redis = writer, other, redis
        self._valkey_pid = valkey_pid
        self._directory = directory

    def used(self) -> Used:
        """So far."""
        told = self.redis.info("stats")
        return Used(
            self.writer.cpu_s(),
            self.other.cpu_s(),
            sum(self.writer.helpers().values()),
            server.cpu_s(self._valkey_pid),
            float(told["total_commands_processed"]),
            float(told["total_net_output_bytes"]),
            float(database.sql(self._directory, "select pg_current_wal_insert_lsn() - '0/0'")),
            time.monotonic(),
        )


@contextmanager
def pair() -> Iterator[tuple[Pair, str]]:
    """Both servers, and the address of their database."""
    with server.data_directory() as here, server.data_directory() as there, server.valkey(here) as valkey:
        url = server.database_url(here)
        with (
            server.starling(here, redis_url=valkey.url) as writer,
            server.starling(there, database_url=url, redis_url=valkey.url) as other,
            Redis.from_url(valkey.url) as redis,
        ):
            yield Pair(writer, other, valkey.pid or 0, redis, here), url
