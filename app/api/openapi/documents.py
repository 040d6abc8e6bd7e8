"""The two documents: what hosts of assistants are given, and the whole interface of devices."""

from app.api import routes
from app.api.declared import SCHEME, TICKET
from app.api.openapi.document import describe
from app.api.openapi.hosts import plain
from app.api.openapi.schemas import Schema
from app.auth.clients import ASSISTANT_SCOPES
from app.web.words import SCOPES

ABOUT_ACTIONS = (
    "Saves notes, links, tasks and files for a person and brings them to all of their devices at once; finds, changes "
    "and deletes them again. Every answer to a write says which devices have it already."
)
ABOUT_API = (
    "The interface of devices. A device holds a copy of its user's feed: it opens the stream with the cursor it has "
    "stored, gets what it missed, and then everything as it happens. Errors are `application/problem+json` (RFC 9457)."
)


def actions(url: str) -> Schema:
    """`actions.json` of a server that is reached at `url`."""
    flow = {
        "authorizationUrl": f"{url}/oauth/authorize",
        "tokenUrl": f"{url}/oauth/token",
        "refreshUrl": f"{url}/oauth/token",
        "scopes": {scope.value: SCOPES[scope] for scope in SCOPES if scope in ASSISTANT_SCOPES},
    }
    security = {SCHEME: {"type": "oauth2", "flows": {"authorizationCode": flow}}}
    return plain(
        describe([routes.actions()], url, title="Starling", description=ABOUT_ACTIONS, security=security),
    )


def api(url: str) -> Schema:
    """`api.json` of a server that is reached at `url`."""
    security = {
        SCHEME: {"type": "http", "scheme": "bearer", "description": "An access token, by OAuth: see docs/identity.md."},
        TICKET: {
            "type": "apiKey",
            "in": "query",
            "name": TICKET,
            "description": "A ticket, for where no header can be sent.",
        },
    }
    return describe([routes.devices()], url, title="Starling for devices", description=ABOUT_API, security=security)


ALL = {"actions": actions, "api": api}
