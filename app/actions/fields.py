"""The types of fields: what a value may be, and why another one is refused."""

import math
import re
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.model import DeviceKind, Status

MAX_DATA_BYTES = 64 * 1024
MAX_DATA_LEVELS = 32
MAX_WAIT_S = 5
MAX_QUERY = 1000
MAX_TEXT = 100_000
MAX_KEY = 200
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
LAST_YEAR = 9998  # the database driver takes the ends of the calendar for infinity
# Where `_web_address` would say yes, user names and IPv6 addresses aside.
_WEB_ADDRESS = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\x00-\x20\x7F/?#@:\[\]][^\x00-\x20\x7F/?#@\[\]]*([/?#][^\x00-\x20\x7F]*)?$"
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)


def _storable(text: str) -> str:
    """Postgres text holds no NUL, UTF-8 no surrogates."""
    if "\0" in text:
        raise PydanticCustomError("text", "The text holds a NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("text", "The text holds a lone surrogate.") from None
    return text


def _web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        bad = parts.scheme not in {"http", "https"} or not parts.hostname
    except ValueError:
        bad = True
    if bad or any(character <= " " or character == "\x7f" for character in url):
        raise PydanticCustomError("url", "Must be an http or https address.", {"allowed": ["http", "https"]})
    return url


def _bounded_json(data: dict[str, Any]) -> dict[str, Any]:
    _check_json(data, MAX_DATA_LEVELS)
    size = len(msgspec.json.encode(data))
    if size > MAX_DATA_BYTES:
        raise PydanticCustomError("data", "The data takes more than 64 KiB as JSON.", {"limit": MAX_DATA_BYTES})
    return data


def _check_json(value: object, levels: int) -> None:
    if isinstance(value, str):
        _storable(value)
    elif isinstance(value, (dict, list)):
        if levels == 0:
            raise PydanticCustomError("data", "The data has more than 32 levels.", {"limit": MAX_DATA_LEVELS})
        for inner in value.values() if isinstance(value, dict) else value:
            _check_json(inner, levels - 1)
        for key in value if isinstance(value, dict) else ():
            _storable(key)
    elif isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        raise PydanticCustomError("data", "An integer of the data does not fit in 64 bits.")
    elif isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("data", "A number of the data is out of range.")


# The web framework asks for lenient validation whatever a field says, so what JSON tells apart is told apart here.
def _integer(value: object) -> object:
    if isinstance(value, float) and value.is_integer():  # to JSON Schema, 7.0 is one
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise PydanticCustomError("int_type", "Must be an integer.")
    return value


def _number(value: object) -> object:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise PydanticCustomError("float_type", "Must be a number.")
    return value


def _base64url(value: object) -> object:
    """With padding or without, as browsers differ in it."""
    bare = value.rstrip("=") if isinstance(value, str) else ""
    if not 0 < len(bare) <= MAX_KEY or len(bare) % 4 == 1 or not _BASE64URL.fullmatch(bare):
        raise PydanticCustomError("base64url", "Must be base64url.")
    return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def _true(value: object) -> object:
    if value is not True:
        raise PydanticCustomError("true", "Must be true.")
    return value


def _timestamp(value: object) -> object:
    """Keeps out what pydantic would take for seconds since 1970."""
    if not isinstance(value, str) or _RFC3339.fullmatch(value) is None:
        raise PydanticCustomError("time", "Must be an RFC 3339 time, such as 2030-01-31T09:00:00Z.")
    return value


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise PydanticCustomError("time", "The time needs an offset, such as Z.")
    try:
        utc = moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time", "The time is out of range.") from None
    if not 1970 <= utc.year <= LAST_YEAR:
        raise PydanticCustomError("time", "The time is out of range.", {"limit": LAST_YEAR})
    return utc


# Lengths come first: of what comes after a validator of ours, pydantic says that it has too many "items".
STORABLE = AfterValidator(_storable)
Text = Annotated[str, STORABLE]
Title = Annotated[str, Field(max_length=500), STORABLE]
LongText = Annotated[str, Field(max_length=MAX_TEXT), STORABLE]
Prompt = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), STORABLE]
ModelName = Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$")]
Url = Annotated[
    str, Field(max_length=8192, json_schema_extra={"pattern": _WEB_ADDRESS}), STORABLE, AfterValidator(_web_address)
]
Tags = Annotated[list[Annotated[str, Field(min_length=1, max_length=100), STORABLE]], Field(max_length=50)]
Data = Annotated[dict[str, Any], AfterValidator(_bounded_json)]
Collection = Annotated[str, Field(min_length=1, max_length=200), STORABLE]
Moment = Annotated[datetime, BeforeValidator(_timestamp), AfterValidator(_in_utc)]
Wait = Annotated[float, Field(ge=0, le=MAX_WAIT_S, allow_inf_nan=False), BeforeValidator(_number)]
Milliseconds = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_number)]
RequestId = Annotated[str, Field(min_length=1, max_length=200), STORABLE]
Audience = Annotated[list[UUID], Field(min_length=1, max_length=100)]
Seq = Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(_integer)]
# Null is taken as for each field, and not told of: hosts have no words for null in an enum. `unread` says the same.
ClearableStatus = Annotated[Status | None, WithJsonSchema({"type": "string", "enum": [*get_args(Status)]})]
ChosenDeviceKind = Annotated[DeviceKind | None, WithJsonSchema({"type": "string", "enum": [*get_args(DeviceKind)]})]
DeviceName = Annotated[str, Field(min_length=1, max_length=100), STORABLE]
IsTrue = Annotated[Literal[True], BeforeValidator(_true)]
Base64Url = Annotated[bytes, BeforeValidator(_base64url)]
WritableKind = Literal["note", "link", "task"]
