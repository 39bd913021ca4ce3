"""The least time in which a burst of accounts could be connected, and what it took.

Bound: nothing is connected before one stack instance has had its time, and in each subscription the bucket of writes
has to regain one write for each connector beyond its size, however many were made. Batching, queues and our own work
are not in it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

_CREATED, _TOO_MANY = {200, 201}, 429
_OPERATIONS = {"cloudformation:CreateStackInstances", "cloudformation:UpdateStackInstances"}


class _Writes:
    """The PUTs of one subscription."""

    def __init__(self) -> None:
        self.accepted: list[datetime] = []
        self.connectors: set[str] = set()
        self.asked = self.throttled = 0

    def add(self, line: dict[str, Any]) -> None:
        self.asked += 1
        self.throttled += line["status"] == _TOO_MANY
        if line["status"] in _CREATED:
            self.accepted.append(datetime.fromisoformat(line["time"]))
            self.connectors.add(line["path"].partition("?")[0].lower())


def bound(settings: dict[str, Any], journal: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Times in seconds, from the first event put to the last PUT that Resource Manager accepted."""
    writes: defaultdict[str, _Writes] = defaultdict(_Writes)
    targets: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    invoked: list[dict[str, Any]] = []
    first: datetime | None = None
    for line in journal:
        operation = line["operation"]
        calls[line["service"]] += 1
        calls["refused"] += operation in _OPERATIONS and line["status"] != 200
        if operation == "events:PutEvents" and first is None:
            first = datetime.fromisoformat(line["time"]) - timedelta(milliseconds=line["duration_ms"])
        elif operation == "arm:PutSecurityConnector":
            writes[line["path"].split("/")[2].lower()].add(line)
        elif operation in _OPERATIONS and line["status"] == 200:
            operations[settings["profiles"][line["detail"]["accounts"][0]]] += 1
            targets.update(line["detail"]["accounts"])
        elif operation == "lambda:Invoke":
            invoked.append(line)
    if first is None or not any(each.accepted for each in writes.values()):
        raise SystemExit("nothing was put, or nothing accepted")
    return (
        _times(settings, writes, first)
        | _counts(writes)
        | {
            "operations": dict(operations),
            "targets": sum(targets.values()),
            "accounts_deployed": len(targets),
            "refused": calls["refused"],
            "stack_set_calls": calls["cloudformation"],
            "manager_calls": calls["arm"],
            "invocations": len(invoked),
            "failed_invocations": sum("error" in each["detail"] or each["detail"]["failures"] > 0 for each in invoked),
            "longest_invocation_seconds": max((each["duration_ms"] / 1000 for each in invoked), default=0.0),
        }
    )


def _times(settings: dict[str, Any], writes: dict[str, _Writes], first: datetime) -> dict[str, Any]:
    size, rate = settings["writes_size"], settings["writes_per_second"]
    accepted = [moment for each in writes.values() for moment in each.accepted]
    beyond = {name: max(0, len(each.connectors) - size) for name, each in writes.items()}
    began = min(accepted)
    return {
        "seconds": (max(accepted) - first).total_seconds(),
        "bound_seconds": settings["stack_instance_seconds"] + max(beyond.values()) / rate,
        "writing_seconds": (max(accepted) - began).total_seconds(),
        "paced_writes": sum(beyond.values()),
        "first_write_after": (began - first).total_seconds(),
    }


def _counts(writes: dict[str, _Writes]) -> dict[str, Any]:
    return {
        "puts": sum(each.asked for each in writes.values()),
        "throttled": sum(each.throttled for each in writes.values()),
        "accepted": sum(len(each.accepted) for each in writes.values()),
        "accepted_by_subscription": {name: len(each.accepted) for name, each in sorted(writes.items())},
    }
