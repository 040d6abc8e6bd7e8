"""What the OAuth endpoints do: each call is one transaction and one answer."""

from collections.abc import Callable
from uuid import UUID

import msgspec
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749.errors import OAuth2Error

from app.auth.asked import Answer, Asked, Pairs
from app.auth.redirects import form_target, is_local
from app.auth.server import Server
from app.store.ledger import Ledger, Ledgers


class Consent(msgspec.Struct, frozen=True):
    """What a person is asked. `host`: where the answer goes; `form_target`: the same as a page's policy names it.

    `is_local`: that is on the person's own machine.
    """

    client_id: str
    client_name: str
    registered_itself: bool
    host: str
    is_local: bool
    form_target: str
    scopes: list[str]


class Refused(msgspec.Struct, frozen=True):
    """A request that cannot even be answered to the client: the person is told."""

    reason: str


class OAuth:
    """The authorization server."""

    def __init__(self, ledgers: Ledgers, issuer: str) -> None:
        self._ledgers = ledgers
        self.issuer = issuer

    async def token(self, asked: Asked) -> Answer:
        """RFC 6749, section 3.2."""
        return await self._run(asked, lambda server: server.create_token_response(asked))

    async def endpoint(self, name: str, asked: Asked) -> Answer:
        """`device_authorization`, `revocation` or `introspection`."""
        return await self._run(asked, lambda server: server.create_endpoint_response(name, asked))

    async def consent(self, pairs: Pairs) -> Consent | Refused | Answer:
        """What to ask the person, or the redirect that the request itself is."""
        return await self._ledgers.run(lambda ledger: self._consent(ledger, Asked("GET", pairs)))

    async def decide(self, pairs: Pairs, feed_id: UUID | None) -> Refused | Answer:
        """The redirect with a code, or with `access_denied` where `feed_id` is None."""

        def work(ledger: Ledger) -> Refused | Answer:
            server, asked = Server(ledger, self.issuer), Asked("GET", pairs)
            try:
                asked.require_single()
                grant = server.get_consent_grant(asked, feed_id)
            except OAuth2Error as error:
                return self._told(server, asked, error)
            return self._signed(server.create_authorization_response(asked, grant_user=feed_id, grant=grant))

        return await self._ledgers.run(work)

    async def _run(self, asked: Asked, answer: Callable[[Server], Answer]) -> Answer:
        def work(ledger: Ledger) -> Answer:
            server = Server(ledger, self.issuer)
            return server.guarded(asked, lambda: answer(server))

        return await self._ledgers.run(work)

    def _consent(self, ledger: Ledger, asked: Asked) -> Consent | Refused | Answer:
        server = Server(ledger, self.issuer)
        try:
            asked.require_single()
            grant = server.get_consent_grant(asked)
        except OAuth2Error as error:
            return self._told(server, asked, error)
        registration = asked.client.registration
        target = form_target(grant.redirect_uri)
        return Consent(
            client_id=registration.id,
            client_name=registration.name,
            registered_itself=asked.client.registered_itself,
            host=target.partition("://")[2] or target,
            is_local=is_local(grant.redirect_uri),
            form_target=target,
            scopes=asked.scope.split(),
        )

    def _told(self, server: Server, asked: Asked, error: OAuth2Error) -> Refused | Answer:
        # Whoever registers itself could have anybody sent anywhere, without a click (RFC 9700, section 4.11.2).
        if error.redirect_uri is None or asked.client.registered_itself:
            return Refused(error.get_error_description() or str(error.error))
        return self._signed(server.handle_error_response(asked, error))

    def _signed(self, answer: Answer) -> Answer:
        """With `iss` (RFC 9207), so that a client of many servers cannot be fooled about which one answered."""
        answer.headers = [
            (name, add_params_to_uri(value, [("iss", self.issuer)]) if name == "Location" else value)
            for name, value in answer.headers
        ]
        return answer
