"""`starling openapi export` and `check`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import starling


def call(*words: str) -> Result:
    return CliRunner().invoke(starling, ["openapi", *words])


def test_what_was_exported_is_sound_and_current_until_somebody_changes_it(tmp_path: Path) -> None:
    folder, address = tmp_path / "made", ["--public-url", "https://sync.example.org/"]
    exported = call("export", "--folder", str(folder), *address)
    assert exported.output.split() == [str(folder / "actions.json"), str(folder / "api.json")]
    actions = folder / "actions.json"
    assert json.loads(actions.read_text())["servers"] == [{"url": "https://sync.example.org"}]
    assert call("export", "--folder", str(folder), "--check", *address).exit_code == 0
    assert call("check", str(actions)).output == f"{actions}: ChatGPT can read it.\n"

    before = actions.read_text()
    (folder / "api.json").write_text("{}")
    stale = call("export", "--folder", str(folder), "--check", *address)
    assert (stale.exit_code, "api.json is not current" in stale.output) == (1, True)
    assert ((folder / "api.json").read_text(), actions.read_text()) == ("{}", before)


def test_check_says_all_that_is_wrong_and_fails(tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text('{"openapi": "3.0.1", "security": [{"x": []}]}')
    result = call("check", str(file))
    assert result.exit_code == 1
    assert "servers: Exactly one is needed, and there are 0.\n" in result.output
    assert "3 findings" in result.output


@pytest.mark.parametrize(
    ("text", "words"), [("{", "is no JSON"), ("[]", "is no JSON object"), ("\udcff", "is no JSON")]
)
def test_what_is_no_document_is_told_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "bad.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    result = call("check", str(file))
    assert result.exit_code == 1
    assert words in result.output
    assert len(result.output.splitlines()) == 1
