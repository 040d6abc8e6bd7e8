"""`gpt-action-manifest.json`: one description of the assistant, from which each host's own form is made.

There is no official format of a custom GPT. This one holds what its editor asks for, field by field, and the plugin
that follows it: ChatGPT retires custom GPTs, and an action becomes an MCP server.
"""

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.auth.clients import ASSISTANT_SCOPES

GPT_HOSTS = ("chatgpt.com", "chat.openai.com")
"""Both are in use; which one a person comes from cannot be told before."""
MAX_INSTRUCTIONS = 8000
GPT_ID = "{gpt_id}"


def callbacks(gpt_id: str) -> list[str]:
    """Where a custom GPT gets its answers from the authorization page."""
    return [f"https://{host}/aip/{gpt_id}/oauth/callback" for host in GPT_HOSTS]


def _https(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an absolute https address")
    return url


def _relative(path: str) -> str:
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError("must be a path below the manifest")
    return path


Url = Annotated[str, AfterValidator(_https)]
File = Annotated[str, AfterValidator(_relative)]


class Part(BaseModel):
    """A part of the manifest; nothing else may stand in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Capabilities(Part):
    """The switches of the GPT's editor."""

    web_search: bool = False
    image_generation: bool = False
    code_interpreter: bool = False
    canvas: bool = False


class OAuth(Part):
    """The fields of *Authentication: OAuth*. The secret is never in a file: `starling client add` shows it once."""

    type: Literal["oauth"]
    client_id: str = Field(min_length=1)
    authorization_url: Url
    token_url: Url
    scope: str = Field(description="Scopes, separated by spaces.")
    token_exchange_method: Literal["default_post", "basic_auth_header"]
    callback_urls: list[Url] = Field(description=f"With {GPT_ID} where the GPT's id goes.")

    @model_validator(mode="after")
    def _is_sound(self) -> "OAuth":
        unknown = set(self.scope.split()) - set(ASSISTANT_SCOPES)
        if unknown or not self.scope.split():
            raise ValueError(f"scope: an assistant cannot be given {' '.join(sorted(unknown)) or 'nothing'}")
        if sorted(self.callback_urls) != sorted(callbacks(GPT_ID)):
            raise ValueError(f"callback_urls must be {' and '.join(callbacks(GPT_ID))}")
        return self


class Action(Part):
    """One action of the GPT: all of its operations."""

    schema_file: File
    schema_url: Url
    authentication: OAuth
    privacy_policy_url: Url


class Gpt(Part):
    """What the GPT's editor asks for."""

    name: str = Field(min_length=1, max_length=50)
    description: str = Field(min_length=1, max_length=300)
    instructions_file: File = Field(description=f"At most {MAX_INSTRUCTIONS} characters.")
    conversation_starters: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(min_length=1, max_length=4)
    capabilities: Capabilities
    actions: list[Action] = Field(min_length=1)


class Successor(Part):
    """The plugin that follows the GPT: an MCP server, packed as Agent Plugins 1.0 (agent-plugins.org)."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$", max_length=64)]
    mcp_url: Url
    license: str
    keywords: list[str]
    folder: File = Field(description="Where plugin.json, mcp.json and the skill are written.")


class Manifest(Part):
    """The assistant. Addresses are those of a placeholder; `starling manifest render` puts the real ones in."""

    schema_: Annotated[str, Field(alias="$schema")]
    schema_version: Literal["1"]
    public_url: Url
    gpt: Gpt
    plugin: Successor

    @model_validator(mode="after")
    def _is_of_one_server(self) -> "Manifest":
        """Authorization, tokens and actions share one domain (ChatGPT requires it)."""
        foreign = [url for url in self._own_urls() if not url.startswith(f"{self.public_url}/")]
        if self.public_url.endswith("/") or foreign:
            raise ValueError(f"all addresses must begin with public_url: {' '.join(foreign) or self.public_url}")
        return self

    def _own_urls(self) -> list[str]:
        urls = [self.plugin.mcp_url]
        for action in self.gpt.actions:
            oauth = action.authentication
            urls += [action.schema_url, action.privacy_policy_url, oauth.authorization_url, oauth.token_url]
        return urls

    def at(self, public_url: str) -> "Manifest":
        """The manifest of a real server. Raises `ValueError` for an address that ChatGPT cannot use."""
        text = self.model_dump_json(by_alias=True)
        return Manifest.model_validate_json(text.replace(self.public_url, _https(public_url)))


def json_schema() -> dict[str, Any]:
    """The manifest's own JSON Schema (2020-12)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Manifest.model_json_schema(by_alias=True)}
