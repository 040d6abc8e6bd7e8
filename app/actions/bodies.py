"""What callers send. Absent fields stay absent (`model_fields_set`), unknown ones are refused."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from app.actions.fields import (
    STORABLE,
    Audience,
    Base64Url,
    ChosenDeviceKind,
    ClearableStatus,
    Collection,
    Data,
    DeviceName,
    IsTrue,
    LongText,
    Milliseconds,
    ModelName,
    Moment,
    Prompt,
    RequestId,
    Seq,
    Tags,
    Text,
    Title,
    Url,
    Wait,
    WritableKind,
)
from app.model import WRITABLE_FIELDS, Priority

MAX_FILES = 10
"""Of one item: what a host delivers, and takes, at once."""
_CLEARED: dict[str, Any] = {"tags": [], "data": {}, "status": "unread"}


class Body(BaseModel):
    """A JSON object with no fields but the named ones."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Writable(Body):
    """The fields of an item that can be written. An absent field stays as it is, null clears it."""

    title: Title | None = Field(None, description="A short name, as people see it in a list.")
    text: LongText | None = Field(None, description="The content in full: plain text or Markdown.")
    url: Url | None = Field(None, description="An http or https address that the item is about.")
    tags: Tags | None = Field(None, description="Words to find the item by. They replace the tags it has.")
    data: Data | None = Field(
        None, description="Anything structured, as a JSON object: at most 64 KiB and 32 levels. Replaces what is there."
    )
    status: ClearableStatus = Field(None, description="Where the user is with it. `done` ticks a task off.")
    collection: Collection | None = Field(None, description="The list that the item belongs to, such as `groceries`.")
    expires_at: Moment | None = Field(
        None, description="When the item is to be deleted by itself: a time with an offset. Leave it out to keep it."
    )

    def values(self) -> dict[str, Any]:
        """The fields that were sent, as they are stored."""
        sent, said = self.model_fields_set, self.__dict__
        values = {name: said[name] for name in WRITABLE_FIELDS if name in sent}
        return {name: _CLEARED.get(name) if value is None else value for name, value in values.items()}


class Put(Writable):
    """What a device's change puts. An absent field stays as it is, null clears it."""

    kind: WritableKind | None = Field(None, description="Counts when the change creates the item; fixed from then on.")


class Repeatable(Body):
    """What an assistant's write says about itself."""

    request_id: RequestId | None = Field(
        None,
        description="A name of your own for this write. Sending it again with the same body within 24 hours has no "
        "second effect and gets the first answer, so a write whose answer was lost can be repeated.",
    )
    wait_for_delivery: Wait = Field(
        0, description="Seconds to wait, at most, until the devices that are online have stored the item."
    )


class Asked(Repeatable, Writable):
    """An assistant's write of an item's fields."""


class SaveItem(Asked):
    """A new item. Give at least a title, a text or a url."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"title": "Milk", "text": "2 l, the one with the blue cap", "tags": ["shop"], "kind": "task"}]
        }
    )
    kind: WritableKind = Field("note", description="What it is: a note, a link (give `url`), or a task to be done.")


class FileItem(Asked):
    """A new item that brings files."""

    audience: Audience | None = Field(
        None, description="The ids of the devices it is for. Leave it out for all of them; it cannot be changed later."
    )


class FileRef(BaseModel):
    """A file of the conversation, as the host delivers it. Bare ids, which come at times, have no link."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)
    id: Annotated[str, Field(max_length=500), STORABLE]
    name: Text | None = None
    mime_type: Text | None = None
    download_link: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, sent: Any) -> Any:
        return {"id": sent} if isinstance(sent, str) else sent


# The host asks for this declaration, and delivers objects all the same.
_DECLARED = WithJsonSchema({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_FILES})


class ShareFiles(Asked):
    """A new item with files of the conversation."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"openaiFileIdRefs": ["file-XFlOqJYT"], "title": "Tickets", "tags": ["trip"]}]}
    )
    file_refs: Annotated[list[FileRef], Field(min_length=1, max_length=MAX_FILES), _DECLARED] = Field(
        alias="openaiFileIdRefs",
        description="The files of this conversation to share, 1 to 10 of any type. All of them become one item.",
    )


class UpdateItem(Asked):
    """The fields to change. An absent field stays as it is, null clears it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "done", "request_id": "tick-off-milk"}]})


