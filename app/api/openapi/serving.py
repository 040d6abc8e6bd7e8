"""`GET /openapi/actions.json` and `GET /openapi/api.json`: the documents with this server's own address."""

import asyncio
from functools import cache
from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import PathParameter

from app.actions import answers
from app.api.limited import spends
from app.api.openapi import documents
from app.api.requests import json_response
from app.api.services import Services
from app.errors import NotFound
from app.limits.budgets import PUBLIC


@cache
def _encoded(name: str, url: str) -> bytes:
    return answers.json(documents.ALL[name](url))


@get("/openapi/{name:str}", operation_id="openapi", opt=spends(PUBLIC))
async def document(
    name: Annotated[str, PathParameter(description="Of the document.")], services: NamedDependency[Services]
) -> Response[bytes]:
    """A document; it is made when it is first asked for, on a thread."""
    stem = name.removesuffix(".json")
    if stem == name or stem not in documents.ALL:
        raise NotFound("There is nothing at this address.")
    return json_response(await asyncio.to_thread(_encoded, stem, services.public_url))
