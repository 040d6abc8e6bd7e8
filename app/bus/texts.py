"""The text of answers while it grows, and where the processes find each other's."""

from collections.abc import Sequence
from uuid import UUID

from app.model import OpenAnswer


class Text:
    """A text that grows at its end. Lengths and offsets count code points."""

    __slots__ = ("_parts", "length")

    def __init__(self, begun: str = "") -> None:
        self._parts = [begun] if begun else []
        self.length = len(begun)

    def __str__(self) -> str:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def take(self, offset: int, text: str) -> str | None:
        """Adds a piece that begins at `offset`. What of it was new; None if something before it is missing."""
        if offset > self.length:
            return None
        new = text[self.length - offset :]
        if new:
            self._parts.append(new)
            self.length += len(new)
        return new


class Texts:
    """The texts of the answers that this process writes."""

    def __init__(self) -> None:
        self.own: dict[UUID, Text] = {}

    async def of(self, answers: Sequence[OpenAnswer]) -> dict[UUID, Text]:
        """The text so far of each answer, by its id: a copy, and at least what is safe in the database."""
        return {answer.id: self._begun(answer) for answer in answers}

    def _begun(self, answer: OpenAnswer) -> Text:
        own = self.own.get(answer.id)
        return Text(answer.text if own is None else str(own))

    async def close(self) -> None:
        """Nothing more is asked."""