class NotifyDevices(Repeatable):
    """A notification, and whom it is for: all devices, unless `devices` or `device_kind` says otherwise."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"title": "The oven is hot", "priority": "high", "request_id": "oven"}]}
    )
    title: Annotated[str, Field(min_length=1, max_length=500), STORABLE] = Field(description="What people read first.")
    text: LongText | None = Field(None, description="The rest, in a sentence or two.")
    url: Url | None = Field(None, description="An http or https address that opens when it is tapped.")
    priority: Priority = Field("normal", description="`high` wakes a sleeping phone; `low` waits until it is in use.")
    expires_at: Moment | None = Field(
        None, description="When it is of no use any more: a time with an offset. It then disappears everywhere."
    )
    devices: Annotated[list[DeviceName], Field(min_length=1, max_length=64)] | None = Field(
        None, description="The names or ids of the devices it is for, as `listDevices` answers them."
    )
    device_kind: ChosenDeviceKind = Field(None, description="All devices of this kind, in place of `devices`.")

    def values(self) -> dict[str, Any]:
        """The fields of its item, as they are stored."""
        data = {"notification": {"priority": self.priority}}
        return {
            "title": self.title,
            "text": self.text,
            "url": self.url,
            "data": data,
            "expires_at": self.expires_at,
        }


class DeviceChange(Body):
    """One change: either `put` or `delete`. What is in `put` is judged change by change, so a bad one stands alone."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["put"], "properties": {"put": {"type": "object"}, "delete": {"type": "null"}}},
                {"required": ["delete"], "properties": {"delete": {"const": True}, "put": {"type": "null"}}},
            ]
        }
    )
    change_id: UUID = Field(description="The change's own name. Sending it again within 30 days has no second effect.")
    id: UUID = Field(description="The item's id. For a new item, the device makes it.")
    base_seq: Seq | None = Field(
        None, description="The item's seq that the change builds on; null for a new item. Needed for a delete."
    )
    put: dict[str, Any] | None = Field(
        None, description="The fields to write, as in `Put`; another field or value rejects this change alone."
    )
    delete: IsTrue | None = Field(None, description="True: delete the item.")

    @model_validator(mode="after")
    def _one_verb(self) -> "DeviceChange":
        if (self.put is None) == (self.delete is None):
            raise PydanticCustomError("verb", "A change has either `put` or `delete`: true.")
        return self


class DeviceChanges(Body):
    """What a device did since it last spoke, in order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "epoch": "k3v9x2ma",
                    "changes": [
                        {
                            "change_id": "7b0c3c1e-0f5a-4a53-9f0a-6f6f1a2b3c4d",
                            "id": "0199d2c4-5f31-7c1e-8a55-3f0f6b7f2f10",
                            "base_seq": None,
                            "put": {"title": "Milk", "kind": "task"},
                        }
                    ],
                }
            ]
        }
    )
    epoch: Annotated[str, Field(max_length=64)] = Field(description="The feed's epoch, from a cursor or `GET /v1/me`.")
    changes: Annotated[list[DeviceChange], Field(max_length=500)] = Field(description="In the order they were made.")


class StreamAnswer(Body):
    """What to ask a model, whose answer appears on the user's devices while it is written."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"prompt": "Explain tides to a child, in five sentences."}]}
    )
    prompt: Prompt = Field(description="The question or task, complete in itself: the model knows nothing else.")
    provider: Annotated[Text, Field(max_length=50)] | None = Field(
        None, description="Whose model answers, such as `openai`. Leave it out for the server's own choice."
    )
    model: ModelName | None = Field(
        None, description="The model's name at the provider. Leave it out for the usual one."
    )
    system: LongText | None = Field(None, description="How the model is to answer, such as its role or language.")


class Ack(Body):
    """Everything up to here is stored on the device."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"cursor": "k3v9x2ma.812"}]})
    cursor: Annotated[str, Field(max_length=100)] = Field(description="The id of the last event that was stored.")


class Rename(Body):
    """A device's new name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Laptop"}]})
    name: DeviceName = Field(description="What people call the device.")


class PushKeys(Body):
    """The keys of a browser's subscription."""

    p256dh: Base64Url = Field(description="Its public key, in base64url.")
    auth: Base64Url = Field(description="Its secret, in base64url.")


class PushSubscription(Body):
    """What `PushSubscription.toJSON()` says in a browser."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "endpoint": "https://push.example.com/send/f1LsxkKphfQ",
                    "keys": {
                        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6"
                        "-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
                        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
                    },
                }
            ]
        }
    )
    endpoint: Annotated[str, Field(min_length=1, max_length=2000), STORABLE] = Field(
        description="Its push service's address."
    )
    expirationTime: Milliseconds | None = Field(None, description="Not used: an end shows when a push is refused.")  # noqa: N815
    keys: PushKeys
