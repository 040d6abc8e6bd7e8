"""Pages on which a person lets an assistant or a device in."""

from typing import Annotated, Any
from urllib.parse import quote

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.api.oauth import read_pairs
from app.api.services import Services
from app.api.visits import Visit
from app.auth.asked import Answer, Pairs
from app.auth.documents import is_url
from app.auth.oauth import Refused
from app.errors import BadRequest
from app.limits.networks import network
from app.store.requests import DeviceRequest

UNKNOWN_CODE = "There is no such code, or it has ended. Look at the device again; it may show a new one."


def _refusal(visit: Visit, refused: Refused) -> Response[Any]:
    words = f"The program that sent you here made a mistake: {refused.reason}"
    return visit.page("message", status=400, heading="This request cannot be answered", words=words)


def _back(visit: Visit, answer: Answer) -> Response[Any]:
    """To the client, which is not told where on this server the person was."""
    redirect = visit.redirect(answer.location or "/")
    redirect.headers["referrer-policy"] = "no-referrer"
    return redirect


def _client_of(pairs: Pairs) -> str:
    return dict(pairs).get("client_id", "")


async def _ensure_known(pairs: Pairs, visit: Visit, services: Services) -> None:
    """Has the document read of a client that describes itself, unless it was read lately. Raises `ClientRefused`."""
    if is_url(_client_of(pairs)):
        await services.documents.ensure(_client_of(pairs), visit.address)


@get("/oauth/authorize", operation_id="authorize")
async def authorize(
    request: Request[Any, Any, State], visit: NamedDependency[Visit], services: NamedDependency[Services]
) -> Response[Any]:
    """Asks the person, who signs in first."""
    query: bytes = request.scope["query_string"]
    pairs = read_pairs(query)
    here = f"/oauth/authorize?{quote(query, safe='%=&+')}"
    if visit.account is None and is_url(_client_of(pairs)):  # strangers make the server fetch nothing
        return visit.sign_in_first(here)
    await _ensure_known(pairs, visit, services)
    found = await services.oauth.consent(pairs)
    if isinstance(found, Refused):
        return _refusal(visit, found)
    if isinstance(found, Answer):
        return _back(visit, found)
    if visit.account is None:
        return visit.sign_in_first(here)
    return visit.page("consent", form_targets=[found.form_target], consent=found, request=query.decode())


@post("/oauth/authorize", operation_id="decide", status_code=200)
async def decide(visit: NamedDependency[Visit], services: NamedDependency[Services]) -> Response[Any]:
    """The person's answer goes to the client."""
    form = await visit.form()
    asked = form.get("request", "")
    if visit.account is None:
        return visit.sign_in_first(f"/oauth/authorize?{quote(asked, safe='%=&+')}")
    feed_id, pairs = visit.account.feed_id if _is_allowed(form) else None, read_pairs(asked.encode())
    await _ensure_known(pairs, visit, services)
    answer = await services.oauth.decide(pairs, feed_id)
    return _refusal(visit, answer) if isinstance(answer, Refused) else _back(visit, answer)


@get("/activate", operation_id="showActivate")
async def show_activate(
    visit: NamedDependency[Visit],
    user_code: Annotated[str, QueryParameter(description="Only filled in: it is the person who sends it.")] = "",
) -> Response[Any]:
    """Asks for a device's code."""
    if visit.account is None:
        return visit.sign_in_first(f"/activate?user_code={quote(user_code, safe='')}" if user_code else "/activate")
    return visit.page("activate", user_code=user_code[:20])


@post("/activate", operation_id="activate", status_code=200)
async def activate(visit: NamedDependency[Visit], services: NamedDependency[Services]) -> Response[Any]:
    """Shows who asks; then takes the answer."""
    form = await visit.form()
    code, account = form.get("user_code", ""), visit.account
    if account is None:
        return visit.sign_in_first("/activate")
    if "decision" not in form:
        found: DeviceRequest | None = await services.activation.find(code, account, visit.address)
        if found is not None:
            is_near = network(found.address or "") == network(visit.address)
            return visit.page("device", asking=found, user_code=code, is_near=is_near)
        return visit.page("activate", status=404, problem=UNKNOWN_CODE, user_code=code[:20])
    is_allowed = _is_allowed(form)
    if not await services.activation.answer(code, account, visit.address, approved=is_allowed):
        return visit.page("activate", status=404, problem=UNKNOWN_CODE, user_code="")
    if is_allowed:
        return visit.page(
            "message", heading="The device is signed in", words="You can go on there. It may take seconds."
        )
    return visit.page("message", heading="The device stays out", words="You can close this page.")


def _is_allowed(form: dict[str, str]) -> bool:
    decision = form.get("decision")
    if decision not in ("allow", "deny"):
        raise BadRequest("The decision is missing.")
    return decision == "allow"
