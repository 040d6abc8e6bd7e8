"""Every error Starling raises on purpose: one base, rendered as problem+json (RFC 9457) in one place.

A class's docstring is the sentence a person reads; `code` is what a program acts on; `status` the HTTP status;
`next_step` what an assistant may do about it.
"""

from typing import Any, ClassVar


class StarlingError(Exception):
    """Something went wrong."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    next_step: ClassVar[str | None] = None

    def __init__(self, detail: str | None = None, **members: Any) -> None:
        """`members` are extra problem members, such as `field`, `allowed`, `limit`, `retryable`, `next_step`."""
        self.detail = detail or (self.__doc__ or "").strip().splitlines()[0]
        self.members = members
        super().__init__(self.detail)


class BadRequest(StarlingError):
    """The request could not be read."""

    status = 400
    code = "bad_request"


class Disconnected(BadRequest):
    """The connection ended before the request was complete; nobody reads this answer."""

    code = "disconnected"


class InvalidField(StarlingError):
    """A value is missing, of the wrong type or out of range."""

    status = 422
    code = "invalid"

    def __init__(self, field: str, detail: str | None = None, **members: Any) -> None:
        super().__init__(detail, field=field, **members)


class Unauthorized(StarlingError):
    """A valid access token is needed: send it as `Authorization: Bearer …`."""

    status = 401
    code = "unauthorized"
    next_step = "Ask the user to sign in again."


class InsufficientScope(StarlingError):
    """The token does not carry the scope that this needs."""

    status = 403
    code = "insufficient_scope"
    next_step = "Tell the user what is missing: they can connect again and allow it."


class DeviceRequired(StarlingError):
    """Only a device's token may do this."""

    status = 403
    code = "device_required"


class NotFound(StarlingError):
    """There is no such thing, or it is not yours."""

    status = 404
    code = "not_found"
    next_step = "Look it up again: it may have been deleted. Never make up an id."


class MethodNotAllowed(StarlingError):
    """This address does not know that method."""

    status = 405
    code = "method_not_allowed"


class Conflict(StarlingError):
    """Somebody changed the same field in the meantime; the current item is given."""

    status = 409
    code = "conflict"


class EpochChanged(StarlingError):
    """The feed's history was rewritten: drop what you hold and read it from the beginning."""

    status = 409
    code = "epoch_changed"


class RequestIdReused(StarlingError):
    """This request_id was already used with another body."""

    status = 409
    code = "request_id_reused"
    next_step = "Use a new request_id, or send the very same body again."


class TooLarge(StarlingError):
    """The request body is too large."""

    status = 413
    code = "too_large"
    next_step = "Send less at once."


class QuotaExceeded(StarlingError):
    """There is no room for this among the account's files: delete items with files first."""

    status = 413
    code = "quota_exceeded"
    next_step = "Tell the user that there is no room: something has to be deleted first."


class LinksMissing(BadRequest):
    """The files came without links to fetch them from; nothing was saved."""

    code = "links_missing"


class FilesNotFetched(StarlingError):
    """Not all of the files could be fetched; nothing was saved."""

    status = 422
    code = "files_not_fetched"


class TooManyStreams(StarlingError):
    """Too many open streams: close one first."""

    status = 429
    code = "too_many_streams"


class WrongPassword(StarlingError):
    """The e-mail address or the password is wrong."""

    status = 403
    code = "wrong_password"


class AccountDisabled(StarlingError):
    """This account is disabled; ask whoever runs this server."""

    status = 403
    code = "account_disabled"


class SignUpClosed(StarlingError):
    """Nobody can sign up here; ask whoever runs this server for an account."""

    status = 403
    code = "sign_up_closed"


class InvitationNeeded(StarlingError):
    """An invitation is needed to make an account here: open the link that you were given."""

    status = 403
    code = "invitation_needed"


class SignInFailed(StarlingError):
    """The sign-in did not work. Begin it again."""

    status = 403
    code = "sign_in_failed"


class SignInAgain(StarlingError):
    """Sign in again first: for this, it has to be you."""

    status = 403
    code = "sign_in_again"


class FormExpired(StarlingError):
    """This form has expired, or came from another page. Open it again."""

    status = 403
    code = "form_expired"


class ClientRefused(StarlingError):
    """The program that sent you here does not say properly what it is."""

    status = 400
    code = "invalid_client"


class TooManyRequests(StarlingError):
    """Too many requests: wait before the next one."""

    status = 429
    code = "too_many_requests"
    next_step = "Wait for the seconds of `retry-after`, then try once more."

    def __init__(self, detail: str | None = None, *, retry_after: int = 1, **members: Any) -> None:
        self.retry_after = retry_after
        super().__init__(detail, retryable=True, retry_after=retry_after, **members)


class TooManyAnswers(TooManyRequests):
    """Too many answers are being written for you: wait for one to end, or cancel it."""

    code = "too_many_answers"


class Unavailable(StarlingError):
    """A part that this needs is not available right now; nothing was changed. Try again shortly."""

    status = 503
    code = "unavailable"
    next_step = "Try again in a few seconds."

    def __init__(self, detail: str | None = None, *, retry_after: int = 1, **members: Any) -> None:
        self.retry_after = retry_after
        super().__init__(detail, retryable=True, **members)


class Locked(Unavailable):
    """Another change holds what this needs for too long; nothing was changed. Try again shortly."""

    code = "locked"


class ProviderAway(Unavailable):
    """The sign-in provider does not answer as it should right now. Try again shortly, or sign in with a password."""

    code = "provider_away"


class OutcomeUnknown(Unavailable):
    """The database went away while this was being saved: repeat the very same request to be sure."""

    code = "outcome_unknown"
    next_step = "Send the very same request again: it is not done twice."


class UnsafeDatabase(StarlingError):
    """The database may lose what it has acknowledged."""

    code = "unsafe_database"


class UnsupportedDatabase(StarlingError):
    """The database is of a version that Starling does not work with."""

    code = "unsupported_database"


class AlreadyExists(StarlingError):
    """There already is one of that name."""

    status = 409
    code = "already_exists"
