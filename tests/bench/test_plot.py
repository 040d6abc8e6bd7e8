"""The picture: bars in units of their targets."""

from xml.etree import ElementTree

import pytest

from bench.plot import FULL, svg, used
from bench.results import Result

_SVG = "{http://www.w3.org/2000/svg}"


def _bars(picture: str) -> dict[str, float]:
    bars = ElementTree.fromstring(picture).iter(f"{_SVG}rect")  # noqa: S314 - made here
    return {bar.attrib["class"]: float(bar.attrib["width"]) for bar in bars}


def test_lower_and_higher_read_the_same_way() -> None:
    assert used(Result("a", "s", measured=2.5, target=5)) == pytest.approx(0.5)
    assert used(Result("a", "/s", measured=1, ratio=1.2, target=0.6, better="higher")) == pytest.approx(0.5)


def test_a_met_and_a_missed_target() -> None:
    picture = svg([Result("good", "s", measured=2.5, target=5), Result("bad", "s", measured=6, target=5)])
    bars = _bars(picture)
    assert bars["met"] / bars["rest"] == pytest.approx(0.5 / FULL, abs=0.001)
    assert bars["missed"] / bars["rest"] == pytest.approx(1.2 / FULL, abs=0.001)
    assert "1 of 2 targets reached" in picture


def test_a_bar_is_cut_off() -> None:
    bars = _bars(svg([Result("bad", "s", measured=500, target=5)]))
    assert bars["missed"] == bars["rest"]


def test_what_has_no_target_is_left_out() -> None:
    assert "mystery" not in svg([Result("mystery", "s", measured=1)])


def test_names_are_escaped() -> None:
    picture = svg([Result("<a> & b", "s", measured=1, target=1)])
    texts = ElementTree.fromstring(picture).iter(f"{_SVG}text")  # noqa: S314 - made here
    assert "<a> & b" in [text.text for text in texts]
