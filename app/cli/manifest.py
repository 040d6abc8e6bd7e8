"""`starling manifest validate`, `export`, `render`: the description of the custom GPT and of what follows it."""

import re
from pathlib import Path

import click
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from app.cli.openapi import read_object
from app.doors import plugin
from app.doors.lint import check
from app.doors.manifest import MAX_INSTRUCTIONS, Action, Manifest, json_schema
from app.doors.plugin import written
from app.doors.steps import Step, gpt_steps, mcp_steps
from app.doors.walk import operations

MANIFEST = Path("gpt-action-manifest.json")
_GPT = re.compile(r"g-[A-Za-z0-9-]{1,100}")
_file = click.option(
    "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=MANIFEST, show_default=True
)


@click.group()
def manifest() -> None:
    """The custom GPT and the plugin that follows it, as one file."""


@manifest.command("validate")
@_file
def validate(file: Path) -> None:
    """Check the manifest with the files it names and those that are made of it."""
    read = _read(file)
    made = _made(file, read)
    for action in read.gpt.actions:
        _check_action(file, read, action)
    for path, text in made.items():
        if not path.is_file() or path.read_text() != text:
            raise click.ClickException(f"{path} is not current: run starling manifest export")
    click.echo(f"{file}: sound.")


@manifest.command("export")
@_file
@click.option("--public-url", help="Where the server is reached; the manifest's placeholder, if not given.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where the plugin goes.")
def export(file: Path, public_url: str | None, folder: Path | None) -> None:
    """Write what is made of the manifest: its JSON Schema, and the plugin's files."""
    for path, text in _made(file, _read(file, public_url), folder).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        click.echo(path)


@manifest.command("render")
@_file
@click.option("--public-url", required=True, help="Where ChatGPT reaches the server, such as https://sync.example.com.")
@click.option("--gpt-id", help="g-…, as the address of the GPT's editor shows it.")
def render(file: Path, public_url: str, gpt_id: str | None) -> None:
    """Print step by step what to enter where: the custom GPT, and the MCP server that follows it."""
    if gpt_id is not None and not _GPT.fullmatch(gpt_id):
        raise click.BadParameter("a GPT's id begins with g-")
    read = _read(file, public_url)
    console = Console(highlight=False)
    _show(console, "A custom GPT with actions", gpt_steps(read, _instructions(file, read), gpt_id))
    _show(console, "An MCP server, which follows it", mcp_steps(read))


def _read(file: Path, public_url: str | None = None) -> Manifest:
    read_object(file)
    try:
        read = Manifest.model_validate_json(file.read_text())
        return read.at(public_url.rstrip("/")) if public_url else read
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise click.ClickException(f"{file}: {where}: {first['msg']}") from None
    except ValueError as error:
        raise click.ClickException(f"--public-url {error}") from None


def _made(file: Path, read: Manifest, folder: Path | None = None) -> dict[Path, str]:
    """The files that are made of the manifest; in a folder of one's own, the plugin's alone."""
    target = folder or file.parent / read.plugin.folder
    made = {target / name: text for name, text in plugin.files(read, _instructions(file, read)).items()}
    return made if folder else {**made, file.parent / read.schema_: written(json_schema())}


def _instructions(file: Path, read: Manifest) -> str:
    path = file.parent / read.gpt.instructions_file
    if not path.is_file():
        raise click.ClickException(f"{path}: there is no such file")
    text = path.read_text()
    if not 0 < len(text) <= MAX_INSTRUCTIONS:
        raise click.ClickException(f"{path}: {len(text):,} characters; 1 to {MAX_INSTRUCTIONS:,} can be")
    return text


def _check_action(file: Path, read: Manifest, action: Action) -> None:
    path = file.parent / action.schema_file
    if not path.is_file():
        raise click.ClickException(f"{path}: there is no such file")
    document = read_object(path)
    if findings := check(document):
        raise click.ClickException(f"{path}: {findings[0].where}: {findings[0].words}")
    if document["servers"][0]["url"] != read.public_url:
        raise click.ClickException(f"{path}: its server is not {read.public_url}")
    schemes = [scheme for _, each in operations(document) for scheme in each.get("security", ())]
    needed = {scope for scheme in schemes for scopes in scheme.values() for scope in scopes}
    if missing := needed - set(action.authentication.scope.split()):
        raise click.ClickException(f"{file}: the operations need more scope: {' '.join(sorted(missing))}")


def _show(console: Console, title: str, steps: list[Step]) -> None:
    """Each value on a line of its own that only the terminal wraps, so that it can be copied as it is."""
    console.print(Text(f"{title}\n", style="bold green"))
    for number, step in enumerate(steps, 1):
        console.print(Text.assemble((f"{number}. ", "bold green"), (step.title, "bold")))
        console.print(Text(f"   {step.words}"), soft_wrap=True)
        width = max((len(name) for name, _ in step.fields), default=0) + 2
        for name, value in step.fields:
            console.print(Text.assemble((f"   {name:<{width}}", "dim"), (value, "cyan")), soft_wrap=True)
        console.print()
