"""Bodies that nobody thought of (case 23): never 5xx, and what was answered with success is there as it was sent."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.model import WRITABLE_FIELDS
from tests.harness.counts import times
from tests.harness.live import Live
from tests.harness.people import TestDevice

COUNT = times(60, full=600)
EXAMPLES = settings(
    max_examples=COUNT, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
ANY_TEXT = st.text(st.characters(), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
UUIDS = st.sampled_from([f"0199f9a0-0000-7000-8000-00000000000{n}" for n in range(4)])
PLAUSIBLE: dict[str, st.SearchStrategy[Any]] = {
    "title": ANY_TEXT,
    "text": ANY_TEXT,
    "url": st.sampled_from(["http://a", "https://b/c?d#e", "https://[::1]:8/", "http://\u0130\u3002com"]) | ANY_TEXT,
    "tags": st.lists(ANY_TEXT, max_size=5),
    "data": st.dictionaries(ANY_TEXT, JSON, max_size=4),
    "status": st.sampled_from(["unread", "done"]),
    "collection": ANY_TEXT,
    "expires_at": st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
}
FIELDS = st.fixed_dictionaries({}, optional={name: each | st.none() | JSON for name, each in PLAUSIBLE.items()})
EXTRAS = st.fixed_dictionaries(
    {}, optional={"kind": st.just("task") | JSON, "request_id": ANY_TEXT | JSON, "wait_for_delivery": st.just(0) | JSON}
)
SAVES = st.builds(lambda fields, extras: {**fields, **extras}, FIELDS, EXTRAS) | JSON
CHANGES = st.fixed_dictionaries(
    {"change_id": UUIDS | st.uuids().map(str) | JSON, "id": UUIDS | JSON},
    optional={"base_seq": st.integers(-1, 9) | st.none() | JSON, "put": FIELDS | JSON, "delete": st.booleans() | JSON},
)


@pytest.fixture
async def device(live: Live) -> TestDevice:
    return await (await live.person()).device()


async def post(live: Live, device: TestDevice, path: str, body: Any) -> Any:
    headers = {**device.headers, "content-type": "application/json"}
    response = await live.http.post(path, content=json.dumps(body), headers=headers)
    assert response.status_code < 500, (response.text, body)
    assert (response.status_code < 300) or response.json()["status"] == response.status_code
    return response.json() if response.status_code < 300 else None


def survived(sent: dict[str, Any], item: dict[str, Any]) -> None:
    """Every writable field that was sent came back (times may be written otherwise, cleared ones are empty)."""
    for name in set(WRITABLE_FIELDS) & sent.keys() - {"expires_at"}:
        if sent[name] is not None:
            assert item[name] == sent[name], name


@EXAMPLES
@given(body=SAVES)
@pytest.mark.case(23, f"{COUNT} random saves")
async def test_any_save_is_answered_and_a_success_is_kept(live: Live, device: TestDevice, body: Any) -> None:
    answer = await post(live, device, "/actions/items", body)
    if answer is None:
        return
    survived(body, answer["item"])
    read = await live.get(f"/v1/items/{answer['item']['id']}", device.token)
    assert read.json() == answer["item"]


@EXAMPLES
@given(changes=st.lists(CHANGES, max_size=4))
@pytest.mark.case(23, f"{COUNT} random batches")
async def test_any_batch_is_answered_and_what_was_applied_is_kept(
    live: Live, device: TestDevice, changes: list[Any]
) -> None:
    epoch = (await live.get("/v1/me", device.token)).json()["feed"]["epoch"]
    answer = await post(live, device, "/v1/changes", {"epoch": epoch, "changes": changes})
    if answer is None:
        return
    assert len(answer["results"]) == len(changes)
    for sent, result in zip(changes, answer["results"], strict=True):
        if result["status"] == "applied" and sent.get("put"):
            survived(sent["put"], result["item"])
    page = (await live.get("/v1/changes?limit=1000", device.token)).json()
    assert page["has_more"] is False
    newest = {result["item"]["id"]: result["item"] for result in answer["results"] if result["status"] == "applied"}
    held = {item["id"]: item for item in page["items"]}
    assert all(held[each["id"]]["seq"] >= each["seq"] for each in newest.values())


@EXAMPLES
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
@pytest.mark.case(23, f"{COUNT} random byte strings")
async def test_any_bytes_are_answered(live: Live, device: TestDevice, body: bytes) -> None:
    for path in ("/actions/items", "/v1/changes", "/v1/ack"):
        headers = {**device.headers, "content-type": "application/json"}
        response = await live.http.post(path, content=body, headers=headers)
        assert response.status_code < 500, response.text
