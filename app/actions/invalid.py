"""From a validator's findings to the one error that is answered."""

import re
from typing import Any

from app.errors import InvalidField

_QUOTED = re.compile(r"'([^']*)'")


def invalid_field(findings: list[dict[str, Any]]) -> InvalidField:
    """The first finding (pydantic's `errors()`), with the path to its field and what would be allowed."""
    first = findings[0]
    field = ".".join(str(part) for part in first.get("loc", ())) or "body"
    context = first.get("ctx", {})
    members: dict[str, Any] = {}
    if first.get("type") in {"literal_error", "enum"}:
        members["allowed"] = _QUOTED.findall(str(context.get("expected", "")))
    elif "allowed" in context:
        members["allowed"] = context["allowed"]
    for bound in ("limit", "max_length", "min_length", "le", "lt", "ge", "gt"):
        if bound in context:
            members["limit"] = context[bound]
            break
    if len(findings) > 1:
        others = (".".join(str(part) for part in each.get("loc", ())) for each in findings[1:21])
        members["also"] = sorted({other for other in others if other != field})
    return InvalidField(field, f"{field}: {first['msg']}", **members)
