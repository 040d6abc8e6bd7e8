"""Web Push, against a push service on this machine that reads what it is sent as a browser does."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import http_ece
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key

from app.push.envelope import point
from tests.harness.live import Live, serving
from tests.harness.people import Person, TestDevice
from tests.harness.problems import problem
from tests.harness.sites import INSIDE, Site, answer, internet, site
from tests.harness.waiting import eventually

HOST = "push.example.com"
PATH = "/v1/push/subscriptions"
AUTH = bytes(range(16))
TAKEN = answer("201 Created")


def encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


class Service:
    """A push service, with a browser behind it."""

    def __init__(self, at: Site) -> None:
        self.site = at
        self.site.answer = TAKEN
        self.key: EllipticCurvePrivateKey = generate_private_key(SECP256R1())

    @property
    def subscription(self) -> dict[str, Any]:
        keys = {"p256dh": encoded(point(self.key.public_key())), "auth": encoded(AUTH)}
        return {"endpoint": f"https://{HOST}/send/secret", "expirationTime": None, "keys": keys}

    async def pushes(self, count: int) -> list[tuple[dict[str, str], Any]]:
        """Headers and content of so many pushes, once they came."""
        await eventually(lambda: len(self.site.requests) >= count, 30, f"{count} pushes")
        return [self._read(request) for request in self.site.requests]

    def _read(self, request: bytes) -> tuple[dict[str, str], Any]:
        head, _, body = request.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == "POST /send/secret HTTP/1.1"
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        text = http_ece.decrypt(body, private_key=self.key, auth_secret=AUTH, version="aes128gcm")
        return headers, msgspec.json.decode(text)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with site(HOST) as running:
        yield Service(running)


@pytest.fixture
async def live(
    database_url: str, own_dir: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Live]:
    monkeypatch.setattr("app.push.pusher.PAUSES_S", (0.2, 0.2, 0.2))
    async with serving(database_url, own_dir, internet({HOST: service.site})) as running:
        yield running


@pytest.fixture
async def person(live: Live) -> Person:
    return await live.person()


@pytest.fixture
async def phone(live: Live, person: Person, service: Service) -> TestDevice:
    device = await person.device("Phone", "mobile")
    done = await live.http.post(PATH, json=service.subscription, headers=device.headers)
    assert done.status_code == 204, done.text
    return device


async def notify(live: Live, person: Person, **body: Any) -> Any:
    done = await (await live.assistant(person)).call("POST", "/actions/notifications", {"title": "Hot oven", **body})
    assert done.status_code == 201, done.text
    return done.json()["item"]


async def read(live: Live, person: Person, item: Any) -> None:
    done = await (await live.assistant(person)).call("PATCH", f"/actions/items/{item['id']}", {"status": "read"})
    assert done.status_code == 200, done.text


async def test_a_sleeping_device_is_woken_and_told_when_it_was_read_elsewhere(
    live: Live, person: Person, phone: TestDevice, service: Service
) -> None:
    item = await notify(live, person, text="Now", priority="high")
    ((headers, told),) = await service.pushes(1)
    assert told == {
        "type": "notification",
        "id": item["id"],
        "seq": 1,
        "title": "Hot oven",
        "text": "Now",
        "url": None,
        "priority": "high",
    }
    assert (headers["urgency"], headers["content-encoding"]) == ("high", "aes128gcm")
    key = (await live.get("/v1/push/key", phone.token)).json()["public_key"]
    assert headers["authorization"].startswith("vapid t=")
    assert headers["authorization"].endswith(f", k={key.lower()}")
    await read(live, person, item)
    _, (later, withdrawn) = await service.pushes(2)
    assert withdrawn == {"type": "withdrawn", "id": item["id"], "seq": 2}
    assert later["topic"] == headers["topic"]


async def test_who_is_live_or_not_meant_is_let_sleep(
    live: Live, person: Person, phone: TestDevice, service: Service
) -> None:
    await person.device("Laptop")
    await notify(live, person, title="For the laptop", devices=["Laptop"])
    stream = await (await live.listen(phone)).until_ready()
    seen = await notify(live, person, title="Seen live")
    await stream.until_seq(2)
    await read(live, person, seen)
    await stream.until_seq(3)
    await stream.close()
    await eventually(lambda: not live.starling.presence.live(person.feed_id), 15, "the phone to be away")
    await (await live.assistant(person)).save(title="No notification")
    await notify(live, person, title="Wakes")
    ((_, told),) = await service.pushes(1)
    assert told["title"] == "Wakes"


async def test_a_push_service_that_is_away_is_asked_again(
    live: Live, person: Person, phone: TestDevice, service: Service
) -> None:
    service.site.answer = answer("503 Service Unavailable")
    await notify(live, person)
    await service.pushes(1)
    service.site.answer = TAKEN
    pushes = await service.pushes(2)
    assert pushes[-1][1]["title"] == "Hot oven"


async def test_what_was_read_meanwhile_is_not_tried_again(
    live: Live, person: Person, phone: TestDevice, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.push.pusher.PAUSES_S", (5.0,))
    service.site.answer = answer("503 Service Unavailable")
    item = await notify(live, person)
    await service.pushes(1)
    service.site.answer = TAKEN
    await read(live, person, item)
    pushes = await service.pushes(2)
    sending = live.starling.pusher._sending
    await eventually(lambda: not sending, 30, "the end of all attempts")
    assert [told["type"] for _, told in await service.pushes(2)] == ["notification", "withdrawn"], pushes


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
async def test_a_subscription_that_ended_is_dropped(
    live: Live, person: Person, phone: TestDevice, service: Service, status: str
) -> None:
    service.site.answer = answer(status)
    await notify(live, person)
    await service.pushes(1)

    async def dropped() -> bool:
        return not await live.starling.pusher._subscriptions.sleeping(person.feed_id, ())

    await eventually(dropped, 15, "the subscription's end")


async def test_no_push_goes_to_an_address_inside(
    database_url: str, own_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.push.pusher.PAUSES_S", ())
    async with site(HOST, INSIDE) as inside, serving(database_url, own_dir, internet({HOST: inside})) as live:
        person, service = await live.person(), Service(inside)
        device = await person.device("Phone")
        done = await live.http.post(PATH, json=service.subscription, headers=device.headers)
        assert done.status_code == 204
        asked = live.starling.internet._resolve.asked  # type: ignore[attr-defined]
        await notify(live, person)
        await eventually(lambda: asked == [HOST], 15, "the look-up")
        await eventually(lambda: not live.starling.pusher._sending, 15, "the end of the attempt")
        await asyncio.sleep(0)
        assert inside.connections == 0


async def test_unsubscribing_and_revoking_end_it(
    live: Live, person: Person, phone: TestDevice, service: Service
) -> None:
    subscriptions = live.starling.pusher._subscriptions
    assert len(await subscriptions.sleeping(person.feed_id, ())) == 1
    assert (await live.http.delete(PATH, headers=phone.headers)).status_code == 204
    assert await subscriptions.sleeping(person.feed_id, ()) == []
    await live.http.post(PATH, json=service.subscription, headers=phone.headers)
    assert (await live.http.delete(f"/v1/devices/{phone.id}", headers=phone.headers)).status_code == 204
    assert await subscriptions.sleeping(person.feed_id, ()) == []


async def test_a_browser_is_one_device(live: Live, person: Person, phone: TestDevice, service: Service) -> None:
    again = await person.device("Phone, set up anew")
    await live.http.post(PATH, json=service.subscription, headers=again.headers)
    found = await live.starling.pusher._subscriptions.sleeping(person.feed_id, ())
    assert [each.device_id for each in found] == [again.id]


async def test_what_is_refused(live: Live, person: Person, service: Service) -> None:
    device = await person.device()
    good = service.subscription
    for body, field in (
        ({**good, "endpoint": "http://push.example.com/"}, "endpoint"),
        ({**good, "endpoint": "https://127.0.0.1/"}, "endpoint"),
        ({**good, "endpoint": "https://localhost/"}, "endpoint"),
        ({**good, "keys": {**good["keys"], "p256dh": "AAAA"}}, "keys.p256dh"),
        ({**good, "keys": {**good["keys"], "p256dh": "a+b/"}}, "keys.p256dh"),
        ({**good, "keys": {**good["keys"], "auth": "AAAA"}}, "keys.auth"),
        ({"endpoint": good["endpoint"]}, "keys"),
    ):
        refusal = problem(await live.http.post(PATH, json=body, headers=device.headers), 422)
        assert refusal.get("field") == field, refusal
    headers = {"authorization": f"Bearer {await person.token(scopes=['stream'])}"}
    problem(await live.http.post(PATH, json=good, headers=headers), 403, "device_required")
    headers = {"authorization": f"Bearer {await person.token()}"}
    problem(await live.http.post(PATH, json=good, headers=headers), 403, "insufficient_scope")
