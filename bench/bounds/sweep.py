"""A sweep: what Resource Graph's quota of an identity allows at best, and what it took."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

QUERY = "arm:QueryResources"
REPORT = re.compile(r"/reports/")
OK, CREATED, TOO_MANY = 200, 201, 429


def bound(settings: dict[str, Any], journal: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Seconds from the sweep's first query to its report, and the least for so many queries.

    The quota is a window: the first `graph_queries` may go at once, then as many in each `graph_seconds`.
    """
    asked = refused = 0
    first = last = None
    for entry in journal:
        if entry["identity"] == settings["identity"] and entry["operation"] == QUERY:
            first = first or _began(entry)
            asked += entry["status"] == OK
            refused += entry["status"] == TOO_MANY
        if entry["operation"] == "blob:PutBlob" and entry["status"] == CREATED and REPORT.search(entry["path"]):
            last = datetime.fromisoformat(entry["time"])
    if first is None or last is None:
        raise SystemExit("the journal has no query of the sweep or no report")
    windows = max(0, asked - 1) // settings["graph_queries"]
    return {
        "queries": asked,
        "refused": refused,
        "seconds": (last - first).total_seconds(),
        "bound_seconds": windows * settings["graph_seconds"],
    }


def _began(entry: dict[str, Any]) -> datetime:
    """When a request came: the journal has the time of its answer."""
    return datetime.fromisoformat(entry["time"]) - timedelta(milliseconds=entry["duration_ms"])
