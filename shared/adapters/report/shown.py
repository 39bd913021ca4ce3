"""How values are written on the page. `page.js` writes what it shows by the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def moment(at: datetime | None) -> str:
    """A time to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC" if at is not None else "–"


def duration(seconds: float | None) -> str:
    """A span in its two largest units."""
    if seconds is None:
        return "–"
    left = round(seconds)
    parts = []
    for size, name in _UNITS:
        if left >= size:
            parts.append(f"{left // size} {name}")
            left %= size
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def percent(part: int, whole: int) -> str:
    """A share; one that is not all is never called 100 %, nor one that is something 0 %."""
    if not whole:
        return "–"
    exact = 100 * part / whole
    if part < whole:
        exact = min(exact, 99.0)
    return f"{max(round(exact), 1 if part else 0)} %"


def query(values: Mapping[str, str]) -> str:
    """What a link to a filter says. Half a letter, which no address can have, is a question mark there."""
    return urlencode(values, errors="replace")
