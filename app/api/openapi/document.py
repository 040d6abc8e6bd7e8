"""Handlers → OpenAPI 3.1: paths and parameters as Litestar reads them, bodies and answers as pydantic describes them.

Litestar loses the bounds of optional fields and knows no answer that is bytes, so it describes neither.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.routes import HTTPRoute
from pydantic import BaseModel

from app.actions.shapes import ProblemShape
from app.api.declared import BYTES, PROBLEM, SCHEME
from app.api.openapi.schemas import Schema, cleaned, of_parameter

METHODS = ("get", "post", "patch", "put", "delete")
PLACEHOLDER_URL = "https://starling.example.com"
JSON = "application/json"
REFUSALS = {
    "401": "The access token is missing, expired or revoked.",
    "403": "The access token does not carry the scope that this needs.",
    "404": "There is no such thing, or it is not the user's.",
    "422": "A value is missing, of the wrong type or out of range: see `field`, `allowed` and `limit`.",
    "429": "Too many requests: wait for the seconds of `retry-after`.",
    "503": "A part is not available right now, nothing was changed: wait for the seconds of `retry-after`.",
    "default": "Any other refusal.",
}


def describe(routers: Sequence[Router], url: str, *, title: str, description: str, security: Schema) -> Schema:
    """The document of all handlers of the routers, reached at `url`. `security` is its security schemes."""
    config = OpenAPIConfig(title=title, version=version("starling"), use_handler_docstrings=True)
    parts = {"services": Provide(lambda: None, sync_to_thread=False)}  # nobody calls these handlers
    app = Litestar([*routers], openapi_config=config, dependencies=parts)
    skeleton = app.openapi_schema.to_schema()["paths"]
    schemas: dict[str, Schema] = {}
    paths: dict[str, Schema] = {}
    for path, method, handler in sorted(_handlers(app), key=lambda found: (found[0], METHODS.index(found[1]))):
        paths.setdefault(path, {})[method] = _operation(skeleton[path][method], handler, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": config.version, "description": description},
        "servers": [{"url": url}],
        "security": [{SCHEME: []}],
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": security},
    }


def _handlers(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if handler.resolve_include_in_schema():
                    yield route.path_format, method.lower(), handler


def _operation(found: Schema, handler: HTTPRouteHandler, schemas: dict[str, Schema]) -> Schema:
    operation: Schema = {name: _unwrapped(found[name]) for name in ("operationId", "summary", "description")}
    operation |= {name: value for name, value in handler.opt.items() if name.startswith("x-")}
    operation["security"] = handler.resolve_security()
    hidden = {scheme for each in operation["security"] for scheme in each}
    parameters = [_parameter(each) for each in found.get("parameters", ()) if each["name"] not in hidden]
    if parameters:
        operation["parameters"] = parameters
    if "data" in handler.parsed_fn_signature.parameters:
        body = handler.parsed_fn_signature.parameters["data"].annotation
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": _reference(body, schemas)}}}
    if words := handler.opt.get(BYTES):
        operation["requestBody"] = {"description": words, "required": True, "content": {"*/*": {}}}
    operation["responses"] = dict(sorted(_responses(operation, handler, schemas)))
    return operation


def _unwrapped(words: str) -> str:
    """Paragraphs of one line each."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in words.split("\n\n"))


def _parameter(found: Schema) -> Schema:
    kept: Schema = {name: found[name] for name in ("name", "in", "description", "required") if name in found}
    return {**kept, "schema": of_parameter(found["schema"])}


def _responses(
    operation: Schema, handler: HTTPRouteHandler, schemas: dict[str, Schema]
) -> Iterator[tuple[str, Schema]]:
    declared: Mapping[int, ResponseSpec] = handler.responses or {}
    for code, spec in declared.items():
        described: Schema = {"description": spec.description}
        if spec.data_container is not None:
            # Bytes have no schema in OpenAPI 3.1.
            schema = {} if spec.data_container is bytes else {"schema": _reference(spec.data_container, schemas)}
            described["content"] = {spec.media_type: schema}
        yield str(code), described
    is_addressed = any(each["in"] == "path" for each in operation.get("parameters", ()))
    is_input = "parameters" in operation or "requestBody" in operation
    absent = {"404": not is_addressed, "422": not is_input}
    problem = {"content": {PROBLEM: {"schema": _reference(ProblemShape, schemas)}}}
    for status, words in REFUSALS.items():
        if not absent.get(status):
            yield status, {"description": words, **problem}


def _reference(model: Any, schemas: dict[str, Schema]) -> Schema:
    """Where the model stands among the schemas, which it and all that it holds are added to."""
    if not isinstance(model, type) or not issubclass(model, BaseModel):
        return {"type": "string"}
    schema = cleaned(model.model_json_schema(ref_template="#/components/schemas/{model}"))
    schemas |= schema.pop("$defs", {})
    name = model.__name__.removesuffix("Shape")
    schemas[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}
