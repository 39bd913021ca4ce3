"""What subscriptions have and allow, and what belongs to connectors, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from shared.application.ports import Clock
from shared.domain.connectors import ConnectorId
from shared.domain.prechecks import NEEDED_PLANS, Permission, SubscriptionFacts
from shared.domain.targets import Target
from shared.errors import PermanentError
from tests.fakes.failures import Failures

STANDARDS = {"AWS CSPM": "/std/1", "CIS AWS Foundations v3.0.0": "/std/2", "PCI DSS 4.0.1": "/std/3"}
OWNER = Permission(actions=("*",))
CONTRIBUTOR = Permission(actions=("*",), not_actions=("Microsoft.Authorization/*/Write",))


class FakeSubscriptions:
    """Every subscription is enabled, has every plan on, and we are its Owner, until a test changes `present`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.present: dict[str, Any] = {
            "state": "Enabled",
            "plans": frozenset(NEEDED_PLANS.values()),
            "permissions": (OWNER,),
            "classic_connectors": {},
        }
        self._known: dict[Target, SubscriptionFacts] = {}
        self.reads = 0
        self.failures = Failures()

    def inspect(self, target: Target, *, max_age_seconds: float) -> SubscriptionFacts:
        """The facts, as old as may be."""
        self.failures.strike("inspect")
        known, now = self._known.get(target), self._clock.now()
        if known is None or (now - known.read_at).total_seconds() > max_age_seconds:
            self.reads += 1
            known = SubscriptionFacts(subscription_id=target.subscription_id, read_at=now, **self.present)
            self._known[target] = known
        return replace(known)


class FakeCompliance:
    """The standards that every connector offers; `refuses` says why Defender refuses to write."""

    def __init__(self) -> None:
        self.offered: dict[str, str] = dict(STANDARDS)
        self.assignments: dict[str, dict[str, Any]] = {}
        self.rules: dict[str, dict[str, Any]] = {}
        self.refuses = ""
        self.writes: list[str] = []
        self.failures = Failures()

    def list_standards(self, connector_id: ConnectorId) -> Mapping[str, str]:
        """Display name → id."""
        self.failures.strike("list_standards")
        return dict(self.offered)

    def list_assigned(self, connector_id: ConnectorId) -> frozenset[str]:
        """The ids of those that are assigned."""
        self.failures.strike("list_assigned")
        mine = (body for key, body in self.assignments.items() if key.startswith(f"{connector_id}/"))
        return frozenset(
            body["properties"]["assignedStandard"]["id"]
            for body in mine
            if body["properties"].get("effect") not in {"Exempt", "Attest"}
        )

    def assign(self, connector_id: ConnectorId, assignment: str, body: dict[str, Any]) -> None:
        """Assigns one."""
        self._write("assign", f"{connector_id}/{assignment}")
        self.assignments[f"{connector_id}/{assignment}"] = deepcopy(body)

    def find_rule(self, connector_id: ConnectorId, rule: str) -> dict[str, Any] | None:
        """The rule."""
        self.failures.strike("find_rule")
        return deepcopy(self.rules.get(f"{connector_id}/{rule}"))

    def put_rule(self, connector_id: ConnectorId, rule: str, body: dict[str, Any]) -> None:
        """Makes one."""
        self._write("put_rule", f"{connector_id}/{rule}")
        self.rules[f"{connector_id}/{rule}"] = deepcopy(body)

    def _write(self, method: str, key: str) -> None:
        self.failures.strike(method)
        if self.refuses:
            raise PermanentError(self.refuses)
        self.writes.append(key)
