"""Logs for people and machines, and the names of all metrics. Bodies, tokens and query strings never come here."""

import logging
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]
FRAMES = 20

commit_batch = Histogram(
    "starling_commit_batch", "Changes committed in one transaction.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
commit_seconds = Histogram(
    "starling_commit_seconds", "Time of one commit.", buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2)
)
changes = Counter("starling_changes", "Item changes committed.")
streams = Gauge("starling_streams", "Open streams.")
streams_behind = Gauge("starling_streams_behind", "Open streams that are catching up.")
frames = Counter("starling_frames", "Event frames written to streams.")
cuts = Counter("starling_cuts", "Streams ended by the server.", ["reason"])
resets = Counter("starling_resets", "Cursors that could not be honoured.", ["reason"])
fills = Counter("starling_fills", "Reads of a feed's rows into its tail.")
check_finds = Counter("starling_check_finds", "Feeds that the periodic check found behind or changed.")
bus_dropped = Counter("starling_bus_dropped", "Bus messages dropped because a listener was too slow.")


def name_exception(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Tells an exception by its types and places. Its words, and local variables, may hold what people wrote."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error"] = " from ".join(_names(error))
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
        event["at"] = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _names(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        state = getattr(error, "sqlstate", None)
        yield f"{type(error).__name__}({state})" if state else type(error).__name__
        error = error.__cause__


def configure_logging(level: str, form: str) -> None:
    """Structured logs on stderr; `form` auto: readable on a terminal, one JSON object a line elsewhere."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if console else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, name_exception, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, name_exception, last],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
