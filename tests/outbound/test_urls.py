"""Which URLs are worth a look."""

import pytest

from app.outbound.errors import UrlRefused
from app.outbound.urls import MAX_LENGTH, Hosts, judge

ANY = Hosts(None)
FILES = Hosts(("files.example.com", "*.blob.example.net"))


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://files.example.com", b"files.example.com", b"/"),
        ("https://files.example.com/a/b?sig=1%2F2&x=@", b"files.example.com", b"/a/b?sig=1%2F2&x=@"),
        ("HTTPS://Files.EXAMPLE.com:443/A", b"files.example.com", b"/A"),
        ("https://files.example.com/a#secret", b"files.example.com", b"/a"),
        ("https://files.example.com?x=1", b"files.example.com", b"/?x=1"),
        ("https://xn--bcher-kva.example/", b"xn--bcher-kva.example", b"/"),
    ],
)
def test_a_good_one_is_taken_apart(url: str, host: bytes, target: bytes) -> None:
    judged = judge(url, ANY)
    assert (judged.scheme, judged.host, judged.port, judged.target) == (b"https", host, None, target)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "files.example.com",
        "//files.example.com/",
        "http://files.example.com/",
        "ftp://files.example.com/",
        "file:///etc/passwd",
        "https:///x",
        "https://",
        "https:files.example.com",
        "https://files.example.com:8443/",
        "https://files.example.com:80/",
        "https://files.example.com:0/",
        "https://files.example.com:99999/",
        "https://files.example.com:x/",
        "https://user@files.example.com/",
        "https://user:secret@files.example.com/",
        "https://@files.example.com/",
        "https://files.example.com@evil.example/",
        "https://files.example.com\\@evil.example/",
        "https://evil.example\\.files.example.com/",
        "https://files.example.com\t/",
        "https://files.exa\nmple.com/",
        "https://files.example.com/\r\nhost: x",
        " https://files.example.com/",
        "https://files.example.com/\x00",
        "https://files.example.com/ä",
        "https://f\u0131les.example.com/",
        "https://files\u3002example\u3002com/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://017700000001/",
        "https://1.2.3.0x4/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::ffff:7f00:1/",
        "https://[v1.x]/",
        "https://localhost/",
        "https://intranet/",
        "https://example.com./",
        "https://.example.com/",
        "https://a..example.com/",
        "https://-a.example.com/",
        "https://a%2eexample.com/",
        f"https://{'a' * 64}.example.com/",
        f"https://{'a.' * 130}example/",
        "https://files.example.com/" + "a" * MAX_LENGTH,
    ],
)
def test_a_doubtful_one_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        judge(url, ANY)


@pytest.mark.parametrize("host", ["files.example.com", "a.blob.example.net", "b.a.blob.example.net"])
def test_a_host_on_the_list_passes(host: str) -> None:
    assert judge(f"https://{host}/", FILES).host == host.encode()


@pytest.mark.parametrize(
    "host",
    ["example.com", "a.files.example.com", "blob.example.net", "xblob.example.net", "files.example.com.evil.example"],
)
def test_another_host_does_not(host: str) -> None:
    with pytest.raises(UrlRefused, match="list"):
        judge(f"https://{host}/", FILES)


def test_the_empty_list_allows_nothing() -> None:
    with pytest.raises(UrlRefused, match="list"):
        judge("https://files.example.com/", Hosts(()))


@pytest.mark.parametrize("entry", ["", "*", "*.", "*com", "https://example.com", "a.*.example.com", "127.0.0.1", "com"])
def test_a_list_of_other_things_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="must be a host name"):
        Hosts([entry])
