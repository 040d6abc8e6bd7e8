"""What handlers say of themselves to the documents: `security=`, `responses=` and `opt=` of their decorators."""

from typing import Any

from litestar.openapi.datastructures import ResponseSpec
from pydantic import BaseModel

from app.actions.shapes import ProblemShape
from app.model import Scope

SCHEME = "starling"
TICKET = "ticket"
PROBLEM = "application/problem+json"
CONSEQUENTIAL = "x-openai-isConsequential"


def needs(*scopes: Scope) -> list[dict[str, list[str]]]:
    """An access token, and the scopes that it must carry."""
    return [{SCHEME: [scope.value for scope in scopes]}]


def answer(shape: type[BaseModel], words: str) -> ResponseSpec:
    """An answer in JSON."""
    return ResponseSpec(shape, description=words, generate_examples=False)


def refusal(words: str) -> ResponseSpec:
    """A refusal that only this operation gives."""
    return ResponseSpec(ProblemShape, description=words, media_type=PROBLEM, generate_examples=False)


def empty(words: str) -> ResponseSpec:
    """An answer without a body."""
    return ResponseSpec(None, description=words, generate_examples=False)


BYTES = "bytes"


def file(words: str) -> ResponseSpec:
    """An answer that is a file."""
    return ResponseSpec(bytes, description=words, media_type="*/*", generate_examples=False)


def takes_bytes(words: str) -> dict[str, Any]:
    """A body that is a file."""
    return {BYTES: words}


def asks_first(*, always: bool) -> dict[str, Any]:
    """Whether the host asks the person each time, or offers to always allow it (for writes; ChatGPT's word for it)."""
    return {CONSEQUENTIAL: always}
