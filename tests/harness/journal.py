"""What clients asked, were told and were sent, in order: an append-only log, in memory and, if wanted, in a file."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from tests.harness.waiting import eventually

What = Literal["asked", "ok", "fail", "unknown", "refused", "opened", "reset", "item"]


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line. Writers: `asked`, then `fail` or `unknown` for each vain try, last `ok` or `refused` (for good).

    Devices: `opened`, `reset`, `item`.
    """

    at: float
    who: str
    what: What
    request_id: str | None = None
    verb: str | None = None
    epoch: str | None = None
    seq: int = 0
    item: dict[str, Any] | None = None
    detail: str | None = None


@dataclass
class Journal:
    """Only `note` adds to it; nothing changes or removes a line."""

    file: Path | None = None
    entries: list[Entry] = field(default_factory=list)
    acknowledged: int = 0
    """How many writes were answered with a 2xx."""

    def note(self, who: str, what: What, **about: Any) -> None:
        """Writes one line down."""
        entry = Entry(time.time(), who, what, **about)
        self.entries.append(entry)
        self.acknowledged += what == "ok"
        if self.file is not None:
            with self.file.open("ab") as log:
                log.write(msgspec.json.encode(entry) + b"\n")

    @classmethod
    def read(cls, file: Path) -> "Journal":
        """What an earlier run wrote down."""
        journal = cls()
        for line in file.read_bytes().splitlines():
            entry = msgspec.json.decode(line, type=Entry)
            journal.entries.append(entry)
            journal.acknowledged += entry.what == "ok"
        return journal

    def of(self, *whats: What, who: str | None = None) -> list[Entry]:
        """The lines of these kinds, of one client or of all."""
        return [entry for entry in self.entries if entry.what in whats and who in (None, entry.who)]

    @property
    def devices(self) -> Collection[str]:
        """Who ever opened a stream."""
        return dict.fromkeys(entry.who for entry in self.entries if entry.what == "opened")

    async def until_acknowledged(self, more: int, within: float = 90.0) -> None:
        """Returns when that many more writes were acknowledged: how a test lets time pass."""
        wanted = self.acknowledged + more
        await eventually(lambda: self.acknowledged >= wanted, within, f"{more} more acknowledged writes")
