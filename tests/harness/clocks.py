"""A server whose clock is wrong, and jumps: libfaketime, from Debian's package or from the wheel."""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2
import libfaketime  # type: ignore[import-untyped]

from tests.harness.build import BuildProcess

_INSTALLED = [
    *Path("/usr/lib").glob("*/faketime/libfaketime.so.1"),
    *Path("/usr/lib/faketime").glob("libfaketime.so.1"),
]
_WHEEL = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"


@dataclass
class WrongClock(BuildProcess):
    """Set its clock with `skew` before and after the start. The monotonic clock stays right, as a machine's does."""

    def __post_init__(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.environment |= {
            "LD_PRELOAD": str(next(iter(_INSTALLED), _WHEEL)),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    @property
    def _offset(self) -> Path:
        return self.data_dir / "offset"

    def skew(self, hours: int) -> None:
        """From now on, within a second or so, its clock is that wrong."""
        fresh = self._offset.with_suffix(".new")
        fresh.write_text(f"{hours:+d}h\n")
        fresh.replace(self._offset)

    async def now(self) -> float:
        """What it takes for the time, from the Date of its answers."""
        async with httpx2.AsyncClient(base_url=self.url, timeout=15) as http:
            return parsedate_to_datetime((await http.get("/healthz")).headers["date"]).timestamp()
