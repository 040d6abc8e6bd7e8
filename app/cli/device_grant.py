"""A device asks to be let in (RFC 8628), and signs itself out (RFC 7009)."""

from typing import Any, Literal

import httpx2
import msgspec

from app.cli.access import Unreachable, read_object
from app.cli.credentials import CannotSignIn, Token
from app.cli.listing import printable
from app.model import OWN_CLIENT

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
PENDING: tuple[Literal["authorization_pending"], Literal["slow_down"]] = ("authorization_pending", "slow_down")


class Asked(msgspec.Struct, frozen=True):
    """What a device is to show, and to wait with. Times in seconds."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: float
    interval: float = 5.0
    verification_uri_complete: str | None = None


async def ask(http: httpx2.AsyncClient, name: str, kind: str) -> Asked:
    """The codes. Raises `CannotSignIn`, `Unreachable`."""
    named = {"client_id": OWN_CLIENT, "device_name": name, "device_kind": kind}
    answer = await _post(http, "/oauth/device_authorization", named)
    if "error" in answer:
        raise CannotSignIn(printable(str(answer.get("error_description") or answer["error"])))
    try:
        return msgspec.convert(answer, Asked)
    except msgspec.ValidationError as error:
        raise CannotSignIn("The answer is not one to a device.") from error


async def redeem(
    http: httpx2.AsyncClient, server: str, asked: Asked
) -> Token | Literal["authorization_pending", "slow_down"]:
    """The token, or why it has to ask again. Raises `CannotSignIn`, `Unreachable`."""
    form = {"client_id": OWN_CLIENT, "grant_type": GRANT_TYPE, "device_code": asked.device_code}
    answer = await _post(http, "/oauth/token", form)
    error = answer.get("error")
    if error is None:
        return Token.read(server, answer)
    for known in PENDING:
        if error == known:
            return known
    if error == "access_denied":
        raise CannotSignIn("It was not allowed.")
    raise CannotSignIn(f"The server says: {printable(str(error))}.")


async def revoke(http: httpx2.AsyncClient, token: Token) -> bool:
    """Ends the device with all its tokens; whether the server has heard it."""
    form = {"client_id": OWN_CLIENT, "token": token.refresh_token or token.access_token}
    try:
        answer = await http.post("/oauth/revoke", data=form)
    except httpx2.TransportError:
        return False
    return answer.is_success or answer.status_code in (400, 401)


async def _post(http: httpx2.AsyncClient, path: str, form: dict[str, str]) -> dict[str, Any]:
    """A JSON object: what is asked for, or an OAuth error. Raises `Unreachable`."""
    try:
        answer = await http.post(path, data=form)
    except httpx2.TransportError as error:
        raise Unreachable(f"{http.base_url} does not answer.") from error
    found = read_object(answer)
    if answer.status_code != 200 and "error" not in found:
        raise Unreachable(f"{http.base_url} answers {answer.status_code}.")
    return found
