"""All configuration, read once from the environment (`STARLING_*`) by the composition root and passed on from there."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MAX_BODY_BYTES = 10 * 1024 * 1024


class ModelSettings(BaseSettings):
    """Keys and addresses of model APIs, under the names that their makers gave them, without a prefix."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    """Of any server that speaks OpenAI's API; it may need no key."""
    gemini_api_key: SecretStr | None = None
    gemini_base_url: str | None = None
    groq_api_key: SecretStr | None = None
    groq_base_url: str | None = None
    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str | None = None


class Settings(BaseSettings):
    """Every default is right for one machine. Units are in the names; what `None` means stands at each."""

    model_config = SettingsConfigDict(env_prefix="STARLING_", env_ignore_empty=True, frozen=True, extra="ignore")

    database_url: str | None = None
    """`postgresql+asyncpg://…` of any Postgres from 15 on. None: the embedded one under `data_dir`."""
    redis_url: str | None = None
    """`redis://…`, `rediss://…` or `unix://…` of a Redis from 7 on, or a Valkey, that all processes share. None: there
    is one process, or the embedded Valkey runs."""
    data_dir: Path = Path(".starling")
    public_url: str | None = None
    """Where clients reach this server. None: the address it listens on."""
    secret_key: SecretStr | None = Field(default=None, min_length=32)
    """What the server's own keys are derived from: the same on all machines. None: made once and kept in `data_dir`."""
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses or networks whose X-Forwarded-* headers are believed, comma-separated. None are by default, and never
    all."""
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """Loopback port of `/metrics`. None: not served."""

    sign_up: Literal["open", "invitation", "closed"] = "open"
    """Who may make an account on the pages: anybody, whoever has a link from `starling user invite`, or nobody."""

    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    """How the sign-in provider knows this server. Its callback there is `<public_url>/sign-in/callback`."""
    oidc_issuer: str | None = Field(default=None, validate_default=True)
    """An OpenID Connect provider through which people may sign in, exactly as it names itself. None: there is none."""
    oidc_label: str | None = Field(default=None, max_length=60)
    """What people call it. None: its host."""

    rate_limits: Literal["on", "off"] = "on"
    """Whether it is limited how often each may ask; `off` is for benchmarks."""
    streams_per_device: int = Field(default=4, ge=1)
    streams_per_user: int = Field(default=64, ge=1)
    stream_lifetime_s: int = Field(default=600, ge=1)
    tombstone_days: float = Field(default=90, ge=0)

    blobs: str | None = None
    """Where the content of files is: a directory, or `s3://bucket/prefix`, for which `AWS_*` say the rest. None: the
    directory `blobs` under `data_dir`."""
    max_file_bytes: int = Field(default=100 * 1024 * 1024, ge=1, le=5 * 1024**3)
    """Of one file. S3 copies 5 GiB at most."""
    user_files_bytes: int = Field(default=1024**3, ge=0)
    """Of all files of a user."""
    user_files: int = Field(default=10_000, ge=0)
    file_hosts: Annotated[tuple[str, ...], NoDecode] = ("files.oaiusercontent.com", "*.oaiusercontent.com")
    """Hosts that files of conversations are fetched from, comma-separated; `*.name` stands for all below that name."""

    database_pool: int = Field(default=10, ge=3)
    """Database connections of one process."""
    unsafe_durability: bool = False
    """For tests only: accept a database with fsync, full_page_writes or synchronous_commit off."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "console", "json"] = "auto"
    """`auto`: for people on a terminal, JSON otherwise."""

    @field_validator("trusted_proxies", "file_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Who is believed may say that it is anybody: each is named, and what is misspelt is not passed over."""
        for part in value:
            try:
                named = ip_network("0.0.0.0/0" if part == "*" else part)
            except ValueError:
                raise ValueError(f"{part!r} is no address or network, such as 10.0.0.5 or 10.0.0.0/24") from None
            if named.prefixlen == 0:
                raise ValueError(f"{part!r} would believe everybody; name the proxies")
        return value

    @field_validator("database_url")
    @classmethod
    def _asyncpg(cls, value: str | None) -> str | None:
        """Accepts `postgres://` and `postgresql://` as hosting providers write them."""
        scheme, separator, rest = (value or "").partition("://")
        if value is None:
            return None
        if not separator or scheme not in {"postgres", "postgresql", "postgresql+asyncpg"}:
            raise ValueError("must look like postgresql://user@host/database")
        return f"postgresql+asyncpg://{rest}"

    @field_validator("oidc_issuer")
    @classmethod
    def _oidc(cls, value: str | None, info: ValidationInfo) -> str | None:
        """The three belong together. http is for a provider on this machine."""
        others = {name: info.data.get(name) for name in ("oidc_client_id", "oidc_client_secret")}
        if len({value is None, *(other is None for other in others.values())}) > 1:
            raise ValueError("is needed with STARLING_OIDC_CLIENT_ID and STARLING_OIDC_CLIENT_SECRET, all or none")
        if value is not None:
            parts = urlsplit(value)
            is_local = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}
            if not (parts.scheme == "https" or is_local) or not parts.hostname or parts.query or parts.fragment:
                raise ValueError("must look like https://accounts.example.com")
        return value

    @field_validator("blobs")
    @classmethod
    def _place(cls, value: str | None) -> str | None:
        scheme, separator, rest = (value or "").partition("://")
        if separator and (scheme != "s3" or not rest.strip("/")):
            raise ValueError("must be a directory, or look like s3://bucket/prefix")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str | None) -> str | None:
        if value is not None and value.partition("://")[0] not in {"redis", "rediss", "unix"}:
            raise ValueError("must look like redis://host:6379/0")
        return value
