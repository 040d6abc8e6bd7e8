"""Redirect addresses: which may be registered, and which matches."""

import pytest

from app.auth.redirects import form_target, is_registrable, matches


@pytest.mark.parametrize(
    "uri",
    [
        "https://chatgpt.com/aip/g-1/oauth/callback",
        "https://chatgpt.com/connector/oauth/abc",
        "https://chatgpt.com/connector_platform_oauth_redirect",
        "https://abcdefgh.chromiumapp.org/",
        "https://app.example:8443/done?x=1",
        "http://127.0.0.1/callback",
        "http://[::1]:5/callback",
        "http://localhost:3000",
        "com.example.app:/done",
    ],
)
def test_registrable(uri: str) -> None:
    assert is_registrable(uri)
    assert matches([uri], uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "http://app.example/done",
        "https://",
        "https://user@app.example/",
        "https://app.example/#x",
        "https://app.example:port/",
        "https://app.example/a b",
        "https://app.example/\r\n",
        "https://app.example\\@evil.example/",
        "https://[::1",
        "https://é.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "/done",
        "//app.example/done",
        "https://app.example/" + "x" * 2000,
    ],
)
def test_not_registrable(uri: str) -> None:
    assert not is_registrable(uri)


def test_on_the_loopback_interface_the_port_alone_may_differ() -> None:
    known = ["http://127.0.0.1:1/callback"]
    for port in ("", ":1", ":65535"):
        assert matches(known, f"http://127.0.0.1{port}/callback")
    for other in (
        "http://[::1]:1/callback",
        "http://127.0.0.1:1/callback/",
        "http://127.0.0.1:1/",
        "http://127.0.0.1:x/",
    ):
        assert not matches(known, other)
    assert not matches(["https://app.example/done"], "https://app.example:1/done")


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("https://chatgpt.com/aip/x?y", "https://chatgpt.com"),
        ("http://127.0.0.1:5/callback", "http://127.0.0.1:5"),
        ("com.example.app:/done", "com.example.app:"),
    ],
)
def test_a_pages_policy_names_where_its_form_leads(uri: str, target: str) -> None:
    assert form_target(uri) == target
