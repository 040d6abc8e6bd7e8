"""How an assistant gets its token: by a code, which the person's browser brings (RFC 6749, section 4.1)."""

import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from app.cli.demo.person import Person
from app.cli.demo.refused import Refused


async def token(
    http: httpx2.AsyncClient, person: Person, client: dict[str, str], callback: str, more: dict[str, str], **proof: str
) -> str:
    """An access token, for an hour. `client`: how it shows who it is; `more`: of the request; `proof`: of the code.

    Raises `Refused`.
    """
    state = secrets.token_urlsafe()
    asked = {"response_type": "code", "client_id": client["client_id"], "redirect_uri": callback, "state": state}
    came_back = await person.allow_assistant(f"/oauth/authorize?{urlencode(asked | more)}")
    told = {name: values[0] for name, values in parse_qs(urlsplit(came_back).query).items()}
    if not came_back.startswith(f"{callback}?") or told.get("state") != state or "code" not in told:
        raise Refused("The assistant was not let in.")
    form = {"grant_type": "authorization_code", "code": told["code"], "redirect_uri": callback}
    answer = await post(http, "/oauth/token", data=form | client | proof)
    granted: str = answer.json()["access_token"]
    return granted


async def post(http: httpx2.AsyncClient, path: str, **sent: object) -> httpx2.Response:
    """Its answer, which is no refusal. Raises `Refused`."""
    try:
        answer = await http.post(path, **sent)  # type: ignore[arg-type]
    except httpx2.HTTPError as error:
        raise Refused(f"POST {path}: {type(error).__name__}.") from error
    if not answer.is_success:
        raise Refused(f"POST {path}: {answer.status_code} {answer.text[:200]}")
    return answer
