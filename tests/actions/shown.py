"""Items as the store encodes them."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from app.model import Item, Origin
from app.store.fold import encode

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
PLAIN: dict[str, Any] = {
    "seq": 1,
    "kind": "note",
    "collection": None,
    "title": None,
    "text": None,
    "url": None,
    "tags": [],
    "data": {},
    "status": "unread",
    "files": [],
    "audience": None,
    "deleted": False,
    "created_at": NOW,
    "updated_at": NOW,
    "expires_at": None,
    "origin": Origin("action", "chatgpt", None, "a conversation"),
}


def wire(**fields: Any) -> bytes:
    """The JSON of an item with these fields."""
    return encode(Item(id=uuid4(), **{**PLAIN, **fields}))
