"""Examples of an OpenAPI document against their schemas."""

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, UnknownType

from app.doors.walk import Document, objects, of

_FORMATS = FormatChecker(formats=["uuid"])


def wrong_examples(document: Document) -> Iterator[tuple[str, str]]:
    """Where an example is not what its schema says, and what is wrong with it. References must lead somewhere."""
    shared = {"components": in_json_schema(of(document.get("components"), dict))}
    for where, each in objects(document, "document"):
        for schema, example in _examples(each):
            worded = {**in_json_schema(schema), **shared}
            try:
                Draft202012Validator.check_schema(worded)
                errors = [*Draft202012Validator(worded, format_checker=_FORMATS).iter_errors(example)]
            except (SchemaError, UnknownType) as error:
                yield where, f"its schema is none: {error.args[0]}"
                continue
            yield from ((where, f"{error.message} (at {error.json_path})") for error in errors)


def _examples(each: Document) -> Iterator[tuple[Document, Any]]:
    """An example stands in a schema, or beside one in a parameter or in a body."""
    schema = of(each.get("schema"), dict) or each
    if "example" in each:
        yield schema, each["example"]
    examples = each.get("examples")
    if isinstance(examples, list):
        yield from ((schema, example) for example in examples)
    elif isinstance(examples, dict):
        yield from ((schema, of(named, dict)["value"]) for named in examples.values() if "value" in of(named, dict))


def in_json_schema(schema: Any) -> Any:
    """The `nullable` of OpenAPI 3.0.3 in JSON Schema's words: it widens the `type` beside it, and nothing else."""
    if isinstance(schema, list):
        return [in_json_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    worded = {name: in_json_schema(each) for name, each in schema.items()}
    if worded.pop("nullable", None) is True and isinstance(worded.get("type"), str):
        worded["type"] = [worded["type"], "null"]
    return worded
