"""The documents: sound, current, true to the server, and the same that it serves."""

import json
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from app.api.openapi import documents
from app.api.openapi.document import PLACEHOLDER_URL
from app.api.openapi.hosts import plain
from app.cli.openapi import written
from app.doors.lint import check
from app.doors.walk import operations
from app.main import web_app
from app.model import Scope
from tests.harness.live import Live, serving

URL = "https://sync.example.org"
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", params=["actions", "api"])
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    made: dict[str, Any] = documents.ALL[request.param](URL)
    return made


def test_both_are_openapi(document: dict[str, Any]) -> None:
    validate(document)


@pytest.mark.parametrize("name", documents.ALL)
def test_the_committed_files_are_current(name: str) -> None:
    made = written(documents.ALL[name](PLACEHOLDER_URL))
    assert (ROOT / "openapi" / f"{name}.json").read_text() == made, "run starling openapi export"


def test_chatgpt_can_read_the_actions() -> None:
    assert check(documents.actions(URL)) == []


def test_every_operation_is_described_in_words(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        assert operation["description"][-1] in ".`", where
        for parameter in operation.get("parameters", []):
            assert parameter["description"].endswith("."), (where, parameter["name"])


async def test_every_route_for_tokens_is_in_one_of_them(live: Live) -> None:
    described = {where for name in documents.ALL for where, _ in operations(documents.ALL[name](URL))}
    routes = {
        f"{method} {route.path_format}"
        for route in web_app(live.starling).routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS" and route.path_format.startswith(("/actions", "/v1"))
    }
    assert described == routes


async def test_the_served_ones_have_the_servers_own_address(database_url: str, own_dir: Path) -> None:
    async with serving(database_url, own_dir, public_url=URL) as live:
        for name, made in documents.ALL.items():
            answer = await live.http.get(f"/openapi/{name}.json")
            assert answer.headers["content-type"].startswith("application/json")
            assert answer.json() == json.loads(json.dumps(made(URL)))
        for path in ("/openapi/actions", "/openapi/other.json", "/openapi/..%2factions.json"):
            assert (await live.http.get(path)).status_code == 404


async def test_an_operation_needs_the_scopes_that_it_names_and_no_others(live: Live, document: dict[str, Any]) -> None:
    person = await live.person()
    for where, operation in operations(document):
        method, path = where.split()
        path = path.replace("{item_id}", str(person.feed_id)).replace("{device_id}", str(person.feed_id))
        path = path.replace("{file_id}", str(person.feed_id)).replace("{answer_id}", str(person.feed_id))
        named = {Scope(scope) for scope in operation["security"][0]["starling"]}
        some = named or {Scope.ANSWERS}  # no token is without any
        enough = (await person.device()).token if Scope.STREAM in named else await person.token(scopes=some)
        lacking = await person.token(scopes=set(Scope) - named)
        for token, is_enough in ((enough, True), (lacking, not named)):
            headers = {"authorization": f"Bearer {token}"}
            async with live.http.stream(method, path, json=_body(document, operation), headers=headers) as answer:
                assert (answer.status_code != 403) is is_enough, (where, is_enough, answer.status_code)


def _body(document: dict[str, Any], operation: dict[str, Any]) -> Any:
    """The example of the body that it takes, if it takes one."""
    if "requestBody" not in operation:
        return None
    content = operation["requestBody"]["content"]
    if "application/json" not in content:
        return None
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = document["components"]["schemas"][name]
    return schema["example"] if "example" in schema else schema["examples"][0]


def test_a_union_of_two_shapes_has_no_plain_form() -> None:
    with pytest.raises(ValueError, match="no plain form"):
        plain(documents.api(URL))
