"""`starling tail`, a real server, a bad network: nothing is missed or comes twice, and no terminal obeys what comes."""

import asyncio
import json
import re
import unicodedata
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.cli.credentials import Token
from app.store.lineage import rename_histories
from tests.harness.front import Front, front_of
from tests.harness.live import Live
from tests.harness.machine import Command, Machine
from tests.harness.people import Assistant, Person
from tests.harness.terminal import on_terminal
from tests.harness.waiting import eventually

WITHIN_S = 60.0
REFRESH = b"POST /oauth/token"
HOSTILE = (
    "\x1b[2J\x1b[1;1H\x1b]0;owned\x07\x1b]52;c;cm0gLXJm\x07\x1bP$q\x1b\\ \x9b31m\x90 \x1b[5n\x08\x08\r\n\t\x7f"
    "\u202etxt.exe\u202c\u2066\u2069\u200f\u2028\u2029\u0085\ufeff\U000e0041 \x1b]8;;https://evil.example\x07click"
)
SGR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
async def front(live: Live) -> AsyncIterator[Front]:
    async with front_of(live.url) as front:
        yield front


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def signed_in(live: Live, machine: Machine, front: Front) -> tuple[Person, Assistant, Token]:
    person = await live.person()
    return person, await live.assistant(person), await machine.sign_in(live, person, front.url)


def end_token(machine: Machine, token: Token) -> None:
    """Its hour is over, by the machine's clock."""
    ended = Token(token.server, token.access_token, 0.0, token.refresh_token, token.device_id, token.scope)
    machine.credentials(token.server).keep(ended)


async def titles(tail: Command, count: int) -> list[str]:
    return [(await tail.told())["title"] for _ in range(count)]


async def acknowledged(live: Live, person: Person, seq: int) -> None:
    async def is_so() -> bool:
        [device] = await live.starling.devices.of(person.feed_id)
        return device.acked_seq == seq

    await eventually(is_so, WITHIN_S, f"the receipt for {seq}")


