"""One push: what it says, how long it is worth keeping, how urgent it is, what it replaces."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.model import Priority
from app.push.envelope import MAX_BYTES
from app.push.keys import encoded

LONGEST_S = 28 * 24 * 3600
"""Push services keep nothing longer."""
TITLE, TEXTS, URL = 200, (500, 100, 0), 1000
"""How many characters of each go along: the device reads the rest in its feed."""


class Noted(msgspec.Struct):
    """What a notification's data says of it."""

    priority: Priority = "normal"


class _Data(msgspec.Struct):
    notification: Noted = msgspec.field(default_factory=Noted)


class Notice(msgspec.Struct):
    """An item, as far as pushes care: a notification, or the tombstone of one."""

    id: UUID
    seq: int
    deleted: bool
    kind: str = ""
    title: str | None = None
    text: str | None = None
    url: str | None = None
    status: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")
    expires_at: datetime | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether it still asks for attention; else what was pushed of it is withdrawn."""
        return not self.deleted and self.status == "unread"

    @property
    def priority(self) -> Priority:
        """How urgent it is; `normal` when a device has overwritten its data with something else."""
        try:
            return msgspec.json.decode(self.data, type=_Data).notification.priority
        except msgspec.ValidationError:
            return "normal"

    def life_s(self, now: float) -> int:
        """How many seconds it is worth keeping."""
        left = LONGEST_S if self.expires_at is None else int(self.expires_at.timestamp() - now)
        return max(0, min(LONGEST_S, left))

    def body(self) -> bytes:
        """What the device is told."""
        if not self.is_wanted:
            return msgspec.json.encode({"type": "withdrawn", "id": self.id, "seq": self.seq})
        return next(body for body in map(self._worded, TEXTS) if len(body) <= MAX_BYTES)

    def _worded(self, length: int) -> bytes:
        told: dict[str, Any] = {
            "type": "notification",
            "id": self.id,
            "seq": self.seq,
            "title": (self.title or "")[:TITLE],
            "text": (self.text or "")[:length],
            "url": self.url if self.url is not None and len(self.url) <= URL else None,
            "priority": self.priority,
        }
        return msgspec.json.encode(told)

    def headers(self, now: float) -> dict[str, str]:
        """How it is to be handled (RFC 8030, section 5): a later push of the same item replaces it."""
        return {
            "ttl": str(self.life_s(now)),
            "urgency": self.priority if self.is_wanted else "normal",
            "topic": encoded(self.id.bytes),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
        }


_TOMBSTONE = b'"deleted":true}'
_NOTIFICATION = b'"kind":"notification"'
_notice = msgspec.json.Decoder(Notice)


def notice_of(wire: bytes) -> Notice | None:
    """What a committed item asks for; None if it is no notification and cannot have been one."""
    if not wire.endswith(_TOMBSTONE) and _NOTIFICATION not in wire:
        return None
    notice = _notice.decode(wire)
    return notice if notice.deleted or notice.kind == "notification" else None
