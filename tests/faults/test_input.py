"""Input of malice or accident (case 23): refused with 4xx, never 5xx, and nothing is saved."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest
from litestar import Request

from app.api.requests import StrictRequest
from tests.harness.live import Live
from tests.harness.people import TestDevice
from tests.harness.problems import problem
from tests.harness.raw import exchange, request

JSON = {"content-type": "application/json"}
PATHS = [("POST", "/actions/items"), ("PATCH", "/actions/items/{item}"), ("POST", "/v1/changes"), ("POST", "/v1/ack")]
MIB = 1024 * 1024
NOT_JSON = {
    "empty": b"",
    "spaces": b"  \n",
    "word": b"title",
    "cut": b'{"title": "x',
    "two": b'{"title":"x"}{"title":"y"}',
    "trailing comma": b'{"title":"x",}',
    "single quotes": b"{'title':'x'}",
    "comment": b'{"title":"x"/*y*/}',
    "form": b"title=x",
    "invalid utf-8": b'{"title":"\xff\xfe"}',
    "overlong utf-8": b'{"title":"\xc0\xaf"}',
    "utf-8 of a surrogate": b'{"title":"\xed\xa0\x80"}',
    "utf-16": '{"title":"x"}'.encode("utf-16"),
    "raw control character": b'{"title":"a\x00b"}',
    "bad escape": b'{"title":"\\u12"}',
    "nan": b'{"data":{"a":NaN}}',
    "infinity": b'{"data":{"a":-Infinity}}',
    "leading zero": b'{"data":{"a":01}}',
    "plus": b'{"data":{"a":+1}}',
}
NOT_STORABLE = {
    "deep array": b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep object": b'{"data":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    "deep top": b"[" * 100_000 + b"]" * 100_000,
    "unclosed": b"[" * 100_000,
    "nul": b'{"title":"a\\u0000b"}',
    "nul in a key": b'{"data":{"\\u0000":1}}',
    "lone surrogate": b'{"title":"\\ud800"}',
    "swapped surrogates": b'{"text":"\\udc00\\ud800"}',
    "lone surrogate in data": b'{"data":{"a":["\\udfff"]}}',
    "1e400": b'{"data":{"a":1e400}}',
    "-1e400": b'{"data":{"a":[-1e400]}}',
    "1e400 as a wait": b'{"title":"x","wait_for_delivery":1e400}',
    "2^64": b'{"data":{"a":18446744073709551616}}',
    "huge integer": b'{"data":{"a":' + b"9" * 400_000 + b"}}",
    "array": b'[{"title":"x"}]',
    "string": b'"title"',
    "number": b"1",
    "true": b"true",
    "null": b"null",
    "empty key": b'{"":"x"}',
    "proto": b'{"__proto__":{"title":"x"}}',
}


@pytest.fixture
async def device(live: Live) -> AsyncIterator[TestDevice]:
    """A device of a feed with one item; at the end, that is all there is and the server is healthy."""
    device = await (await live.person()).device()
    epoch = (await live.get("/v1/me", device.token)).json()["feed"]["epoch"]
    create = {"change_id": str(uuid4()), "id": str(uuid4()), "base_seq": None, "put": {"title": "there"}}
    await live.http.post("/v1/changes", json={"epoch": epoch, "changes": [create]}, headers=device.headers)
    before = (await live.get("/v1/items", device.token)).json()
    assert before["total"] == 1
    yield device
    assert (await live.get("/v1/items", device.token)).json() == before
    assert (await live.http.get("/readyz")).status_code == 200


async def item_of(live: Live, device: TestDevice) -> str:
    return str((await live.get("/v1/items", device.token)).json()["items"][0]["id"])


async def sent_everywhere(live: Live, device: TestDevice, body: bytes, **headers: str) -> list[httpx2.Response]:
    item = await item_of(live, device)
    return [
        await live.http.request(
            method, path.format(item=item), content=body, headers={**JSON, **device.headers, **headers}
        )
        for method, path in PATHS
    ]


@pytest.mark.case(23, f"{len(NOT_JSON)} bodies that are no JSON, {len(PATHS)} operations")
@pytest.mark.parametrize("name", NOT_JSON)
async def test_what_is_no_json_is_refused(live: Live, device: TestDevice, name: str) -> None:
    for response in await sent_everywhere(live, device, NOT_JSON[name]):
        assert problem(response, response.status_code)["code"] in {"bad_request", "invalid"}
        assert response.status_code in {400, 422}


@pytest.mark.case(
    23, f"{len(NOT_STORABLE)} bodies that cannot be stored: 100,000 deep, NUL, surrogates, 1e400 and others"
)
@pytest.mark.parametrize("name", NOT_STORABLE)
async def test_json_that_cannot_be_stored_is_refused_with_its_field(live: Live, device: TestDevice, name: str) -> None:
    for response in await sent_everywhere(live, device, NOT_STORABLE[name]):
        assert problem(response, 422, "invalid")["field"]


@pytest.mark.control(23, "the web framework's own JSON parser")
@pytest.mark.parametrize("name", ["deep array", "invalid utf-8"])
async def test_control_the_web_frameworks_own_parser_fails_this(
    live: Live, device: TestDevice, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(StrictRequest, "json", Request.json)
    responses = await sent_everywhere(live, device, {**NOT_JSON, **NOT_STORABLE}[name])
    assert {response.status_code for response in responses} & {500, 201, 200}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", ""])
async def test_json_under_another_name_is_json_or_refused(live: Live, device: TestDevice, kind: str) -> None:
    for response in await sent_everywhere(live, device, b"title=x", **{"content-type": kind}):
        assert 400 <= response.status_code < 500
        problem(response, response.status_code)


async def test_of_a_key_twice_the_last_counts(live: Live) -> None:
    device = await (await live.person()).device()
    response = await live.http.post(
        "/actions/items", content=b'{"title":"first","title":"last"}', headers={**JSON, **device.headers}
    )
    assert (response.status_code, response.json()["item"]["title"]) == (201, "last")


def refused_as_too_large(body: bytes) -> None:
    found = json.loads(body)
    assert (found["status"], found["code"], found["limit"]) == (413, "too_large", 10 * MIB)


@pytest.mark.case(23, "11 MB by length")
@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_an_eleven_megabyte_body_is_refused_by_its_length(
    live: Live, device: TestDevice, method: str, path: str
) -> None:
    target = path.format(item=await item_of(live, device))
    head = request(
        method, target, device.token, "content-type: application/json", f"content-length: {11 * MIB}", body=None
    )
    answer = await exchange(live.url, head, *[b" " * MIB] * 11)
    assert (answer.status, answer.headers["content-type"]) == (413, "application/problem+json")
    refused_as_too_large(answer.body)


@pytest.mark.case(23, "11 MB in chunks")
@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_an_eleven_megabyte_body_in_chunks_is_refused(
    live: Live, device: TestDevice, method: str, path: str
) -> None:
    target = path.format(item=await item_of(live, device))
    head = request(
        method, target, device.token, "content-type: application/json", "transfer-encoding: chunked", body=None
    )
    chunk = b"%x\r\n%b\r\n" % (MIB, b" " * MIB)
    answer = await exchange(live.url, head, *[chunk] * 11, b"0\r\n\r\n")
    assert answer.status == 413
    refused_as_too_large(answer.body)


async def test_a_body_of_ten_megabytes_is_read(live: Live, device: TestDevice) -> None:
    body = b'{"title":5' + b" " * (10 * MIB - 11) + b"}"
    response = await live.http.post("/actions/items", content=body, headers={**JSON, **device.headers})
    assert problem(response, 422)["field"] == "title"


QUERIES = ["q=%00", "q=%ff", "q=%c0%af", "q=%", "q=%zz", "q=%ed%a0%80", "q=" + "x" * 20_000, "limit=%00", "kind=%ff"]
QUERIES += [
    "page=" + "9" * 5000,
    "limit=1&limit=2",
    "collection=%00",
    "collection=%ff%fe",
    "&&&=&=",
    "q[]=x",
    "%00=%00",
]


@pytest.mark.case(23, f"{len(QUERIES)} hostile queries")
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: str(query)[:20])
async def test_a_query_of_any_bytes_is_answered_or_refused(live: Live, device: TestDevice, query: str) -> None:
    for path in ("/v1/items", "/actions/items"):
        answer = await exchange(live.url, request("GET", f"{path}?{query}", device.token))
        assert answer.status in {200, 400, 422}


@pytest.mark.parametrize("cursor", ["%00", "%ff", "%", "x" * 20_000, "%0d%0aevent:%20bye", "..", "1.1", "%F0%9F%90%A6"])
async def test_a_cursor_of_any_bytes_is_a_reset(live: Live, device: TestDevice, cursor: str) -> None:
    answer = await exchange(live.url, request("GET", f"/v1/changes?cursor={cursor}", device.token))
    assert (answer.status, json.loads(answer.body)["reset"]) == (200, {"reason": "cursor_invalid"})
    listener = await (await live.listen(device, query=f"?cursor={cursor}")).until_ready()
    assert listener.names == ["reset", "hello", "item", "ready"]
    assert json.loads(listener.events[0].data) == {"reason": "cursor_invalid"}


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"openai-conversation-id: {'x' * 201}", 422),
        (f"openai-conversation-id: {'x' * 60_000}", 422),
        ("content-length: x", 400),
        ("openai-conversation-id: a\0b", 400),
        ("a b: c", 400),
    ],
    ids=["conversation", "long conversation", "length", "nul", "no name"],
)
async def test_a_malformed_header_is_refused(live: Live, device: TestDevice, header: str, status: int) -> None:
    parts = request("POST", "/actions/items", device.token, "content-type: application/json", header, body=b"{}")
    answer = await exchange(live.url, parts)
    assert answer.status in {status, 400, 431}


HOSTILE = [
    "name=%00",
    "title=a%00b",
    "collection=%ed%a0%80",
    "audience=x",
    "audience=",
    "request_id=",
    "title=" + "x" * 501,
]
HOSTILE += ["request_id=" + "x" * 201, "collection=%00", "name=%ff", "name=..%2f..%2fx", "name=%e2%80%ae", "wat=1"]
HOSTILE += ["name=" + "x" * 20_000, "audience=" + "&audience=".join(str(uuid4()) for _ in range(101))]


@pytest.mark.case(23, f"{len(HOSTILE)} hostile queries of an upload")
async def test_an_upload_with_a_query_of_any_bytes_is_made_or_refused(live: Live) -> None:
    device = await (await live.person()).device()
    for n, query in enumerate(HOSTILE):
        parts = request("POST", f"/v1/files?{query}", device.token, body=b"%d" % n)
        answer = await exchange(live.url, parts)
        assert answer.status in {201, 400, 422}, query
        if answer.status == 201:
            file = json.loads(answer.body)
            assert not set(file["name"]) & set("/\\\0\u202e")
            got = await exchange(live.url, request("GET", f"/v1/files/{file['id']}", device.token))
            assert (got.status, got.body) == (200, b"%d" % n)


@pytest.mark.case(22, "names and types of files")
async def test_line_ends_in_a_files_name_make_no_event_and_no_header(live: Live) -> None:
    device = await (await live.person()).device()
    stream = await (await live.listen(device)).until_ready()
    name = "a\r\nevent: bye\r\n\r\n\u2028\u0085x-evil: 1"
    answer = await live.http.post("/v1/files", params={"name": name}, content=b"x", headers=device.headers)
    file = answer.json()
    assert file["name"] == "aevent: byex-evil: 1"
    await stream.until_seq(file["item"]["seq"])
    assert stream.names[-1] == "item"
    assert stream.items[-1] == file["item"]
    got = await live.get(f"/v1/files/{file['id']}", device.token)
    assert "x-evil" not in got.headers


async def test_a_conversation_of_any_bytes_is_kept_as_it_came(live: Live) -> None:
    device = await (await live.person()).device()
    header = "openai-conversation-id: \xff\x85\xe9"
    parts = request("POST", "/actions/items", device.token, "content-type: application/json", header, body=b"{}")
    answer = await exchange(live.url, parts)
    item = json.loads(answer.body)["item"]
    assert (answer.status, item["origin"]["conversation_id"]) == (201, "\xff\x85\xe9")
    assert (await live.get("/v1/changes", device.token)).json()["items"] == [item]
