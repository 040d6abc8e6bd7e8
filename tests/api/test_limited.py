"""Every route spends a budget, and a reply says how it stands. The clock stands still, and a request costs a third."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import httpx2
import pytest
from litestar.handlers import HTTPRouteHandler
from prometheus_client import REGISTRY

from app.api.limited import BUDGET, by_network
from app.limits.budgets import ALL, OAUTH, TOKEN, UNAUTHORIZED, USER, WRITES, Budget
from app.limits.limiter import Limiter
from app.main import web_app
from tests.harness.browser import Browser
from tests.harness.live import Live, serving
from tests.harness.mcp import Wire
from tests.harness.people import Person
from tests.harness.problems import problem

THIRD = 3
UNLIMITED = {"health", "ready"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Frozen:
    """A clock that only moves when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Dear(Limiter):
    """A limiter whose requests each cost a third of their budget, and of the `cheap` ones what they always do."""

    def __init__(self) -> None:
        self.clock = Frozen()
        self.cheap = {USER}
        super().__init__(self.clock)

    def spend(self, budget: Budget, who: Any, units: int = 1) -> Any:
        """As the other, and more of it."""
        return super().spend(budget, who, units if budget in self.cheap else units * (budget.quota // THIRD))


@asynccontextmanager
async def dear(database_url: str, own_dir: Path, **settings: Any) -> AsyncIterator[Live]:
    """A running server with such a limiter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.main.Limiter", Dear)
        async with serving(database_url, own_dir, rate_limits="on", **settings) as live:
            yield live


@pytest.fixture
async def limited(database_url: str, own_dir: Path) -> AsyncIterator[Live]:
    async with dear(database_url, own_dir) as live:
        yield live


def clock(live: Live) -> Frozen:
    return cast("Dear", live.starling.limiter).clock


def routes(live: Live) -> Iterator[HTTPRouteHandler]:
    for route in web_app(live.starling).routes:
        for handler in route.route_handlers:  # type: ignore[union-attr]
            if isinstance(handler, HTTPRouteHandler) and handler.http_methods != {"OPTIONS"}:
                yield handler


async def test_every_route_has_a_budget_and_something_that_spends_it(live: Live) -> None:
    handlers = list(routes(live))
    assert len(handlers) > 40
    assert {each.operation_id for each in handlers if BUDGET not in each.opt} == set()
    assert {each.operation_id for each in handlers if each.opt[BUDGET] is None} == UNLIMITED
    unguarded = {
        each.operation_id
        for each in handlers
        if by_network not in [getattr(guard, "func", guard) for guard in each.resolve_guards()]
        and not {"principal", "subscriber", "caller"} & each.parsed_fn_signature.parameters.keys()
    }
    assert unguarded == UNLIMITED | {"downloadFile"}  # it has a ticket or a token, and spends as whom that names


Ask = Callable[[Live, Person, dict[str, str]], Awaitable[httpx2.Response]]


def asks(method: str, path: str, **options: Any) -> Ask:
    async def ask(live: Live, _: Person, headers: dict[str, str]) -> httpx2.Response:
        return await live.http.request(
            method, path, **{**options, "headers": {**headers, **options.get("headers", {})}}
        )

    return ask


CLASSES: dict[str, Ask] = {
    "actions": asks("POST", "/actions/items", json={"title": "Milk"}),
    "api": asks("GET", "/v1/items"),
    "changes": asks("GET", "/v1/changes"),
    "acks": asks("POST", "/v1/ack", json={"cursor": "0"}),
    "files": asks("POST", "/v1/files?name=a.txt", content=b"a"),
    "streams": asks("POST", "/v1/stream/tickets"),
}


@pytest.mark.parametrize("name", CLASSES)
async def test_a_principal_that_has_spent_its_budget_waits_and_others_do_not(limited: Live, name: str) -> None:
    person, neighbour = await limited.person(), await limited.person()
    device, other = await person.device(), await person.device("other")
    stranger = await neighbour.device()
    ask = CLASSES[name]
    budget = next(each for each in ALL if each.name == name)
    for left in (2, 1, 0):
        answer = await ask(limited, person, device.headers)
        assert answer.status_code < 500
        assert answer.status_code != 429
        if left == 2:  # there is nothing to tell before half of it is spent
            assert "ratelimit" not in answer.headers
            continue
        spent = (THIRD - left) * (budget.quota // THIRD)
        assert answer.headers["ratelimit-policy"] == f'"{name}";q={budget.quota};w={budget.window_s}'
        assert answer.headers["ratelimit"].startswith(f'"{name}";r={budget.quota - spent};t=')
    before = REGISTRY.get_sample_value("starling_limited_total", {"budget": name}) or 0
    refused = await ask(limited, person, device.headers)
    found = problem(refused, 429, "too_many_requests")
    wait_s = int(refused.headers["retry-after"])
    assert 1 <= wait_s <= budget.window_s
    assert (found["retry_after"], found["retryable"]) == (wait_s, True)
    assert refused.headers["ratelimit"] == f'"{name}";r={budget.quota % THIRD};t={wait_s}'
    assert "ratelimit" in refused.headers["access-control-expose-headers"]
    assert REGISTRY.get_sample_value("starling_limited_total", {"budget": name}) == before + 1
    for headers in (other.headers, stranger.headers):
        assert (await ask(limited, person, headers)).status_code != 429
    clock(limited).now += wait_s
    assert (await ask(limited, person, device.headers)).status_code != 429


async def test_a_new_token_of_the_same_client_is_no_new_budget(limited: Live) -> None:
    person = await limited.person()
    codes = []
    for _ in range(THIRD + 1):
        assistant = await limited.assistant(person)
        codes.append((await assistant.call("GET", "/actions/items")).status_code)
    assert codes == [200, 200, 200, 429]
    another = await limited.assistant(person, client="another")
    assert (await another.call("GET", "/actions/items")).status_code == 200


async def test_both_doors_of_an_assistant_spend_one_budget(limited: Live) -> None:
    token = await (await limited.person()).token()
    wire = Wire(limited.http, token)
    answers = [await wire.ask("tools/list"), await limited.get("/actions/items", token), await wire.ask("tools/list")]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    problem(await wire.ask("tools/list"), 429, "too_many_requests")
    problem(await limited.get("/actions/items", token), 429, "too_many_requests")


async def test_many_devices_are_no_way_around_the_budget_of_a_user(limited: Live) -> None:
    person, neighbour = await limited.person(), await limited.person()
    device, stranger = await person.device(), await neighbour.device()
    user_id = (await limited.get("/v1/me", device.token)).json()["user"]["id"]
    assert limited.starling.limiter is not None
    limited.starling.limiter.spend(USER, _as_kept(limited, user_id), USER.quota - 2)
    codes = [(await limited.get("/v1/me", (await person.device()).token)) for _ in range(2)]
    assert [each.status_code for each in codes] == [200, 429]
    assert codes[1].headers["ratelimit-policy"] == f'"user";q={USER.quota};w={USER.window_s}'
    assert (await limited.get("/v1/me", stranger.token)).status_code == 200


def _as_kept(live: Live, user_id: str) -> Any:
    (found,) = [who for who in cast("Dear", live.starling.limiter)._books[USER.name]._tabs if str(who) == user_id]
    return found


async def test_a_batch_costs_as_many_as_its_changes(limited: Live) -> None:
    device = await (await limited.person()).device()
    epoch = (await limited.get("/v1/me", device.token)).json()["feed"]["epoch"]

    async def send(count: int) -> httpx2.Response:
        changes: list[Any] = [
            {"change_id": str(uuid4()), "id": str(uuid4()), "base_seq": None, "put": {}} for _ in range(count)
        ]
        body = {"epoch": epoch, "changes": changes}
        clock(limited).now += 60  # for the budget of requests
        return await limited.http.post("/v1/changes", json=body, headers=device.headers)

    assert (await send(2)).status_code == 200
    refused = await send(2)
    assert problem(refused, 429, "too_many_requests")
    assert refused.headers["ratelimit-policy"] == f'"writes";q={WRITES.quota};w={WRITES.window_s}'
    head = (await limited.get("/v1/me", device.token)).json()["feed"]["head"]
    assert head == 2


async def test_what_is_worth_nothing_is_refused_after_a_while_and_good_tokens_are_not(limited: Live) -> None:
    device = await (await limited.person()).device()
    requests = [
        asks("GET", "/v1/items"),
        asks("GET", "/v1/items", headers={"authorization": "Bearer stl_wrong"}),
        asks("GET", "/v1/stream?ticket=stt_wrong"),
        asks("GET", "/v1/stream"),
    ]
    person = await limited.person()
    answers = [await ask(limited, person, {}) for ask in requests]
    assert [each.status_code for each in answers] == [401, 401, 401, 429]
    problem(answers[3], 429, "too_many_requests")
    assert answers[3].headers["ratelimit"].startswith(f'"{UNAUTHORIZED.name}"')
    assert (await limited.get("/v1/items", device.token)).status_code == 200


PUBLIC: dict[str, tuple[str, dict[str, Any]]] = {
    "/oauth/introspect": ("oauth", {"data": {}}),
    "/oauth/register": ("oauth", {"json": {"redirect_uris": []}}),
    "/.well-known/oauth-authorization-server": ("public", {}),
    "/.well-known/oauth-protected-resource/mcp": ("public", {}),
    "/assets/style.css": ("public", {}),
    "/sign-in": ("pages", {}),
    "/activate": ("pages", {}),
}


@pytest.mark.parametrize("path", PUBLIC)
async def test_what_anybody_may_ask_for_is_limited_by_address(limited: Live, path: str) -> None:
    name, options = PUBLIC[path]
    method = "POST" if options else "GET"
    answers = [await limited.http.request(method, path, **options) for _ in range(THIRD + 1)]
    assert 429 not in [each.status_code for each in answers[:THIRD]]
    assert answers[THIRD].status_code == 429
    assert int(answers[THIRD].headers["retry-after"]) >= 1
    assert answers[THIRD].headers["ratelimit"].startswith(f'"{name}"')


async def test_a_page_that_is_refused_can_be_read(limited: Live) -> None:
    async with Browser.open(limited.url) as browser:
        for _ in range(THIRD):
            await browser.go("/sign-in")
        answer = await browser.go("/sign-in")
        assert answer.status_code == 429
        assert answer.headers["content-type"].startswith("text/html")
        assert int(answer.headers["retry-after"]) >= 1
        assert "Try again in" in browser.text


@pytest.mark.parametrize("by_header", [False, True])
async def test_tokens_are_limited_by_client_and_address(limited: Live, by_header: bool) -> None:
    cast("Dear", limited.starling.limiter).cheap.add(OAUTH)

    async def ask(client: str) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "refresh_token": "x"} | ({} if by_header else {"client_id": client})
        sign = httpx2.BasicAuth(client, "secret") if by_header else None
        return await limited.http.post("/oauth/token", data=form, auth=sign)  # type: ignore[arg-type]

    answers = [await ask(client) for client in ("a", "a", "a", "a", "b")]
    assert [each.status_code == 429 for each in answers] == [False, False, False, True, False]
    assert answers[3].headers["ratelimit"].startswith(f'"{TOKEN.name}"')


async def test_a_stream_that_is_refused_says_when_to_come_back(limited: Live) -> None:
    device = await (await limited.person()).device()
    listeners = [await limited.listen(device) for _ in range(THIRD + 1)]
    assert [each.status for each in listeners] == [200, 200, 200, 429]
    assert listeners[1].headers["ratelimit"].startswith('"streams";r=')
    assert int(listeners[3].headers["retry-after"]) >= 1


async def test_health_is_never_refused(limited: Live) -> None:
    for path in ("/healthz", "/readyz"):
        answers = [await limited.http.get(path) for _ in range(10)]
        assert {each.status_code for each in answers} == {200}
        assert not any("ratelimit" in each.headers for each in answers)


async def test_control_without_limits_everything_is_admitted(live: Live) -> None:
    assert live.starling.limiter is None
    device = await (await live.person()).device()
    for ask in CLASSES.values():
        answers = [await ask(live, await live.person(), device.headers) for _ in range(THIRD + 1)]
        assert not any(each.status_code == 429 or "ratelimit" in each.headers for each in answers)
