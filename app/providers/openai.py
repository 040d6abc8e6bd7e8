"""OpenAI's two APIs; the first is also spoken by Groq, by Gemini beside its own, and by local servers."""

from typing import Any

from app.events import Event
from app.providers.http import Request, Said, counted, parsed
from app.providers.provider import Ask, FinishReason

_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length", "content_filter": "content_filter"}
_FAILURES: dict[str, FinishReason] = {"rate_limit_exceeded": "rate_limited", "rate_limit_error": "rate_limited"}


def _bearer(key: str | None) -> dict[str, str]:
    return {} if key is None else {"authorization": f"Bearer {key}"}


def _failure(error: object) -> FinishReason:
    code = error.get("code") or error.get("type") if isinstance(error, dict) else None
    return _FAILURES.get(str(code), "provider_error")


class Chat:
    """`POST /chat/completions`, ended by `[DONE]`."""

    def __init__(self, default_model: str) -> None:
        self.default_model = default_model

    def request(self, ask: Ask, key: str | None) -> Request:
        """The question."""
        messages = [{"role": "system", "content": ask.system}] if ask.system else []
        body = {
            "model": ask.model,
            "messages": [*messages, {"role": "user", "content": ask.prompt}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return Request("/chat/completions", body, _bearer(key))

    def read(self, event: Event) -> Said:
        """What an event says."""
        if event.data.strip() == "[DONE]":
            return Said(is_last=True)
        frame = parsed(event)
        if error := frame.get("error"):
            return Said(failed=_failure(error))
        told = frame.get("usage") or {}
        usage = counted(input_tokens=told.get("prompt_tokens"), output_tokens=told.get("completion_tokens"))
        text, reason = "", None
        for choice in frame.get("choices") or ():
            text += (choice.get("delta") or {}).get("content") or ""
            reason = choice.get("finish_reason") or reason
        return Said(text, None if reason is None else _REASONS.get(reason, "stop"), usage)


class Responses:
    """`POST /responses`, ended by `response.completed`, `.incomplete` or `.failed`."""

    def __init__(self, default_model: str) -> None:
        self.default_model = default_model

    def request(self, ask: Ask, key: str | None) -> Request:
        """The question."""
        body = {"model": ask.model, "input": ask.prompt, "stream": True, "store": False}
        if ask.system:
            body["instructions"] = ask.system
        return Request("/responses", body, _bearer(key))

    def read(self, event: Event) -> Said:
        """What an event says."""
        frame = parsed(event)
        match frame.get("type"):
            case "response.output_text.delta" | "response.refusal.delta":
                return Said(frame.get("delta") or "")
            case "response.completed" | "response.incomplete":
                return Said(finish_reason=self._reason(frame), usage=self._usage(frame), is_last=True)
            case "response.failed":
                return Said(usage=self._usage(frame), failed=_failure(frame["response"].get("error")))
            case "error":
                return Said(failed=_failure(frame.get("error") or frame))
        return Said()

    @staticmethod
    def _reason(frame: Any) -> FinishReason:
        if frame["type"] == "response.completed" and frame["response"].get("status") != "incomplete":
            return "stop"
        why = (frame["response"].get("incomplete_details") or {}).get("reason")
        return "content_filter" if why == "content_filter" else "length"

    @staticmethod
    def _usage(frame: Any) -> dict[str, int]:
        told = frame["response"].get("usage") or {}
        return counted(input_tokens=told.get("input_tokens"), output_tokens=told.get("output_tokens"))
