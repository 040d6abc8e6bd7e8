"""The results as one picture: how far each is from its target. SVG, readable on light and on dark ground."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from bench.results import Result

WIDTH, LABELS, FIGURES = 900, 330, 170
ROW, TOP, BOTTOM = 28, 64, 40
FULL = 2.0
"""Where a bar is cut off, in targets."""
STYLE = """
    .ground { fill: #ffffff; } .rest { fill: #e2e8f0; } .met { fill: #0d9488; } .missed { fill: #d97706; }
    text { fill: #0f172a; } .soft { fill: #475569; font-size: 12px; } .mark { stroke: #0f172a; stroke-width: 1.5; }
    .title { font-size: 15px; font-weight: 600; } .end { text-anchor: end; } .middle { text-anchor: middle; }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117; } .rest { fill: #21262d; } .met { fill: #2dd4bf; } .missed { fill: #fbbf24; }
      text { fill: #e6edf3; } .soft { fill: #9aa7b4; } .mark { stroke: #e6edf3; }
    }"""


def used(result: Result) -> float:
    """How much of its target a result uses up: 1 is just reached, below is better. Only for one with a target."""
    if not result.target or not result.value:
        return 0.0
    return result.value / result.target if result.better == "lower" else result.target / result.value


def svg(results: Sequence[Result]) -> str:
    """One bar for each result that has a target, and one line that is the target of all of them."""
    shown = [result for result in results if result.target is not None]
    height = TOP + ROW * len(shown) + BOTTOM
    scale = (WIDTH - LABELS - FIGURES) / FULL
    target = LABELS + scale
    rows = "\n".join(_row(result, TOP + ROW * place, scale) for place, result in enumerate(shown))
    bottom = TOP + ROW * len(shown)
    missed = sum(not result.is_met for result in shown)
    said = f"{len(shown) - missed} of {len(shown)} targets reached"
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" \
viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title" font-size="13" \
font-family="system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif">
  <title id="title">Starling, measured against its targets: {said}</title>
  <style>{STYLE}
  </style>
  <rect class="ground" width="{WIDTH}" height="{height}" rx="8"/>
  <text class="title" x="20" y="30">{said}</text>
  <text class="soft middle" x="{target:.1f}" y="{TOP - 12}">target</text>
  <text class="soft end" x="{target - 34:.1f}" y="{TOP - 12}">← better</text>
{rows}
  <path class="mark" d="M{target:.1f} {TOP - 6}V{bottom + 2}"/>
  <text class="soft" x="20" y="{bottom + 26}">A bar ends where the figure is, with every target at the same line. \
Twice the target and more is cut off.</text>
</svg>
"""


def write(results: Sequence[Result], path: Path) -> None:
    """Writes the picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg(results))


def _row(result: Result, top: int, scale: float) -> str:
    length = min(used(result), FULL) * scale
    figure = f"{result.value:.2f} times" if result.ratio is not None else f"{result.value:.2g} {result.unit}".rstrip()
    return f"""  <g>
    <text class="end" x="{LABELS - 12}" y="{top + 18}">{escape(result.name)}</text>
    <rect class="rest" x="{LABELS}" y="{top + 5}" width="{FULL * scale:.1f}" height="{ROW - 10}" rx="3"/>
    <rect class="{"met" if result.is_met else "missed"}" x="{LABELS}" y="{top + 5}" width="{max(length, 1.5):.1f}" \
height="{ROW - 10}" rx="3"/>
    <text x="{WIDTH - FIGURES + 12}" y="{top + 18}">{escape(figure)} <tspan class="soft">{result.goal}</tspan></text>
  </g>"""
