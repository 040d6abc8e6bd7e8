"""`starling client`: what is printed is what works."""

import httpx2
import pytest

from tests.cli.test_commands import failed, named, running, starling
from tests.harness.browser import Browser
from tests.harness.oauth import query_of
from tests.harness.process import ServerProcess

__all__ = ["named", "running"]  # fixtures
URL = "https://starling.example"


def printed(out: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in out.splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name, []).append(value.strip())
    return found


async def test_what_is_printed_gets_a_gpt_in_until_it_is_revoked(running: ServerProcess) -> None:
    add = ["client", "add", "chatgpt", "--name", "My GPT", "--gpt", "g-abc", "--public-url", running.url]
    code, out, err = await starling(running, *add)
    assert (code, err) == (0, "")
    values = printed(out)
    assert values["Client ID"] == ["chatgpt"]
    assert values["Token exchange method"] == ["Default (POST request)"]
    callbacks = [f"https://{host}/aip/g-abc/oauth/callback" for host in ("chatgpt.com", "chat.openai.com")]
    assert values["Callback URL"] == callbacks
    async with Browser.open(running.url) as browser:
        await browser.sign_up()
        asked = {
            "response_type": "code",
            "client_id": "chatgpt",
            "redirect_uri": callbacks[1],
            "scope": values["Scope"][0],
        }
        await browser.go(values["Authorization URL"][0], params=asked)
        assert "My GPT" in browser.text
        location = (await browser.send("/oauth/authorize", decision="allow")).headers["location"]
    form = {
        "grant_type": "authorization_code",
        "client_id": "chatgpt",
        "client_secret": values["Client secret"][0],
        "code": query_of(location)["code"],
        "redirect_uri": callbacks[1],
    }
    async with httpx2.AsyncClient(timeout=30) as http:
        token = (await http.post(values["Token URL"][0], data=form)).json()["access_token"]
        headers = {"authorization": f"Bearer {token}"}
        assert (await http.get(f"{running.url}/v1/me", headers=headers)).json()["client"] == "chatgpt"
        listed = await starling(running, "client", "list")
        assert listed == (0, "chatgpt\tconfidential\tcommand\tMy GPT\n", "")
        assert (await starling(running, "client", "revoke", "chatgpt"))[0] == 0
        assert (await starling(running, "client", "list"))[1] == ""
        refused = await http.post(values["Token URL"][0], data=form)
        assert refused.json()["error"] == "invalid_client"
    assert "chatgpt" in failed(await starling(running, "client", "revoke", "chatgpt"))


async def test_a_public_client_has_no_secret(named: ServerProcess) -> None:
    uri = "com.example.app:/done"
    code, out, _ = await starling(
        named, "client", "add", "app", "--public", "--redirect-uri", uri, STARLING_PUBLIC_URL=URL
    )
    assert code == 0
    assert "Client secret" not in out
    assert printed(out)["Callback URL"] == [uri]
    again = await starling(named, "client", "add", "app", "--redirect-uri", uri, STARLING_PUBLIC_URL=URL)
    assert "already" in failed(again)


async def test_a_client_that_would_describe_itself_can_be_described_by_hand(named: ServerProcess) -> None:
    url = "https://app.example.com/client.json"
    add = ["client", "add", url, "--public", "--redirect-uri", "https://app.example.com/done"]
    assert (await starling(named, *add, STARLING_PUBLIC_URL=URL))[0] == 0
    assert (await starling(named, "client", "list"))[1] == f"{url}\tpublic\tcommand\t{url}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["chatgpt"],
        ["chatgpt", "--gpt", "abc"],
        ["starling", "--gpt", "g-1"],
        ["Chat GPT", "--gpt", "g-1"],
        ["chatgpt", "--redirect-uri", "http://app.example/"],
        ["chatgpt", "--gpt", "g-1", "--scope", "everything"],
        ["chatgpt", "--gpt", "g-1", "--public-url", ""],
        ["https://app.example.com/c", "--redirect-uri", "https://app.example.com/done"],
    ],
    ids=" ".join,
)
async def test_wrong_usage_ends_with_2(named: ServerProcess, arguments: list[str]) -> None:
    environment = {} if arguments[-1] == "" else {"STARLING_PUBLIC_URL": URL}
    assert failed(await starling(named, "client", "add", *arguments, **environment), 2)
