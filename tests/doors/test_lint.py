"""The linter: each rule finds what it is for, and nothing in a sound document."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from app.doors.lint import RULES, check
from app.doors.walk import Document

SOUND: Document = {
    "openapi": "3.0.1",
    "info": {"title": "Notes", "version": "1"},
    "servers": [{"url": "https://notes.example.com"}],
    "security": [{"oauth": []}],
    "paths": {
        "/notes": {
            "post": {
                "operationId": "saveNote",
                "summary": "Save a note",
                "description": "Saves a note.",
                "x-openai-isConsequential": False,
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Note"}}}},
                "responses": {"201": {"description": "Saved."}, "default": {"description": "Refused."}},
            }
        },
        "/notes/{id}": {
            "get": {
                "operationId": "getNote",
                "summary": "Read a note",
                "description": "Reads a note.",
                "parameters": [
                    {
                        "name": "id",
                        "in": "path",
                        "required": True,
                        "description": "Its id.",
                        "schema": {"type": "string", "format": "uuid"},
                        "example": "7b0c3c1e-0f5a-4a53-9f0a-6f6f1a2b3c4d",
                    }
                ],
                "responses": {"200": {"description": "The note."}},
            }
        },
    },
    "components": {
        "schemas": {
            "Note": {
                "type": "object",
                "properties": {
                    "text": {"type": "string", "nullable": True},
                    "kind": {"type": "string", "enum": ["a", "b"]},
                    "example": {"type": "string"},
                },
                "required": ["text"],
                "example": {"text": None, "kind": "a"},
            }
        },
        "securitySchemes": {
            "oauth": {
                "type": "oauth2",
                "flows": {
                    "authorizationCode": {
                        "authorizationUrl": "https://notes.example.com/authorize",
                        "tokenUrl": "https://notes.example.com/token",
                        "scopes": {},
                    }
                },
            }
        },
    },
}
POST = ("paths", "/notes", "post")
GET = ("paths", "/notes/{id}", "get")
NOTE = ("components", "schemas", "Note")
FLOW = ("components", "securitySchemes", "oauth", "flows", "authorizationCode")


def at(document: Document, path: tuple[str | int, ...]) -> Any:
    found: Any = document
    for part in path:
        found = found[part]
    return found


def put(*path: str | int, value: Any) -> Callable[[Document], None]:
    """A change: the value stands at the path."""

    def change(document: Document) -> None:
        at(document, path[:-1])[path[-1]] = value

    return change


def drop(*path: str | int) -> Callable[[Document], None]:
    """A change: what stands at the path is gone."""

    def change(document: Document) -> None:
        del at(document, path[:-1])[path[-1]]

    return change


def many(document: Document) -> None:
    for n in range(29):
        document["paths"][f"/more/{n}"] = {"get": {**at(document, GET), "operationId": f"more{n}", "parameters": []}}


BROKEN: list[tuple[str, str, Callable[[Document], None]]] = [
    ("is_small", "more than 1,000,000", put("info", "description", value="x" * 1_000_000)),
    ("has_version", "3.0 or 3.1", put("openapi", value="2.0")),
    ("has_version", "3.0 or 3.1", drop("openapi")),
    ("has_one_server", "there are 0", drop("servers")),
    ("has_one_server", "there are 2", put("servers", value=[{"url": "https://notes.example.com"}] * 2)),
    ("has_one_server", "absolute", put("servers", 0, "url", value="/")),
    ("has_one_server", "absolute", put("servers", 0, "url", value="http://notes.example.com")),
    ("has_operations", "31 operations", many),
    ("has_operations", "0 operations", put("paths", value={})),
    ("has_operations", "Needs an operationId", drop(*GET, "operationId")),
    ("has_operations", "Needs an operationId", put(*GET, "operationId", value="read note")),
    ("has_operations", "another operation", put(*GET, "operationId", value="saveNote")),
    ("is_described", "no summary", drop(*GET, "summary")),
    ("is_described", "no description", put(*GET, "description", value=" ")),
    ("is_described", "summary has 301", put(*GET, "summary", value="x" * 301)),
    ("is_described", "description has 301", put(*GET, "description", value="x" * 301)),
    ("is_described", "no success", drop(*GET, "responses", "200")),
    ("has_described_parameters", "is a reference", put(*GET, "parameters", 0, value={"$ref": "#/components/x"})),
    ("has_described_parameters", "no description", drop(*GET, "parameters", 0, "description")),
    ("has_described_parameters", "701 characters", put(*GET, "parameters", 0, "description", value="x" * 701)),
    (
        "has_described_parameters",
        "no description",
        put("paths", "/notes", "parameters", value=[{"name": "page", "in": "query"}]),
    ),
    ("has_plain_schemas", "oneOf", put(*NOTE, "properties", "text", value={"oneOf": [{"type": "string"}]})),
    ("has_plain_schemas", "anyOf", put(*GET, "parameters", 0, "schema", value={"anyOf": [{"type": "string"}]})),
    ("has_plain_schemas", "one word", put(*NOTE, "properties", "text", "type", value=["string", "null"])),
    ("has_plain_schemas", "one word", put(*NOTE, "properties", "text", "type", value="null")),
    ("has_plain_schemas", "beside a `type`", put(*NOTE, "properties", "kind", "nullable", value=True)),
    ("has_plain_schemas", "beside a `type`", put(*NOTE, "properties", "kind", value={"allOf": [], "nullable": True})),
    ("has_plain_schemas", "needs `properties`", put(*NOTE, "properties", "example", value={"type": "object"})),
    (
        "has_plain_schemas",
        "anyOf",
        put(*POST, "responses", "default", "content", value={"application/json": {"schema": {"anyOf": []}}}),
    ),
    ("has_security", "missing at the top", drop("security")),
    ("has_security", "missing at the top", put("security", value=[])),
    ("has_security", "not among", put("security", value=[{"key": []}])),
    ("has_security", "own host", put(*FLOW, "tokenUrl", value="https://elsewhere.example.com/token")),
    ("says_what_writes", "true or false", drop(*POST, "x-openai-isConsequential")),
    ("says_what_writes", "true or false", put(*POST, "x-openai-isConsequential", value="false")),
    (
        "takes_files_as_it_must",
        "array of strings",
        put(*NOTE, "properties", "openaiFileIdRefs", value={"type": "array", "items": {"type": "object"}}),
    ),
    ("has_sound_references", "leads nowhere", drop(*NOTE)),
    ("has_sound_references", "leads nowhere", put(*NOTE, "properties", "text", value={"$ref": "other.json#/Note"})),
    ("has_true_examples", "example is wrong", put(*NOTE, "example", value={"kind": "a"})),
    ("has_true_examples", "example is wrong", put(*NOTE, "example", value={"text": "x", "kind": "c"})),
    ("has_true_examples", "example is wrong", put(*GET, "parameters", 0, "example", value="1")),
    ("has_true_examples", "example is wrong", put(*NOTE, "properties", "text", "examples", value=["x", 1])),
    ("has_true_examples", "schema is none", put(*NOTE, "required", value="text")),
    ("has_true_examples", "schema is none", put(*NOTE, "properties", "text", "type", value="words")),
    (
        "has_true_examples",
        "example is wrong",
        put(
            *POST,
            "requestBody",
            "content",
            "application/json",
            value={"schema": {"$ref": "#/components/schemas/Note"}, "examples": {"bad": {"value": {"text": 1}}}},
        ),
    ),
]


def test_a_sound_document_has_no_findings() -> None:
    assert check(SOUND) == []


@pytest.mark.parametrize(("rule", "words", "change"), BROKEN, ids=[f"{rule}: {words}" for rule, words, _ in BROKEN])
def test_a_rule_finds_what_it_is_for(rule: str, words: str, change: Callable[[Document], None]) -> None:
    broken = copy.deepcopy(SOUND)
    change(broken)
    found = [finding for each in RULES if each.__name__ == rule for finding in each(broken)]
    assert any(words in finding.words for finding in found), found
    assert set(found) <= set(check(broken))


def test_every_rule_has_a_document_that_breaks_it() -> None:
    assert {rule for rule, _, _ in BROKEN} == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("value", [None, 1, "x", [], [1], {}, {"x": None}])
@pytest.mark.parametrize("member", [*SOUND, "nothing"])
def test_a_document_of_the_wrong_shape_is_no_crash(member: str, value: Any) -> None:
    check({**SOUND, member: value})
    check({member: value})


@pytest.mark.parametrize("path", [GET, POST, NOTE, (*GET, "parameters", 0), (*GET, "responses"), FLOW, POST[:2]])
@pytest.mark.parametrize("value", [None, 1, "x", [], [1], {"x": None}])
def test_a_part_of_the_wrong_shape_is_no_crash(path: tuple[str | int, ...], value: Any) -> None:
    broken = copy.deepcopy(SOUND)
    put(*path, value=value)(broken)
    check(broken)
