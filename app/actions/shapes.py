"""What answers look like, for the documents that describe them. The answers themselves are bytes (`answers`).

A field that has a default here may be absent from an answer.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue

from app.model import DeviceKind, Kind, Scope, Status, Via
from app.providers.provider import FinishReason


class Shape(BaseModel):
    """A JSON object; more fields may be added to it."""


class OriginShape(Shape):
    """Where an item came from."""

    via: Via = Field(description="The door it came through.")
    client: str = Field(description="The client that made it.")
    device_id: UUID | None = Field(description="The device that made it; null for an assistant's item.")
    conversation_id: str | None = Field(description="The conversation that it was saved in, where the host says so.")


class FileShape(Shape):
    """A file of an item."""

    id: UUID
    name: str
    mime_type: str
    size: int = Field(description="In bytes.")
    sha256: str


class ItemShape(Shape):
    """One synced record."""

    id: UUID
    seq: int = Field(description="The number of its last change in the user's feed.")
    kind: Kind
    collection: str | None
    title: str | None
    text: str | None
    url: str | None
    tags: list[str]
    data: dict[str, Any]
    status: Status
    files: list[FileShape]
    audience: list[UUID] | None = Field(description="The ids of the devices it is for; null: all of them.")
    deleted: Literal[False]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = Field(description="When it will be deleted by itself; null: never.")
    origin: OriginShape


class ShownItemShape(ItemShape):
    """An item: all of it, or what fits into the answer."""

    cut: list[str] = Field(default_factory=list, description="The fields that are not whole here.")
    text_offset: int = Field(default_factory=int, description="Where in the whole text this piece of it begins.")
    text_length: int = Field(default_factory=int, description="How many characters the whole text has.")
    next_step: str = Field(default_factory=str, description="How to get the rest.")


class TombstoneShape(Shape):
    """What is left of a deleted item."""

    id: UUID
    seq: int = Field(description="The number of the deletion in the user's feed.")
    audience: list[UUID] | None
    deleted: Literal[True]


class DeliveredTo(Shape):
    """A device, as receipts name it."""

    device_id: UUID
    name: str
    kind: DeviceKind


class DeliveryShape(Shape):
    """Who has a change by now: each device in one list."""

    acknowledged: list[DeliveredTo] = Field(description="Have stored it.")
    live: list[DeliveredTo] = Field(description="Are online and being sent it right now.")
    pending: list[DeliveredTo] = Field(description="Are offline and will get it when they come back.")
    not_named: int = Field(default_factory=int, description="How many more there are, which did not fit here.")
    next_step: str = Field(default_factory=str, description="How to find those.")


class WrittenShape(Shape):
    """What was written, and who has it."""

    item: ShownItemShape
    delivery: DeliveryShape
    duplicate: bool = Field(description="True: this write was made before; nothing was done a second time.")


class UploadedShape(FileShape):
    """A file that was uploaded, the item that was made of it, and who has that."""

    item: ItemShape
    delivery: DeliveryShape
    duplicate: bool = Field(description="True: the same was uploaded before; nothing was done a second time.")


class LeftOutShape(Shape):
    """A file that cannot be handed over."""

    id: UUID
    name: str
    mime_type: str
    size: int = Field(description="In bytes.")
    reason: str


class FilesShape(Shape):
    """An item's files, as the host takes them."""

    files: list[Any] = Field(
        alias="openaiFileResponse",
        description="Each as an object with name, mime_type and content (base64), or, when that would be too long, "
        "each as the address to download it from.",
    )
    left_out: list[LeftOutShape] = Field(description="Files that cannot be handed over, and why.")
    next_step: str = Field(default_factory=str, description="What to do about what is missing.")


class DeletedShape(Shape):
    """What was deleted, and who knows."""

    item: TombstoneShape
    delivery: DeliveryShape
    duplicate: bool = Field(description="True: it had been deleted before.")


class DeliveredShape(Shape):
    """An item, and who has it."""

    item: ShownItemShape
    delivery: DeliveryShape


