"""Which paid plans connectors have, and for how many of them their trial is over, so that they are billed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.domain.connectors import Connector
from shared.domain.gcp_connector_api import OFFERING_OF
from shared.domain.profiles import Plan

PAID_PLANS = {
    kind: plan.name.lower()
    for plan in Plan
    if plan is not Plan.FOUNDATIONAL_CSPM
    for kind in (plan.value, OFFERING_OF[plan])
}
"""The policy's word for each plan that is paid for, by the offering on the connector."""


@dataclass(frozen=True, kw_only=True)
class PlanUse:
    """How many connectors have a plan, how many of them are past their trial, and how many are still in it.

    The rest do not say when their trial ends.
    """

    connectors: int = 0
    billed: int = 0
    on_trial: int = 0


def use_of(connector: Connector, now: datetime) -> Mapping[str, PlanUse]:
    """What one connector adds, by the policy's word for the plan."""
    ends_at = trial_end(connector)
    use = PlanUse(
        connectors=1,
        billed=int(ends_at is not None and ends_at < now),
        on_trial=int(ends_at is not None and ends_at >= now),
    )
    offerings = (connector.body.get("properties") or {}).get("offerings") or ()
    kinds = {str(each.get("offeringType")) for each in offerings}
    return {word: use for kind, word in PAID_PLANS.items() if kind in kinds}


def added_up(parts: Iterable[Mapping[str, PlanUse]]) -> Mapping[str, PlanUse]:
    """All parts together, by the names of the plans."""
    found: dict[str, PlanUse] = {}
    for part in parts:
        for word, use in part.items():
            known = found.get(word, PlanUse())
            found[word] = PlanUse(
                connectors=known.connectors + use.connectors,
                billed=known.billed + use.billed,
                on_trial=known.on_trial + use.on_trial,
            )
    return dict(sorted(found.items()))


def trial_end(connector: Connector) -> datetime | None:
    """When its trial ends or ended (UTC); None where it does not say so in a way that can be read.

    Source: Microsoft.Security/securityConnectors, `hierarchyIdentifierTrialEndDate`.
    """
    text = (connector.body.get("properties") or {}).get("hierarchyIdentifierTrialEndDate")
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text[:19])
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
