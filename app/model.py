"""The vocabulary: the terms every other module speaks in. Nothing here does I/O."""

import re
import secrets
import string
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from math import inf
from typing import Any, Literal
from uuid import UUID

import msgspec

FIRST_SYNC = 0
MAX_SEQ = 2**63 - 1
WRITABLE_FIELDS = ("title", "text", "url", "tags", "data", "status", "collection", "expires_at")

Kind = Literal["note", "link", "task", "notification", "file", "answer"]
Status = Literal["unread", "read", "done", "archived"]
Priority = Literal["low", "normal", "high"]
Via = Literal["action", "mcp", "device", "system"]


class Scope(StrEnum):
    """What a token may be used for."""

    STREAM = "stream"
    ITEMS_READ = "items:read"
    ITEMS_WRITE = "items:write"
    FILES_READ = "files:read"
    FILES_WRITE = "files:write"
    ANSWERS = "answers"
    DEVICES_MANAGE = "devices:manage"


DEVICE_SCOPES = frozenset(Scope) - {Scope.DEVICES_MANAGE}

OWN_CLIENT = "starling"
"""The OAuth client that every server knows: the command line and other programs of the project."""

DeviceKind = Literal["browser", "desktop", "mobile", "cli"]


class Origin(msgspec.Struct, frozen=True):
    """Through which door, by which client and from which device or conversation an item came."""

    via: Via
    client: str
    device_id: UUID | None = None
    conversation_id: str | None = None


class File(msgspec.Struct, frozen=True):
    """A file of an item. `size` in bytes, `sha256` in hexadecimal."""

    id: UUID
    name: str
    mime_type: str
    size: int
    sha256: str


class Item(msgspec.Struct):
    """One synced record, in the order of its wire fields. Its encoding is made once, by the store."""

    id: UUID
    seq: int
    kind: Kind
    collection: str | None
    title: str | None
    text: str | None
    url: str | None
    tags: list[str]
    data: dict[str, Any]
    status: Status
    files: list[File]
    audience: list[UUID] | None
    deleted: bool
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    origin: Origin


class Tombstone(msgspec.Struct):
    """What is left of a deleted item."""

    id: UUID
    seq: int
    audience: list[UUID] | None
    deleted: bool = True


class OpenAnswer(msgspec.Struct, frozen=True):
    """An answer that is being written, and what of its text is safe by now."""

    feed_id: UUID
    id: UUID
    provider: str
    model: str
    origin: Origin
    text: str = ""
    is_cancelled: bool = False


class Principal(msgspec.Struct, frozen=True):
    """Who a request acts as. `token_hash`: SHA-256 of its token; `auth`: the feed's revocation counter then."""

    user_id: UUID
    feed_id: UUID
    client: str
    device_id: UUID | None
    scopes: frozenset[str]
    token_hash: bytes
    auth: int
    good_until: float = inf
    """When its token ends, on this process's monotonic clock, so that no other clock matters."""


class Receiver(msgspec.Struct, frozen=True):
    """A device as receipts see it."""

    id: UUID
    name: str
    kind: str
    acked_seq: int


class Device(Receiver, frozen=True):
    """A named, revocable subscriber."""

    last_seen: datetime | None
    created_at: datetime


class Head(msgspec.Struct, frozen=True):
    """A feed's row at one moment: history's name, revocation counter, highest pruned seq, newest seq."""

    epoch: str
    auth: int
    floor: int
    head: int


_CURSOR = re.compile(r"([a-z0-9]{8})\.([0-9]{1,19})(?:\.([0-9]{1,19}))?", re.ASCII)


class Cursor(msgspec.Struct, frozen=True):
    """A place in a feed: `<epoch>.<seq>` or, while a device first syncs, `<epoch>.<seq>.<base>`. Opaque to clients.

    `base` is the head when a device began from empty: it needs no tombstone up to there, pruned or not.
    """

    epoch: str
    seq: int
    base: int = 0

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """None when the text is no cursor."""
        match = _CURSOR.fullmatch(text)
        if match is None:
            return None
        epoch, seq, base = match.groups()
        return cls(epoch, int(seq), int(base or 0))

    @classmethod
    def beginning(cls, head: Head) -> "Cursor":
        """Where a device that holds nothing starts."""
        return cls(head.epoch, FIRST_SYNC, head.head)

    def at(self, seq: int) -> "Cursor":
        """The same history at `seq`."""
        return Cursor(self.epoch, seq, self.base)

    def refusal(self, head: Head) -> str | None:
        """Why this cursor cannot be honoured (a `reset` reason), or None when it can."""
        if self.epoch != head.epoch:
            return "epoch_changed"
        if max(self.seq, self.base) > head.head:
            return "cursor_ahead"
        if self.seq != FIRST_SYNC and max(self.seq, self.base) < head.floor:
            return "cursor_pruned"
        return None

    def __str__(self) -> str:
        return f"{self.epoch}.{self.seq}.{self.base}" if self.base > self.seq else f"{self.epoch}.{self.seq}"


class Start(msgspec.Struct, frozen=True):
    """Where a reader begins: at `cursor`, after a reset for `reset` when what it sent cannot be honoured."""

    cursor: Cursor
    reset: str | None = None

    @classmethod
    def judge(cls, sent: str | None, head: Head) -> "Start":
        """The whole rule for a cursor as a client sent it (None or empty: from the beginning)."""
        if not sent:
            return cls(Cursor.beginning(head))
        cursor = Cursor.parse(sent)
        reason = "cursor_invalid" if cursor is None else cursor.refusal(head)
        if cursor is None or reason is not None:
            return cls(Cursor.beginning(head), reason)
        return cls(Cursor.beginning(head) if cursor.seq == FIRST_SYNC else cursor)


_EPOCH_ALPHABET = string.ascii_lowercase + string.digits


def new_epoch() -> str:
    """A random name for a feed's history: 8 characters of `[a-z0-9]`."""
    return "".join(secrets.choice(_EPOCH_ALPHABET) for _ in range(8))


class Changed(msgspec.Struct, frozen=True, tag="changed"):
    """A committed change of one item. `wire` is None when only the news of it travels."""

    feed_id: UUID
    epoch: str
    auth: int
    seq: int
    item_id: UUID
    audience: frozenset[UUID] | None
    wire: bytes | None
    at: float = inf
    """Just before its commit, in seconds since 1970, by the clock of the process that made it; inf if unknown."""


class Revoked(msgspec.Struct, frozen=True, tag="revoked"):
    """Something of this feed's user was revoked; `auth` is the feed's new counter."""

    feed_id: UUID
    auth: int


class Acked(msgspec.Struct, frozen=True, tag="acked"):
    """A device has stored everything up to `seq`."""

    feed_id: UUID
    device_id: UUID
    seq: int


class Delta(msgspec.Struct, frozen=True, tag="delta"):
    """More text of an answer that is being written; `offset` counts the code points before it."""

    feed_id: UUID
    answer_id: UUID
    offset: int
    text: str


class Present(msgspec.Struct, frozen=True, tag="present"):
    """It has changed which devices of this feed have an open stream."""

    feed_id: UUID


Message = Changed | Revoked | Acked | Delta | Present
FieldSeqs = Mapping[str, int]
