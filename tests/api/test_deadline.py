"""An assistant is answered in time, whatever hangs."""

import asyncio
from typing import Any

import pytest

from app.api import deadline
from tests.harness.live import Live
from tests.harness.problems import problem


async def test_an_action_that_takes_too_long_is_answered_all_the_same(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant = await live.assistant(await live.person())
    item = (await assistant.save(title="x"))["item"]

    async def hanging(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    for name in ("find", "save"):
        monkeypatch.setattr(live.starling.services.items, name, hanging)
    monkeypatch.setattr(deadline, "ANSWER_S", 0.2)
    for method, code in (("GET", "unavailable"), ("POST", "outcome_unknown")):
        late = await assistant.call(method, "/actions/items", {"title": "y"} if method == "POST" else None)
        assert problem(late, 503, code)["next_step"]
        assert int(late.headers["retry-after"]) > 0
    monkeypatch.setattr(deadline, "ANSWER_S", 40.0)
    assert (await assistant.call("GET", f"/actions/items/{item['id']}")).json() == item
