"""What a subscription has and allows, read from Resource Manager and kept for as long as the caller says.

Source: Microsoft.Resources/subscriptions 2022-12-01, Microsoft.Security/pricings 2024-01-01 and connectors
2020-01-01-preview (classic, retired), Microsoft.Authorization/permissions 2022-04-01.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from azure.core.credentials import TokenCredential

from shared.adapters.azure.arm import ArmClient, Json, is_retired
from shared.adapters.azure.errors import reads_azure
from shared.application.ports import Clock
from shared.domain.prechecks import Permission, SubscriptionFacts
from shared.domain.subscription_plans import SubscriptionPlan
from shared.domain.targets import Target

SUBSCRIPTIONS_API = "2022-12-01"
PRICINGS_API = "2024-01-01"
PERMISSIONS_API = "2022-04-01"
CLASSIC_API = "2020-01-01-preview"


class ArmSubscriptions:
    """The facts of each target, at most as old as asked for; safe for several threads."""

    def __init__(self, credential: TokenCredential, *, arm_endpoint: str, clock: Clock) -> None:
        """Speaks with the Resource Manager at `arm_endpoint`."""
        self._arm = ArmClient(credential, arm_endpoint=arm_endpoint)
        self._clock = clock
        self._facts: dict[tuple[str, str], SubscriptionFacts] = {}
        self._lock = threading.Lock()

    @reads_azure
    def inspect(self, target: Target, *, max_age_seconds: float) -> SubscriptionFacts:
        """The facts about a target's subscription and resource group."""
        place = (target.subscription_id.lower(), target.resource_group.lower())
        with self._lock:  # the others wait for one reading instead of making their own
            known, now = self._facts.get(place), self._clock.now()
            if known is None or (now - known.read_at).total_seconds() > max_age_seconds:
                known = self._facts[place] = self._read(target)
            return known

    @reads_azure
    def list_permissions(self, scope: str) -> tuple[Permission, ...]:
        """What our own identity may do in a resource group, the id of which is given; read anew each time."""
        return tuple(self._permissions(scope))

    @reads_azure
    def list_plans(self, subscription_id: str) -> tuple[SubscriptionPlan, ...]:
        """Every plan of Microsoft.Security/pricings."""
        path = f"/subscriptions/{subscription_id}/providers/Microsoft.Security/pricings"
        found = self._arm.list(path, PRICINGS_API, doing="list the plans of the subscription")
        return tuple(_plan(each) for each in found)

    @reads_azure
    def enable_plan(self, subscription_id: str, name: str) -> SubscriptionPlan:
        """Asks for tier Standard; the sub-plan and the parts are those that the service chooses."""
        path = f"/subscriptions/{subscription_id}/providers/Microsoft.Security/pricings/{name}"
        body = {"properties": {"pricingTier": "Standard"}}
        return _plan(self._arm.put(path, PRICINGS_API, body, doing=f"switch plan {name} on"))

    def _read(self, target: Target) -> SubscriptionFacts:
        scope = f"/subscriptions/{target.subscription_id}"
        read_at = self._clock.now()
        subscription = self._arm.get(scope, SUBSCRIPTIONS_API, doing=f"read subscription {target.subscription_id}")
        return SubscriptionFacts(
            subscription_id=target.subscription_id,
            state=str(subscription.get("state", "")),
            plans=frozenset(self._plans(scope)),
            permissions=tuple(self._permissions(f"{scope}/resourceGroups/{target.resource_group}")),
            classic_connectors=dict(self._classic(scope)),
            read_at=read_at,
        )

    def _plans(self, scope: str) -> Iterator[str]:
        yield from (plan.name for plan in self.list_plans(scope.rpartition("/")[2]) if plan.is_on)

    def _permissions(self, scope: str) -> Iterator[Permission]:
        path = f"{scope}/providers/Microsoft.Authorization/permissions"
        for each in self._arm.list(path, PERMISSIONS_API, doing="read what our identity may do"):
            yield Permission(actions=tuple(each.get("actions") or ()), not_actions=tuple(each.get("notActions") or ()))

    def _classic(self, scope: str) -> Iterator[tuple[str, str]]:
        """Account id and resource id of every classic connector; the retired API may be gone: then there are none."""
        path = f"{scope}/providers/Microsoft.Security/connectors"
        found = self._arm.list(path, CLASSIC_API, doing="look for classic connectors", absent=is_retired)
        for connector in found:
            details: dict[str, Any] = (connector.get("properties") or {}).get("authenticationDetails") or {}
            if account_id := details.get("accountId"):
                yield str(account_id), str(connector.get("id", ""))


def _plan(body: Json) -> SubscriptionPlan:
    properties = body.get("properties") or {}
    return SubscriptionPlan(
        name=str(body["name"]),
        is_on=str(properties.get("pricingTier")).lower() == "standard",
        sub_plan=str(properties.get("subPlan") or ""),
        deprecated=properties.get("deprecated") is True,
    )
