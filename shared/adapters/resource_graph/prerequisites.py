"""What Resource Graph tells of subscriptions: whether they are shown, which plans are on, and which are needed.

Source: Microsoft.ResourceGraph/resources 2021-03-01, tables `resourcecontainers` and `securityresources`;
Microsoft.Security/pricings 2024-01-01. That every plan of a subscription has a row, the free ones, too: Azure Resource
Graph sample queries for Microsoft Defender for Cloud ("Show the pricing tier per subscription").
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from shared.adapters.azure.errors import reads_azure
from shared.adapters.resource_graph.query import ResourceGraph
from shared.domain.prechecks import NEEDED_PLANS
from shared.domain.profiles import Plan

_SUBSCRIPTIONS = (
    "resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project id, subscriptionId"
    " | order by id asc"
)
_PLANS = (
    "securityresources | where type =~ 'microsoft.security/pricings'"
    f" | where name in~ ({', '.join(repr(name) for name in NEEDED_PLANS.values())})"
    " | project id, name, subscriptionId, tier = tostring(properties.pricingTier) | order by id asc"
)
_HAS = ", ".join(
    f"{plan.value} = tostring(properties.offerings) contains '{plan.value.removesuffix('Aws')}'"
    for plan in NEEDED_PLANS
)
"""By the part of an offering's name that is the same for AWS and GCP."""
_GROUPS = ("subscriptionId", "owner", "parent", *(plan.value for plan in NEEDED_PLANS))
_HOLDERS = (
    "resources | where type =~ 'microsoft.security/securityconnectors'"
    " | extend owner = tostring(tags.rollcall),"
    " parent = tostring(properties.environmentData.organizationalData.parentHierarchyId)"
    f" | extend {_HAS}"
    f" | summarize found = count() by {', '.join(_GROUPS)}"
    f" | order by {', '.join(f'{each} asc' for each in _GROUPS)}"
)
_TRUE = {"true", "1"}


class GraphSubscriptions:
    """Subscriptions of the whole tenant, as far as the identity may read."""

    def __init__(self, graph: ResourceGraph) -> None:
        """Asks through `graph`."""
        self._graph = graph

    @reads_azure
    def shown(self) -> frozenset[str]:
        """Every subscription."""
        rows = self._graph.rows(_SUBSCRIPTIONS, doing="list the subscriptions of the tenant")
        return frozenset(str(row["subscriptionId"]).lower() for row in rows)

    @reads_azure
    def holders(self, organization: str, management_account: str) -> Mapping[str, Mapping[Plan, int]]:
        """Connectors by subscription and by the plan that they have; counted there, so that few rows come."""
        found: dict[str, Counter[Plan]] = defaultdict(Counter)
        for row in self._graph.rows(_HOLDERS, doing="count the connectors that need a plan of their subscription"):
            ours = str(row["owner"]) == organization or str(row["parent"]) == management_account != ""
            for plan in NEEDED_PLANS:
                if ours and str(row[plan.value]).lower() in _TRUE:
                    found[str(row["subscriptionId"]).lower()][plan] += int(row["found"])
        return found

    @reads_azure
    def plans(self) -> Mapping[str, Mapping[str, bool]]:
        """One query for all subscriptions."""
        names = {name.lower(): name for name in NEEDED_PLANS.values()}
        found: dict[str, dict[str, bool]] = defaultdict(dict)
        for row in self._graph.rows(_PLANS, doing="read the plans of all subscriptions"):
            known = found[str(row["subscriptionId"]).lower()]
            known[names.get(str(row["name"]).lower(), str(row["name"]))] = str(row["tier"]).lower() == "standard"
        return found
