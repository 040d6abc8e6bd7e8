"""Another user's ids are ids of nothing, on every endpoint (case 37)."""

from typing import Any
from uuid import uuid4

import pytest

from app.model import Scope
from tests.harness.live import Live
from tests.harness.problems import problem
from tests.harness.uploads import Uploader

CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/actions/items/{item}", None),
    ("PATCH", "/actions/items/{item}", {"title": "mine"}),
    ("DELETE", "/actions/items/{item}", None),
    ("GET", "/actions/items/{item}/delivery", None),
    ("GET", "/v1/items/{item}", None),
    ("GET", "/v1/files/{file}", None),
    ("PATCH", "/v1/devices/{device}", {"name": "mine"}),
    ("DELETE", "/v1/devices/{device}", None),
]
SECRET = "the words of somebody else"


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
async def test_another_users_id_is_answered_like_an_unknown_one(live: Live, method: str, path: str, body: Any) -> None:
    owner, stranger = await live.person(), await live.person()
    device = await owner.device(SECRET)
    owners = await live.assistant(owner, scopes=Scope)
    item = (await owners.save(title=SECRET))["item"]
    file = await Uploader(live, device.token).upload(SECRET.encode(), name=SECRET)
    intruder = await live.assistant(stranger, scopes=Scope)

    foreign = await intruder.call(method, path.format(item=item["id"], device=device.id, file=file["id"]), body)
    unknown = await intruder.call(method, path.format(item=uuid4(), device=uuid4(), file=uuid4()), body)

    assert problem(foreign, 404, "not_found") == problem(unknown, 404, "not_found")
    assert SECRET not in foreign.text
    assert (await owners.call("GET", f"/v1/items/{item['id']}")).json() == item
    assert [each["name"] for each in (await owners.call("GET", "/v1/devices")).json()["devices"]] == [SECRET]


async def test_lists_and_pages_hold_nothing_of_others(live: Live) -> None:
    owner, stranger = await live.person(), await live.person()
    device = await owner.device(SECRET)
    await (await live.assistant(owner)).save(title=SECRET)
    intruder = await live.assistant(stranger, scopes=Scope)
    epoch = (await live.get("/v1/me", device.token)).json()["feed"]["epoch"]

    for path in ("/v1/items", "/v1/items?q=words", "/v1/changes", f"/v1/changes?cursor={epoch}.0", "/v1/devices"):
        answer = await intruder.call("GET", path)
        assert answer.status_code == 200
        assert SECRET not in answer.text
    assert (await intruder.call("GET", "/v1/items")).json()["total"] == 0


async def test_an_id_that_another_user_took_can_be_taken_again(live: Live) -> None:
    owner, stranger = await live.person(), await live.person()
    item_id, change_id = str(uuid4()), str(uuid4())
    for person, title in ((owner, SECRET), (stranger, "mine")):
        device = await person.device()
        epoch = (await live.get("/v1/me", device.token)).json()["feed"]["epoch"]
        change = {"change_id": change_id, "id": item_id, "base_seq": None, "put": {"title": title}}
        answer = await live.http.post("/v1/changes", json={"epoch": epoch, "changes": [change]}, headers=device.headers)
        (result,) = answer.json()["results"]
        assert result["status"] == "applied"
        assert (await live.get(f"/v1/items/{item_id}", device.token)).json()["title"] == title


@pytest.mark.parametrize("path", ["/v1/items/{}", "/actions/items/{}", "/actions/items/{}/delivery", "/v1/files/{}"])
@pytest.mark.parametrize("item_id", ["1", "0", "..", "null", "%00", "not-a-uuid", "0" * 5000])
async def test_what_is_no_id_is_not_found(live: Live, path: str, item_id: str) -> None:
    token = await (await live.person()).token(scopes=Scope)
    problem(await live.get(path.format(item_id), token), 404, "not_found")
