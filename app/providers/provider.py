"""What a provider is."""

from collections.abc import AsyncGenerator
from typing import Literal, Protocol

import msgspec

FinishReason = Literal[
    "stop", "length", "content_filter", "cancelled", "timeout", "rate_limited", "provider_error", "interrupted"
]
"""Why an answer ended: the model was done; it was too long; the provider held it back; somebody cancelled it; the
provider was too slow, had no room or failed; the server that wrote it ended."""


class Ask(msgspec.Struct, frozen=True):
    """What is asked of a model."""

    prompt: str
    model: str
    system: str | None = None


class End(msgspec.Struct, frozen=True):
    """How the model's text ended. `usage` counts tokens: `{"input_tokens", "output_tokens"}`, as far as it was told."""

    finish_reason: FinishReason
    usage: dict[str, int] | None = None


class ProviderFailed(Exception):
    """The provider did not answer to the end; `reason` says why. What came before stands."""

    def __init__(self, reason: FinishReason, detail: str) -> None:
        """`detail` is for the log: it holds nothing that the provider or the caller has written."""
        self.reason = reason
        super().__init__(detail)


class Provider(Protocol):
    """A model API."""

    @property
    def default_model(self) -> str:
        """The model that answers when none was named."""

    def stream(self, ask: Ask) -> AsyncGenerator[str | End, None]:
        """The text in order, each piece when it arrives and none empty, and then how it ended.

        Raises `ProviderFailed`.
        """
