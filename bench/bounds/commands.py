"""The fewest requests that one command needs, from the page sizes of the services and what was planted.

`settings["needs"]` names for each operation how many things it has to bring, and how many the service gives or takes
in one request (`items`, `page`); an operation that a command needs once has one item. What the journal has beside
these is counted, and has a bound of nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any


def bound(settings: dict[str, Any], journal: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """For each operation and for all of them: requests made, and the fewest."""
    made = Counter(entry["operation"] for entry in journal)
    fewest = {name: fewest_for(need) for name, need in settings["needs"].items()}
    names = sorted(made.keys() | fewest.keys())
    return {
        "calls": sum(made.values()),
        "bound": sum(fewest.values()),
        "operations": {name: {"calls": made[name], "bound": fewest.get(name, 0)} for name in names},
    }


def fewest_for(need: dict[str, int]) -> int:
    """An empty list is asked for, too."""
    return max(1, math.ceil(need["items"] / need["page"])) + need.get("more", 0)
