"""A reply's route is one of a few names, whatever was asked for."""

import pytest
from litestar.types import Message, Receive, Scope, Send
from prometheus_client import REGISTRY

from app.api.measured import Measured, route


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/actions/items", "actions"),
        ("/actions/items/x/delivery", "actions"),
        ("/v1/stream", "stream"),
        ("/v1/stream/tickets", "tickets"),
        ("/v1/changes", "changes"),
        ("/v1/items/0199", "items"),
        ("/mcp", "mcp"),
        ("/healthz", "health"),
        ("/oauth/token", "oauth"),
        ("/.well-known/oauth-authorization-server", "discovery"),
        ("/account/devices/x/revoke", "pages"),
        ("/v1", "other"),
        ("/v1/", "other"),
        ("/", "other"),
        ("", "other"),
        ("/v1/secret", "other"),
        ("/../etc", "other"),
        ("*", "other"),
    ],
)
def test_routes(path: str, name: str) -> None:
    assert route(path) == name


async def test_a_made_up_method_and_path_make_no_names_of_their_own() -> None:
    async def answer(scope: Scope, _: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 405, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def receive() -> None: ...

    async def send(message: Message) -> None:
        sent.append(message["type"])

    def counted() -> list[float]:
        timed = REGISTRY.get_sample_value("starling_request_seconds_count", {"route": "other", "method": "other"})
        return [
            timed or 0,
            REGISTRY.get_sample_value("starling_replies_total", {"route": "other", "status": "405"}) or 0,
        ]

    sent: list[str] = []
    before = counted()
    for number in range(3):
        scope = {"type": "http", "method": f"BREW{number}", "path": f"/pot/{number}"}
        await Measured(answer)(scope, receive, send)  # type: ignore[arg-type]
    assert sent == ["http.response.start", "http.response.body"] * 3
    assert counted() == [count + 3 for count in before]
