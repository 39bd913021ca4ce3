"""Which accounts a request or an event is about, for the journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def accounts_of_request(parameters: Mapping[str, Any]) -> list[str]:
    """The accounts that a StackSets request of the query protocol targets."""
    return [str(value) for name, value in parameters.items() if name.startswith("DeploymentTargets.Accounts.member.")]


def accounts_of_event(event: Mapping[str, Any]) -> list[str]:
    """The accounts that an event names in its detail: `accountId` anywhere, or the account of `stack-id`."""
    return sorted(set(_named(event.get("detail", {}))))


def _named(value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        return
    for name, item in value.items():
        if name == "accountId" and value.get("invokedBy") is None:
            yield str(item)
        elif name == "stack-id":
            parts = str(item).split(":")
            if len(parts) > 4:  # an instance that never had a stack names none
                yield parts[4]
        else:
            yield from _named(item)
