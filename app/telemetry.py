"""Logs for people and machines, and the names of all metrics. Bodies, tokens and query strings never come here."""

import logging
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]
PLACES = 20

QUICK = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# Writing
changes = Counter("starling_changes", "Item changes committed.")
commit_batch = Histogram(
    "starling_commit_changes", "Changes committed in one transaction.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
commit_seconds = Histogram("starling_commit_seconds", "Time of one commit.", buckets=QUICK)
queue_changes = Gauge(
    "starling_commit_queue_changes", "Changes that wait to be committed.", multiprocess_mode="livesum"
)
queue_bytes = Gauge("starling_commit_queue_bytes", "Weight of the waiting changes.", multiprocess_mode="livesum")

pushes = Counter("starling_pushes", "Web pushes, by what became of them.", ["outcome"])

# Delivering. What happens for each delivery is never counted one by one: see `Output`.
devices = Gauge("starling_devices", "Devices with an open stream, by state.", ["state"], multiprocess_mode="livesum")
streams = Gauge("starling_streams", "Open streams, by state.", ["state"], multiprocess_mode="livesum")
behind_changes = Gauge(
    "starling_behind_changes", "Changes that the stream furthest behind has to get.", multiprocess_mode="livemax"
)
join_seconds = Histogram(
    "starling_join_seconds", "From a stream's first byte to its `ready`.", buckets=(*QUICK[3:], 30, 60)
)
delivery_seconds = Histogram(
    "starling_delivery_seconds",
    "From just before its commit until a change was written to all live streams; the oldest change of a bus batch.",
    buckets=QUICK,
)
frames = Counter("starling_frames", "Item events written to streams.")
frame_bytes = Counter("starling_frame_bytes", "Bytes of these.")
cuts = Counter("starling_cuts", "Streams ended by the server.", ["reason"])
resets = Counter("starling_resets", "Cursors that could not be honoured.", ["reason"])
fills = Counter("starling_fills", "Reads of a feed's rows into its tail.")
check_finds = Counter("starling_check_finds", "Feeds that the periodic check found behind or changed.")

# The bus
bus_published = Counter("starling_bus_published", "Messages that processes gave to the bus.")
bus_received = Counter("starling_bus_received", "Messages that processes got from it, their own included.")
bus_dropped = Counter("starling_bus_dropped", "Bus messages dropped because a listener or Redis was too slow.")
bus_connected = Gauge(
    "starling_bus_connected", "Whether messages of other processes arrive; 0 without any.", multiprocess_mode="livemin"
)
bus_lag = Histogram("starling_bus_lag_seconds", "Age of the oldest message when a listener takes some.", buckets=QUICK)
bus_queue = Gauge("starling_bus_queue_messages", "Messages that listeners have not taken.", multiprocess_mode="livesum")

# Answering
replies = Counter("starling_replies", "HTTP replies begun.", ["route", "status"])
tool_refusals = Counter(
    "starling_tool_refusals", "Tools of MCP that answered with an error, in a reply of status 200.", ["tool", "code"]
)
request_seconds = Histogram(
    "starling_request_seconds", "From a request's head to its reply's.", ["route", "method"], buckets=QUICK[1:]
)
limited = Counter("starling_limited", "Requests refused because a budget was used up.", ["budget"])

# Files
file_bytes = Counter("starling_file_bytes", "Bytes of files that came in and went out.", ["way"])
blob_failures = Counter("starling_blob_failures", "Pieces of work that found the files' store away or full.")

# The database, the process
connections_used = Gauge(
    "starling_database_connections_used", "Connections in use.", ["pool"], multiprocess_mode="livesum"
)
connections_max = Gauge(
    "starling_database_connections_max", "Connections that may be used.", ["pool"], multiprocess_mode="livesum"
)
database_failures = Counter("starling_database_failures", "Pieces of work that found the database away or overloaded.")
upkeep_rows = Counter("starling_upkeep_rows", "Rows that the upkeep dealt with.", ["work"])
loop_lag = Histogram("starling_loop_lag_seconds", "How late the event loop wakes a sleeper.", buckets=QUICK)
processes = Gauge("starling_processes", "Serving processes.", ["version"], multiprocess_mode="livesum")

# A counter that first appears with its first event hides that event from `rate` and `increase`.
for _reason in ("drain", "rotate", "expired", "revoked", "stalled", "unflushed"):
    cuts.labels(_reason)
for _reason in ("epoch_changed", "cursor_ahead", "cursor_pruned", "cursor_invalid"):
    resets.labels(_reason)


class Output:
    """Sums up what is written to streams in plain numbers, which cost next to nothing, until `flush`."""

    def __init__(self) -> None:
        self._frames = self._bytes = 0

    def add(self, count: int, size: int) -> None:
        """So many frames of so many bytes together."""
        self._frames += count
        self._bytes += size

    def flush(self) -> None:
        """Makes it visible."""
        frames.inc(self._frames)
        frame_bytes.inc(self._bytes)
        self._frames = self._bytes = 0


output = Output()


def name_exception(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Tells an exception by its types and places. Its words, and local variables, may hold what people wrote."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error"] = " from ".join(_names(error))
        places = traceback.extract_tb(error.__traceback__)[-PLACES:]
        event["at"] = [f"{Path(place.filename).name}:{place.lineno} {place.name}" for place in places]
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
