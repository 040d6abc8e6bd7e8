"""Writes answers: what providers say goes to the devices as it comes, and in the end into one item.

Whoever writes an answer holds a lease on it and says each second that it lives. The answer of a process that says so no
longer is ended by another one, with the text so far.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from uuid import UUID

import structlog

from app.bus.texts import Text, Texts
from app.errors import Conflict, Unavailable
from app.model import Delta, Message, OpenAnswer
from app.providers import Ask, End, Provider, ProviderFailed
from app.providers.provider import FinishReason
from app.store.answers import Answers, Progress
from app.store.commit import Committer
from app.store.fold import Change

MAX_TEXT = 100_000
TOTAL_S = 600.0
"""The longest that an answer may take."""
BEAT_S = 1.0
SILENCE = timedelta(seconds=12)
"""A process that has not said for so long that it lives has died."""
RETRY_S = 0.5
STOP_S = 5.0
"""How long a server that stops waits for its answers to be saved; another one does what is left."""

log = structlog.get_logger(__name__)


class _Writing:
    """An answer that is written here."""

    def __init__(self, answer: OpenAnswer, text: Text) -> None:
        self.answer = answer
        self.text = text
        self.kept = 0
        self.ended_for: FinishReason | None = None
        self.is_lost = False
        self.task: asyncio.Task[None] | None = None

    def stop(self, reason: FinishReason) -> None:
        """Ends it, once, unless it has come to its end."""
        if self.ended_for is None and self.task is not None:
            self.ended_for = reason
            self.task.cancel()


class Scribe:
    """Run `run()` as one task of the process, and `stop()` while what it needs still works."""

    def __init__(
        self,
        answers: Answers,
        texts: Texts,
        committer: Committer,
        publish: Callable[[Sequence[Message]], None],
        process: UUID,
    ) -> None:
        self._answers = answers
        self._texts = texts
        self._committer = committer
        self._publish = publish
        self._process = process
        self._writing: dict[UUID, _Writing] = {}

    def begin(self, answer: OpenAnswer, provider: Provider, ask: Ask) -> None:
        """Writes an answer whose lease this process holds."""
        writing = _Writing(answer, Text())
        self._writing[answer.id] = writing
        self._texts.own[answer.id] = writing.text
        writing.task = asyncio.create_task(self._write(writing, provider, ask))

    def cancel(self, answer_id: UUID) -> None:
        """Ends it if it is written here."""
        if writing := self._writing.get(answer_id):
            writing.stop("cancelled")

    async def open(self, feed_id: UUID) -> dict[UUID, Text]:
        """The feed's open answers, by id, with their text so far. Raises `Unavailable`."""
        return await self._texts.of(await self._answers.open(feed_id))

    async def run(self) -> None:
        """Keeps what is written and ends what others left behind, until cancelled."""
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                await self._keep()
                await self._adopt()
            except Unavailable as error:
                log.warning("answers.not_kept", reason=error.detail)
            except Exception:
                log.exception("answers.not_kept")

    async def stop(self) -> None:
        """The server stops: what is being written ends here."""
        for writing in self._writing.values():
            writing.stop("interrupted")
        tasks = [writing.task for writing in self._writing.values() if writing.task]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_S)
            for task in late:
                task.cancel()

    async def _write(self, writing: _Writing, provider: Provider, ask: Ask) -> None:
        try:
            end = await self._listen(writing, provider, ask)
            if not writing.is_lost:
                await self._seal(writing.answer, str(writing.text), end)
        except Exception:
            log.exception("answers.not_saved")
        finally:
            del self._writing[writing.answer.id], self._texts.own[writing.answer.id]

    async def _listen(self, writing: _Writing, provider: Provider, ask: Ask) -> End:
        """Passes on what the provider says; how it ended."""
        try:
            async with asyncio.timeout(TOTAL_S), aclosing(provider.stream(ask)) as parts:
                return await self._hear(writing, parts)
        except asyncio.CancelledError:
            if writing.ended_for is None:
                raise
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
        except TimeoutError:
            writing.ended_for = "timeout"
        except ProviderFailed as error:
            log.warning("answers.provider_failed", provider=writing.answer.provider, reason=str(error))
            writing.ended_for = error.reason
        except Exception:
            log.exception("answers.provider_failed", provider=writing.answer.provider)
            writing.ended_for = "provider_error"
        return End(writing.ended_for)

    async def _hear(self, writing: _Writing, parts: AsyncIterator[str | End]) -> End:
        async for part in parts:
            if isinstance(part, End):
                writing.ended_for = part.finish_reason
                return part
            self._say(writing, part[: MAX_TEXT - writing.text.length])
            if writing.text.length == MAX_TEXT:
                break
        writing.ended_for = "length" if writing.text.length == MAX_TEXT else "provider_error"
        return End(writing.ended_for)

    def _say(self, writing: _Writing, words: str) -> None:
        offset = writing.text.length
        writing.text.take(offset, words)
        self._publish([Delta(writing.answer.feed_id, writing.answer.id, offset, words)])

    async def _seal(self, answer: OpenAnswer, text: str, end: End) -> None:
        """Makes the item, and does it again until it is known to be there: another one of its id is never made."""
        told = {
            "provider": answer.provider,
            "model": answer.model,
            "finish_reason": end.finish_reason,
            "usage": end.usage,
        }
        values = {"text": text, "data": {"answer": told}}
        change = Change(answer.feed_id, answer.id, "put", "create", answer.origin, values=values, kind="answer")
        while True:
            try:
                outcome = await self._committer.submit(change)
                if outcome.error is not None and not isinstance(outcome.error, Conflict):  # the feed is gone
                    log.warning("answers.refused", reason=outcome.error.code)
                await self._answers.end(answer.feed_id, answer.id)
            except Unavailable:
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def _keep(self) -> None:
        progress = {}
        lengths = {}
        for answer_id, writing in self._writing.items():
            lengths[answer_id] = writing.text.length
            more = str(writing.text)[writing.kept :]
            progress[answer_id] = Progress(writing.answer.feed_id, writing.kept, more)
        if not progress:
            return
        kept = await self._answers.keep(self._process, progress)
        for answer_id, length in lengths.items():
            written = self._writing.get(answer_id)
            if written is None:
                continue
            written.kept = length
            if answer_id not in kept.own:  # another process has ended it, or the account is gone
                written.is_lost = True
                written.stop("interrupted")
            elif answer_id in kept.cancelled:
                written.stop("cancelled")

    async def _adopt(self) -> None:
        claimed = await self._answers.claim(self._process, silence=SILENCE, mine=self._writing.keys())
        for feed_id, answer_id in claimed:
            answer = await self._answers.get(feed_id, answer_id)
            if answer is None:  # its process died just after the item was there
                await self._answers.end(feed_id, answer_id)
                continue
            text = (await self._texts.of([answer]))[answer_id]
            log.warning("answers.adopted", feed=str(feed_id))
            reason: FinishReason = "cancelled" if answer.is_cancelled else "interrupted"
            await self._seal(answer, str(text), End(reason))
