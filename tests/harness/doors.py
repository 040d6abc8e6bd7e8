"""Every route, and where a stranger can put an id that is not theirs. A route that is missing here fails a test."""

import json
import re
from collections.abc import Iterator
from typing import Any

from app.main import Starling, web_app

X = "{X}"
"""In place of it, what belongs to somebody else; in the path it always stands."""
CHANGE = {"change_id": X, "id": X, "base_seq": 1, "delete": True}
BY_MCP = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
NOWHERE: list[dict[str, Any]] = []
ANYWHERE: list[dict[str, Any]] = [{}]


def _by_mcp(method: str, **params: Any) -> dict[str, Any]:
    return {"headers": BY_MCP, "json": {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}}


DOORS: dict[str, list[dict[str, Any]]] = {
    "GET /actions/devices": NOWHERE,
    "GET /actions/items": [{"params": {"q": X}}, {"params": {"collection": X}}],
    "POST /actions/items": [{"json": {"title": "mine", "request_id": X}}],
    "GET /actions/items/{item_id}": ANYWHERE,
    "PATCH /actions/items/{item_id}": [{"json": {"title": "mine"}}],
    "DELETE /actions/items/{item_id}": ANYWHERE,
    "GET /actions/items/{item_id}/delivery": ANYWHERE,
    "POST /actions/files": [{"json": {"openaiFileIdRefs": [X], "request_id": X}}],
    "GET /actions/items/{item_id}/files": ANYWHERE,
    "POST /actions/notifications": [
        {"json": {"title": "mine", "devices": [X]}},
        {"json": {"title": "mine", "request_id": X}},
    ],
    "POST /actions/answers": [{"json": {"prompt": "mine", "provider": X}}],
    "POST /mcp": [
        _by_mcp("tools/call", name="getItem", arguments={"item_id": X}),
        _by_mcp("tools/call", name="updateItem", arguments={"item_id": X, "title": "mine"}),
        _by_mcp("tools/call", name="deleteItem", arguments={"item_id": X}),
        _by_mcp("resources/read", uri=f"starling://items/{X}"),
    ],
    "GET /v1/items": [{"params": {"q": X}}, {"params": {"collection": X}}],
    "GET /v1/items/{item_id}": ANYWHERE,
    "GET /v1/changes": [{"params": {"cursor": X}}],
    "POST /v1/changes": [{"json": {"epoch": X, "changes": []}}, {"json": {"epoch": "{OWN}", "changes": [CHANGE]}}],
    "GET /v1/devices": NOWHERE,
    "PATCH /v1/devices/{device_id}": [{"json": {"name": "mine"}}],
    "DELETE /v1/devices/{device_id}": ANYWHERE,
    "POST /v1/ack": [{"json": {"cursor": X}}],
    "POST /v1/files": [
        {"content": "x", "params": {"name": X, "request_id": X, "collection": X}},
        {"content": "x", "params": {"audience": X}},
    ],
    "GET /v1/files/{file_id}": ANYWHERE,
    "POST /v1/answers": [{"json": {"prompt": "mine", "provider": X}}],
    "GET /v1/answers/{answer_id}": ANYWHERE,
    "DELETE /v1/answers/{answer_id}": ANYWHERE,
    "GET /v1/push/key": NOWHERE,
    "POST /v1/push/subscriptions": [{"json": {"endpoint": X, "keys": {"p256dh": X, "auth": X}}}],
    "DELETE /v1/push/subscriptions": NOWHERE,
    "GET /v1/me": NOWHERE,
    "GET /v1/stream": [{"params": {"ticket": X}}],
    "POST /v1/stream/tickets": NOWHERE,
    "GET /account": NOWHERE,
    "GET /account/export": NOWHERE,
    "POST /account/devices/{device_id}/rename": [{"data": {"name": "mine"}}],
    "POST /account/devices/{device_id}/revoke": [{"data": {}}],
    "POST /account/assistants/{grant_id}/revoke": [{"data": {}}],
    "POST /account/password": NOWHERE,
    "POST /account/delete": NOWHERE,
    "GET /sign-in": [{"params": {"next": X}}],
    "POST /sign-in": NOWHERE,
    "GET /sign-up": [{"params": {"next": X}}],
    "POST /sign-up": NOWHERE,
    "POST /sign-out": NOWHERE,
    "GET /sign-in/provider": [{"params": {"next": X, "invitation": X}}],
    "GET /sign-in/callback": [{"params": {"state": X, "code": X}}],
    "POST /sign-in/join": [{"data": {"key": X, "email": X, "password": X}}],
    "POST /account/provider/remove": NOWHERE,
    "GET /activate": [{"params": {"user_code": X}}],
    "POST /activate": [{"data": {"user_code": X}}, {"data": {"user_code": X, "decision": "allow"}}],
    "GET /oauth/authorize": [{"params": {"client_id": X, "redirect_uri": X, "state": X}}],
    "POST /oauth/authorize": [{"data": {"request": f"client_id={X}&state={X}", "decision": "allow"}}],
    "POST /oauth/token": [
        {"data": {"grant_type": "authorization_code", "code": X, "redirect_uri": X}},
        {"data": {"grant_type": "refresh_token", "refresh_token": X}},
        {"data": {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": X}},
    ],
    "POST /oauth/device_authorization": [{"data": {"device_name": X}}],
    "POST /oauth/revoke": [{"data": {"token": X}}],
    "POST /oauth/introspect": [{"data": {"token": X}}],
    "POST /oauth/register": NOWHERE,
    "GET /openapi/{name}": ANYWHERE,
    "GET /privacy": NOWHERE,
    "GET /assets/style.css": NOWHERE,
    "GET /assets/icon.svg": NOWHERE,
    "GET /healthz": NOWHERE,
    "GET /readyz": NOWHERE,
    "GET /.well-known/oauth-authorization-server": NOWHERE,
    "GET /.well-known/oauth-protected-resource": NOWHERE,
    "GET /.well-known/oauth-protected-resource/mcp": NOWHERE,
}


def routes(starling: Starling) -> list[str]:
    """Such as `GET /v1/me`; what is mounted knows its methods itself: `* /mcp`."""
    return sorted(
        f"{method} {route.path_format}"
        for route in web_app(starling).routes
        for method in getattr(route, "methods", ("*",))
        if method != "OPTIONS"
    )


def takes_ids_in_its_path(door: str) -> bool:
    """Whether what stands there must be one's own."""
    return "{" in door


def knocks(door: str, foreign: str, **own: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and what the request carries, with that id in every place; `own` fills other places by name."""
    method, path = door.split()
    for carried in DOORS[door]:
        filled = json.dumps(carried).replace(X, foreign)
        for name, value in own.items():
            filled = filled.replace(f"{{{name.upper()}}}", value)
        yield method, re.sub(r"\{.*?\}", foreign, path), json.loads(filled)
