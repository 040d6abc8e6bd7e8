"""Somebody's browser: who is signed in, forms that nobody else can forge, and pages as responses.

Cookies count on pages alone, and bearers never do (protocol, CORS).
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie, State
from litestar.di import NamedDependency

from app.api.limited import peer
from app.api.oauth import read_form
from app.api.services import Services
from app.auth.people import SESSION_LIFE
from app.errors import FormExpired, StarlingError, TooManyRequests, Unavailable
from app.store.sessions import Account
from app.web.pages import Pages
from app.web.words import told

FORM_LIFE_S = 24 * 3600
_SAFE = {
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action "


_FORM_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class Visit:
    """One request of a browser. The form cookie is there before anybody signs in, so that sign-ins cannot be forged."""

    def __init__(self, request: Request[Any, Any, State], services: Services) -> None:
        self._request = request
        self._is_secure = services.public_url.startswith("https:")
        self._pages: Pages = request.app.state.pages
        self.address = peer(request)
        self.session = request.cookies.get(self._name("session"))
        self.form_secret = request.cookies.get(self._name("form")) or ""
        self.is_known = _FORM_SECRET.fullmatch(self.form_secret) is not None
        """Whether the browser brought the cookie that it got with a page."""
        if not self.is_known:
            self.form_secret = secrets.token_urlsafe(32)
        self.account: Account | None = None

    def _name(self, of: str) -> str:
        """With `__Host-`, no other host of the same site can set it (RFC 6265bis, section 4.1.3)."""
        return f"__Host-starling_{of}" if self._is_secure else f"starling_{of}"

    @property
    def csrf(self) -> str:
        """What a form must bring: of this browser and this session."""
        return hmac.new(self.form_secret.encode(), (self.session or "").encode(), hashlib.sha256).hexdigest()

    @property
    def is_foreign(self) -> bool:
        """Whether the browser says that another site sent it."""
        return self._request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")

    async def form(self) -> dict[str, str]:
        """The fields of a form that one of these pages sent. Raises `FormExpired` for any other."""
        fields = dict(await read_form(self._request))
        sent = fields.get("csrf", "").encode()
        if self.is_foreign or not self.is_known or not hmac.compare_digest(sent, self.csrf.encode()):
            raise FormExpired
        return fields

    def page(
        self,
        name: str,
        *,
        status: int = 200,
        form_targets: Iterable[str] = (),
        problem: str | None = None,
        **values: Any,
    ) -> Response[str]:
        """A page, with the headers that keep it from being framed or scripted."""
        html = self._pages.render(name, account=self.account, csrf=self.csrf, problem=problem, **values)
        policy = _POLICY + " ".join(("'self'", *form_targets))
        return Response(
            html,
            status_code=status,
            media_type=MediaType.HTML,
            headers={**_SAFE, "content-security-policy": policy},
            cookies=[self._cookie("form", self.form_secret, FORM_LIFE_S)],
        )

    def redirect(self, to: str, *, session: str | None = None) -> Response[None]:
        """The next page; `session` signs in, or out when empty."""
        life = int(SESSION_LIFE.total_seconds()) if session else 0
        cookies = [] if session is None else [self._cookie("session", session, life)]
        return Response(None, status_code=303, headers={**_SAFE, "location": to}, cookies=cookies)

    def sign_in_first(self, then: str) -> Response[None]:
        """To the sign-in page, and from there to `then`."""
        return self.redirect(f"/sign-in?next={quote(then, safe='')}")

    def _cookie(self, of: str, value: str, life_s: int) -> Cookie:
        return Cookie(
            key=self._name(of),
            value=value,
            max_age=life_s,
            path="/",
            secure=self._is_secure,
            httponly=True,
            samesite="lax",
        )


async def visit_of(request: Request[Any, Any, State], services: NamedDependency[Services]) -> Visit:
    """The request with the account that is signed in, if one is."""
    visit = Visit(request, services)
    visit.account = await services.people.account(visit.session)
    return visit


def problem_page(request: Request[Any, Any, State], error: StarlingError) -> Response[str]:
    """An error, for a person."""
    visit = Visit(request, request.app.state.services)
    heading = "That did not work" if error.status < 500 else "Something went wrong"
    return with_retry(visit.page("message", status=error.status, heading=heading, words=told(error)), error)


def with_retry(page: Response[str], error: StarlingError | None) -> Response[str]:
    """The page that shows an error, saying when to come back if the error does."""
    if isinstance(error, (TooManyRequests, Unavailable)):
        page.headers["retry-after"] = str(error.retry_after)
    return page
