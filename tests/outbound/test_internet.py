"""Names, their addresses, and connections."""

import asyncio
from collections.abc import Sequence

import pytest

from app.outbound import FetchFailed, Internet
from app.outbound.internet import Endpoint, SystemResolver
from tests.harness.sites import trusting


async def test_the_system_resolves() -> None:
    assert ("127.0.0.1", 443) in await SystemResolver()("localhost")


async def test_the_strict_one_does_not_connect_to_this_host() -> None:
    with pytest.raises(FetchFailed):
        await Internet().connect("localhost")


async def test_a_name_server_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: str) -> Sequence[Endpoint]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr("app.outbound.internet.RESOLVE_S", 0.1)
    with pytest.raises(FetchFailed):
        await asyncio.wait_for(Internet(never, trusting()).connect("files.example.com"), 30)
