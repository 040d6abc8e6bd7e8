"""The story: what is done, what each device got, and what is wrong with it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from app.cli.demo.assistant import Answer, Assistant
from app.cli.demo.cast import EMAIL, Cast
from app.cli.demo.follower import DEADLINE_S, Follower
from app.cli.demo.screen import Row, Screen, after, device, millis, quoted
from app.cli.demo.verdict import State, faults

FIRST: dict[str, Any] = {"title": "Milk", "text": "2 l", "tags": ["shopping"]}
FIVE: tuple[dict[str, Any], ...] = (
    {"title": "Bread", "tags": ["shopping"]},
    {"title": "Call Ada about the trip", "kind": "task"},
    {"title": "How starlings flock", "kind": "link", "url": "https://en.wikipedia.org/wiki/Starling"},
    {"title": "Train at 14:32", "text": "Platform 7, seat 61"},
    {"title": "Water the plants", "kind": "task"},
)


async def play(cast: Cast, screen: Screen) -> list[str]:
    """Tells the story up to the first act in which something is wrong; what is wrong, a sentence each."""
    story = _Story(cast, screen)
    for act in (story.connect, story.save, story.leave, story.come_back):
        wrong = await act()
        if wrong:
            return wrong
    return []


class _Story:
    def __init__(self, cast: Cast, screen: Screen) -> None:
        self._followers = cast.followers
        self._laptop, self._phone, self._browser = cast.followers
        self._assistant = cast.assistant
        self._screen = screen
        self._milk: State = {}
        self._missed: list[State] = []

    async def connect(self) -> list[str]:
        """All devices open their streams."""
        for follower in self._followers:
            follower.go_online()
        ready = await asyncio.gather(*(follower.caught_up() for follower in self._followers))
        self._screen.act(1, f"Three devices of {EMAIL} open their streams.")
        self._screen.table(
            ("device", "kind", "", ">after"),
            [
                (device(each.name), each.kind, "online", after(each.ready_at - each.dialled))
                for each in self._followers
                if each.ready_at
            ],
        )
        return [
            f"the {each.name} got no stream"
            for each, is_ready in zip(self._followers, ready, strict=True)
            if not is_ready
        ]

    async def save(self) -> list[str]:
        """The assistant saves one item and waits for the devices' acknowledgements."""
        _forget(self._followers)
        answer = await self._assistant.save(wait=True, **FIRST)
        self._milk = answer.item
        await _all_reached(self._followers, answer.item)
        acknowledged = {each["name"] for each in answer.delivery["acknowledged"]}
        self._screen.act(2, 'ChatGPT saves "Milk": POST /actions/items. Times count from sending the request.')
        self._screen.table(
            ("device", "got", ">after", ""),
            [_row(each, answer, is_acknowledged=each.name in acknowledged) for each in self._followers],
        )
        self._screen.say(
            f"ChatGPT is answered after {millis(answer.took)}: acknowledged by {_and(acknowledged)}.", "dim"
        )
        return [
            *_all_faults(self._followers, [answer.item]),
            *(f"the {each.name} acknowledged nothing" for each in self._followers if each.name not in acknowledged),
        ]

    async def leave(self) -> list[str]:
        """The phone goes; five items are saved, one is changed, one is deleted."""
        _forget(self._followers)
        await self._phone.go_offline()
        if not await _seen_offline(self._assistant, self._phone):
            return ["the phone is offline, and the server does not notice"]
        answers = [await self._assistant.save(**fields) for fields in FIVE]
        answers.append(await self._assistant.update(answers[0].item["id"], title="Rye bread"))
        answers.append(await self._assistant.delete(self._milk["id"]))
        self._missed = [answer.item for answer in answers]
        online = (self._laptop, self._browser)
        await _all_reached(online, self._missed[-1])
        self._screen.act(3, "The phone goes offline. ChatGPT saves five items, changes one, deletes one.")
        rows: list[Row] = [
            (device(each.name), f"{len(each.received)} changes, live", f"{_range(each, answers)}") for each in online
        ]
        rows.append((device(self._phone.name), "offline: they wait for it", "-"))
        self._screen.table(("device", "got", "after each"), rows)
        waiting = {each["name"] for each in answers[-1].delivery["pending"]}
        return [
            *_all_faults(online, self._missed),
            *([] if waiting == {self._phone.name} else [f"pending is not the phone but {_and(waiting) or 'nobody'}"]),
        ]

    async def come_back(self) -> list[str]:
        """The phone reconnects from its cursor and gets what it missed."""
        cursor = self._phone.cursor
        self._phone.go_online()
        await self._phone.caught_up()
        took = max(0.0, self._phone.ready_at - self._phone.dialled)
        await self._phone.settled()
        delivery = await self._assistant.delivery(self._missed[0]["id"])
        got = [receipt.item for receipt in self._phone.received]
        self._screen.act(4, f"The phone comes back with its cursor: Last-Event-ID: {cursor}")
        self._screen.table(("device", ">seq", "got", ""), [self._caught_up_row(item) for item in got])
        acknowledged = {each["name"] for each in delivery["acknowledged"]}
        self._screen.say(
            f"Caught up after {millis(took)}: {len(self._missed)} changes were {len(got)} newest states. "
            f"Acknowledged by {_and(acknowledged)}.",
            "dim",
        )
        return [
            *(f"the phone {fault}" for fault in faults(got, self._missed, exactly_newest=True)),
            *(["the phone was told to start over"] if self._phone.resets else []),
            *(f"the {each.name} acknowledged nothing" for each in self._followers if each.name not in acknowledged),
        ]

    def _caught_up_row(self, item: State) -> Row:
        name, seq = device(self._phone.name), f"#{item['seq']}"
        if item["deleted"]:
            return name, seq, quoted(self._milk["title"]), "is deleted"
        return name, seq, quoted(item["title"]), item["kind"]


def _forget(followers: Sequence[Follower]) -> None:
    for follower in followers:
        follower.forget()


async def _all_reached(followers: Sequence[Follower], item: State) -> None:
    await asyncio.gather(*(follower.reached(item["seq"]) for follower in followers))


def _all_faults(followers: Sequence[Follower], changes: Sequence[State]) -> list[str]:
    return [
        f"the {follower.name} {fault}"
        for follower in followers
        for fault in faults([receipt.item for receipt in follower.received], changes)
    ]


async def _seen_offline(assistant: Assistant, follower: Follower) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if follower.name not in await assistant.online():
            return True
    return False


def _row(follower: Follower, answer: Answer, *, is_acknowledged: bool) -> Row:
    came = next((receipt for receipt in follower.received if receipt.item["seq"] == answer.item["seq"]), None)
    if came is None:
        return device(follower.name), "nothing", "-", ""
    text = quoted(came.item["title"])
    return device(follower.name), text, after(came.at - answer.sent), "acknowledged" if is_acknowledged else ""


def _range(follower: Follower, answers: Sequence[Answer]) -> str:
    sent = {answer.item["seq"]: answer.sent for answer in answers}
    times = [receipt.at - sent[receipt.item["seq"]] for receipt in follower.received if receipt.item["seq"] in sent]
    return f"{millis(min(times))} to {millis(max(times))}" if times else "-"


def _and(names: set[str]) -> str:
    *others, last = sorted(names) or [""]
    return f"{', '.join(others)} and {last}" if others else last
