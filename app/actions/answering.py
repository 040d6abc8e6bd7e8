"""Answers of models, which appear on every device while they are written."""

from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from app.actions import answers
from app.actions.access import require
from app.actions.bodies import StreamAnswer
from app.actions.items import Caller
from app.actions.scribe import Scribe
from app.bus.texts import Texts
from app.errors import NotFound
from app.model import OpenAnswer, Principal, Scope
from app.providers import Ask, Providers
from app.store.answers import Answers
from app.store.items import Items

AT_ONCE = 8
"""How many answers may be written for a user at a time."""


class _Sealed(msgspec.Struct):
    """What of an item says how an answer ended."""

    kind: str
    text: str | None
    data: dict[str, object]


class AnswerActions:
    """What can be done with answers. Each raises `InsufficientScope` first of all."""

    def __init__(
        self, store: Answers, items: Items, texts: Texts, scribe: Scribe, providers: Providers, process: UUID
    ) -> None:
        self._store = store
        self._items = items
        self._texts = texts
        self._scribe = scribe
        self._providers = providers
        self._process = process

    async def begin(self, caller: Caller, body: StreamAnswer) -> bytes:
        """`{"id"}` of an answer that is being written from now on. Raises `InvalidField`, `TooManyAnswers`."""
        require(caller.principal, Scope.ANSWERS)
        name, provider = self._providers.chosen(body.provider)
        model = body.model or provider.default_model
        answer = OpenAnswer(caller.principal.feed_id, uuid7(), name, model, caller.origin)
        await self._store.begin(answer, self._process, limit=AT_ONCE)
        self._scribe.begin(answer, provider, Ask(body.prompt, model, body.system))
        return answers.json({"id": answer.id})

    async def get(self, principal: Principal, answer_id: UUID) -> bytes:
        """`{"id", "done", "text", "answer": {"provider", "model", "finish_reason", "usage"}}`. Raises `NotFound`."""
        require(principal, Scope.ANSWERS)
        answer = await self._store.get(principal.feed_id, answer_id)
        if answer is not None:
            text = str((await self._texts.of([answer]))[answer_id])
            told: object = {"provider": answer.provider, "model": answer.model, "finish_reason": None, "usage": None}
            return answers.json({"id": answer_id, "done": False, "text": text, "answer": told})
        sealed = await self._sealed(principal, answer_id)
        told = sealed.data.get("answer")
        return answers.json({"id": answer_id, "done": True, "text": sealed.text or "", "answer": told})

    async def cancel(self, principal: Principal, answer_id: UUID) -> None:
        """Ends it with the text so far; one that has ended stays as it is. Raises `NotFound`."""
        require(principal, Scope.ANSWERS)
        if await self._store.cancel(principal.feed_id, answer_id):
            self._scribe.cancel(answer_id)
        else:
            await self._sealed(principal, answer_id)

    async def _sealed(self, principal: Principal, answer_id: UUID) -> _Sealed:
        place = await self._items.get(principal.feed_id, answer_id, device_id=principal.device_id)
        item = msgspec.json.decode(place.wire, type=_Sealed)
        if item.kind != "answer":
            raise NotFound
        return item
