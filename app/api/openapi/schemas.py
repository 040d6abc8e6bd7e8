"""JSON Schemas: what pydantic and Litestar say, without what says nothing."""

from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]
_NAMED = ("properties", "$defs")
_LISTED = ("anyOf", "oneOf", "allOf")
_NESTED = ("items", "additionalProperties")


def mapped(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """The schema with each one directly inside it changed."""
    inside: Schema = {}
    for key, value in schema.items():
        if key in _NAMED:
            inside[key] = {name: change(each) for name, each in value.items()}
        elif key in _LISTED:
            inside[key] = [change(each) for each in value]
        elif key in _NESTED and isinstance(value, dict):
            inside[key] = change(value)
        else:
            inside[key] = value
    return inside


def cleaned(schema: Schema) -> Schema:
    """Without titles made of field names and defaults that are null; the classes' names without `Shape`."""
    kept = {
        key: value
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value is None)
    }
    if "$ref" in kept:
        kept["$ref"] = kept["$ref"].removesuffix("Shape")
    if "$defs" in kept:
        kept["$defs"] = {name.removesuffix("Shape"): each for name, each in kept["$defs"].items()}
    return mapped(kept, cleaned)


def of_parameter(schema: Schema) -> Schema:
    """A parameter's: what is null in the code is absent in a request, and bounds are not 1.0 but 1."""
    merged = {key: value for key, value in schema.items() if key not in ("oneOf", "description")}
    for each in schema.get("oneOf", ()):
        merged |= each if each.get("type") != "null" else {}
    if isinstance(merged.get("type"), list):
        (merged["type"],) = (each for each in merged["type"] if each != "null")
    if "enum" in merged:
        merged["enum"] = [each for each in merged["enum"] if each is not None]
    whole = {key: int(merged[key]) for key in ("minimum", "maximum") if merged.get(key, 0.5) % 1 == 0}
    return merged | whole
