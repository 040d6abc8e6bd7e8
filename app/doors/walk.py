"""Walking through an OpenAPI document that may be wrong in any way."""

from collections.abc import Iterator
from typing import Any

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_DATA = ("example", "examples", "default", "enum")
_OF_NAMES = (".properties", ".responses", ".schemas")
Document = dict[str, Any]


def of(value: Any, kind: type) -> Any:
    """The value, or an empty one when it is of another kind: each rule minds its own business."""
    return value if isinstance(value, kind) else kind()


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    """Each as `("GET /path", operation)`."""
    for path, item in of(document.get("paths"), dict).items():
        for method, operation in of(item, dict).items():
            if method in METHODS and isinstance(operation, dict):
                yield f"{method.upper()} {path}", operation


def parameters(document: Document) -> Iterator[tuple[str, Document]]:
    """Those of paths and of operations, with where they stand."""
    for path, item in of(document.get("paths"), dict).items():
        for each in of(of(item, dict).get("parameters"), list):
            yield path, of(each, dict)
    for where, operation in operations(document):
        for each in of(operation.get("parameters"), list):
            yield where, of(each, dict)


def objects(value: Any, where: str) -> Iterator[tuple[str, Document]]:
    """Every JSON object in it, with the path to it; examples are data and left out."""
    if isinstance(value, dict):
        yield where, value
        is_of_names = where.endswith(_OF_NAMES)
        for name, each in value.items():
            if is_of_names or name not in _DATA:
                yield from objects(each, f"{where}.{name}")
    elif isinstance(value, list):
        for n, each in enumerate(value):
            yield from objects(each, f"{where}.{n}")


def schemas(document: Document) -> Iterator[tuple[str, Document]]:
    """Everything that may hold a schema."""
    yield from objects(of(document.get("paths"), dict), "paths")
    yield from objects(of(of(document.get("components"), dict).get("schemas"), dict), "components.schemas")