async def test_it_goes_on_where_it_was_over_cuts_and_restarts(live: Live, machine: Machine, front: Front) -> None:
    person, assistant, token = await signed_in(live, machine, front)
    await assistant.save(title="before")
    async with machine.running("tail", "--json") as tail:
        assert await titles(tail, 1) == ["before"]
        for n in range(3):
            front.cut()
            await assistant.save(title=f"cut {n}")
            assert await titles(tail, 1) == [f"cut {n}"]
        await acknowledged(live, person, 4)
        assert await tail.interrupt() == 0
        assert "Traceback" not in await tail.errors()
    kept = machine.credentials(token.server)
    assert kept.cursor().endswith(".4")
    await assistant.save(title="while it was away")
    front.singly = True
    async with machine.running("tail", "--json") as tail:
        await assistant.save(title="Mülk 🥛 in pieces")
        assert await titles(tail, 2) == ["while it was away", "Mülk 🥛 in pieces"]
    front.singly = False
    async with machine.running("tail", "--json", "--since", "beginning") as tail:
        assert len(await titles(tail, 6)) == 6
    async with machine.running("tail", "--since", "now", "--server", front.url) as tail:
        await eventually(lambda: front.count(b"GET /v1/stream?cursor=now") == 1, WITHIN_S, "the stream")
        await eventually(lambda: bool(live.starling.hub.watch.feed(person.feed_id).live), WITHIN_S, "it to be live")
        await assistant.save(title="new", text="two\nlines", tags=["x"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d  #7 +note +new  two lines  #x", await tail.line())


async def test_a_history_that_was_rewritten_is_told(live: Live, machine: Machine, front: Front) -> None:
    _, assistant, _ = await signed_in(live, machine, front)
    await assistant.save(title="kept")
    async with machine.running("tail", "--json") as tail:
        assert await titles(tail, 1) == ["kept"]
        await rename_histories(live.starling.database)
        assert await tail.told() == {"reset": {"reason": "epoch_changed"}}
        assert await titles(tail, 1) == ["kept"]


async def test_a_revoked_device_ends_with_a_word(live: Live, machine: Machine, front: Front) -> None:
    _, assistant, token = await signed_in(live, machine, front)
    await assistant.save()
    async with machine.running("tail", "--json") as tail:
        await tail.told()
        headers = {"authorization": f"Bearer {token.access_token}"}
        assert (await live.http.delete(f"/v1/devices/{token.device_id}", headers=headers)).status_code == 204
        assert await tail.ended() == 1
        assert (await tail.errors()).startswith("starling: This device was signed out")
    code, out, err = await machine.run("tail")
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "starling login" in err


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Access tokens end soon; a stream is told a minute before."""
    monkeypatch.setattr("app.auth.server.ACCESS_LIFE", timedelta(seconds=62))


@pytest.mark.usefixtures("short")
async def test_it_takes_another_token_when_it_is_told_and_misses_nothing(
    live: Live, machine: Machine, front: Front
) -> None:
    _, assistant, token = await signed_in(live, machine, front)
    kept = machine.credentials(token.server)
    await assistant.save(title="0")
    async with machine.running("tail", "--json") as tail:
        assert await titles(tail, 1) == ["0"]
        seen = {token.access_token}
        for n in range(1, 3):
            await eventually(lambda: kept.token().access_token not in seen, WITHIN_S, "another token")
            seen.add(kept.token().access_token)
            await assistant.save(title=str(n))
            assert await titles(tail, 1) == [str(n)]
        assert await tail.interrupt() == 0
    assert front.count(REFRESH) >= 2


async def test_a_lost_answer_and_a_retry_lock_it_not_out(live: Live, machine: Machine, front: Front) -> None:
    _, assistant, token = await signed_in(live, machine, front)
    await assistant.save(title="here")
    for n in range(1, 3):
        end_token(machine, machine.credentials(token.server).token())
        front.lose = REFRESH
        async with machine.running("tail", "--json", "--since", "beginning") as tail:
            assert await titles(tail, 1) == ["here"]
            assert await tail.interrupt() == 0
        assert front.count(REFRESH) == 2 * n


async def test_many_at_once_refresh_once(live: Live, machine: Machine, front: Front) -> None:
    _, assistant, token = await signed_in(live, machine, front)
    await assistant.save(title="here")
    end_token(machine, token)
    both = [machine.running("tail", "--json", "--since", "beginning") for _ in range(3)]
    async with both[0] as one, both[1] as two, both[2] as three:
        assert await asyncio.gather(*(titles(tail, 1) for tail in (one, two, three))) == [["here"]] * 3
    assert front.count(REFRESH) == 1


async def hostile(live: Live, machine: Machine) -> dict[str, Any]:
    person = await live.person()
    await machine.sign_in(live, person)
    body = {"title": f"a{HOSTILE}b", "text": HOSTILE * 2, "tags": [HOSTILE[:90]], "data": {HOSTILE: HOSTILE}}
    item: dict[str, Any] = (await (await live.assistant(person)).save(**body))["item"]
    assert item["title"] == body["title"], "it is kept as it was written"
    return item


def is_tame(text: str) -> bool:
    """Whether nothing in it moves a cursor, hides or turns around what stands there."""
    return not any(unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp") for each in text)


async def test_hostile_words_do_nothing_to_a_pipe(live: Live, machine: Machine) -> None:
    item = await hostile(live, machine)
    async with machine.running("tail") as tail:
        line = await tail.line()
    assert is_tame(line), ascii(line)
    assert r"a\x1b[2J\x1b[1;1H\x1b]0;owned\x07" in line
    async with machine.running("tail", "--json", "--since", "beginning") as tail:
        line = await tail.line()
    assert is_tame(line), ascii(line)
    assert line.isascii()
    assert json.loads(line) == item


@pytest.mark.parametrize("columns", [60, 1000])
async def test_hostile_words_do_nothing_to_a_terminal(live: Live, machine: Machine, columns: int) -> None:
    await hostile(live, machine)
    async with on_terminal(machine.command("tail"), machine.environment, columns=columns) as terminal:
        text = await terminal.until("Up to date")
        terminal.interrupt()
        assert await terminal.end() == 0
    line, *_ = SGR.sub("", text).split("\r\n")
    assert is_tame(line), ascii(line)
    assert r"a\x1b[" in line
    assert len(line) <= columns


async def test_who_is_not_signed_in_is_told_so(machine: Machine) -> None:
    code, out, err = await machine.run("tail")
    assert (code, out) == (1, "")
    assert err == "starling: This machine is not signed in: run `starling login`.\n"
    for wrong in (["--since", "a b"], ["--server", "http://starling.example"]):
        assert (await machine.run("tail", *wrong))[0] == 2
