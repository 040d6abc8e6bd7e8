"""A stream that the server cannot go on with is never left open and silent."""

import pytest

from tests.harness.live import Live


@pytest.mark.parametrize(("broken", "told"), [("frames", ["hello", "bye"]), ("head", ["bye"])])
async def test_a_stream_that_fails_is_told_to_come_back_and_loses_nothing(
    live: Live, monkeypatch: pytest.MonkeyPatch, broken: str, told: list[str]
) -> None:
    person = await live.person()
    await (await live.assistant(person)).save(title="kept")
    phone = await person.device("phone")

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("as a defect would")

    with monkeypatch.context() as defect:
        defect.setattr(live.starling.reader, broken, fail)
        first = await (await live.listen(phone)).until_end()
    assert first.names == told
    again = await (await live.listen(phone, cursor=first.cursor)).until_ready()
    assert [item["title"] for item in again.items] == ["kept"]
