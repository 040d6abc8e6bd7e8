"""What to paste where, step by step: the custom GPT, and its successor."""

from dataclasses import dataclass, field

from app.doors.manifest import Capabilities, Manifest, callbacks

EXCHANGES = {"default_post": "Default (POST request)", "basic_auth_header": "Basic authorization header"}
SWITCHES = {
    "web_search": "Web Search",
    "image_generation": "Image Generation",
    "code_interpreter": "Code Interpreter & Data Analysis",
    "canvas": "Canvas",
}


@dataclass(frozen=True)
class Step:
    """Something to do: in words, then what to enter as `(field, value)`."""

    title: str
    words: str
    fields: list[tuple[str, str]] = field(default_factory=list)


def gpt_steps(manifest: Manifest, instructions: str, gpt_id: str | None) -> list[Step]:
    """For the editor of custom GPTs. Without the GPT's id, it is found on the way."""
    gpt, (action, *_) = manifest.gpt, manifest.gpt.actions
    oauth = action.authentication
    known = gpt_id or "g-…"
    made = f"{gpt.instructions_file}, all of it ({len(instructions):,} characters)"
    command = (
        f'starling client add {oauth.client_id} --name "{gpt.name}" --gpt {known} '
        f'--scope "{oauth.scope}" --public-url {manifest.public_url}'
    )
    return [
        Step(
            "Make the GPT",
            "Open https://chatgpt.com/gpts/editor, choose Configure, enter this and save."
            + ("" if gpt_id else " The editor's address then shows the GPT's id, g-… up to the next slash."),
            [
                ("Name", gpt.name),
                ("Description", gpt.description),
                ("Instructions", made),
                *(("Conversation starter", each) for each in gpt.conversation_starters),
                *_switches(gpt.capabilities),
            ],
        ),
        Step(
            "Register it with the server",
            "Where the server runs. The secret is shown this once.",
            [
                ("Command", command),
                *(("It allows", each) for each in callbacks(known)),
            ],
        ),
        Step(
            "Let it sign people in",
            "In the editor: Create new action, then Authentication, OAuth.",
            [
                ("Client ID", oauth.client_id),
                ("Client Secret", "what the command printed"),
                ("Authorization URL", oauth.authorization_url),
                ("Token URL", oauth.token_url),
                ("Scope", oauth.scope),
                ("Token Exchange Method", EXCHANGES[oauth.token_exchange_method]),
            ],
        ),
        Step(
            "Give it the actions",
            f"Below: Import from URL; or paste what starling openapi export --public-url {manifest.public_url} writes.",
            [
                ("Schema", action.schema_url),
                ("Privacy policy", action.privacy_policy_url),
            ],
        ),
        Step(
            "Try it",
            f"In the preview, say: “{gpt.conversation_starters[0]}”. It asks you to sign in, saves, and says which "
            "of your devices have it.",
        ),
    ]


def _switches(capabilities: Capabilities) -> list[tuple[str, str]]:
    return [(SWITCHES[name], "on" if is_on else "off") for name, is_on in capabilities.model_dump().items()]


def mcp_steps(manifest: Manifest) -> list[Step]:
    """For ChatGPT's plugins, which follow custom GPTs, and for other hosts of MCP servers."""
    return [
        Step(
            "Add the MCP server",
            "On the web: https://chatgpt.com/plugins, +, Add custom MCP server. Enter this, and create it as a plugin.",
            [
                ("Name", manifest.gpt.name),
                ("Description", manifest.gpt.description),
                ("Server URL", manifest.plugin.mcp_url),
                ("Authentication", "OAuth; leave the client's fields empty, it registers itself"),
            ],
        ),
        Step(
            "Or pack it for any host",
            "The package holds plugin.json, mcp.json and the instructions as a skill (Agent Plugins 1.0).",
            [("Command", f"starling manifest export --public-url {manifest.public_url} --folder starling-plugin")],
        ),
    ]
