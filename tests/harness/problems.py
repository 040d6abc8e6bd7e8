"""What an error must look like (RFC 9457 and our `code`)."""

from typing import Any

import httpx2

MEMBERS = {"type", "title", "status", "detail", "code"}


def problem(response: httpx2.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The problem that a response carries, checked for its form."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].partition(";")[0] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found.keys() >= MEMBERS, found
    assert found["status"] == status
    assert all(isinstance(found[member], str) and found[member] for member in MEMBERS - {"status"})
    if code is not None:
        assert found["code"] == code, found
    return found
