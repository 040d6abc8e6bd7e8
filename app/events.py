"""Reading an event stream (WHATWG HTML, section 9.2), ours or a model API's."""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator

import msgspec


class Event(msgspec.Struct, frozen=True):
    """An event as a reader sees it. `id` is the last one seen so far, as the standard has it."""

    name: str
    id: str
    data: str
    retry: int | None = None


class Decoder:
    """Turns bytes, cut anywhere, into events, as the standard says. Comments are counted, not reported."""

    def __init__(self) -> None:
        self.comments = 0
        self._rest = b""
        self._is_first = True
        self._after_cr = False
        self._id = ""
        self._clear()

    def feed(self, received: bytes) -> Iterator[Event]:
        """The events that these bytes complete."""
        *lines, self._rest = (self._rest + self._with_line_feeds(received)).split(b"\n")
        if self._is_first and lines:
            self._is_first = False
            lines[0] = lines[0].removeprefix(BOM_UTF8)
        yield from self._read(line.decode(errors="replace") for line in lines)

    def _with_line_feeds(self, received: bytes) -> bytes:
        """Lines end with CR LF, LF or CR, and the pair may come in two pieces."""
        if self._after_cr and received:
            self._after_cr = False
            received = received.removeprefix(b"\n")
        if b"\r" in received:
            self._after_cr = received.endswith(b"\r")
            received = received.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return received

    def _clear(self) -> None:
        self._name = ""
        self._data: list[str] = []
        self._retry: int | None = None

    def _read(self, lines: Iterable[str]) -> Iterator[Event]:
        for line in lines:
            if line.startswith(":"):
                self.comments += 1
            elif line:
                self._field(*line.partition(":")[::2])
            else:
                if self._data:
                    yield Event(self._name or "message", self._id, "\n".join(self._data), self._retry)
                self._clear()

    def _field(self, name: str, value: str) -> None:
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        elif name == "id":
            if "\0" not in value:
                self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self._retry = int(value)
