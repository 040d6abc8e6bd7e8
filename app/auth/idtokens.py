"""ID tokens: what a sign-in provider says about a person, signed (OpenID Connect Core, section 3.1.3.7)."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning, UnsupportedAlgorithmError
from joserfc.jwk import JWKRegistry, Key, KeySet
from joserfc.jws import JWSRegistry

ALGORITHMS = ("RS256", "ES256", "EdDSA", "Ed25519")
"""All that count: asymmetric, so that only the provider can sign. `none` and those with a shared secret do not."""
KINDS = ("RSA", "EC", "OKP")
LEEWAY_S = 60
MAX_AGE_S = 600
MAX_SUBJECT = 255


class Untrusted(Exception):
    """The token is not what it has to be: `args` is the reason, without anything of the token."""


class _Signatures(JWSRegistry):
    """Knows the allowed algorithms alone, and ignores header parameters that it does not know (RFC 7515, section 4)."""

    def __init__(self) -> None:
        super().__init__(algorithms=ALGORITHMS, strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        """Without the library's warning that EdDSA has a newer name: which one is used is the provider's choice."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError("This algorithm is not allowed.")
        return self.algorithms[name]


def claims(
    token: str, keys: Iterable[Mapping[str, Any]], *, issuer: str, client_id: str, nonce: str, now: int
) -> dict[str, Any]:
    """The claims of a token that was signed with one of these JSON Web Keys, for this client and this nonce.

    `now`: seconds since the epoch. Raises `Untrusted`.
    """
    try:
        found = jwt.decode(token, KeySet(list(_usable(keys))), registry=_Signatures()).claims
        jwt.JWTClaimsRegistry(
            now=now,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer},
            sub={"essential": True},
            aud={"essential": True, "value": client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(found)
    except (JoseError, ValueError, RecursionError) as error:
        raise Untrusted(type(error).__name__) from error
    is_shared = isinstance(found["aud"], list) and len(found["aud"]) > 1
    if found.get("azp", None if is_shared else client_id) != client_id:
        raise Untrusted("azp")
    if found["iat"] < now - MAX_AGE_S:
        raise Untrusted("iat")
    if not 0 < len(found["sub"]) <= MAX_SUBJECT or not found["sub"].isprintable():
        raise Untrusted("sub")
    return found


def _usable(keys: Iterable[Mapping[str, Any]]) -> Iterable[Key]:
    """Those that the library can use and does not warn of, such as short ones; others are the provider's own affair."""
    for each in keys:
        if each.get("kty") not in KINDS:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", SecurityWarning)
                yield JWKRegistry.import_key(dict(each))
        except (JoseError, SecurityWarning, ValueError, KeyError, TypeError):
            continue
