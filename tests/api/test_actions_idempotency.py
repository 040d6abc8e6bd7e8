"""The same write twice has one effect, and the same item in the answer (promise 4, case 6)."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from tests.harness.live import Live
from tests.harness.people import Assistant, Person
from tests.harness.problems import problem


@pytest.fixture
async def person(live: Live) -> Person:
    return await live.person()


@pytest.fixture
async def assistant(live: Live, person: Person) -> Assistant:
    return await live.assistant(person, "conversation 1")


async def saved(assistant: Assistant, **body: Any) -> tuple[int, str, bool]:
    """Status, id and whether it was a repeat."""
    response = await assistant.call("POST", "/actions/items", body)
    answer = response.json()
    return response.status_code, answer["item"]["id"], answer["duplicate"]


async def age(live: Live, minutes: int) -> None:
    """Lets that much time pass for everything that is remembered."""
    async with live.starling.database.engine.begin() as connection:
        await connection.execute(text("select set_config('starling.feeds', array_agg(id)::text, true) from feeds"))
        await connection.execute(text(f"update replays set expires_at = expires_at - interval '{minutes} minutes'"))


async def test_a_request_id_repeated_with_the_same_body_gets_the_first_item(assistant: Assistant) -> None:
    body = {"request_id": "r1", "title": "first", "tags": ["a"]}
    first = await assistant.save(**body)
    path = f"/actions/items/{first['item']['id']}"
    await assistant.call("PATCH", path, {"title": "changed since"})
    for repeat in (body, dict(reversed(body.items())), {**body, "wait_for_delivery": 0.1}):
        response = await assistant.call("POST", "/actions/items", repeat)
        assert response.status_code == 200
        assert (response.json()["item"], response.json()["duplicate"]) == (first["item"], True)
    assert (await assistant.call("GET", path)).json()["title"] == "changed since"


@pytest.mark.case(6, "the same key with another body: 409")
@pytest.mark.parametrize(
    "other", [{"title": "second"}, {"title": "first", "text": None}, {"title": "first", "tags": []}]
)
async def test_a_request_id_with_another_body_is_refused(assistant: Assistant, other: dict[str, Any]) -> None:
    await assistant.save(request_id="r1", title="first")
    response = await assistant.call("POST", "/actions/items", {"request_id": "r1", **other})
    assert problem(response, 409, "request_id_reused")["field"] == "request_id"
    assert (await assistant.call("GET", "/v1/items")).json()["total"] == 1


async def test_a_request_id_belongs_to_one_user_and_client_in_every_conversation(
    live: Live, person: Person, assistant: Assistant
) -> None:
    _, first, _ = await saved(assistant, request_id="r1", title="x")
    elsewhere = await live.assistant(person, "conversation 2")
    other_client = await live.assistant(person, "conversation 1", client="claude")
    other_user = await live.assistant(await live.person(), "conversation 1")
    assert await saved(elsewhere, request_id="r1", title="x") == (200, first, True)
    for stranger in (other_client, other_user):
        status, other, duplicate = await saved(stranger, request_id="r1", title="x")
        assert (status, duplicate) == (201, False)
        assert other != first


async def test_a_request_id_names_one_write_whichever_operation(assistant: Assistant) -> None:
    first = await assistant.save(request_id="r1", title="x")
    other = await assistant.save(title="y")
    paths = [f"/actions/items/{answer['item']['id']}" for answer in (first, other)]
    problem(await assistant.call("PATCH", paths[0], {"request_id": "r1", "title": "x"}), 409, "request_id_reused")
    done = [await assistant.call("PATCH", paths[0], {"request_id": "r2", "title": "z"}) for _ in range(2)]
    assert [response.json()["duplicate"] for response in done] == [False, True]
    assert done[0].json()["item"] == done[1].json()["item"]
    problem(await assistant.call("PATCH", paths[1], {"request_id": "r2", "title": "z"}), 409, "request_id_reused")


async def test_a_request_id_is_kept_for_24_hours(live: Live, assistant: Assistant) -> None:
    _, first, _ = await saved(assistant, request_id="r1", title="x")
    await age(live, 24 * 60 - 1)
    assert await saved(assistant, request_id="r1", title="x") == (200, first, True)
    await age(live, 2)
    assert (await saved(assistant, request_id="r1", title="other"))[0] == 201


async def test_an_equal_create_in_the_same_conversation_is_a_repeat_for_ten_minutes(
    live: Live, assistant: Assistant
) -> None:
    _, first, _ = await saved(assistant, title="x", data={"a": 1, "b": 2})
    assert await saved(assistant, data={"b": 2, "a": 1}, title="x") == (200, first, True)
    assert await saved(assistant, title="x", data={"a": 1, "b": 2}, wait_for_delivery=0) == (200, first, True)
    await age(live, 9)
    assert (await saved(assistant, title="x", data={"a": 1, "b": 2}))[1] == first
    await age(live, 2)
    assert (await saved(assistant, title="x", data={"a": 1, "b": 2}))[0] == 201


async def test_an_equal_create_elsewhere_is_a_new_item(live: Live, person: Person, assistant: Assistant) -> None:
    ids = {(await saved(assistant, title="x"))[1]}
    for other in (
        await live.assistant(person, "conversation 2"),
        await live.assistant(person),
        await live.assistant(person, "conversation 1", client="claude"),
        await live.assistant(await live.person(), "conversation 1"),
    ):
        status, item, _ = await saved(other, title="x")
        assert status == 201
        ids.add(item)
    assert len(ids) == 5


@pytest.mark.parametrize("body", [{"title": "X"}, {"title": "x", "data": {"a": 1.0}}, {"title": "x", "kind": "task"}])
async def test_a_create_that_says_something_else_is_a_new_item(assistant: Assistant, body: dict[str, Any]) -> None:
    _, first, _ = await saved(assistant, title="x", data={"a": 1})
    status, second, _ = await saved(assistant, **body)
    assert (status, second != first) == (201, True)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_an_equal_create_after_the_first_item_changed_is_a_new_item(assistant: Assistant, method: str) -> None:
    _, first, _ = await saved(assistant, title="x")
    await assistant.call(method, f"/actions/items/{first}", {"status": "done"} if method == "PATCH" else None)
    status, second, _ = await saved(assistant, title="x")
    assert (status, second != first) == (201, True)
    assert await saved(assistant, title="x") == (200, second, True)


async def test_an_equal_update_is_not_a_repeat(assistant: Assistant) -> None:
    _, item, _ = await saved(assistant, title="x")
    for title in ("y", "z", "y"):
        answer = (await assistant.call("PATCH", f"/actions/items/{item}", {"title": title})).json()
        assert (answer["item"]["title"], answer["duplicate"]) == (title, False)


@pytest.mark.case(6, "50 parallel equal requests over HTTP, with and without a key")
@pytest.mark.parametrize("key", [{}, {"request_id": "r1"}], ids=["equal bodies", "request_id"])
async def test_fifty_parallel_requests_make_one_item_and_fifty_equal_answers(
    live: Live, person: Person, assistant: Assistant, key: dict[str, str]
) -> None:
    device = await (await live.listen(await person.device())).until_ready()
    body = {"title": str(uuid4()), **key}
    responses = await asyncio.gather(*(assistant.call("POST", "/actions/items", body) for _ in range(50)))
    assert sorted(response.status_code for response in responses) == [200] * 49 + [201]
    items = [response.json()["item"] for response in responses]
    assert items == [items[0]] * 50
    await assistant.save(title="the next one")
    await device.until_seq(2)
    assert device.seqs == [1, 2]


async def test_a_refused_write_leaves_its_request_id_free(assistant: Assistant) -> None:
    problem(await assistant.call("POST", "/actions/items", {"request_id": "r1", "title": "x" * 501}), 422)
    missing = await assistant.call("PATCH", f"/actions/items/{uuid4()}", {"request_id": "r1", "title": "x"})
    problem(missing, 404)
    assert (await saved(assistant, request_id="r1", title="x"))[0] == 201
