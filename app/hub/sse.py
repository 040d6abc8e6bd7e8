"""The bytes of an event stream (WHATWG HTML, section 9.2) in HTTP/1.1 chunks (RFC 9112, section 7.1). Pure."""

import msgspec

COMMENT = b": starling\n\n"
ITEM = b"event: item\n"
"""How an item event begins, and nothing else: a line of JSON holds no line feed."""
LAST_CHUNK = b"0\r\n\r\n"
RETRY_MS = (1500, 4500)
"""Clients reconnect after a time between these, each its own, so that they do not come all at once."""


def chunk(body: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(body), body)


def event(name: str, cursor: str, data: object, *, retry: int | None = None) -> bytes:
    """One event. `data` is encoded as JSON; `retry` in milliseconds. Without a cursor the reader keeps its own."""
    head = [f"event: {name}\n"]
    if cursor:
        head.append(f"id: {cursor}\n")
    if retry is not None:
        head.append(f"retry: {retry}\n")
    return b"%bdata: %b\n\n" % ("".join(head).encode(), msgspec.json.encode(data))


def answer(cursor: str, wire: bytes) -> bytes:
    """An answer event around its JSON, which is one line."""
    return b"event: answer\nid: %b\ndata: %b\n\n" % (cursor.encode(), wire)


def item(cursor: str, wire: bytes) -> bytes:
    """An item event around the item's own bytes."""
    return b"%bid: %b\ndata: %b\n\n" % (ITEM, cursor.encode(), wire)
