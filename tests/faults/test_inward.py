"""URLs that lead into the network the server stands in. Inside there listens a server that counts who comes.

Each guard is tried alone, with the others out of its way: the one of texts with a resolver that leads everything
inside, the one of addresses with names nobody could object to.
"""

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from ipaddress import ip_address

import httpcore2
import httpx2
import pytest

from app.outbound import FetchFailed, Internet, Outbound, UrlRefused, outbound
from app.outbound.addresses import is_public
from app.outbound.internet import Endpoint
from app.outbound.urls import Hosts
from tests.harness.sites import INSIDE, OUTSIDE, Names, Site, answer, outside_too, site, trusting

FILES = "files.example.com"
ALLOWED = (FILES, "*.blob.example.net")
SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "0177.0.0.01",
    "0",
    "localhost",
    "localhost.",
    "sub.localhost",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "[::1]",
    "[::]",
    "[::ffff:7f00:1]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1%25lo]",
    f"{FILES}@127.0.0.1",
    f"{FILES}:443@127.0.0.1",
    f"{FILES}%40127.0.0.1",
    f"{FILES}\\@127.0.0.1",
    f"127.0.0.1\\.{FILES}",
    f"127.0.0.1\\@{FILES}",
    f"127.0.0.1%2f.{FILES}",
    f"127.0.0.1#@{FILES}",
    f"127.0.0.1?.{FILES}",
    f"127.0.0.1;.{FILES}",
    "127。0。0。1",
    "①②⑦.⓪.⓪.①",
    "evil.example",
    f"{FILES}.evil.example",
    f"evil{FILES}",
    "blob.example.net.evil.example",
    "evilblob.example.net",
]
URLS = [
    f"https://{host}{end}" for host in SPELLINGS for end in ("", "/", ":443/", ":{port}/", "/latest/meta-data/")
] + [f"{scheme}://{FILES}:{{port}}/" for scheme in ("http", "https", "ftp", "gopher", "ws", "file", "dict")]
INNER = [
    "127.0.0.1",
    "0.0.0.0",  # noqa: S104
    "10.0.0.7",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.168.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:0:7f00:1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fd00:ec2::254",
    "fe80::1%lo",
    "fec0::1",
]


@pytest.fixture
async def inside() -> AsyncIterator[Site]:
    """What must not be reached."""
    async with site(FILES, INSIDE) as made:
        yield made


@pytest.fixture
async def outside() -> AsyncIterator[Site]:
    """What may be."""
    async with site(FILES, OUTSIDE) as made:
        yield made


def client(internet: Internet, hosts: Sequence[str] | None = ALLOWED) -> Outbound:
    return Outbound(internet, max_bytes=1000, within_s=30, hosts=hosts)


async def fetch(made: Outbound, url: str) -> bytes:
    async with made.get(url) as response:
        return await response.read()


def leading_inside(inside: Site) -> Internet:
    """One where every name and number leads inside, and every address is good."""

    async def resolve(_: str) -> Sequence[Endpoint]:
        return [inside.endpoint]

    return Internet(resolve, trusting(), lambda _: True)


async def try_all(made: Outbound, inside: Site) -> int:
    """How many of the URLs were refused."""
    refused = 0
    for url in URLS:
        try:
            await fetch(made, url.replace("{port}", str(inside.endpoint[1])))
        except UrlRefused:
            refused += 1
        except FetchFailed:
            pass
    return refused


@pytest.mark.case(35, f"{len(URLS)} URLs that are not of an allowed host, all of which would lead inside")
async def test_a_url_that_leads_inside_is_refused_for_its_text(inside: Site, saw: Callable[[str], None]) -> None:
    assert await try_all(client(leading_inside(inside)), inside) == len(URLS)
    assert inside.connections == 0
    saw(f"{inside.connections} connections inside")


