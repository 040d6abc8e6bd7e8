"""OAuth clients as the authorization server judges them."""

import hmac

from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE

from app.auth import redirects
from app.auth.tokens import digest
from app.model import OWN_CLIENT, Scope
from app.store.clients import Registration

GRANT_TYPES = ("authorization_code", "refresh_token", DEVICE_CODE_GRANT_TYPE)
ASSISTANT_SCOPES = frozenset(Scope) - {Scope.STREAM, Scope.DEVICES_MANAGE}
OWN = Registration(
    id=OWN_CLIENT,
    name="Starling",
    secret_hash=None,
    redirect_uris=("http://127.0.0.1/callback", "http://[::1]/callback"),
    scopes=sorted(Scope),
    made_by="command",
)


class Client(ClientMixin):  # type: ignore[misc]
    """A registered client."""

    def __init__(self, registration: Registration) -> None:
        self.registration = registration
        self.is_public = registration.secret_hash is None
        self.registered_itself = registration.made_by != "command"
        self.needs_pkce = self.is_public or self.registered_itself

    def get_client_id(self) -> str:
        """Its id."""
        return self.registration.id

    def get_default_redirect_uri(self) -> str | None:
        """Where to go when the request does not say: only if there is no choice."""
        known = self.registration.redirect_uris
        return known[0] if len(known) == 1 else None

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """What it gets of what it asks for; asking for nothing means what an assistant needs. None: nothing at all."""
        wanted = set(scope.split()) if scope and scope.strip() else ASSISTANT_SCOPES
        return " ".join(sorted(wanted & set(self.registration.scopes))) or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether the address is one of its own."""
        return redirects.matches(self.registration.redirect_uris, redirect_uri)

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether this is its secret."""
        kept = self.registration.secret_hash
        return kept is not None and hmac.compare_digest(kept, digest(client_secret))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """A client with a secret must show it, in either way (RFC 6749, section 2.3.1)."""
        return (method == "none") == self.is_public

    def check_response_type(self, response_type: str) -> bool:
        """The only one is judged where it is asked for."""
        return True

    def check_grant_type(self, grant_type: str) -> bool:
        """Devices have no secret to keep, so only public clients ask to let one in; no document is read for that."""
        may_ask = self.is_public and self.registration.made_by != "document"
        return grant_type in GRANT_TYPES and (may_ask or grant_type != DEVICE_CODE_GRANT_TYPE)
