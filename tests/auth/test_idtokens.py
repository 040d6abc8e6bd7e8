"""ID tokens: one that is as it has to be, and every way in which one may not be."""

import time
from typing import Any

import pytest

from app.auth import idtokens
from app.auth.idtokens import Untrusted
from tests.harness.forger import CLIENT, KEY, OTHER_KEY, honest, public, signed

ISSUER, NONCE = "https://accounts.example.com", "n-0S6_WzA2Mj"
NOW = int(time.time())


def read(token: str, keys: Any = None) -> dict[str, Any]:
    keys = [public(KEY)] if keys is None else keys
    return idtokens.claims(token, keys, issuer=ISSUER, client_id=CLIENT, nonce=NONCE, now=NOW)


def claims(**more: Any) -> dict[str, Any]:
    found = {**honest(ISSUER, NONCE), "iat": NOW, "exp": NOW + 300, **more}
    return {name: value for name, value in found.items() if value is not ...}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "other"], "azp": CLIENT},
        {"azp": CLIENT},
        {"exp": NOW - 30},
        {"iat": NOW + 30},
        {"sub": "x" * 255},
        {"unknown": {"a": 1}},
    ],
)
def test_a_good_token_is_read(more: dict[str, Any]) -> None:
    assert read(signed(claims(**more)))["email"] == "ada@example.com"


def test_what_it_does_not_know_is_ignored() -> None:
    assert read(signed(claims(), unknown="x"))["sub"] == "ada"
    others: list[dict[str, Any]] = [{}, {"kty": "AKP"}, {"kty": ["RSA"]}, {"kty": "oct", "k": "AA"}, {"kty": "RSA"}]
    others += [{"kty": "EC", "crv": "X", "x": "AA", "y": "AA"}, {"kty": "OKP", "crv": "Ed25519", "x": "é"}]
    assert read(signed(claims()), [*others, public(OTHER_KEY, kid="2"), public(KEY)])["sub"] == "ada"


@pytest.mark.parametrize(
    "more",
    [
        {"iss": "https://accounts.example.com/"},
        {"iss": "https://evil.example"},
        {"iss": [ISSUER]},
        {"iss": ...},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": []},
        {"aud": ...},
        {"aud": {"starling": 1}},
        {"aud": [CLIENT, "other"]},
        {"aud": [CLIENT, "other"], "azp": "other"},
        {"azp": "other"},
        {"exp": NOW - 120},
        {"exp": "later"},
        {"exp": ...},
        {"iat": NOW + 120},
        {"iat": NOW - 1200},
        {"iat": None},
        {"iat": ...},
        {"nbf": NOW + 120},
        {"nonce": "another"},
        {"nonce": ""},
        {"nonce": ...},
        {"sub": ...},
        {"sub": ""},
        {"sub": 5},
        {"sub": "x" * 256},
        {"sub": "a\0b"},
    ],
)
def test_claims_that_are_not_for_this_sign_in_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(Untrusted):
        read(signed(claims(**more)))


@pytest.mark.parametrize(
    "token",
    [
        signed(claims(), alg="none"),
        signed(claims(), alg="None"),
        signed(claims(), alg="HS256"),
        signed(claims(), alg="PS256"),
        signed(claims(), alg="ES256"),
        signed(claims(), alg="EdDSA"),
        signed(claims(), alg=None),
        signed(claims(), alg=["RS256"]),
        signed(claims(), key=OTHER_KEY),
        signed(claims(), kid="another"),
        signed(claims(), crit=["x"], x=1),
        signed([claims()]),
        signed("ada"),
        signed(claims())[:-4],
        signed(claims()).replace(".", "..", 1),
        signed(claims()).rpartition(".")[0] + ".",
        f"{signed(claims(sub='eve'), key=OTHER_KEY).rpartition('.')[0]}.{signed(claims()).rpartition('.')[2]}",
        "x" * 200_000,
        "",
        "a.b.c",
        "é.é.é",
    ],
)
def test_a_token_that_the_provider_did_not_sign_is_refused(token: str) -> None:
    with pytest.raises(Untrusted):
        read(token)


@pytest.mark.parametrize("keys", [[], [{}], [public(KEY, use="enc")], [public(KEY, alg="RS512")], [public(OTHER_KEY)]])
def test_without_the_providers_key_nothing_is_trusted(keys: list[dict[str, Any]]) -> None:
    with pytest.raises(Untrusted):
        read(signed(claims()), keys)


def test_a_key_that_is_too_short_is_no_key() -> None:
    short = {**public(KEY), "n": "wGq" + "A" * 168}
    with pytest.raises(Untrusted):
        read(signed(claims()), [short])
