"""From a validator's findings to the one error that is answered."""

import re
from typing import Any

from pydantic import BaseModel

from app.errors import InvalidField

MAX_NAME = 100
_QUOTED = re.compile(r"'([^']*)'")


def invalid_field(findings: list[dict[str, Any]], body: type[BaseModel]) -> InvalidField:
    """The first finding (pydantic's `errors()`) in a `body`, with the path to its field and what would be allowed."""
    first = findings[0]
    field = _path(first) or "body"
    context = first.get("ctx", {})
    members: dict[str, Any] = {}
    if first.get("type") in {"literal_error", "enum"}:
        members["allowed"] = _QUOTED.findall(str(context.get("expected", "")))
    elif first.get("type") == "extra_forbidden" and len(first["loc"]) == 1:
        members["allowed"] = sorted(body.model_fields)
    elif "allowed" in context:
        members["allowed"] = context["allowed"]
    for bound in ("limit", "max_length", "min_length", "le", "lt", "ge", "gt"):
        if bound in context:
            members["limit"] = context[bound]
            break
    if len(findings) > 1:
        members["also"] = sorted({_path(each) for each in findings[1:21]} - {field})
    return InvalidField(field, f"{field}: {first['msg']}", **members)


def _path(finding: dict[str, Any]) -> str:
    """Names that callers made up may be of any length."""
    path = ".".join(str(part) for part in finding.get("loc", ()))
    return path if len(path) <= MAX_NAME else f"{path[:MAX_NAME]}…"