class FoundShape(Shape):
    """A page of items, newest change first."""

    items: list[ItemShape]
    page: int = Field(description="This page, from 1.")
    total_pages: int = Field(description="How many pages there are; 0 when nothing was found.")
    total: int = Field(description="How many items match in all.")


class ShownPageShape(FoundShape):
    """A page of items, newest change first, as much of each as fits into the answer."""

    items: list[ShownItemShape]  # type: ignore[assignment]
    next_step: str = Field(default_factory=str, description="How to get items of this page that are not in it.")


class DeviceShape(Shape):
    """A device of the user."""

    id: UUID
    name: str
    kind: DeviceKind
    online: bool
    last_seen: datetime | None
    acked_seq: int = Field(description="The device has stored every change up to this number.")
    created_at: datetime


class DevicesShape(Shape):
    """The user's devices, oldest first."""

    devices: list[DeviceShape]


class DevicePageShape(DevicesShape):
    """A page of the user's devices, oldest first."""

    page: int = Field(description="This page, from 1.")
    total_pages: int
    total: int = Field(description="How many devices there are in all.")


class ResetShape(Shape):
    """Why the client must drop what it holds."""

    reason: Literal["epoch_changed", "cursor_ahead", "cursor_pruned", "cursor_invalid"]


class PageShape(Shape):
    """A page of the feed, ascending by seq."""

    items: list[ItemShape | TombstoneShape]
    cursor: str = Field(description="Where this page ends: send it for the next one.")
    has_more: bool = Field(description="Whether the next page has something already.")
    reset: ResetShape | None = Field(
        description="Not null: the cursor cannot be honoured. Drop all items; these start from the beginning."
    )


class ProblemShape(Shape):
    """Why a request was refused (RFC 9457), and what would help."""

    type: str
    title: str
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong, in words.")
    code: str = Field(description="What is wrong, for programs.")
    field: str = Field(default_factory=str, description="The field or parameter that is wrong.")
    allowed: list[str] = Field(default_factory=list, description="What would be accepted there.")
    limit: JsonValue = Field(default_factory=int, description="The bound that was crossed.")
    retryable: bool = Field(default_factory=bool, description="Whether the same request may work later.")
    retry_after: int = Field(default_factory=int, description="In how many seconds, for too many requests.")
    next_step: str = Field(default_factory=str, description="What to do about it.")


class ChangeResultShape(Shape):
    """What became of one change."""

    change_id: UUID
    status: Literal["applied", "duplicate", "conflict", "rejected"]
    item: ItemShape | TombstoneShape | None = Field(description="As it is now; as first answered for a duplicate.")
    error: ProblemShape | None = Field(description="Why it was rejected.")


class ChangeResultsShape(Shape):
    """One result a change, in order."""

    results: list[ChangeResultShape]


class UserShape(Shape):
    """A person."""

    id: UUID
    email: str
    created_at: datetime


class PositionShape(Shape):
    """Where a feed stands."""

    epoch: str = Field(description="The name of the feed's history. It changes when that was rewritten.")
    head: int = Field(description="The newest seq.")
    cursor: str = Field(description="The cursor of a device that has everything.")


class MeShape(Shape):
    """Who a token acts as."""

    user: UserShape
    device: DeviceShape | None
    client: str
    scopes: list[Scope]
    feed: PositionShape


class AnswerHandleShape(Shape):
    """An answer that is being written."""

    id: UUID = Field(description="The answer's id, which its item will have, too.")


class AnswerEndShape(Shape):
    """Who wrote an answer, and how it ended."""

    provider: str
    model: str
    finish_reason: FinishReason | None = Field(description="Why it ended; null while it is written.")
    usage: dict[str, int] | None = Field(description="Tokens, as the provider counted them, where it does.")


class AnswerShape(Shape):
    """An answer, as far as it is written."""

    id: UUID
    done: bool
    text: str
    answer: AnswerEndShape


class TicketShape(Shape):
    """What opens a stream without a header."""

    ticket: str
    expires_in: int = Field(description="Seconds.")
    url: str = Field(description="The stream's address with the ticket in it. A secret.")


class PushKeyShape(Shape):
    """What browsers subscribe with."""

    public_key: str = Field(description="A point of P-256 in base64url: the `applicationServerKey`.")
