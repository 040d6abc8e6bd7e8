"""`starling manifest validate`, `export` and `render`."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.auth.metadata import MCP
from app.cli import starling

ROOT = Path(__file__).parents[2]
OTHER = ["--public-url", "https://sync.example.org"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The project's own manifest with the files it names, to be spoilt."""
    for name in ("gpt", "openapi"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return Path(shutil.copy(ROOT / "gpt-action-manifest.json", tmp_path))


def call(command: str, file: Path, *words: str) -> Result:
    return CliRunner().invoke(starling, ["manifest", command, "--file", str(file), *words])


def spoil(file: Path, *path: str | int, value: Any) -> None:
    document = found = json.loads(file.read_text())
    for part in path[:-1]:
        found = found[part]
    found[path[-1]] = value
    file.write_text(json.dumps(document))


def test_the_projects_own_manifest_is_sound_and_what_is_made_of_it_current() -> None:
    own = ROOT / "gpt-action-manifest.json"
    assert call("validate", own).output == f"{own}: sound.\n"


ACTION = ("gpt", "actions", 0)
OAUTH = (*ACTION, "authentication")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("surprise",), 1, "surprise: Extra inputs are not permitted"),
        (("gpt", "name"), "", "gpt.name"),
        (("gpt", "conversation_starters"), [], "gpt.conversation_starters"),
        (("gpt", "instructions_file"), "/etc/hostname", "must be a path below the manifest"),
        (("gpt", "instructions_file"), "gpt/../../x.md", "must be a path below the manifest"),
        (("gpt", "instructions_file"), "gpt/none.md", "there is no such file"),
        ((*ACTION, "schema_file"), "openapi/none.json", "there is no such file"),
        ((*ACTION, "schema_file"), "openapi/api.json", "is not understood"),
        ((*ACTION, "schema_url"), "https://elsewhere.example.com/openapi/actions.json", "must begin with public_url"),
        ((*ACTION, "privacy_policy_url"), "http://starling.example.com/privacy", "absolute https address"),
        ((*OAUTH, "token_url"), "https://elsewhere.example.com/oauth/token", "must begin with public_url"),
        ((*OAUTH, "scope"), "items:read files:read files:write answers", "need more scope: items:write"),
        (
            (*OAUTH, "scope"),
            "items:read items:write files:read files:write answers devices:manage",
            "cannot be given devices:manage",
        ),
        ((*OAUTH, "callback_urls"), ["https://chatgpt.com/aip/{gpt_id}/oauth/callback"], "chat.openai.com"),
        ((*OAUTH, "token_exchange_method"), "get", "default_post"),
        (("plugin", "name"), "Starling!", "plugin.name"),
        (("public_url",), "https://sync.example.org", "must begin with public_url"),
    ],
)
def test_validate_says_what_is_wrong(file: Path, path: tuple[str | int, ...], value: Any, words: str) -> None:
    spoil(file, *path, value=value)
    result = call("validate", file)
    assert result.exit_code == 1
    assert words in result.output
    assert len(result.output.splitlines()) == 1


def test_instructions_that_are_too_long_are_refused(file: Path) -> None:
    (file.parent / "gpt" / "instructions.md").write_text("x" * 8001)
    assert "8,001 characters" in call("validate", file).output


def test_a_document_of_another_server_is_refused(file: Path) -> None:
    CliRunner().invoke(starling, ["openapi", "export", "--folder", str(file.parent / "openapi"), *OTHER])
    assert "its server is not https://starling.example.com" in call("validate", file).output


def test_export_writes_the_plugin_of_a_real_server(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plugin"
    assert call("export", file, *OTHER, "--folder", str(folder)).exit_code == 0
    about = json.loads((folder / "plugin.json").read_text())
    servers = json.loads((folder / "mcp.json").read_text())["mcpServers"]
    skill = (folder / "skills" / "starling" / "SKILL.md").read_text()
    assert about["homepage"] == "https://sync.example.org"
    assert servers == {"starling": {"type": "streamable-http", "url": f"https://sync.example.org{MCP}"}}
    assert skill.startswith("---\nname: starling\ndescription: ")
    assert skill.endswith((file.parent / "gpt" / "instructions.md").read_text())
    assert about.keys() <= {"$schema", "name", "version", "description", "homepage", "license", "keywords"}


def test_what_is_not_current_is_noticed_and_mended_by_export(file: Path) -> None:
    (file.parent / "gpt" / "instructions.md").write_text("Be brief.\n")
    stale = call("validate", file)
    assert (stale.exit_code, "SKILL.md is not current" in stale.output) == (1, True)
    assert call("export", file).exit_code == 0
    assert call("validate", file).exit_code == 0


def test_render_says_what_to_enter_where_and_cuts_nothing(file: Path) -> None:
    text = call("render", file, *OTHER, "--gpt-id", "g-abc").output
    gpt = json.loads(file.read_text())["gpt"]
    lines = text.splitlines()
    for label, value in (
        ("Name", gpt["name"]),
        ("Description", gpt["description"]),
        ("Client ID", "chatgpt"),
        ("Authorization URL", "https://sync.example.org/oauth/authorize"),
        ("Token URL", "https://sync.example.org/oauth/token"),
        ("Scope", "items:read items:write files:read files:write answers"),
        ("Token Exchange Method", "Default (POST request)"),
        ("Schema", "https://sync.example.org/openapi/actions.json"),
        ("Privacy policy", "https://sync.example.org/privacy"),
        ("Server URL", "https://sync.example.org/mcp"),
        ("It allows", "https://chat.openai.com/aip/g-abc/oauth/callback"),
        *(("Conversation starter", each) for each in gpt["conversation_starters"]),
    ):
        assert any(line.split(maxsplit=len(label.split()))[-1] == value for line in lines if label in line), label
    assert "starling.example.com" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "words",
    [
        ["--public-url", "http://127.0.0.1:8000"],
        ["--public-url", "sync.example.org"],
        [*OTHER, "--gpt-id", "gpt"],
        [],
    ],
)
def test_render_refuses_what_chatgpt_cannot_use(file: Path, words: list[str]) -> None:
    result = call("render", file, *words)
    assert result.exit_code in (1, 2)
    assert result.output.splitlines()[-1].startswith("Error: ")
