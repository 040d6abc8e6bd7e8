"""OpenAPI 3.1 → the plain OpenAPI 3.0.1 that hosts of assistants read: no unions, null as `nullable`."""

from typing import Any

from app.api.openapi.schemas import Schema, mapped

NULL = {"type": "null"}


def plain(document: Schema) -> Schema:
    """The same document for the hosts. Raises `ValueError` for what has no plain form."""
    components = document["components"]
    schemas = {name: _plain_schema(each) for name, each in components["schemas"].items()}
    return {
        **document,
        "openapi": "3.0.1",
        "paths": {
            path: {method: _plain_operation(each) for method, each in item.items()}
            for path, item in document["paths"].items()
        },
        "components": {**components, "schemas": schemas},
    }


def _plain_operation(operation: Schema) -> Schema:
    plainer: Any = operation
    if "parameters" in operation:
        parameters = [{**each, "schema": _plain_schema(each["schema"])} for each in operation["parameters"]]
        plainer = {**operation, "parameters": parameters}
    return dict(plainer)


def _plain_schema(schema: Schema) -> Schema:
    """Null and constants in the older words; examples one by one; every object with `properties`."""
    found = mapped(schema, _plain_schema)
    if "anyOf" in found:
        options = [each for each in found.pop("anyOf") if each != NULL]
        # To OpenAPI 3.0.3, `nullable` widens the `type` beside it, and nothing else: no enum, no reference.
        if len(options) != 1 or "type" not in options[0] or "enum" in options[0]:
            raise ValueError(f"This union has no plain form: {options}")
        found = {**options[0], **found, "nullable": True}
    if "const" in found:
        found["enum"] = [found.pop("const")]
    if "examples" in found:
        found["example"] = found.pop("examples")[0]
    if found.get("type") == "object":
        found.setdefault("properties", {})
    return found
