"""CORS to the letter: any page may call the API with a token it holds; cookies never count there."""

import httpx2
import pytest

from app.api.cors import is_open
from tests.harness.live import Live

ORIGIN = {"origin": "https://page.example"}
OF_MCP = {"mcp-protocol-version", "mcp-method", "mcp-name"}
ALLOWED = {"authorization", "content-type", "last-event-id", "range", "if-none-match"} | OF_MCP
EXPOSED = {"etag", "content-range", "content-disposition", "retry-after", "www-authenticate"}
OPEN = ["/v1/me", "/v1/items", "/v1/stream", "/actions/items", "/v1/nothing", "/mcp", "/.well-known/nothing"]
CLOSED = ["/", "/healthz", "/readyz", "/privacy", "/activate", "/oauth/authorize", "/openapi/api.json", "/metrics"]


def names(response: httpx2.Response, header: str) -> set[str]:
    return {name.strip().lower() for name in response.headers[header].split(",")}


async def test_every_answer_of_the_api_is_open_errors_too(live: Live) -> None:
    for path in OPEN:
        response = await live.http.get(path, headers=ORIGIN)
        assert response.headers.get_list("access-control-allow-origin") == ["*"]
        exposed = names(response, "access-control-expose-headers")
        assert exposed >= EXPOSED
        assert all(name.startswith("ratelimit") for name in exposed - EXPOSED)
        assert "access-control-allow-credentials" not in response.headers


async def test_a_success_and_a_stream_are_open_too(live: Live) -> None:
    person = await live.person()
    device = await person.device()
    response = await live.http.get("/v1/me", headers={**ORIGIN, **device.headers})
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (200, "*")
    listener = await (await live.listen(device)).until_ready()
    assert listener.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in listener.headers


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
async def test_a_preflight_needs_no_token_and_is_kept_for_a_day(live: Live, method: str) -> None:
    asked = {**ORIGIN, "access-control-request-method": method, "access-control-request-headers": "authorization"}
    for path in OPEN:
        response = await live.http.options(path, headers=asked)
        assert (response.status_code, response.content) == (204, b"")
        assert response.headers["access-control-allow-origin"] == "*"
        assert names(response, "access-control-allow-headers") == ALLOWED
        assert method.lower() in names(response, "access-control-allow-methods")
        assert response.headers["access-control-max-age"] == "86400"
        assert "access-control-allow-credentials" not in response.headers


async def test_pages_are_closed(live: Live) -> None:
    asked = {**ORIGIN, "access-control-request-method": "POST"}
    for path in CLOSED:
        for response in (await live.http.get(path, headers=ORIGIN), await live.http.options(path, headers=asked)):
            assert not [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/register", "/oauth/revoke", "/oauth/device_authorization"])
def test_the_token_endpoints_are_open(path: str) -> None:
    assert is_open(path)
    assert not is_open(f"{path}x")


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/mcp/x", "/v1/x", "/actions/x", "/.well-known/x"])
def test_what_lies_below_an_open_path_is_open(path: str) -> None:
    assert is_open(path)


@pytest.mark.parametrize("path", ["/mcpage", "/v1x", "/actionsx", "/x/v1/y", "/oauth/introspect", "/oauth/authorize"])
def test_what_only_begins_alike_is_not(path: str) -> None:
    assert not is_open(path)
