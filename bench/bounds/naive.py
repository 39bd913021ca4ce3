"""What connecting accounts one after the other took, from the first StackSet operation to the last PUT."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

_OPERATIONS = {"cloudformation:CreateStackInstances", "cloudformation:UpdateStackInstances"}
_PUT = "arm:PutSecurityConnector"
_TOO_MANY = 429


def bound(settings: dict[str, Any], journal: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Counts and seconds; no settings matter: StackSets, which take one operation at a time, are what is waited for."""
    operations = refused = stack_set_calls = manager_calls = puts = throttled = accepted = 0
    first = last = None
    for line in journal:
        moment = datetime.fromisoformat(line["time"])
        began = moment - timedelta(milliseconds=line["duration_ms"])
        if line["service"] == "cloudformation":
            stack_set_calls += 1
        elif line["service"] == "arm":
            manager_calls += 1
        if line["operation"] in _OPERATIONS:
            first = began if first is None else min(first, began)
            operations += line["status"] == 200
            refused += line["status"] != 200
        elif line["operation"] == _PUT:
            puts += 1
            throttled += line["status"] == _TOO_MANY
            if line["status"] in {200, 201}:
                accepted, last = accepted + 1, moment
    if first is None or last is None:
        raise SystemExit("no operation, or no connector")
    return {
        "seconds": (last - first).total_seconds(),
        "operations": operations,
        "refused": refused,
        "stack_set_calls": stack_set_calls,
        "manager_calls": manager_calls,
        "puts": puts,
        "throttled": throttled,
        "accepted": accepted,
    }
