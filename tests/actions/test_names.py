"""Names and media types of strangers: harmless wherever a device saves or shows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.actions.names import FALLBACK_TYPE, MAX_NAME_BYTES, file_name, media_type
from app.errors import InvalidField

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("a.pdf", "a.pdf"),
        ("Grüße 日本.txt", "Grüße 日本.txt"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\Windows\\system.ini", "system.ini"),
        ("a/", "file"),
        ("..", "file"),
        (".", "file"),
        ("", "file"),
        (None, "file"),
        ("   ", "file"),
        (".profile", "profile"),
        ("a.txt. . ", "a.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\u2066b\u2069\ufeffc\u200b", "abc"),
        ("a\r\nContent-Type: x", "aContent-Type: x"),
        ("a\u2028b\u0085c\x7fd\x1b", "abcd"),
        ('a"b;c', 'a"b;c'),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ("x" * 300, "x" * 200),
        ("é" * 300 + ".pdf", "é" * 98 + ".pdf"),
        ("a." + "x" * 300, "a." + "x" * 198),
        ("." * 300, "file"),
    ],
)
def test_a_name_is_one_component_and_reads_as_it_is(said: str | None, name: str) -> None:
    assert file_name(said) == name


@given(TEXT)
def test_any_name_becomes_a_harmless_one_that_stays(said: str) -> None:
    name = file_name(said)
    assert 0 < len(name.encode()) <= MAX_NAME_BYTES
    assert not set(name) & set("/\\\0\r\n\u202e\u2028")
    assert name.strip(" .") == name
    assert file_name(name) == name


@pytest.mark.parametrize("said", ["a\0.txt", "\ud800", "a/\udfff"])
def test_what_no_text_may_hold_is_refused(said: str) -> None:
    with pytest.raises(InvalidField):
        file_name(said)


@pytest.mark.parametrize(
    "said",
    ["text/plain", "application/vnd.ms-excel", "text/html; charset=utf-8", 'a/b;c="d e"; f=g', "IMAGE/PNG", "x/y+z"],
)
def test_a_media_type_is_taken_as_it_is_said(said: str) -> None:
    assert media_type(said) == said
    assert media_type(f" {said} ") == said


@pytest.mark.parametrize(
    "said",
    [None, "", "text", "text/", "/plain", "text/plain\r\nx: y", "text/plain; charset", "a/b, c/d", "ü/x", "a/b" * 99],
)
def test_what_has_not_the_form_of_one_is_bytes(said: str | None) -> None:
    assert media_type(said) == FALLBACK_TYPE
