"""`starling user invite`."""

from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from app import cli
from tests.cli.test_commands import failed, named, running, starling
from tests.harness.browser import PASSWORD, Browser
from tests.harness.process import ServerProcess

__all__ = ["named", "running"]  # fixtures


async def test_the_link_that_is_printed_makes_an_account(running: ServerProcess) -> None:
    code, out, err = await starling(running, "user", "invite", "ada@example.com", "--public-url", f"{running.url}/")
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert out.startswith(f"{running.url}/sign-up?invitation=sti_")
    async with Browser.open(running.url) as browser:
        link = urlsplit(out.strip())
        await browser.go(f"{link.path}?{link.query}")
        assert (await browser.send("/sign-up", password=PASSWORD)).status_code == 200
        assert "ada@example.com" in browser.text
    again = await starling(running, "user", "invite", "ada@example.com", STARLING_PUBLIC_URL=running.url)
    assert "already" in failed(again)


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        ([], {}),
        (["nobody"], {"STARLING_PUBLIC_URL": "https://starling.example"}),
        ([], {"STARLING_PUBLIC_URL": "https://starling.example", "STARLING_SIGN_UP": "closed"}),
    ],
)
def test_what_would_be_no_way_in_is_refused(arguments: list[str], environment: dict[str, str]) -> None:
    done = CliRunner().invoke(cli.starling, ["user", "invite", *arguments], env=environment)
    assert done.exit_code == 2
    assert "Error" in done.output
    assert "http" not in done.stdout
