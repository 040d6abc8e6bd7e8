"""The document of a client that describes itself, on a web server of the test's own internet."""

import json
from typing import Any

from tests.harness.sites import answer

HOST = "app.example.com"
URL = f"https://{HOST}/oauth/client.json"
CALLBACK = f"https://{HOST}/callback"
LOCAL = "http://127.0.0.1/callback"


def document(url: str = URL, **members: Any) -> dict[str, Any]:
    """What it says; a member that is None is not there."""
    said = {
        "client_id": url,
        "client_name": "Example",
        "redirect_uris": [CALLBACK, LOCAL],
        "token_endpoint_auth_method": "none",
    }
    return {name: value for name, value in {**said, **members}.items() if value is not None}


def served(said: Any, *, kind: str = "application/json", **headers: str) -> bytes:
    """The answer with it."""
    return answer(body=json.dumps(said).encode(), content_type=kind, **headers)
