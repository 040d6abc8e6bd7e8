"""Configuration: the protocol's names and defaults, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.settings import Settings


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(f"STARLING_{name}", value)
    return Settings()


def test_the_defaults_are_the_protocols() -> None:
    settings = Settings()
    assert (settings.database_url, str(settings.data_dir), settings.public_url) == (None, ".starling", None)
    assert (settings.trusted_proxies, settings.metrics_port, settings.unsafe_durability) == ((), None, False)
    assert (settings.streams_per_device, settings.streams_per_user, settings.stream_lifetime_s) == (4, 64, 600)
    assert (settings.tombstone_days, settings.rate_limits) == (90, "on")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("STREAMS_PER_DEVICE", "1", 1),
        ("STREAM_LIFETIME_S", "5", 5),
        ("TOMBSTONE_DAYS", "0.5", 0.5),
        ("TRUSTED_PROXIES", "127.0.0.1", ("127.0.0.1",)),
        ("TRUSTED_PROXIES", " 10.0.0.0/8 , ::1,", ("10.0.0.0/8", "::1")),
        ("TRUSTED_PROXIES", "", ()),
        ("METRICS_PORT", "", None),
        ("SIGN_UP", "invitation", "invitation"),
        ("PUBLIC_URL", "https://sync.example", "https://sync.example"),
        ("REDIS_URL", "", None),
        ("REDIS_URL", "rediss://:x@redis.example/2", "rediss://:x@redis.example/2"),
        ("REDIS_URL", "unix:///run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: Any) -> None:
    assert getattr(read(monkeypatch, **{name: value}), name.lower()) == expected


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_database_addresses_as_providers_write_them(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    settings = read(monkeypatch, DATABASE_URL=f"{scheme}://ada:x@db.example:5432/starling?a=b")
    assert settings.database_url == "postgresql+asyncpg://ada:x@db.example:5432/starling?a=b"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://x"),
        ("DATABASE_URL", "db.example"),
        ("REDIS_URL", "redis.example:6379"),
        ("REDIS_URL", "http://redis.example"),
        ("TRUSTED_PROXIES", "*"),
        ("TRUSTED_PROXIES", "127.0.0.1,*"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("TRUSTED_PROXIES", "::/0"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "nginx"),
        ("RATE_LIMITS", "some"),
        ("STREAMS_PER_DEVICE", "0"),
        ("STREAMS_PER_USER", "x"),
        ("STREAM_LIFETIME_S", "0"),
        ("TOMBSTONE_DAYS", "-1"),
        ("METRICS_PORT", "65536"),
        ("LOG_LEVEL", "loud"),
        ("SIGN_UP", "sometimes"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_what_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read(monkeypatch, **{name: value})
    assert [error["loc"] for error in refused.value.errors()] == [(name.lower(),)]


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError):
        Settings().streams_per_user = 5  # type: ignore[misc]


OIDC = {
    "OIDC_ISSUER": "https://accounts.example.com/tenant",
    "OIDC_CLIENT_ID": "starling",
    "OIDC_CLIENT_SECRET": "planted",
}


@pytest.mark.parametrize("issuer", [OIDC["OIDC_ISSUER"], "http://localhost:8080/realms/x", "http://[::1]:9"])
def test_a_sign_in_provider_is_named_as_it_names_itself(monkeypatch: pytest.MonkeyPatch, issuer: str) -> None:
    settings = read(monkeypatch, **OIDC | {"OIDC_ISSUER": issuer})
    assert settings.oidc_issuer == issuer
    assert "planted" not in repr(settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"OIDC_ISSUER": ""},
        {"OIDC_CLIENT_ID": ""},
        {"OIDC_CLIENT_SECRET": ""},
        {"OIDC_CLIENT_ID": "", "OIDC_CLIENT_SECRET": ""},
        {"OIDC_ISSUER": "http://accounts.example.com"},
        {"OIDC_ISSUER": "accounts.example.com"},
        {"OIDC_ISSUER": "https://"},
        {"OIDC_ISSUER": "https://accounts.example.com?x"},
        {"OIDC_ISSUER": "http://[::1"},
    ],
)
def test_half_a_sign_in_provider_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refused:
        read(monkeypatch, **OIDC | wrong)
    assert [error["loc"] for error in refused.value.errors()] == [("oidc_issuer",)]
