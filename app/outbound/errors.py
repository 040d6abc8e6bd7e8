"""The errors of this package. They say nothing of what was found at an address: a guess must not be answered."""

from typing import Any, ClassVar

from app.errors import StarlingError, TooLarge


class UrlRefused(StarlingError):
    """This URL may not be fetched."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "url_refused"

    def __init__(self, detail: str | None = None, **members: Any) -> None:
        members.setdefault("next_step", "Give an https URL of a public host, without a user name and without a port.")
        super().__init__(detail, **members)


class FetchFailed(StarlingError):
    """This URL could not be reached on the public internet, or did not answer properly and in time."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "fetch_failed"

    def __init__(self, detail: str | None = None, *, retryable: bool = True, **members: Any) -> None:
        again = "Try again in a minute; if it fails again, give another URL."
        members.setdefault("next_step", again if retryable else "Give another URL.")
        super().__init__(detail, retryable=retryable, **members)


class FetchTooLarge(TooLarge):
    """What this URL serves is too large."""
