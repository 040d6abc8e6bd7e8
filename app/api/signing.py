"""Pages on which people sign up, in and out."""

import re
from typing import Annotated, Any

from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.api.limited import spends
from app.api.services import Services
from app.api.visits import Visit, with_retry
from app.auth.tokens import digest
from app.errors import (
    AlreadyExists,
    InvalidField,
    InvitationNeeded,
    StarlingError,
    TooManyRequests,
    WrongPassword,
)
from app.limits.budgets import PUBLIC
from app.web.words import told

HOME = "/account"
TAKEN = "There already is an account with this address. Is it yours? Then sign in."
_LOCAL = re.compile(r"/(?![/\\])[!-~]*")
Next = Annotated[str, QueryParameter(description="The page to go on to.", max_length=8000)]


def local(path: str) -> str:
    """A path of this server, or home: a link must not lead through the sign-in to another site."""
    return path if _LOCAL.fullmatch(path) else HOME


@get("/assets/style.css", operation_id="style", opt=spends(PUBLIC))
async def style(request: Request[Any, Any, State]) -> Response[bytes]:
    """How the pages look."""
    headers = {"cache-control": "public, max-age=3600", "x-content-type-options": "nosniff"}
    return Response(request.app.state.pages.style, media_type=MediaType.CSS, headers=headers)


@get("/assets/icon.svg", operation_id="icon")
async def icon(request: Request[Any, Any, State]) -> Response[bytes]:
    """The bird."""
    headers = {"cache-control": "public, max-age=3600", "x-content-type-options": "nosniff"}
    return Response(request.app.state.pages.icon, media_type="image/svg+xml", headers=headers)


def sign_in_page(
    visit: Visit, services: Services, then: str, *, email: str = "", error: StarlingError | None = None
) -> Response[Any]:
    """The form, and the way to the provider."""
    page = visit.page(
        "sign_in",
        status=error.status if error else 200,
        problem=told(error) if error else None,
        next=then,
        email=email,
        is_open=services.people.is_open,
        provider=services.provider,
    )
    return with_retry(page, error)


@get("/sign-in", operation_id="showSignIn")
async def show_sign_in(
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    next: Next = HOME,  # noqa: A002
) -> Response[Any]:
    """The form."""
    if visit.account is not None:
        return visit.redirect(local(next))
    return sign_in_page(visit, services, local(next))


@post("/sign-in", operation_id="signIn", status_code=200)
async def sign_in(visit: NamedDependency[Visit], services: NamedDependency[Services]) -> Response[Any]:
    """Begins a session."""
    form = await visit.form()
    email, then = form.get("email", ""), local(form.get("next", HOME))
    try:
        session = await services.people.sign_in(email, form.get("password", ""), visit.address)
    except (WrongPassword, TooManyRequests) as error:
        return sign_in_page(visit, services, then, email=email, error=error)
    return visit.redirect(then, session=session)


@get("/sign-up", operation_id="showSignUp")
async def show_sign_up(
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    next: Next = HOME,  # noqa: A002
    invitation: Annotated[str, QueryParameter(description="Of `starling user invite`.", max_length=100)] = "",
) -> Response[Any]:
    """The form."""
    email = await services.people.welcome(digest(invitation) if invitation else None)
    filled: dict[str, Any] = {"next": local(next), "email": email or "", "is_bound": bool(email)}
    return visit.page("sign_up", **filled, invitation=invitation, provider=services.provider)


@post("/sign-up", operation_id="signUp", status_code=200)
async def sign_up(visit: NamedDependency[Visit], services: NamedDependency[Services]) -> Response[Any]:
    """Makes an account, and begins a session."""
    form = await visit.form()
    invitation = form.get("invitation", "")
    email, then = form.get("email", ""), local(form.get("next", HOME))
    try:
        session = await services.people.sign_up(email, form.get("password", ""), visit.address, invitation)
    except (InvalidField, AlreadyExists, InvitationNeeded, TooManyRequests) as error:
        filled: dict[str, Any] = {"next": then, "email": email, "is_bound": False, "invitation": invitation}
        problem = TAKEN if isinstance(error, AlreadyExists) else told(error)
        page = visit.page("sign_up", status=error.status, problem=problem, **filled, provider=services.provider)
        return with_retry(page, error)
    return visit.redirect(then, session=session)


@post("/sign-out", operation_id="signOut", status_code=200)
async def sign_out(visit: NamedDependency[Visit], services: NamedDependency[Services]) -> Response[Any]:
    """Ends the session."""
    await visit.form()
    if visit.session:
        await services.people.sign_out(visit.session)
    return visit.redirect("/sign-in", session="")
