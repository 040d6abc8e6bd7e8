"""Another user's ids are ids of nothing, on every endpoint."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from app.auth import activation
from app.auth.tokens import Tokens
from app.model import Principal, Scope
from tests.harness.doors import DOORS, routes
from tests.harness.live import Live
from tests.harness.problems import problem
from tests.harness.strangers import KINDS, WORDS, knock_everywhere


async def test_no_route_is_forgotten(live: Live) -> None:
    assert routes(live.starling) == sorted(DOORS), "tests/harness/doors.py says where each route takes an id"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that lets a person try as many codes as this takes."""
    monkeypatch.setattr(activation, "TRIES", 1000)


@pytest.mark.case(
    37, f"{len(DOORS)} routes, pages and OAuth included, {KINDS} kinds of ids of somebody else, in every place for one"
)
@pytest.mark.usefixtures("patient")
async def test_another_users_id_is_answered_like_an_unknown_one(
    live: Live, database_url: str, saw: Callable[[str], None]
) -> None:
    saw(f"{await knock_everywhere(live, database_url)} requests, 0 foreign bytes, 0 changes")


@pytest.mark.control(37, "a server that takes one person for another")
@pytest.mark.usefixtures("patient")
async def test_control_a_server_that_mixes_people_up_is_found_out(
    live: Live, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[Principal] = []
    authenticate = Tokens.authenticate

    async def authenticate_the_first(self: Tokens, token: str) -> Principal:
        first.append(await authenticate(self, token))
        return first[0]

    monkeypatch.setattr(Tokens, "authenticate", authenticate_the_first)
    with pytest.raises(AssertionError, match=WORDS):
        await knock_everywhere(live, database_url)


async def test_lists_and_pages_hold_nothing_of_others(live: Live) -> None:
    owner, stranger = await live.person(), await live.person()
    device = await owner.device(WORDS)
    await (await live.assistant(owner)).save(title=WORDS)
    intruder = await live.assistant(stranger, scopes=Scope)
    epoch = (await live.get("/v1/me", device.token)).json()["feed"]["epoch"]

    for path in ("/v1/items", "/v1/items?q=words", "/v1/changes", f"/v1/changes?cursor={epoch}.0", "/v1/devices"):
        answer = await intruder.call("GET", path)
        assert answer.status_code == 200
        assert WORDS not in answer.text
    assert (await intruder.call("GET", "/v1/items")).json()["total"] == 0


async def test_an_id_that_another_user_took_can_be_taken_again(live: Live) -> None:
    owner, stranger = await live.person(), await live.person()
    item_id, change_id = str(uuid4()), str(uuid4())
    for person, title in ((owner, WORDS), (stranger, "mine")):
        device = await person.device()
        epoch = (await live.get("/v1/me", device.token)).json()["feed"]["epoch"]
        change = {"change_id": change_id, "id": item_id, "base_seq": None, "put": {"title": title}}
        answer = await live.http.post("/v1/changes", json={"epoch": epoch, "changes": [change]}, headers=device.headers)
        (result,) = answer.json()["results"]
        assert result["status"] == "applied"
        assert (await live.get(f"/v1/items/{item_id}", device.token)).json()["title"] == title


@pytest.mark.parametrize("path", ["/v1/items/{}", "/actions/items/{}", "/actions/items/{}/delivery", "/v1/files/{}"])
async def test_what_is_no_id_is_not_found(live: Live, path: str) -> None:
    token = await (await live.person()).token(scopes=Scope)
    for item_id in ("1", "0", "..", "null", "%00", "not-a-uuid", "0" * 5000):
        problem(await live.get(path.format(item_id), token), 404, "not_found")
