"""Every error is a problem (RFC 9457) with our code, whatever raised it."""

from typing import Any

import pytest

from app import errors
from app.errors import StarlingError, Unavailable
from tests.harness.live import Live
from tests.harness.problems import problem

PROTECTED = [
    ("GET", "/actions/items"),
    ("POST", "/actions/items"),
    ("GET", "/actions/devices"),
    ("GET", "/v1/items"),
    ("GET", "/v1/changes"),
    ("POST", "/v1/changes"),
    ("GET", "/v1/devices"),
    ("POST", "/v1/ack"),
    ("GET", "/v1/me"),
    ("POST", "/v1/stream/tickets"),
    ("GET", "/v1/stream"),
]
CREDENTIALS = ["", "Bearer", "Bearer x", "Basic dXNlcjpwYXNz", "bearer  stl_x y", "Bearer stl_" + "x" * 4000]


@pytest.mark.parametrize("credential", [None, *CREDENTIALS], ids=lambda credential: str(credential)[:20])
async def test_without_a_good_token_nothing_is_answered(live: Live, credential: str | None) -> None:
    for method, path in PROTECTED:
        headers = {} if credential is None else {"authorization": credential}
        body = {"title": "x"} if method == "POST" else None
        response = await live.http.request(method, path, json=body, headers=headers)
        problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.headers["cache-control"] == "no-store"


async def test_the_scheme_is_read_in_any_case(live: Live) -> None:
    token = await (await live.person()).token()
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert (await live.http.get("/v1/me", headers={"authorization": f"{scheme} {token}"})).status_code == 200


async def test_bytes_that_are_no_text_are_no_token(live: Live) -> None:
    problem(await live.http.get("/v1/me", headers={b"authorization": b"Bearer \xff\xfe"}), 401, "unauthorized")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/nothing", "/actions", "/favicon.ico", "/v1/items/x/y", "//"])
async def test_an_unknown_address_is_not_found(live: Live, path: str) -> None:
    problem(await live.http.get(f"{live.url}{path}"), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/items", {"GET"}),
        ("PUT", "/actions/items", {"GET", "POST"}),
        ("POST", "/v1/me", {"GET"}),
        ("POST", "/v1/stream", {"GET"}),
        ("TRACE", "/healthz", {"GET"}),
    ],
)
async def test_a_wrong_method_is_answered_with_the_right_ones(
    live: Live, method: str, path: str, allowed: set[str]
) -> None:
    response = await live.http.request(method, path)
    problem(response, 405, "method_not_allowed")
    assert {name.strip() for name in response.headers["allow"].split(",")} - {"OPTIONS"} == allowed


async def test_a_stream_cannot_be_asked_for_its_head(live: Live) -> None:
    device = await (await live.person()).device()
    assert (await live.http.head("/v1/stream", headers=device.headers)).status_code == 405


async def test_an_outage_is_answered_with_when_to_try_again(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise Unavailable(retry_after=7)

    monkeypatch.setattr(live.starling.services.items, "find", away)
    response = await live.get("/v1/items", await (await live.person()).token())
    assert problem(response, 503, "unavailable")["retryable"] is True
    assert response.headers["retry-after"] == "7"


async def test_what_nobody_foresaw_says_nothing_of_itself(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the words of a person")

    monkeypatch.setattr(live.starling.services.items, "find", broken)
    response = await live.get("/v1/items", await (await live.person()).token())
    problem(response, 500, "internal")
    assert "words" not in response.text


def test_every_error_has_a_status_a_code_of_its_own_and_a_sentence() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, StarlingError)]
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert 400 <= kind.status < 600
        assert (kind.__doc__ or "").strip().splitlines()[0].endswith(".")
