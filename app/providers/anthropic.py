"""Anthropic's API: `POST /v1/messages`, ended by `message_stop`."""

from app.events import Event
from app.providers.http import Request, Said, counted, parsed
from app.providers.provider import Ask, FinishReason

MAX_TOKENS = 8192
"""The API wants a bound; the smallest of the models that are served allows as many."""
_REASONS: dict[str, FinishReason] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
_BUSY = {"rate_limit_error", "overloaded_error"}


class Anthropic:
    """What it is asked, and what its events say."""

    def __init__(self, default_model: str) -> None:
        self.default_model = default_model

    def request(self, ask: Ask, key: str | None) -> Request:
        """The question."""
        message = {"role": "user", "content": ask.prompt}
        body: dict[str, object] = {"model": ask.model, "messages": [message], "max_tokens": MAX_TOKENS, "stream": True}
        if ask.system:
            body["system"] = ask.system
        headers = {"anthropic-version": "2023-06-01"}
        return Request("/v1/messages", body, headers if key is None else {**headers, "x-api-key": key})

    def read(self, event: Event) -> Said:
        """What an event says."""
        frame = parsed(event)
        match frame.get("type"):
            case "message_start":
                told = frame["message"].get("usage") or {}
                return Said(usage=counted(input_tokens=told.get("input_tokens")))
            case "content_block_delta" if frame["delta"].get("type") == "text_delta":
                return Said(frame["delta"]["text"])
            case "message_delta":
                reason = frame["delta"].get("stop_reason")
                usage = counted(output_tokens=(frame.get("usage") or {}).get("output_tokens"))
                return Said(finish_reason=None if reason is None else _REASONS.get(reason, "stop"), usage=usage)
            case "message_stop":
                return Said(is_last=True)
            case "error":
                busy = (frame.get("error") or {}).get("type") in _BUSY
                return Said(failed="rate_limited" if busy else "provider_error")
        return Said()
