"""Gemini's own API: `POST /models/{model}:streamGenerateContent?alt=sse`; the last frame has a `finishReason`."""

from urllib.parse import quote

from app.events import Event
from app.providers.http import Request, Said, counted, parsed
from app.providers.provider import Ask, FinishReason

_REASONS: dict[str, FinishReason] = {"STOP": "stop", "MAX_TOKENS": "length"}
_HELD_BACK = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY"}


class Gemini:
    """What it is asked, and what its frames say."""

    def __init__(self, default_model: str) -> None:
        self.default_model = default_model

    def request(self, ask: Ask, key: str | None) -> Request:
        """The question."""
        body: dict[str, object] = {"contents": [{"role": "user", "parts": [{"text": ask.prompt}]}]}
        if ask.system:
            body["systemInstruction"] = {"parts": [{"text": ask.system}]}
        path = f"/models/{quote(ask.model, safe='')}:streamGenerateContent?alt=sse"
        return Request(path, body, {} if key is None else {"x-goog-api-key": key})

    def read(self, event: Event) -> Said:
        """What a frame says."""
        frame = parsed(event)
        if error := frame.get("error"):
            return Said(failed="rate_limited" if error.get("code") == 429 else "provider_error")
        told = frame.get("usageMetadata") or {}
        usage = counted(input_tokens=told.get("promptTokenCount"), output_tokens=told.get("candidatesTokenCount"))
        if (frame.get("promptFeedback") or {}).get("blockReason"):
            return Said(finish_reason="content_filter", usage=usage)
        text, reason = "", None
        for candidate in frame.get("candidates") or ():
            parts = (candidate.get("content") or {}).get("parts") or ()
            text += "".join(part.get("text") or "" for part in parts if not part.get("thought"))
            reason = candidate.get("finishReason") or reason
        return Said(text, None if reason is None else _reason(reason), usage)


def _reason(word: str) -> FinishReason:
    return "content_filter" if word in _HELD_BACK else _REASONS.get(word, "provider_error")
