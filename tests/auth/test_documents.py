"""Documents in which clients describe themselves: which URLs, which words, and for how long."""

import json
from datetime import timedelta
from typing import Any

import pytest

from app.auth.clients import ASSISTANT_SCOPES
from app.auth.documents import LONGEST, MAX_URL, SHORTEST, believed_for, describe, is_url, is_well_formed
from app.errors import ClientRefused
from app.model import Scope
from tests.harness.documents import CALLBACK, HOST, LOCAL, URL, document

CHATGPT = "https://chatgpt.com/oauth/client.json"


@pytest.mark.parametrize("url", [URL, CHATGPT, f"https://{HOST}/", f"https://{HOST}/a%20b/.c/..d/e..", "https://a/b@c"])
def test_ids_that_may_be_fetched(url: str) -> None:
    assert is_url(url)
    assert is_well_formed(url)


@pytest.mark.parametrize(
    "url",
    [
        f"https://{HOST}",
        f"https://{HOST}?a",
        f"https://{HOST}/a?b",
        f"https://{HOST}/a#b",
        f"https://{HOST}/a#",
        f"https://{HOST}/./a",
        f"https://{HOST}/a/..",
        f"https://{HOST}/a/%2e%2E/b",
        f"https://{HOST}/a\\..\\b",
        f"https://{HOST}:443/a",
        f"https://{HOST}:8443/a",
        f"https://ada@{HOST}/a",
        f"https://ada:secret@{HOST}/a",
        f"https://{HOST.upper()}/a",
        "https:///a",
        "https://[::1]/a",
        f"https://{HOST}/a b",
        f"https://{HOST}/é",
        f"https://{HOST}/a\n",
        f"https://{HOST}/" + "a" * MAX_URL,
    ],
)
def test_ids_that_may_not(url: str) -> None:
    assert is_url(url)
    assert not is_well_formed(url)


@pytest.mark.parametrize("client_id", ["", "starling", "client-0123", f"http://{HOST}/a", f"HTTPS://{HOST}/a", "//a/b"])
def test_other_ids_are_no_urls(client_id: str) -> None:
    assert not is_url(client_id)


def read(said: Any) -> Any:
    return describe(URL, json.dumps(said).encode())


def test_what_is_kept_of_a_document() -> None:
    found = read(document(logo_uri="https://x.example/", grant_types=["urn:x"], response_types=["code", "token"]))
    assert (found.id, found.name, found.secret_hash, found.made_by) == (URL, "Example", None, "document")
    assert list(found.redirect_uris) == [CALLBACK, LOCAL]
    assert set(found.scopes) == ASSISTANT_SCOPES
    assert read(document(scope="items:read stream unknown")).scopes == [Scope.ITEMS_READ, Scope.STREAM]
    assert read(document(client_name=None)).name == HOST
    assert len(read(document(client_name="x" * 1000)).name) == 100


def test_addresses_that_may_not_be_registered_are_left_out() -> None:
    found = read(document(redirect_uris=["cursor://x/done", "http://x.example/", CALLBACK, "http://localhost:*/done"]))
    assert list(found.redirect_uris) == [CALLBACK]


def test_one_that_prefers_another_method_but_allows_none_is_public() -> None:
    """As ChatGPT's."""
    said = document(
        token_endpoint_auth_method="private_key_jwt",
        token_endpoint_auth_methods_supported=["none", "private_key_jwt"],
        jwks_uri="https://chatgpt.com/oauth/jwks.json",
    )
    assert read(said).secret_hash is None
    assert read(document(token_endpoint_auth_method=None)).secret_hash is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "client_id"),
        ({}, "client_id"),
        (document(client_id=None), "client_id"),
        (document(f"{URL}/"), "client_id"),
        (document(URL.replace("app", "App")), "client_id"),
        (document(client_secret="s"), "secret"),
        (document(client_secret_expires_at=0), "secret"),
        (document(token_endpoint_auth_method="client_secret_basic"), "auth_method"),
        (document(token_endpoint_auth_method="private_key_jwt"), "auth_method"),
        (document(token_endpoint_auth_method=["none"]), "auth_method"),
        (
            document(token_endpoint_auth_method="client_secret_post", token_endpoint_auth_methods_supported=["none"]),
            "auth_method",
        ),
        (
            document(token_endpoint_auth_method="private_key_jwt", token_endpoint_auth_methods_supported="none"),
            "auth_method",
        ),
        (document(redirect_uris=None), "redirect_uris"),
        (document(redirect_uris=[]), "redirect_uris"),
        (document(redirect_uris=["http://x.example/", "javascript:alert(1)"]), "redirect_uris"),
        (document(redirect_uris=CALLBACK), "redirect_uris"),
        (document(redirect_uris={CALLBACK: 1}), "redirect_uris"),
        (document(redirect_uris=[CALLBACK, 5]), "redirect_uris"),
        (document(redirect_uris=[f"{CALLBACK}/{n}" for n in range(11)]), "10 addresses"),
        (document(client_name=5), "client_name"),
        (document(client_name="Ada\u202e"), "client_name"),
        (document(scope="everything"), "scope"),
        (document(scope=["items:read"]), "scope"),
    ],
)
def test_what_no_client_may_say(said: Any, words: str) -> None:
    with pytest.raises(ClientRefused, match=words):
        read(said)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff", b"[" * 16_000, b'{"a":NaN}', b'{"client_id":"\\ud800"}', b"\xef\xbb\xbf{}"]
)
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(ClientRefused, match="JSON"):
        describe(URL, body)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 300),
        ({"cache-control": "max-age=3600"}, 3600),
        ({"cache-control": 'Public, Max-Age="3600", immutable'}, 3600),
        ({"cache-control": "s-maxage=10, max-age=3600"}, 3600),
        ({"cache-control": "max-age=3600", "age": "600"}, 3000),
        ({"cache-control": "max-age=3600", "age": "9" * 5000}, 3600),
        ({"cache-control": "max-age=3600", "age": "-600"}, 3600),
        ({"cache-control": "max-age=0"}, 300),
        ({"cache-control": "max-age=400", "age": "399"}, 300),
        ({"cache-control": "max-age=3600, no-cache"}, 300),
        ({"cache-control": "no-store"}, 300),
        ({"cache-control": "x-max-age=3600"}, 300),
        ({"cache-control": "max-age=" + "9" * 5000}, 86400),
        ({"cache-control": "max-age=soon"}, 300),
    ],
)
def test_how_long_a_document_is_believed(headers: dict[str, str], seconds: int) -> None:
    assert SHORTEST <= believed_for(headers) == timedelta(seconds=seconds) <= LONGEST
