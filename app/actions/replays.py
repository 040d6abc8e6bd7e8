"""How a repeat of a write is known: by `request_id`, by `change_id`, or as a create that says the same again."""

import hashlib
from datetime import timedelta
from uuid import UUID

import msgspec
from pydantic import BaseModel

from app.actions.bodies import Body
from app.model import Principal
from app.store.fold import Replay

REQUEST_LIFE = timedelta(hours=24)
EQUAL_LIFE = timedelta(minutes=10)
CHANGE_LIFE = timedelta(days=30)
_NOT_CONTENT = {"request_id", "wait_for_delivery", "download_link"}
"""What may differ in a repeat: a host makes a new link for the same file each time."""


def of_request(principal: Principal, request_id: str, verb: str, content: bytes) -> Replay:
    """The caller named its request. `content` is all that must be equal in a repeat."""
    return Replay(_key("request", principal, request_id), _digest(verb.encode(), content), REQUEST_LIFE)


def of_equal(principal: Principal, conversation_id: str | None, content: bytes) -> Replay:
    """The caller named nothing: the same create in the same conversation counts while the item is as it was."""
    known = _key("equal", principal, "" if conversation_id is None else f"+{conversation_id}", content)
    return Replay(known, known, EQUAL_LIFE, keeps_answer=False)


def of_change(principal: Principal, change_id: UUID) -> Replay:
    """A device's change carries its own name; only that counts."""
    return Replay(_key("change", principal, str(change_id)), b"", CHANGE_LIFE)


def _inside(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(exclude=_NOT_CONTENT)
    raise TypeError(type(value))


_canonical = msgspec.json.Encoder(order="deterministic", enc_hook=_inside)


def canonical(body: Body) -> bytes:
    """What a body says, whatever order it says it in."""
    said = body.__dict__
    return _canonical.encode({name: said[name] for name in body.model_fields_set if name not in _NOT_CONTENT})


def _key(scope: str, principal: Principal, name: str, content: bytes = b"") -> bytes:
    return _digest(scope.encode(), principal.user_id.bytes, principal.client.encode(), name.encode(), content)


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()
