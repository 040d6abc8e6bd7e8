"""The operations of an OpenAPI document: what they take, as a model fills it in, and what they may answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from jsonschema import Draft202012Validator, FormatChecker

from app.doors.examples import in_json_schema
from app.doors.lint import CONSEQUENTIAL, FILES_IN
from app.doors.walk import operations

JSON = "application/json"
Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """An operation with its arguments where they belong."""

    method: str
    path: str
    query: dict[str, Any]
    body: Json | None


@dataclass(frozen=True)
class Operation:
    """One of a document."""

    document: Json
    method: str
    path: str
    described: Json

    @property
    def is_consequential(self) -> bool:
        """Whether the person is asked each time. Unless it is said, GET is not, and others are."""
        return bool(self.described.get(CONSEQUENTIAL, self.method != "GET"))

    @cached_property
    def parameters(self) -> dict[str, Json]:
        """By name."""
        return {each["name"]: each for each in self.described.get("parameters", [])}

    @cached_property
    def body(self) -> Json | None:
        """The schema of the body that it takes."""
        if "requestBody" not in self.described:
            return None
        schema: Json = self.described["requestBody"]["content"][JSON]["schema"]
        return self._resolved(schema)

    @property
    def scopes(self) -> set[str]:
        """What a token needs for it."""
        return {scope for each in self.described["security"] for scopes in each.values() for scope in scopes}

    @property
    def takes_files(self) -> bool:
        """Whether files of the conversation go into it."""
        return FILES_IN in (self.body or {}).get("properties", {})

    def _resolved(self, schema: Json) -> Json:
        while "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    def sample(self, known: Mapping[str, Any]) -> Json:
        """Arguments by the document alone: its examples, and what earlier answers made known, by name."""
        arguments = {name: known[name] for name, each in self.parameters.items() if each.get("required")}
        if self.body is not None:
            arguments |= self.body["example"]
        return arguments

    def request(self, arguments: Json) -> Request:
        """What is sent. Each argument must be as the document says; the host's files are its own affair."""
        query, body, path = {}, {}, self.path
        for name, value in arguments.items():
            declared = self.parameters.get(name)
            if declared is None:
                assert self.body is not None, f"{self.path} takes no {name}"
                body[name] = value
                continue
            assert self.wrong(declared["schema"], value) == [], name
            if declared["in"] == "path":
                path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
            else:
                query[name] = value
        if self.body is not None:
            assert self.wrong(self.body, _as_declared(body)) == []
        return Request(self.method, path, query, None if self.body is None else body)

    def wrong(self, schema: Json, value: Any) -> list[str]:
        """What a value has that its schema forbids."""
        worded = {**in_json_schema(schema), "components": in_json_schema(self.document["components"])}
        validator = Draft202012Validator(worded, format_checker=FormatChecker(formats=["uuid"]))
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def wrong_answer(self, status: int, media_type: str, value: Any) -> list[str]:
        """What an answer has that the document forbids, or does not tell of."""
        responses = self.described["responses"]
        described = responses.get(str(status)) or responses["default"]
        content = described.get("content", {})
        if media_type not in content:
            return [f"{status} with {media_type} is not described"]
        return self.wrong(content[media_type]["schema"], value)


def _as_declared(body: Json) -> Json:
    """Files are declared as strings, and delivered as objects: that is how the host wants it."""
    return {name: [each["id"] for each in value] if name == FILES_IN else value for name, value in body.items()}


def read(document: Json) -> dict[str, Operation]:
    """The operations by their ids."""
    found = {}
    for where, described in operations(document):
        method, path = where.split(" ", 1)
        found[described["operationId"]] = Operation(document, method, path, described)
    return found
