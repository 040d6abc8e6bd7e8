"""Scopes, kinds and times in plain words."""

from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from app.errors import StarlingError, TooManyRequests
from app.model import Scope

SCOPES = {
    Scope.ITEMS_READ: "Read everything that you have saved, and see your devices",
    Scope.ITEMS_WRITE: "Save, change and delete items",
    Scope.FILES_READ: "Read your files",
    Scope.FILES_WRITE: "Add files",
    Scope.ANSWERS: "Ask AI models for answers, and show them on your devices",
    Scope.STREAM: "Get everything that you save as it happens, as one of your devices",
    Scope.DEVICES_MANAGE: "Rename your devices and sign them out",
}
KINDS = {"browser": "Browser", "desktop": "Computer", "mobile": "Phone or tablet", "cli": "Command line"}

DONE = {
    "renamed": "The device has its new name.",
    "device": "The device is signed out.",
    "assistant": "The assistant has no access any more.",
    "password": "The password is changed. Other browsers are signed out.",
    "provider": "From now on the password alone lets you in. Other browsers are signed out.",
}
EVENTS = {
    "signed_up": "The account was made",
    "signed_in": "Signed in on these pages",
    "sign_in_failed": "Somebody typed a wrong password",
    "password_changed": "The password was changed",
    "linked": "Signing in through a provider was added",
    "unlinked": "Signing in through a provider was taken away",
    "allowed": "Access was given",
    "revoked": "Access was taken back",
    "device_revoked": "A device was signed out",
    "disabled": "The account was disabled by whoever runs this server",
    "enabled": "The account was enabled again",
    "reused": "A code or token was used twice, as a thief would: its access was taken back",
}


def event(kind: str) -> str:
    """What happened."""
    return EVENTS[kind]


def scopes(given: Iterable[str]) -> list[str]:
    """What they allow, in a fixed order."""
    wanted = set(given)
    return [words for scope, words in SCOPES.items() if scope in wanted]


def kind(of_device: str) -> str:
    """What sort of device it is."""
    return KINDS.get(of_device, "Device")


def publisher(client_id: str) -> str | None:
    """The host that says what the program is, if its id is a URL."""
    return urlsplit(client_id).hostname if client_id.startswith("https://") else None


def told(error: StarlingError) -> str:
    """What went wrong, for a person."""
    if isinstance(error, TooManyRequests):
        wait = error.retry_after
        return f"Too many tries. Try again in {_lasting(wait if wait <= 60 else wait + 59)}."
    return error.detail


def day(at: datetime) -> str:
    """Such as `3 March 2026`, in UTC."""
    return f"{at.astimezone(UTC):%-d %B %Y}"


def moment(at: datetime) -> str:
    """Such as `3 March 2026, 14:05 UTC`."""
    return f"{day(at)}, {at.astimezone(UTC):%H:%M} UTC"


def ago(at: datetime) -> str:
    """Such as `5 minutes ago`."""
    passed = int((datetime.now(UTC) - at).total_seconds())
    return "just now" if passed < 60 else f"{_lasting(passed)} ago"


def _lasting(seconds: int) -> str:
    """Such as `15 minutes`: in the largest unit that there is one of."""
    count, unit = next(
        (seconds // size, unit)
        for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
        if seconds >= size
    )
    return f"{count} {unit}" + "s" * (count != 1)
