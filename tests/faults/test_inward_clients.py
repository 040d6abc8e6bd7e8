"""Clients' ids that lead into the network the server stands in, by a browser whose person is signed in."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from app.auth import documents
from app.outbound import Internet
from app.outbound.internet import Endpoint
from tests.e2e.test_oauth_documents import authorize
from tests.faults.test_inward import INNER, SPELLINGS, leading_inside
from tests.harness.browser import Browser
from tests.harness.documents import HOST, URL, document, served
from tests.harness.live import serving
from tests.harness.sites import INSIDE, OUTSIDE, Names, Site, answer, outside_too, site, trusting

# With no list of hosts these are names like any others: whether they lead inside is told by their addresses.
NAMES = {"sub.localhost", *(each for each in SPELLINGS if "evil" in each)}
IDS = [f"https://{each}/client.json" for each in SPELLINGS if each not in NAMES] + [
    f"https://{HOST}{path}" for path in (":{port}/c", "/../c", "/%2e%2e/c", "/c?x", "/c#x", "@127.0.0.1/c", "\\c")
]


@pytest.fixture
async def inside() -> AsyncIterator[Site]:
    """What must not be reached, though it would describe the client well."""
    async with site(HOST, INSIDE) as made:
        made.answer = served(document())
        yield made


async def statuses(database_url: str, own_dir: Path, internet: Internet, ids: Sequence[str]) -> set[int]:
    """What the pages answer to requests of these clients."""
    async with serving(database_url, own_dir, internet) as live, Browser.open(live.url) as browser:
        await browser.sign_up()
        return {(await browser.go(authorize(client_id=each)[0])).status_code for each in ids}


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is the guard that is seen."""
    monkeypatch.setattr(documents, "PER_ADDRESS", 1000)
    monkeypatch.setattr(documents, "PER_URL", 1000)


@pytest.mark.case(35, f"{len(IDS)} clients' ids that lead inside by their text")
async def test_an_id_that_leads_inside_is_refused(
    database_url: str, own_dir: Path, inside: Site, saw: Callable[[str], None]
) -> None:
    ids = [each.replace("{port}", str(inside.endpoint[1])) for each in IDS]
    assert await statuses(database_url, own_dir, leading_inside(inside), ids) == {400}
    assert inside.connections == 0
    saw(f"{inside.connections} connections inside")


class Turns:
    """A resolver that gives the name another answer each time."""

    def __init__(self, answers: Sequence[Sequence[Endpoint]]) -> None:
        self._answers = list(answers)

    async def __call__(self, _: str) -> Sequence[Endpoint]:
        """The next one."""
        return self._answers.pop(0)


@pytest.mark.case(35, "a client's id whose host has inner addresses, alone or beside a public one, or changes to them")
async def test_an_id_whose_host_leads_inside_is_not_fetched(database_url: str, own_dir: Path, inside: Site) -> None:
    async with site(HOST, OUTSIDE) as outside:
        outside.answer = answer("503 Away")  # so that it is asked for again
        inner = [(address, inside.endpoint[1]) for address in INNER]
        turns = Turns([[outside.endpoint], *([each] for each in inner), *([outside.endpoint, each] for each in inner)])
        internet = Internet(turns, trusting(), outside_too)
        assert await statuses(database_url, own_dir, internet, [URL] * (1 + 2 * len(inner))) == {400}
    assert (inside.connections, outside.connections) == (0, 1)


@pytest.mark.case(35, "a client's document that redirects inside")
async def test_a_document_that_redirects_is_not_followed(database_url: str, own_dir: Path, inside: Site) -> None:
    async with site(HOST, OUTSIDE) as outside:
        outside.answer = answer("302 Found", location=f"https://127.0.0.1:{inside.endpoint[1]}/")
        internet = Internet(Names({HOST: [[outside.endpoint]], "127.0.0.1": [[inside.endpoint]]}), trusting(), _any)
        assert await statuses(database_url, own_dir, internet, [URL]) == {400}
    assert (inside.connections, outside.connections) == (0, 1)


@pytest.mark.control(35, "no look at addresses, for a client's id")
async def test_control_a_client_that_connects_anywhere_is_found_out(
    database_url: str, own_dir: Path, inside: Site
) -> None:
    assert await statuses(database_url, own_dir, leading_inside(inside), [URL]) == {200}
    assert inside.connections == 1


def _any(_: object) -> bool:
    return True
