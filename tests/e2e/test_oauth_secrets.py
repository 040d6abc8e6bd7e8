"""No secret of any flow is kept, logged or told."""

import logging
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.store.tables import metadata
from tests.e2e.test_oauth_device import answer, ask, poll
from tests.harness.live import Live
from tests.harness.oauth import OAuthClient, pkce


async def everything(database_url: str) -> str:
    """All rows of all tables, as text."""
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        rows = [
            str(row)
            for table in metadata.sorted_tables
            for row in await connection.execute(text(f"select * from {table.name}"))
        ]
    await engine.dispose()
    return "\n".join(rows)


@pytest.mark.case(33, "secrets of every flow, in a dump of all tables and in logs of all levels")
async def test_secrets_stand_in_no_table_and_no_log(
    live: Live, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    person, gpt = await live.person(), await OAuthClient.make(live)
    app = await OAuthClient.make(live, "app", public=True)
    verifier, challenge = pkce()
    code = await app.code(person, scope="stream", code_challenge=challenge, code_challenge_method="S256")
    given: list[dict[str, Any]] = [(await app.redeem(code, code_verifier=verifier, device_name="x")).json()]
    given.append((await app.refresh(given[0]["refresh_token"])).json())
    given.append(await gpt.grant(person))
    asked = await ask(live)
    await answer(live, person, asked)
    given.append((await poll(live, asked)).json())
    pending = await ask(live)
    unused = await gpt.code(person)
    secrets = [each[name] for each in given for name in ("access_token", "refresh_token")]
    secrets += [code, unused, verifier, asked["device_code"], pending["device_code"], pending["user_code"], gpt.secret]
    kept = await everything(database_url)
    assert person.email in kept
    assert "Ada's phone" in kept
    for secret in secrets:
        assert secret not in kept
        assert secret not in caplog.text
