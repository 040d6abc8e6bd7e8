"""Links of shared files that lead into the network the server stands in."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from app.outbound import Internet
from tests.faults.test_inward import INNER, PLACES, REDIRECTS, SPELLINGS, leading_inside
from tests.harness.problems import problem
from tests.harness.sharing import HOST, Sharing, ref, sharing
from tests.harness.sites import INSIDE, OUTSIDE, Names, Site, answer, outside_too, site, trusting

LINKS = [
    *(f"https://{host}{end}" for host in SPELLINGS for end in ("/", ":443/", ":{port}/latest/meta-data/")),
    *(f"https://{host}/" for host in (f"{HOST}@127.0.0.1", f"{HOST}:443@127.0.0.1", f"{HOST}.evil.example")),
    *(f"{scheme}://{HOST}:{{port}}/" for scheme in ("http", "https", "ftp", "file", "gopher", "ws", "data")),
    f"https://{HOST}\\@127.0.0.1/",
    f"//{HOST}/",
    "/etc/passwd",
]


@pytest.fixture
async def inside() -> AsyncIterator[Site]:
    """What must not be reached, though its content would be welcome."""
    async with site(HOST, INSIDE) as made:
        made.answer = answer(body=b"inside")
        yield made


async def refused(shared: Sharing, links: Sequence[str]) -> None:
    """None of these is fetched, none becomes an item."""
    for at in range(0, len(links), 10):
        part = links[at : at + 10]
        found = problem(await shared.share([ref(f"{n}", link) for n, link in enumerate(part)]), 422)
        assert [each["name"] for each in found["files"]] == [f"{n}" for n in range(len(part))]
        assert "inside" not in str(found)
    assert await shared.total() == 0


@pytest.mark.case(35, f"{len(LINKS)} links of shared files that lead inside by their text")
async def test_a_link_that_leads_inside_is_refused(
    database_url: str, own_dir: Path, inside: Site, saw: Callable[[str], None]
) -> None:
    links = [each.replace("{port}", str(inside.endpoint[1])) for each in LINKS]
    async with sharing(database_url, own_dir, leading_inside(inside)) as shared:
        await refused(shared, links)
    assert inside.connections == 0
    saw(f"{inside.connections} connections inside")


@pytest.mark.case(35, "shared files whose host has inner addresses, alone, beside a public one, or after one")
async def test_a_link_whose_host_leads_inside_is_not_followed(database_url: str, own_dir: Path, inside: Site) -> None:
    async with site(HOST, OUTSIDE) as outside:
        outside.answer = answer("503 Away")
        inner = [(address, inside.endpoint[1]) for address in INNER]
        turns = [[outside.endpoint], *([each] for each in inner), *([outside.endpoint, each] for each in inner)]
        async with sharing(database_url, own_dir, Internet(Names({HOST: turns}), trusting(), outside_too)) as shared:
            for n in range(len(turns)):
                await refused(shared, [f"https://{HOST}/{n}"])
    assert (inside.connections, outside.connections) == (0, 1)


@pytest.mark.case(35, f"{len(REDIRECTS) * len(PLACES)} redirects of shared files")
async def test_a_link_that_redirects_is_not_followed(database_url: str, own_dir: Path, inside: Site) -> None:
    async with site(HOST, OUTSIDE) as outside:
        names = Names({HOST: [[outside.endpoint]], "127.0.0.1": [[inside.endpoint]]})
        async with sharing(database_url, own_dir, Internet(names, trusting(), lambda _: True)) as shared:
            for status in REDIRECTS:
                for place in PLACES:
                    to = place.replace("{port}", str(inside.endpoint[1]))
                    outside.answer = answer(status, location=to)
                    await refused(shared, [f"https://{HOST}/"])
    assert (inside.connections, outside.connections) == (0, len(REDIRECTS) * len(PLACES))


@pytest.mark.control(35, "no look at addresses, for a shared file")
async def test_control_a_share_that_connects_anywhere_is_found_out(
    database_url: str, own_dir: Path, inside: Site
) -> None:
    async with sharing(database_url, own_dir, leading_inside(inside)) as shared:
        assert (await shared.share([ref()])).status_code == 201
    assert inside.connections == 1
