"""What a sweep in memory sees of subscriptions and of our own rights."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Protocol

from shared.application.ports import PolicySource
from shared.domain.connectors import Connector
from shared.domain.gcp_connector_api import OFFERING_OF
from shared.domain.prechecks import NEEDED_PLANS, Permission
from shared.domain.profiles import Plan
from shared.domain.sweep.rights import scopes_of, subscription_of
from tests.fakes.failures import Failures
from tests.fakes.subscriptions import OWNER


class HoldsConnectors(Protocol):
    """Where the connectors are."""

    connectors: list[Connector]


class FakeSweptSubscriptions:
    """Subscriptions of the policy and of connectors, unless `hidden`; all plans on, unless `off` or without rows."""

    def __init__(self, tenant: HoldsConnectors, policy: PolicySource) -> None:
        self._tenant = tenant
        self._policy = policy
        self.hidden: set[str] = set()
        self.off: dict[str, set[str]] = {}
        self.no_rows: set[str] = set()
        self.failures = Failures()

    def shown(self) -> frozenset[str]:
        """Those that the policy names, and those of connectors."""
        self.failures.strike("shown")
        policy = self._policy.current()
        scopes = [scope for each in (policy, policy.gcp) if each is not None for scope in scopes_of(each, ())]
        return frozenset((self._held() | {subscription_of(each) for each in scopes}) - self.hidden)

    def holders(self, organization: str, management_account: str) -> Mapping[str, Mapping[Plan, int]]:
        """Counted from the tenant's connectors."""
        self.failures.strike("holders")
        found: dict[str, Counter[Plan]] = defaultdict(Counter)
        for each in self._tenant.connectors:
            parent = str(each.organizational_data.get("parentHierarchyId") or "")
            if each.organization != organization and (parent == "" or parent != management_account):
                continue
            kinds = {offering["offeringType"] for offering in each.body["properties"].get("offerings") or ()}
            for plan in NEEDED_PLANS:
                if kinds & {plan.value, OFFERING_OF[plan]}:
                    found[each.connector_id.subscription_id.lower()][plan] += 1
        return found

    def plans(self) -> Mapping[str, Mapping[str, bool]]:
        """Those that connectors may need."""
        self.failures.strike("plans")
        return {
            each: {name: name not in self.off.get(each, set()) for name in NEEDED_PLANS.values()}
            for each in self._held() - self.hidden - self.no_rows
        }

    def _held(self) -> set[str]:
        return {each.connector_id.subscription_id.lower() for each in self._tenant.connectors}


class FakeRights:
    """We are an Owner everywhere, until a test says otherwise."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[Permission, ...]] = {}
        self.asked: list[str] = []
        self.failures = Failures()

    def list_permissions(self, scope: str) -> tuple[Permission, ...]:
        """In a resource group."""
        self.asked.append(scope)
        self.failures.strike("list_permissions")
        return self.held.get(scope.lower(), (OWNER,))
