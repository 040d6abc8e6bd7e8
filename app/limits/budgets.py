"""What there is to spend, for each class of requests. A route names its own; `docs/limits.md` lists them."""

import msgspec


class Budget(msgspec.Struct, frozen=True):
    """`quota` at once; all of it is there again after `window_s` seconds without a request.

    So, over time, `quota / window_s` a second: `q` and `w` of the RateLimit-Policy field. Names are unique.
    """

    name: str
    quota: int
    window_s: int

    @property
    def interval_s(self) -> float:
        """After which there is one more."""
        return self.window_s / self.quota


# Of a principal: a device, or a client of a user.
ACTIONS = Budget("actions", 100, 10)
API = Budget("api", 100, 10)
CHANGES = Budget("changes", 200, 20)
ACKS = Budget("acks", 200, 20)
FILES = Budget("files", 200, 40)
STREAMS = Budget("streams", 30, 15)
WRITES = Budget("writes", 5_000, 300)
"""Single changes of POST /v1/changes: what a device did in a week offline, at once."""

# Of a user, whatever the class: many devices and assistants are no way around.
USER = Budget("user", 600, 12)

# Of a network. Many people may share one.
TOKEN = Budget("token", 100, 10)
"""And a client: those of many people, for a server that calls on their behalf."""
OAUTH = Budget("oauth", 500, 10)
PAGES = Budget("pages", 100, 20)
PUBLIC = Budget("public", 300, 30)
UNAUTHORIZED = Budget("unauthorized", 100, 20)
"""Requests whose credential is missing or worth nothing."""

ALL = (ACTIONS, API, CHANGES, ACKS, FILES, STREAMS, WRITES, USER, TOKEN, OAUTH, PAGES, PUBLIC, UNAUTHORIZED)
