"""The text of answers that other processes write, from Redis.

`starling:answer:<id>` is a stream with an entry for each delta: `o` its offset, `t` its text. It is written together
with the news of the delta, and never after it. It has to reach back no further than what is safe in the database.
"""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from redis.asyncio.client import Pipeline

from app.bus.client import connect, succeeds
from app.bus.texts import Text, Texts
from app.model import Delta, OpenAnswer

LIFE_S = 120
KEPT = 10_000
"""About how many deltas of an answer are kept."""
CALL_S = 1.0


def add(pipeline: Pipeline, deltas: Sequence[Delta]) -> None:
    """Adds deltas to their answers' streams."""
    for delta in deltas:
        entry = {"o": delta.offset, "t": delta.text}
        pipeline.xadd(_key(delta.answer_id), entry, maxlen=KEPT, approximate=True)  # type: ignore[arg-type]
    for answer_id in {delta.answer_id for delta in deltas}:
        pipeline.expire(_key(answer_id), LIFE_S)


class SharedTexts(Texts):
    """Those of all processes. While Redis is away: what is safe in the database."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._redis = connect(url, CALL_S)

    async def of(self, answers: Sequence[OpenAnswer]) -> dict[UUID, Text]:
        """As in `Texts`."""
        texts = {answer.id: self._begun(answer) for answer in answers}
        others = {answer_id: text for answer_id, text in texts.items() if answer_id not in self.own}
        if others:
            await succeeds(self._extend(others), CALL_S)
        return texts

    async def _extend(self, texts: dict[UUID, Text]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for answer_id in texts:
            pipeline.xrange(_key(answer_id))
        found = cast("list[list[tuple[bytes, dict[bytes, bytes]]]]", await pipeline.execute())
        for text, entries in zip(texts.values(), found, strict=True):
            for _, entry in entries:
                text.take(int(entry[b"o"]), entry[b"t"].decode())

    async def close(self) -> None:
        """Ends the connections."""
        await self._redis.aclose()


def _key(answer_id: UUID) -> str:
    return f"starling:answer:{answer_id.hex}"
