"""The workers behind one port: started together, replaced when they die, renewed one after another, ended together."""

import asyncio
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from app.bus.shared_presence import forget
from app.cli.worker import Orders, Worker
from app.errors import StarlingError
from app.local import Backoff

log = structlog.get_logger(__name__)


class CannotStart(StarlingError):
    """A worker did not start; what it said stands above."""

    code = "cannot_start"


class Place:
    """One worker's place, and who has it."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._worker: Worker | None = None
        self._leaving: Worker | None = None
        self._filling = asyncio.Lock()
        self._backoff = Backoff()

    async def fill(self) -> bool:
        """Starts a worker unless there is one; whether it serves."""
        async with self._filling:
            if self._worker is not None:
                return True
            self._worker = self._started()
            if self._worker is None:
                return False
            if not await self._worker.serves():
                await self._worker.end()
                return False
            self._backoff.started()
            return True

    async def keep(self) -> None:
        """Fills the place again whenever its worker dies, until cancelled."""
        while True:
            await self.fill()
            worker = self._worker
            if worker is None:
                await asyncio.sleep(self._backoff.next())
                continue
            code = await worker.gone()
            if self._worker is worker:
                log.warning("worker.died", pid=worker.pid, exit_code=code)
                self._worker = None
            await self._bury(worker)
            if self._worker is None:
                await asyncio.sleep(self._backoff.next())

    async def renew(self) -> bool:
        """Gives the place to a new worker once that serves, and then ends the old one; False: it does not serve."""
        async with self._filling:
            successor = self._started()
            if successor is None:
                return False
            try:
                if not await successor.serves():
                    log.error("worker.not_renewed", pid=successor.pid)
                    await successor.end()
                    return False
            except asyncio.CancelledError:
                await successor.end()
                raise
            self._leaving, self._worker = self._worker, successor
        log.info("worker.renewed", pid=successor.pid)
        if self._leaving is not None:
            await self._leaving.end()
        return True

    def _started(self) -> Worker | None:
        try:
            return Worker(self._orders)
        except OSError as error:  # no process or memory left: the workers that there are go on
            log.error("worker.not_started", reason=error.strerror)  # noqa: TRY400
            return None

    async def clear(self) -> None:
        """Ends the worker, and one that is just being replaced."""
        await asyncio.gather(*(worker.end() for worker in (self._worker, self._leaving) if worker is not None))

    async def _bury(self, worker: Worker) -> None:
        """Takes back what it said of itself: its devices are no longer online, its streams no longer open."""
        await forget(self._orders.redis_url, worker.process)
        if self._orders.metrics is not None:
            mark_process_dead(worker.pid, str(self._orders.metrics))  # type: ignore[no-untyped-call]


class Crew:
    """All places."""

    def __init__(self, count: int, orders: Orders) -> None:
        self._places = [Place(orders) for _ in range(count)]
        self._is_complete = False
        self._renewing: asyncio.Task[None] | None = None

    async def serve(self, on_serving: Callable[[], None]) -> None:
        """Runs the workers until SIGTERM or SIGINT; SIGHUP renews them. Raises `CannotStart`.

        `on_serving` is called once, when all of them serve.
        """
        loop, asked_to_end = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGHUP, self._begin_to_renew)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked_to_end.set)
        keeping = asyncio.create_task(self._start_and_keep(on_serving))
        waiting = asyncio.create_task(asked_to_end.wait())
        try:
            await asyncio.wait([keeping, waiting], return_when=asyncio.FIRST_COMPLETED)
            if keeping.done():
                await keeping
        finally:
            tasks = [task for task in (keeping, waiting, self._renewing) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(place.clear() for place in self._places))

    async def _start_and_keep(self, on_serving: Callable[[], None]) -> None:
        first, *others = self._places  # the first begins alone: what is wrong is wrong for all, and is said once
        if not (await first.fill() and all(await asyncio.gather(*(place.fill() for place in others)))):
            raise CannotStart
        self._is_complete = True
        on_serving()
        async with asyncio.TaskGroup() as tasks:
            for place in self._places:
                tasks.create_task(place.keep())

    def _begin_to_renew(self) -> None:
        if self._is_complete and (self._renewing is None or self._renewing.done()):
            self._renewing = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        log.info("workers.renewing")
        for place in self._places:
            if not await place.renew():  # the next would not serve either
                return
        log.info("workers.renewed")


@contextmanager
def metrics_of_many(port: int | None) -> Iterator[Path | None]:
    """Serves the metrics of all workers together, from files in the directory that is given; None: not at all."""
    if port is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="starling-metrics-") as directory:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]
        server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
        try:
            yield Path(directory)
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
