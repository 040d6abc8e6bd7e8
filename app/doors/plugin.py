"""The plugin that follows the custom GPT, as Agent Plugins 1.0.0 packs it (agent-plugins.org/specification)."""

import json
from importlib.metadata import version
from typing import Any

from app.doors.manifest import Manifest

SCHEMAS = "https://agent-plugins.org/schemas/1.0.0"


def files(manifest: Manifest, instructions: str) -> dict[str, str]:
    """The package's files by their paths: who it is, where its MCP server is, and how to use it well, as a skill."""
    name = manifest.plugin.name
    about = {
        "$schema": f"{SCHEMAS}/plugin.schema.json",
        "name": name,
        "version": version("starling"),
        "description": manifest.gpt.description,
        "homepage": manifest.public_url,
        "license": manifest.plugin.license,
        "keywords": manifest.plugin.keywords,
    }
    servers = {
        "$schema": f"{SCHEMAS}/mcp.schema.json",
        "mcpServers": {name: {"type": "streamable-http", "url": manifest.plugin.mcp_url}},
    }
    skill = f"---\nname: {name}\ndescription: {json.dumps(manifest.gpt.description)}\n---\n\n{instructions}"
    return {"plugin.json": written(about), "mcp.json": written(servers), f"skills/{name}/SKILL.md": skill}


def written(value: Any) -> str:
    """A JSON file as it is committed."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
