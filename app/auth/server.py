"""The authorization server: Authlib's, on one transaction. There is a new one for each request."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, get_args

from authlib.oauth2.rfc6749 import AuthorizationServer
from authlib.oauth2.rfc6749.errors import InvalidRequestError, InvalidScopeError, OAuth2Error
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from app.auth.asked import Answer, Asked
from app.auth.clients import OWN, Client
from app.auth.grants import METHODS, S256, CodeGrant, DeviceEndpoint, DeviceGrant, RefreshGrant
from app.auth.metadata import resources
from app.auth.tokens import digest, new_secret
from app.model import DeviceKind, Scope
from app.store.families import Given, Grant
from app.store.ledger import Ledger

ACCESS_LIFE = timedelta(hours=1)
MAX_DEVICE_NAME = 100

logging.getLogger("authlib").setLevel(logging.WARNING)  # below that, it logs whole tokens


class Server(AuthorizationServer):  # type: ignore[misc]
    """Answers one request."""

    def __init__(self, ledger: Ledger, issuer: str) -> None:
        super().__init__(scopes_supported=list(Scope))
        self.ledger = ledger
        self.issuer = issuer
        self.register_token_generator("default", _generate)
        self.register_grant(CodeGrant, [S256(required=True)])
        self.register_grant(DeviceGrant)
        self.register_grant(RefreshGrant)
        for endpoint in (DeviceEndpoint, Revocation, Introspection):
            self.register_endpoint(endpoint)

    def query_client(self, client_id: str) -> Client | None:
        """A registered client, or the program's own."""
        registration = OWN if client_id == OWN.id else self.ledger.client(client_id)
        return None if registration is None else Client(registration)

    def get_authorization_grant(self, request: Asked) -> CodeGrant:
        """The only one."""
        grant = CodeGrant(request, self)
        S256(required=True)(grant)
        return grant

    def save_token(self, token: dict[str, Any], request: Asked) -> None:
        """Keeps the hashes of new tokens, in their grant; adds the device to the answer."""
        client_id, parent = request.client.get_client_id(), None
        if request.refresh_token is not None:
            grant, parent = request.refresh_token.grant, digest(request.refresh_token.secret)
        else:
            grant = self._new_grant(request, client_id)
        families = self.ledger.families
        families.add_token(digest(token["access_token"]), grant, client_id, token["scope"].split(), ACCESS_LIFE)
        refresh = digest(token["refresh_token"])
        if refresh != parent:
            families.add_refresh_token(refresh, grant, parent)
        if grant.device_id is not None:
            token["device_id"] = str(grant.device_id)

    def _new_grant(self, request: Asked, client_id: str) -> Grant:
        feed_id, device = request.user, self.device_of(request)
        if request.credential is not None:
            asking, code_hash = request.credential.request, request.credential.code_hash
            scopes = asking.scopes
            if device is None or asking.device_name != request.client.registration.name:
                device = (asking.device_name, asking.device_kind)  # what the person was shown
        else:
            scopes, code_hash = request.authorization_code.code.scopes, request.authorization_code.code.hash
            if device is not None and Scope.STREAM not in scopes:
                raise InvalidScopeError("A device needs the scope stream.")
        device_id = None if device is None else self.ledger.families.add_device(feed_id, *device)
        return self.ledger.families.add_grant(Grant(None, feed_id, device_id, scopes, code_hash), client_id)

    def device_of(self, request: Asked) -> tuple[str, str] | None:
        """The device's name and kind, if the request names one. Raises `InvalidRequestError`."""
        data = request.payload.data
        name, kind = data.get("device_name", "").strip(), data.get("device_kind", "cli")
        if not name:
            return None
        if len(name) > MAX_DEVICE_NAME or not name.isprintable():
            raise InvalidRequestError(f"The device_name must be 1 to {MAX_DEVICE_NAME} printable characters.")
        if kind not in get_args(DeviceKind):
            raise InvalidRequestError(f"The device_kind must be one of {', '.join(get_args(DeviceKind))}.")
        return name, kind

    def require_resource(self, request: Asked) -> None:
        """Tokens are for this server alone (RFC 8707). Raises `invalid_target`."""
        known = {each.rstrip("/") for each in resources(self.issuer)}
        if any(asked.rstrip("/") not in known for asked in request.payload.datalist.get("resource", [])):
            raise OAuth2Error("The resource is not served here.", error="invalid_target")

    def guarded(self, request: Asked, answer: Callable[[], Answer]) -> Answer:
        """The answer, or the error that the request itself is."""
        try:
            request.require_single()
            self.require_resource(request)
            return answer()
        except OAuth2Error as error:
            refused: Answer = self.handle_error_response(request, error)
            return refused

    # What Authlib asks of a framework

    def create_oauth2_request(self, request: Asked) -> Asked:
        """It is one already."""
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Answer:
        """The answer as it is."""
        return Answer(status, body or {}, headers)

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""


class PresentedToken:
    """An access or refresh token as Authlib asks about it."""

    def __init__(self, given: Given) -> None:
        self.given = given

    def check_client(self, client: Client) -> bool:
        """Whether it is this client's."""
        return self.given.client_id == client.get_client_id()

    def is_expired(self) -> bool:
        """Whether it is worth nothing any more."""
        return not self.given.is_good

    def is_revoked(self) -> bool:
        """As above."""
        return not self.given.is_good


class Presenting:
    """Finds the token of a request."""

    server: Server

    def check_params(self, request: Asked, client: Client) -> None:
        """A hint is a hint: unknown ones are ignored (RFC 7009, section 2.1)."""
        if not request.form.get("token"):
            raise InvalidRequestError("The token is missing.")

    def query_token(self, token: str, hint: str | None) -> PresentedToken | None:
        """The token of either kind."""
        given = self.server.ledger.families.given(digest(token))
        return None if given is None else PresentedToken(given)


class Revocation(Presenting, RevocationEndpoint):  # type: ignore[misc]
    """RFC 7009. Either token ends the whole grant."""

    CLIENT_AUTH_METHODS = METHODS

    def revoke_token(self, token: PresentedToken, request: Asked) -> None:
        """Ends it and all that goes with it."""
        self.server.ledger.families.revoke_token(token.given)


class Introspection(Presenting, IntrospectionEndpoint):  # type: ignore[misc]
    """RFC 7662, for clients with a secret, of their own tokens."""

    CLIENT_AUTH_METHODS: ClassVar = ["client_secret_basic", "client_secret_post"]

    def check_permission(self, token: PresentedToken, client: Client, request: Asked) -> bool:
        """Whether the client may know."""
        return token.check_client(client)

    def introspect_token(self, token: PresentedToken) -> dict[str, Any]:
        """What the client may know."""
        given = token.given
        return {
            "active": True,
            "client_id": given.client_id,
            "scope": " ".join(given.scopes),
            "token_type": "refresh_token" if given.is_refresh else "bearer",
            "iat": int(given.created_at.timestamp()),
            **({} if given.expires_at is None else {"exp": int(given.expires_at.timestamp())}),
            "iss": self.server.issuer,
        }


def _generate(*, scope: str, include_refresh_token: bool, **_: Any) -> dict[str, Any]:
    """The token response (RFC 6749, section 5.1), before the device is added."""
    life = int(ACCESS_LIFE.total_seconds())
    token = {"token_type": "bearer", "access_token": new_secret("stl"), "expires_in": life, "scope": scope}
    return {**token, "refresh_token": new_secret("str")} if include_refresh_token else token
