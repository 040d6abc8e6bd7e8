"""Characters that JSON cut in two are joined; what is none is replaced."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.providers.words import Words


def through(*parts: str) -> str:
    words = Words()
    return "".join([*map(words.add, parts), words.rest()])


@given(st.text(), st.lists(st.integers(0, 100)))
def test_any_text_cut_between_its_utf16_units(text: str, cuts: list[int]) -> None:
    raw = text.encode("utf-16-le")
    bounds = [0, *sorted(2 * cut for cut in cuts if 2 * cut < len(raw)), len(raw)]
    parts = [raw[a:b].decode("utf-16-le", "surrogatepass") for a, b in pairwise(bounds)]
    assert through(*parts) == text.replace("\0", "\ufffd")


@given(st.lists(st.text(st.characters())))
def test_what_comes_out_can_be_kept(parts: list[str]) -> None:
    kept = through(*parts)
    assert "\0" not in kept
    assert kept.encode().decode() == kept


def test_halves_that_stay_alone() -> None:
    assert through("a\ud83d", "b") == "a\ufffdb"
    assert through("a\ude00") == "a\ufffd"
    assert through("\ud83d") == "\ufffd"
