"""Uploading and downloading files: `/v1/files`."""

import re
from email.message import Message
from typing import Annotated, Any
from urllib.parse import unquote
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter
from pydantic import ValidationError

from app.actions import answers
from app.actions.bodies import FileItem
from app.actions.files import Content
from app.actions.invalid import invalid_field
from app.actions.items import Caller
from app.actions.shapes import UploadedShape
from app.api.declared import TICKET, answer, empty, file, needs, refusal, takes_bytes
from app.api.downloads import FileResponse
from app.api.limited import spends
from app.api.ranges import etag_of, wanted
from app.api.requests import chunks_of, json_response, ticket_or_token
from app.api.services import Services
from app.limits.budgets import FILES
from app.model import Principal, Scope

Name = Annotated[str | None, QueryParameter(description="The file's name; else the one of `content-disposition`.")]
Title = Annotated[str | None, QueryParameter(max_length=500, description="The item's title; else the file's name.")]
Collection = Annotated[str | None, QueryParameter(min_length=1, max_length=200, description="The item's collection.")]
Audience = Annotated[
    list[UUID] | None,
    QueryParameter(min_items=1, max_items=100, description="The devices it is for; all, if none is named."),
]
RequestId = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=200,
        description="A name for this upload: sent again within 24 hours, it has no effect.",
    ),
]
FileId = Annotated[UUID, PathParameter(description="The file's id.")]
_EXTENDED = re.compile(r";\s*filename\*\s*=\s*utf-8'[a-z-]*'([^\s;]*)", re.ASCII | re.IGNORECASE)


def file_item(
    principal: NamedDependency[Principal],  # first of all, so that strangers are refused as such
    title: Title = None,
    collection: Collection = None,
    audience: Audience = None,
    request_id: RequestId = None,
) -> FileItem:
    """The item that an upload makes. Raises `InvalidField`."""
    said = {"title": title, "collection": collection, "audience": audience, "request_id": request_id}
    try:
        return FileItem.model_validate({name: value for name, value in said.items() if value is not None})
    except ValidationError as error:
        raise invalid_field([{**each} for each in error.errors(include_url=False)], FileItem) from None


class FilesController(Controller):
    """Files of items."""

    path = "/v1/files"
    opt = spends(FILES)

    @post(
        operation_id="uploadFile",
        summary="Upload a file",
        security=needs(Scope.FILES_WRITE),
        responses={
            201: answer(UploadedShape, "The file, and the item that was made of it."),
            200: answer(UploadedShape, "It had been uploaded before: here are the first file and item."),
            409: refusal("This `request_id` was already used for another content."),
            413: refusal("The file is larger than one may be (`too_large`), or than there is room (`quota_exceeded`)."),
        },
        opt=takes_bytes("The content of the file, with its `content-type`."),
        request_max_body_size=None,
    )
    async def upload(
        self,
        request: Request[Any, Any, State],
        about: NamedDependency[FileItem],
        caller: NamedDependency[Caller],
        services: NamedDependency[Services],
        name: Name = None,
    ) -> Response[bytes]:
        """Takes the body in as a file, and makes an item of kind `file` with it, which every device gets.

        The same file by the same name within 10 minutes is a repeat, and makes no second item.
        """
        headers = request.headers
        named = name or disposed_name(headers.get("content-disposition"))
        content = Content(named, headers.get("content-type"), request.content_length, chunks_of(request))
        uploaded, written = await services.files.upload(caller.through("device"), about, content)
        body = answers.json(uploaded)[:-1] + b"," + written.json()[1:]
        return json_response(body, 200 if written.duplicate else 201)

    @get(
        "/{file_id:uuid}",
        operation_id="downloadFile",
        summary="Download a file",
        security=[*needs(Scope.FILES_READ), {TICKET: []}],
        responses={
            200: file("The content of the file. `etag` is its SHA-256."),
            206: file("The range that was asked for."),
            304: empty("It is the one of `if-none-match`."),
            416: empty("The range begins after the end."),
        },
    )
    async def download(
        self,
        request: Request[Any, Any, State],
        file_id: FileId,
        services: NamedDependency[Services],
        ticket: Annotated[str | None, QueryParameter(description="A ticket of this file, in place of a token.")] = None,
    ) -> FileResponse:
        """The file's content, or one range of it. The type is the one that its sender named: nobody has checked it."""

        async def redeem(sent: str) -> Principal:
            return await services.tokens.redeem_file_ticket(sent, file_id)

        principal = await ticket_or_token(request, services, ticket, redeem)
        found = await services.files.find(principal, file_id)
        asked = wanted(request.headers, found.size, etag_of(found.sha256))
        return FileResponse(found, asked, lambda start, end: services.files.reading(found, start, end))


def disposed_name(header: str | None) -> str | None:
    """The name in a Content-Disposition header; `filename*` is the better one (RFC 6266, section 4.3)."""
    if header is None:
        return None
    if extended := _EXTENDED.search(header):
        return unquote(extended[1], errors="replace")
    message = Message()
    message["content-disposition"] = header
    return message.get_filename()
