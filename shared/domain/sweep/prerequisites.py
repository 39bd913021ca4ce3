"""What a deployment needs to go on as it is: plans of its subscriptions, rights, sight, and queues that work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from shared.domain.accounts import Provider
from shared.domain.connectors import Connector
from shared.domain.prechecks import NEEDED_PLANS
from shared.domain.profiles import Plan
from shared.domain.sweep.findings import Severity, SweepFinding
from shared.domain.sweep.kinds import (
    MESSAGES_GIVEN_UP,
    PLAN_OFF,
    RIGHTS_MISSING,
    SUBSCRIPTION_UNSEEN,
    TRIAL_ENDS,
)
from shared.domain.sweep.paid_plans import trial_end

TOLD_BEFORE = timedelta(days=7)
"""How long before a trial ends that is said."""
RESOURCE_MISSING = "resource-missing"
"""The key of a refusal: Resource Manager knows no such resource (docs/runbook.md)."""
SWEEP_POISON = "sweep-poison"
CLEAR_SWEEP_POISON = (
    "Look for their runs in the log of `sweep_slice`, run `rollcall sweep`, then clear the queue `sweep-poison`."
)
"""Nothing waits for what is there: the next sweep looks at everything again."""


def trial_findings(connector: Connector, provider: Provider, now: datetime) -> Iterator[SweepFinding]:
    """A trial that ends within a week. Source: Microsoft.Security/securityConnectors, thirty days after its making."""
    ends_at = trial_end(connector)
    if ends_at is not None and now <= ends_at <= now + TOLD_BEFORE:
        yield TRIAL_ENDS.about(
            str(connector.connector_id),
            f"the trial of its plans ends on {ends_at:%Y-%m-%d}; from then on they are billed",
            account=connector.hierarchy_identifier,
            provider=provider,
            evidence={"ends_at": ends_at.isoformat()},
        )


def plan_findings(
    subscription_id: str, holders: Mapping[Plan, int], plans: Mapping[str, bool]
) -> Iterator[SweepFinding]:
    """Plans of a subscription that are off although connectors there need them.

    `holders` are connectors of ours by the plan that they have, `plans` whether a plan of the subscription is on, by
    its name in Microsoft.Security/pricings.
    """
    for plan, name in NEEDED_PLANS.items():
        if (count := holders.get(plan, 0)) and not plans.get(name, False):
            word = plan.name.lower()
            yield PLAN_OFF.about(
                f"/subscriptions/{subscription_id}/providers/Microsoft.Security/pricings/{name}",
                f"{count} connector(s) have {word}, and plan {name} of subscription {subscription_id} is off",
                evidence={"plan": name, "connectors": str(count)},
            )


def rights_finding(scope: str, missing: Sequence[str]) -> SweepFinding:
    """What our identity may not do in a resource group."""
    return RIGHTS_MISSING.about(
        scope,
        f"the Function App's identity may not, in {scope}: {', '.join(missing)}",
        evidence={"scope": scope, "actions": ", ".join(missing)},
    )


def absent_finding(scope: str) -> SweepFinding:
    """A resource group that the policy names, or that held connectors, and that is not there."""
    return RIGHTS_MISSING.about(
        scope,
        f"{scope} is not there",
        remedy="Make the resource group, or correct the target in the policy.",
        evidence={"scope": scope},
    )


def unseen_finding(subscription_id: str, named_by: str) -> SweepFinding:
    """A subscription that Resource Graph does not show, and who names it."""
    return SUBSCRIPTION_UNSEEN.about(
        f"/subscriptions/{subscription_id}",
        f"{named_by} names subscription {subscription_id}, which Resource Graph does not show: nothing there is seen",
        evidence={"named_by": named_by},
    )


def given_up_finding(queue: str, waiting: int, oldest_at: datetime | None) -> SweepFinding:
    """Messages that wait for a person; those of the sweep itself are no account's."""
    since = f", the first since {oldest_at:%Y-%m-%d %H:%M} UTC" if oldest_at is not None else ""
    ours = queue == SWEEP_POISON
    return MESSAGES_GIVEN_UP.about(
        queue,
        f"{waiting} message(s) of {queue} were given up{since}",
        remedy=CLEAR_SWEEP_POISON if ours else "",
        severity=Severity.MEDIUM if ours else None,
        evidence={"queue": queue, "waiting": str(waiting)}
        | ({"oldest_at": oldest_at.isoformat()} if oldest_at is not None else {}),
    )
