"""The pages around a sign-in provider: away to it, back from it, and joining it to an account."""

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.api.oauth import read_pairs
from app.api.services import Services
from app.api.signing import HOME, Next, local, sign_in_page
from app.api.visits import Visit, with_retry
from app.auth.upstream import Failed, PasswordNeeded, Returned, Upstream
from app.errors import BadRequest, NotFound, ProviderAway, SignInFailed, StarlingError, TooManyRequests, WrongPassword
from app.web.words import told

CALLBACK = "/sign-in/callback"


def _upstream(services: Services) -> Upstream:
    if services.upstream is None:
        raise NotFound("There is no sign-in provider here.")
    return services.upstream


@get("/sign-in/provider", operation_id="goToProvider")
async def go_to_provider(
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    next: Next = HOME,  # noqa: A002
    invitation: Annotated[str, QueryParameter(description="Of `starling user invite`.", max_length=100)] = "",
    again: Annotated[bool, QueryParameter(description="To sign in there anew, whoever is signed in.")] = False,  # noqa: FBT002
) -> Response[Any]:
    """Sends the browser to the provider. A link, not a form: the policy of forms would have to name the provider."""
    upstream, then = _upstream(services), local(next)
    if visit.is_foreign or not visit.is_known:
        return visit.sign_in_first(then)
    try:
        to = await upstream.begin(visit.form_secret, then, invitation, visit.address, again=again)
    except (ProviderAway, TooManyRequests) as error:
        return sign_in_page(visit, services, then, error=error)
    away = visit.redirect(to)
    away.headers["referrer-policy"] = "no-referrer"
    return away


@get(CALLBACK, operation_id="comeFromProvider")
async def come_from_provider(
    request: Request[Any, Any, State], visit: NamedDependency[Visit], services: NamedDependency[Services]
) -> Response[Any]:
    """The provider's answer (RFC 6749, section 4.1.2)."""
    upstream, pairs = _upstream(services), read_pairs(request.scope["query_string"])
    given = dict(pairs)
    if len(given) < len(pairs):
        raise BadRequest("A parameter is given twice.")
    code = None if "error" in given else given.get("code")
    returned = Returned(given.get("state", ""), code, given.get("iss"))
    try:
        found = await upstream.finish(visit.form_secret, returned, visit.address)
    except SignInFailed as error:
        return sign_in_page(visit, services, HOME, error=error)
    if isinstance(found, Failed):
        return sign_in_page(visit, services, found.destination, error=found.error)
    if isinstance(found, PasswordNeeded):
        return _join_page(visit, services, found.key, found.email)
    return visit.redirect(local(found.destination), session=found.session)


@post("/sign-in/join", operation_id="joinProvider", status_code=200)
async def join_provider(visit: NamedDependency[Visit], services: NamedDependency[Services]) -> Response[Any]:
    """The account's own password joins it to the provider."""
    upstream, form = _upstream(services), await visit.form()
    key = form.get("key", "")
    try:
        found = await upstream.join(visit.form_secret, key, form.get("password", ""), visit.address)
    except (WrongPassword, TooManyRequests) as error:
        return _join_page(visit, services, key, form.get("email", ""), error)
    except StarlingError as error:
        return sign_in_page(visit, services, HOME, error=error)
    return visit.redirect(local(found.destination), session=found.session)


def _join_page(
    visit: Visit, services: Services, key: str, email: str, error: StarlingError | None = None
) -> Response[Any]:
    problem = "The password is wrong." if isinstance(error, WrongPassword) else told(error) if error else None
    status = error.status if error else 200
    page = visit.page("join", status=status, problem=problem, key=key, email=email, provider=services.provider)
    return with_retry(page, error)
