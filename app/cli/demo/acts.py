"""The story: what is done, what each device got, and what is wrong with it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from app.cli.demo.assistant import Answer, Assistant, Delivery
from app.cli.demo.cast import Cast
from app.cli.demo.follower import DEADLINE_S, Follower
from app.cli.demo.screen import Row, Screen, device, listed, millis, quoted
from app.cli.demo.verdict import State, faults, newest

FIRST: dict[str, Any] = {"title": "Milk", "text": "2 l", "tags": ["shopping"]}
SECOND: dict[str, Any] = {"title": "Coffee", "tags": ["shopping"]}
FIVE: tuple[dict[str, Any], ...] = (
    {"title": "Bread", "tags": ["shopping"]},
    {"title": "Call Ada about the trip", "kind": "task"},
    {"title": "How starlings flock", "kind": "link", "url": "https://en.wikipedia.org/wiki/Starling"},
    {"title": "Train at 14:32", "text": "Platform 7, seat 61"},
    {"title": "Water the plants", "kind": "task"},
)
CHANGED = "Rye bread"


async def play(cast: Cast, screen: Screen) -> list[str]:
    """Tells the story up to the first act in which something is wrong; what is wrong, a sentence each."""
    story = _Story(cast, screen)
    for act in (story.arrive, story.connect, story.save, story.call, story.leave, story.come_back):
        if wrong := await act():
            return wrong
    return []


class _Story:
    """Each act shows what happened and returns what is wrong with it."""

    def __init__(self, cast: Cast, screen: Screen) -> None:
        self._cast = cast
        self._followers = cast.followers
        self._laptop, self._phone, self._browser = cast.followers
        self._assistant = cast.assistant
        self._screen = screen
        self._milk: State = {}
        self._missed: list[State] = []

    async def arrive(self) -> list[str]:
        person = self._cast.person
        signs = "up" if person.is_new else "in"
        self._screen.act(1, f"{person.email} signs {signs} and lets two assistants and three devices in.")
        codes = zip(self._followers, self._cast.codes, strict=True)
        rows = [(device(each.name), f"shows the code {code}", "allowed at /activate") for each, code in codes]
        asks = [(name, "asks for access", "allowed on the consent page") for name in ("ChatGPT", "another")]
        self._screen.table([*asks, *rows])
        return []

    async def connect(self) -> list[str]:
        for follower in self._followers:
            follower.go_online()
        await asyncio.gather(*(follower.caught_up() for follower in self._followers))
        self._screen.act(2, "The devices open their streams.")
        self._screen.table([_online(follower) for follower in self._followers])
        online = await self._assistant.online()
        return [f"the {each.name} is not online" for each in self._followers if each.name not in online]

    async def save(self) -> list[str]:
        _forget(self._followers)
        answer = await self._assistant.save(wait=True, **FIRST)
        self._milk = answer.item
        return await self._saved(3, "ChatGPT", "POST /actions/items", answer)

    async def call(self) -> list[str]:
        _forget(self._followers)
        answer = await self._cast.other.save(**SECOND)
        return await self._saved(4, "Another", "saveItem, by MCP", answer)

    async def _saved(self, number: int, who: str, how: str, answer: Answer) -> list[str]:
        await _all_reached(self._followers, answer.item)
        names = _names(answer.delivery, "acknowledged")
        title = quoted(answer.item["title"])
        self._screen.act(number, f"{who} saves {title} ({how}). Counted from sending the request:")
        self._screen.table([_got(follower, answer, names) for follower in self._followers])
        self._screen.say(f"It is answered after {millis(answer.took)}: {listed(names)} have it.", style="dim")
        return [*_faults(self._followers, [answer.item]), *self._unacknowledged(names)]

    async def leave(self) -> list[str]:
        _forget(self._followers)
        await self._phone.go_offline()
        if not await _seen_offline(self._assistant, self._phone):
            return [f"the {self._phone.name} left, and the server does not notice"]
        answers = await self._change()
        self._missed = [answer.item for answer in answers]
        online = (self._laptop, self._browser)
        await _all_reached(online, self._missed[-1])
        waiting = _names(answers[-1].delivery, "pending")
        self._screen.act(5, "The phone goes offline. ChatGPT saves five items, changes one, deletes one.")
        rows = [_got_live(follower, answers) for follower in online]
        self._screen.table([*rows, (device(self._phone.name), "is offline", f"{len(answers)} changes wait for it")])
        pending = [f"{listed(waiting)} is pending, not the phone"] if waiting != [self._phone.name] else []
        return [*_faults(online, self._missed), *pending]

    async def _change(self) -> list[Answer]:
        answers = [await self._assistant.save(**fields) for fields in FIVE]
        answers.append(await self._assistant.update(answers[0].item["id"], title=CHANGED))
        answers.append(await self._assistant.delete(self._milk["id"]))
        return answers

    async def come_back(self) -> list[str]:
        cursor = self._phone.cursor
        self._phone.go_online()
        await self._phone.caught_up()
        took = self._phone.ready_at - self._phone.dialled if self._phone.ready_at else DEADLINE_S
        await self._phone.settled()
        names = _names(await self._assistant.delivery(self._missed[-2]["id"]), "acknowledged")
        got = [receipt.item for receipt in self._phone.received]
        self._screen.act(6, f"The phone comes back from its cursor: Last-Event-ID: {cursor}")
        self._screen.table([self._state(item) for item in newest(got)])
        self._screen.say(
            f"Caught up after {millis(took)} with {len(got)} events: {listed(names)} have it.", style="dim"
        )
        reset = [f"the {self._phone.name} was told to start over"] if self._phone.resets else []
        return [*_faults([self._phone], self._missed), *reset, *self._unacknowledged(names)]

    def _state(self, item: State) -> Row:
        name, seq = device(self._phone.name), f"#{item['seq']}"
        if item["deleted"]:
            return name, seq, quoted(self._milk["title"]), "deleted"
        return (
            name,
            seq,
            quoted(item["title"]),
            f"{item['kind']}, changed" if item["title"] == CHANGED else item["kind"],
        )

    def _unacknowledged(self, names: Sequence[str]) -> list[str]:
        return [f"the {each.name} has not acknowledged" for each in self._followers if each.name not in names]


def _forget(followers: Sequence[Follower]) -> None:
    for follower in followers:
        follower.forget()


async def _all_reached(followers: Sequence[Follower], item: State) -> None:
    await asyncio.gather(*(follower.reached(item["seq"]) for follower in followers))


def _faults(followers: Sequence[Follower], saved: Sequence[State]) -> list[str]:
    return [
        f"the {follower.name} {fault}"
        for follower in followers
        for fault in faults([receipt.item for receipt in follower.received], saved)
    ]


async def _seen_offline(assistant: Assistant, follower: Follower) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if follower.name not in await assistant.online():
            return True
    return False


def _names(delivery: Delivery, part: str) -> list[str]:
    return [each["name"] for each in delivery[part]]


def _online(follower: Follower) -> Row:
    if not follower.ready_at:
        return device(follower.name), follower.kind, "got no stream"
    return device(follower.name), follower.kind, f"online after {millis(follower.ready_at - follower.dialled)}"


def _got(follower: Follower, answer: Answer, acknowledged: Sequence[str]) -> Row:
    came = next((each for each in follower.received if each.item["seq"] == answer.item["seq"]), None)
    if came is None:
        return device(follower.name), "got nothing", "", ""
    receipt = "acknowledged" if follower.name in acknowledged else "not acknowledged"
    return device(follower.name), f"got {quoted(came.item['title'])}", f"after {millis(came.at - answer.sent)}", receipt


def _got_live(follower: Follower, answers: Sequence[Answer]) -> Row:
    sent = {answer.item["seq"]: answer.sent for answer in answers}
    times = [each.at - sent[each.item["seq"]] for each in follower.received if each.item["seq"] in sent]
    if not times:
        return device(follower.name), "got nothing", ""
    return device(follower.name), f"got {len(times)} changes", f"each after {millis(min(times), max(times))}"
