"""Use cases of `rollcall subscription`: which plans are on, switching some on, telling a Logic App of alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.application.ports import Automations, Clock, SubscriptionPlans
from shared.domain.ledger import Result
from shared.domain.subscription_plans import AlertExport, SubscriptionPlan
from shared.errors import RollcallError

GAP_SECONDS, SHORTEST_GAP_SECONDS = 12.0, 10.0
"""Between two changes of one subscription. Source: Microsoft Defender for Cloud FAQ, 10 to 15 seconds."""
_BUSY = frozenset({"conflict", "operation-in-progress", "throttled"})
_TRIES = 4


@dataclass(frozen=True, kw_only=True)
class SubscriptionPorts:
    """What the use cases work with."""

    plans: SubscriptionPlans
    clock: Clock
    gap_seconds: float = GAP_SECONDS


def enable_plans(
    names: Sequence[str], subscription_id: str, ports: SubscriptionPorts
) -> Iterator[tuple[SubscriptionPlan, Result]]:
    """Switches plans on, each once, one after the other; what is on already is left alone, its sub-plan with it.

    Raises RollcallError, with those before it done: doing it again goes on where it ended.
    """
    present = {plan.name: plan for plan in ports.plans.list_plans(subscription_id)}
    written = False
    for name in dict.fromkeys(names):
        known = present.get(name)
        if known is not None and known.is_on:
            yield known, Result.UNCHANGED
            continue
        if written:
            ports.clock.sleep(ports.gap_seconds)
        yield _enable(name, subscription_id, ports), Result.UPDATED
        written = True


def _enable(name: str, subscription_id: str, ports: SubscriptionPorts) -> SubscriptionPlan:
    """One plan; somebody else's change in the same seconds is waited out, a bounded number of times."""
    for attempt in range(1, _TRIES):
        try:
            return ports.plans.enable_plan(subscription_id, name)
        except RollcallError as error:
            if error.key not in _BUSY:
                raise
            ports.clock.sleep(ports.gap_seconds * attempt)
    return ports.plans.enable_plan(subscription_id, name)


def ensure_alert_export(export: AlertExport, automations: Automations) -> Result:
    """One automation for the scope, written only where none says the same."""
    actual = automations.find(export.automation_id)
    if actual is not None and export.is_said_by(actual):
        return Result.UNCHANGED
    automations.put(export.automation_id, export.body(automations.callback_url(export.logic_app_id)))
    return Result.CREATED if actual is None else Result.UPDATED