@pytest.mark.control(35, "no look at a URL's text")
async def test_control_a_client_that_takes_any_text_is_found_out(inside: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def trust(url: str, _: Hosts) -> httpcore2.URL:
        parts = httpx2.URL(url)
        return httpcore2.URL(scheme="https", host=parts.raw_host, target="/")

    monkeypatch.setattr(outbound, "judge", trust)
    with pytest.raises(FetchFailed):
        await fetch(client(leading_inside(inside)), f"https://{FILES}@127.0.0.1/")
    assert inside.connections == 1


@pytest.mark.control(35, "a plain HTTP client")
async def test_control_a_plain_client_is_found_out(inside: Site, outside: Site) -> None:
    port = inside.endpoint[1]
    async with httpx2.AsyncClient(verify=trusting(), trust_env=False) as plain:
        for host in ("127.0.0.1", "2130706433", "0x7f.1", "017700000001", f"{FILES}@127.0.0.1"):
            with pytest.raises(httpx2.HTTPError):
                await plain.get(f"https://{host}:{port}/")
    assert inside.connections == 5


@pytest.mark.case(35, f"a good name with one of {len(INNER)} inner addresses, alone or beside a public one")
@pytest.mark.parametrize("address", INNER)
async def test_a_name_that_leads_inside_is_not_followed(inside: Site, outside: Site, address: str) -> None:
    inner = (address, inside.endpoint[1])
    for endpoints in ([inner], [outside.endpoint, inner], [inner, outside.endpoint]):
        with pytest.raises(FetchFailed):
            await fetch(client(Internet(Names({FILES: [endpoints]}), trusting(), outside_too)), f"https://{FILES}/")
    assert (inside.connections, outside.connections) == (0, 0)


@pytest.mark.control(35, "no look at addresses")
async def test_control_a_client_that_connects_anywhere_is_found_out(inside: Site) -> None:
    made = client(Internet(Names({FILES: [[inside.endpoint]]}), trusting(), lambda _: True))
    assert await fetch(made, f"https://{FILES}/") == b""
    assert inside.connections == 1


class ResolvesTwice(Internet):
    """Judges one answer, and connects to the next."""

    async def connect(self, host: str) -> httpcore2.AsyncNetworkStream:
        """As a client does that is given a name after a look at its addresses."""
        await self._endpoints(host)
        address, port = (await self._resolve(host))[0]
        stream = await self._network.connect_tcp(address, port)
        return await stream.start_tls(self._tls, server_hostname=host)


@pytest.mark.case(35, "a name that changes from a public address to an inner one (DNS rebinding)")
async def test_a_name_that_changes_is_judged_as_it_is_used(inside: Site, outside: Site) -> None:
    names = Names({FILES: [[outside.endpoint], [inside.endpoint]]})
    made = client(Internet(names, trusting(), outside_too))
    assert await fetch(made, f"https://{FILES}/") == b""
    assert (outside.connections, names.asked) == (1, [FILES])
    with pytest.raises(FetchFailed):
        await fetch(made, f"https://{FILES}/")
    assert (inside.connections, outside.connections) == (0, 1)


@pytest.mark.control(35, "a client that resolves twice")
async def test_control_a_client_that_resolves_twice_is_found_out(inside: Site, outside: Site) -> None:
    names = Names({FILES: [[outside.endpoint], [inside.endpoint]]})
    await fetch(client(ResolvesTwice(names, trusting(), outside_too)), f"https://{FILES}/")
    assert inside.connections == 1


REDIRECTS = [
    "301 Moved",
    "302 Found",
    "303 See Other",
    "307 Temporary",
    "308 Permanent",
    "300 Choices",
    "305 Use Proxy",
]
PLACES = ["https://127.0.0.1:{port}/", "//127.0.0.1:{port}/", "http://169.254.169.254/", f"https://{FILES}/again"]


@pytest.mark.case(35, f"{len(REDIRECTS) * len(PLACES)} redirects of an allowed host")
async def test_a_redirect_is_not_followed(inside: Site, outside: Site) -> None:
    names = Names({FILES: [[outside.endpoint]], "127.0.0.1": [[inside.endpoint]]})
    made = client(Internet(names, trusting(), lambda _: True))
    for status in REDIRECTS:
        for place in PLACES:
            to = place.replace("{port}", str(inside.endpoint[1]))
            outside.answer = answer(status, location=to, refresh=f"0;url={to}")
            with pytest.raises(FetchFailed, match=status[:3]):
                await fetch(made, f"https://{FILES}/")
    assert (inside.connections, outside.connections) == (0, len(REDIRECTS) * len(PLACES))


@pytest.mark.control(35, "a client that follows redirects")
async def test_control_a_client_that_follows_redirects_is_found_out(inside: Site, outside: Site) -> None:
    outside.answer = answer("302 Found", location=f"https://127.0.0.1:{inside.endpoint[1]}/")
    async with httpx2.AsyncClient(verify=False, follow_redirects=True, trust_env=False) as plain:
        await plain.get(f"https://{OUTSIDE}:{outside.endpoint[1]}/")
    assert inside.connections == 1


@pytest.mark.case(35, "a proxy in the environment")
async def test_the_environments_proxy_is_not_asked(
    inside: Site, outside: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{inside.endpoint[1]}")
    await fetch(client(Internet(Names({FILES: [[outside.endpoint]]}), trusting(), outside_too)), f"https://{FILES}/")
    assert (inside.connections, outside.connections) == (0, 1)


def test_what_the_tests_call_inside_is_not_public() -> None:
    assert not is_public(ip_address(INSIDE))
    assert not is_public(ip_address(OUTSIDE))
    assert socket.inet_aton("2130706433") == socket.inet_aton("0x7f.1") == socket.inet_aton("127.0.0.1")
