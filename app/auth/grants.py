"""The three ways to a token: a code, a device's code, a refresh token. Authlib's, its defaults overridden."""

from typing import Any, ClassVar
from uuid import UUID

from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc6749.errors import (
    AccessDeniedError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import (
    AuthorizationPendingError,
    DeviceAuthorizationEndpoint,
    DeviceCodeGrant,
    ExpiredTokenError,
    SlowDownError,
)

from app.auth.asked import Asked
from app.auth.clients import OWN, Client
from app.auth.tokens import digest, new_secret
from app.auth.usercodes import new_user_code, normalized
from app.model import DEVICE_SCOPES
from app.store.codes import Code
from app.store.families import Grant
from app.store.requests import DEVICE_CODE_LIFE, DeviceRequest

METHODS = ["client_secret_basic", "client_secret_post", "none"]


class RedeemedCode:
    """An authorization code as Authlib asks about it."""

    code_challenge_method = "S256"

    def __init__(self, code: Code) -> None:
        self.code = code
        self.code_challenge = code.challenge

    def get_redirect_uri(self) -> str:
        """Where it was sent; empty if the request did not say."""
        return self.code.redirect_uri

    def get_scope(self) -> str:
        """What it gives."""
        return " ".join(self.code.scopes)


class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    """RFC 6749, section 4.1."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    server: Any  # the one in `app.auth.server`, which imports this module

    @staticmethod
    def validate_authorization_redirect_uri(request: Asked, client: Client) -> str:
        """Where to send the answer. Authlib would put a bad address into its error, and stumble over it."""
        asked = request.payload.redirect_uri or client.get_default_redirect_uri()
        if not asked or not client.check_redirect_uri(asked):
            raise InvalidRequestError("The redirect_uri is missing or not one of this client.")
        return str(asked)

    def generate_authorization_code(self) -> str:
        """A new code."""
        return new_secret("stc")

    def save_authorization_code(self, code: str, request: Asked) -> None:
        """Keeps its hash."""
        data = request.payload.data
        kept = Code(
            hash=digest(code),
            feed_id=request.user,
            redirect_uri=data.get("redirect_uri", ""),
            scopes=request.scope.split(),
            challenge=data.get("code_challenge"),
        )
        client_id = request.client.get_client_id()
        if client_id == OWN.id:
            self.server.ledger.ensure_client(OWN.id, OWN.name)
        self.server.ledger.codes.add(kept, client_id)

    def query_authorization_code(self, code: str, client: Client) -> RedeemedCode | None:
        """Redeems it, whatever comes of the request: there is one try. A replay takes back what the first try gave."""
        taken = self.server.ledger.codes.take(digest(code), client.get_client_id())
        if taken is None:
            self.server.ledger.families.revoke_given_for(digest(code))
            return None
        return RedeemedCode(taken)

    def delete_authorization_code(self, authorization_code: RedeemedCode) -> None:
        """It is gone already."""

    def authenticate_user(self, authorization_code: RedeemedCode) -> UUID:
        """Whose feed it opens."""
        return authorization_code.code.feed_id


class S256(CodeChallenge):  # type: ignore[misc]
    """PKCE (RFC 7636) for all but clients with a secret that the operator made: a custom GPT cannot send it."""

    SUPPORTED_CODE_CHALLENGE_METHOD: ClassVar = ["S256"]

    def validate_code_challenge(self, grant: CodeGrant, redirect_uri: str) -> None:
        """Raises `InvalidRequestError`: Authlib alone would let it be absent, and takes an unnamed method for plain."""
        data = grant.request.payload.data
        if data.get("response_type") != "code":
            raise OAuth2Error("The only response_type is code.", error="unsupported_response_type")
        grant.server.require_resource(grant.request)
        if grant.request.client.needs_pkce and not data.get("code_challenge"):
            raise InvalidRequestError("PKCE is required: code_challenge is missing.")
        if data.get("code_challenge") and data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("The only code_challenge_method is S256.")
        super().validate_code_challenge(grant, redirect_uri)


class RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    """RFC 6749, section 6; a public client's tokens rotate (RFC 9700, section 4.14.2)."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    server: Any  # the one in `app.auth.server`, which imports this module

    def authenticate_refresh_token(self, refresh_token: str) -> "UsedRefreshToken | None":
        """What it refreshes."""
        families, client = self.server.ledger.families, self.request.client
        use = families.redeem_refresh if client.is_public else families.renew_refresh
        grant = use(digest(refresh_token), client.get_client_id())
        return None if grant is None else UsedRefreshToken(grant, refresh_token)

    def authenticate_user(self, refresh_token: "UsedRefreshToken") -> UUID:
        """Whose feed it opens."""
        return refresh_token.grant.feed_id

    def issue_token(self, user: UUID, refresh_token: "UsedRefreshToken") -> dict[str, Any]:
        """New tokens; a client with a secret keeps its refresh token."""
        client = self.request.client
        scope = self.request.payload.scope or refresh_token.get_scope()
        token: dict[str, Any] = self.generate_token(user=user, scope=scope, include_refresh_token=client.is_public)
        return token if client.is_public else {**token, "refresh_token": refresh_token.secret}

    def revoke_old_credential(self, refresh_token: "UsedRefreshToken") -> None:
        """It was counted when it was looked up."""


class UsedRefreshToken:
    """A refresh token as Authlib asks about it."""

    def __init__(self, grant: Grant, secret: str) -> None:
        self.grant = grant
        self.secret = secret

    def check_client(self, client: Client) -> bool:
        """It was looked up for this client."""
        return True

    def get_scope(self) -> str:
        """The most that it gives."""
        return " ".join(self.grant.scopes)


class AskingDevice:
    """A device's approved request as Authlib asks about it."""

    def __init__(self, request: DeviceRequest, code_hash: bytes) -> None:
        self.request = request
        self.code_hash = code_hash

    def get_scope(self) -> str:
        """What was approved."""
        return " ".join(self.request.scopes)


class DeviceGrant(DeviceCodeGrant):  # type: ignore[misc]
    """RFC 8628, section 3.4. Authlib alone never consumes a code."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    server: Any  # the one in `app.auth.server`, which imports this module

    def validate_token_request(self) -> None:
        """Redeems the code, or says why it cannot be."""
        code = self.request.payload.data.get("device_code")
        if not code:
            raise InvalidRequestError("The device_code is missing.")
        client = self.authenticate_token_endpoint_client()
        if not client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClientError("This client cannot let in devices.")
        hashed, client_id = digest(code), client.get_client_id()
        taken = self.server.ledger.requests.take(hashed, client_id)
        if taken is None:
            raise self._refusal(hashed, client_id)
        self.request.user = taken.feed_id
        self.request.client = client
        self.request.credential = AskingDevice(taken, hashed)

    def _refusal(self, hashed: bytes, client_id: str) -> OAuth2Error:
        poll = self.server.ledger.requests.poll(hashed, client_id)
        if poll is None:
            self.server.ledger.families.revoke_given_for(hashed)
            return InvalidGrantError("The device_code is unknown, or was redeemed already.")
        if poll.has_ended:
            return ExpiredTokenError()
        if poll.approved is False:
            return AccessDeniedError()
        return SlowDownError() if poll.hasty else AuthorizationPendingError()


class DeviceEndpoint(DeviceAuthorizationEndpoint):  # type: ignore[misc]
    """RFC 8628, section 3.1."""

    CLIENT_AUTH_METHODS = METHODS
    EXPIRES_IN = int(DEVICE_CODE_LIFE.total_seconds())
    server: Any  # the one in `app.auth.server`, which imports this module

    def create_endpoint_response(self, request: Asked) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """The codes."""
        self._asked = request
        answer: tuple[int, dict[str, Any], list[tuple[str, str]]] = super().create_endpoint_response(request)
        return answer

    def generate_user_code(self) -> str:
        """What the person types."""
        return new_user_code()

    def generate_device_code(self) -> str:
        """What the device redeems."""
        return new_secret("std")

    def get_verification_uri(self) -> str:
        """Where the person types it."""
        return f"{self.server.issuer}/activate"

    def save_device_credential(self, client_id: str, scope: str | None, data: dict[str, Any]) -> None:
        """Keeps the hashes, with what the person will be shown."""
        client = self._asked.client
        if not client.check_grant_type(DeviceGrant.GRANT_TYPE):
            raise UnauthorizedClientError("This client cannot let in devices.")
        self.server.require_resource(self._asked)
        if client_id == OWN.id:
            self.server.ledger.ensure_client(OWN.id, OWN.name)
        scopes = client.get_allowed_scope(scope if scope and scope.strip() else " ".join(DEVICE_SCOPES))
        if scopes is None:
            raise InvalidScopeError()
        name, kind = self.server.device_of(self._asked) or (client.registration.name, "cli")
        asking = DeviceRequest(client_id, scopes.split(), name, kind, self._asked.address or None)
        hashed = digest(data["device_code"])
        user_code_hash = digest(normalized(data["user_code"]))
        self.server.ledger.requests.add(hashed, user_code_hash, asking, self.INTERVAL)
