"""A QR code on a terminal."""

from dataclasses import dataclass

import segno
from rich.text import Text

QUIET = 4
"""Modules of margin (ISO/IEC 18004)."""
BLOCKS = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
STYLE = "#000000 on #ffffff"
"""Both are named, for the terminal's own colours may be light on dark, and not all readers take that."""


@dataclass(frozen=True)
class Drawn:
    """Lines of so many characters."""

    text: Text
    width: int


def code(content: str) -> Drawn:
    """Two modules a character, one above the other."""
    rows = [tuple(row) for row in segno.make(content, error="m", micro=False).matrix_iter(border=QUIET)]
    width = len(rows[0])
    rows += [(0,) * width] * (len(rows) % 2)
    pairs = zip(rows[::2], rows[1::2], strict=True)
    lines = ["".join(BLOCKS[both] for both in zip(*pair, strict=True)) for pair in pairs]
    return Drawn(Text("\n".join(lines), STYLE), width)
