"""A bar chart as an SVG file that reads on light and on dark paper, without a script and without a font of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

WIDTH, LABEL, VALUE = 760, 250, 150
ROW, BAR, TOP, BOTTOM = 30, 16, 44, 30
_CHARACTER = 6.6
"""About how wide a character of the labels is."""


def svg(chart: Mapping[str, Any]) -> str:
    """The chart of a Result, as a document; bars in one unit, a line where each bar's bound lies."""
    return "\n".join(_lines(chart)) + "\n"


def _lines(chart: Mapping[str, Any]) -> Iterator[str]:
    bars: Sequence[Mapping[str, Any]] = chart["bars"]
    height = TOP + ROW * len(bars) + (BOTTOM if chart["mark"] else 8)
    told = "; ".join(_told(bar, chart) for bar in bars)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="13">'
    )
    yield f"<title>{escape(chart['title'])}</title>"
    yield f"<desc>{escape(told)}</desc>"
    yield (
        "<style>text{fill:#24292f}.bar{fill:#2f6fb3}.mark{stroke:#b35900;stroke-width:2.5}.paper{fill:#fff}"
        "@media (prefers-color-scheme:dark)"
        "{text{fill:#e6edf3}.bar{fill:#6ea8e0}.mark{stroke:#f0a04b}.paper{fill:#0d1117}}</style>"
    )
    yield f'<rect class="paper" width="{WIDTH}" height="{height}" rx="6"/>'
    yield f'<text x="16" y="26" font-weight="600">{escape(chart["title"])} ({escape(chart["unit"])})</text>'
    longest = max(max(bar["value"], bar["mark"] or 0.0) for bar in bars) or 1.0
    scale = (WIDTH - LABEL - VALUE) / longest
    for number, bar in enumerate(bars):
        yield from _bar(bar, TOP + ROW * number, scale, chart["unit"])
    if chart["mark"]:
        y = height - 12
        yield f'<line class="mark" x1="{LABEL}" x2="{LABEL}" y1="{y - 10}" y2="{y + 2}"/>'
        yield f'<text x="{LABEL + 8}" y="{y}" font-size="12">{escape(chart["mark"])}</text>'
    yield "</svg>"


def _bar(bar: Mapping[str, Any], y: float, scale: float, unit: str) -> Iterator[str]:
    label = shortened(bar["label"], int((LABEL - 24) / _CHARACTER))
    yield f'<text x="{LABEL - 10}" y="{y + BAR - 3}" text-anchor="end">{escape(label)}</text>'
    length = max(1.0, bar["value"] * scale)
    yield f'<rect class="bar" x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>'
    ends = LABEL + length
    if bar["mark"] is not None:
        at = LABEL + bar["mark"] * scale
        yield f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{y - 4}" y2="{y + BAR + 4}"/>'
        ends = max(ends, at)
    yield f'<text x="{ends + 8:.1f}" y="{y + BAR - 3}">{escape(figure(bar["value"]))} {escape(unit)}</text>'


def _told(bar: Mapping[str, Any], chart: Mapping[str, Any]) -> str:
    mark = "" if bar["mark"] is None else f", {chart['mark']}: {figure(bar['mark'])}"
    return f"{bar['label']}: {figure(bar['value'])} {chart['unit']}{mark}"


def shortened(text: str, length: int) -> str:
    """The text, its end replaced by an ellipsis where it is longer."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def figure(value: object) -> str:
    """A number as people read it: three digits that count, thousands apart; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 100:  # noqa: PLR2004 - from here on the point says nothing
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return f"{value:.6f}".rstrip("0").rstrip(".") if "e" in text else text
