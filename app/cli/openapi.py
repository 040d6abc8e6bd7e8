"""`starling openapi export` and `check`: the documents that say what can be called."""

import json
from pathlib import Path
from typing import Any

import click

from app.api.openapi import documents
from app.api.openapi.document import PLACEHOLDER_URL
from app.doors.lint import check

FOLDER = Path("openapi")
ACTIONS = FOLDER / "actions.json"


@click.group()
def openapi() -> None:
    """The OpenAPI documents: actions.json for assistants, api.json for devices."""


@openapi.command("export")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=FOLDER, show_default=True)
@click.option("--public-url", default=PLACEHOLDER_URL, show_default=True, help="Where the server is reached.")
@click.option("--check", "only_checks", is_flag=True, help="Write nothing; fail if the files are not current.")
def export(folder: Path, public_url: str, *, only_checks: bool) -> None:
    """Write both documents. A running server serves its own at /openapi/actions.json and /openapi/api.json."""
    for name, made in documents.ALL.items():
        file, text = folder / f"{name}.json", written(made(public_url.rstrip("/")))
        if only_checks and (not file.exists() or file.read_text() != text):
            raise click.ClickException(f"{file} is not current: run starling openapi export")
        if not only_checks:
            folder.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            click.echo(file)


@openapi.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=ACTIONS)
def check_file(file: Path) -> None:
    """Say what ChatGPT would not accept in an OpenAPI document."""
    findings = check(read_object(file))
    for where, words in findings:
        click.echo(f"{where}: {words}")
    if findings:
        raise click.ClickException(f"{file}: {len(findings)} {'finding' if len(findings) == 1 else 'findings'}")
    click.echo(f"{file}: ChatGPT can read it.")


def written(value: Any) -> str:
    """A JSON file as it is committed."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def read_object(file: Path) -> dict[str, Any]:
    """A JSON object. Ends the command when the file holds none."""
    try:
        found = json.loads(file.read_text())
    except ValueError as error:
        raise click.ClickException(f"{file} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise click.ClickException(f"{file} is no JSON object")
    return found
