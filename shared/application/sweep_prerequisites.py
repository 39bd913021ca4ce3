"""The slice of a sweep that looks at what the deployment needs: rights, sight, plans of subscriptions, its queues."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import TypeVar

from shared.application.sweep_ports import SweepPorts
from shared.domain.accounts import Provider
from shared.domain.connectors import ConnectorId
from shared.domain.ledger import State
from shared.domain.profiles import Plan
from shared.domain.sweep.findings import Area, Gap, SweepFinding
from shared.domain.sweep.prerequisites import (
    RESOURCE_MISSING,
    absent_finding,
    given_up_finding,
    plan_findings,
    rights_finding,
    unseen_finding,
)
from shared.domain.sweep.rights import missing_rights, subscription_of
from shared.domain.sweep.slices import Slice
from shared.errors import RollcallError

logger = logging.getLogger(__name__)
_Read = TypeVar("_Read")


class SweptPrerequisites:
    """The resource groups of one slice, their subscriptions, and the queues; what cannot be read is a gap each."""

    def __init__(self, part: Slice, ports: SweepPorts) -> None:
        """`part` names the resource groups of the policy and of our connectors."""
        self._part = part
        self._ports = ports
        self._policy = ports.policy.current()
        self._policies = tuple(filter(None, (self._policy, self._policy.of(Provider.GCP))))
        self.findings: list[SweepFinding] = []
        self.gaps: list[Gap] = []

    def look(self) -> None:
        """Fills findings and gaps. Raises TransientError, ConfigurationError where the policy cannot be read."""
        self._look_at_queues()
        self._look_at_rights()
        self._look_at_sight()
        self._look_at_plans()

    def _look_at_queues(self) -> None:
        """What queues hold that waits for a person."""
        for gauge in self._ports.gauges:
            for depth in gauge.measure():
                if depth.problem:
                    self.gaps.append(Gap(reason=depth.problem, area=Area.PREREQUISITES))
                if depth.given_up and depth.waiting:
                    self.findings.append(given_up_finding(depth.name, depth.waiting, depth.oldest_at))

    def _look_at_rights(self) -> None:
        """What our identity may not do where it has to; a resource group that is not there is told and no gap."""
        for scope in self._part.scopes:
            try:
                permissions = self._ports.rights.list_permissions(scope)
                lacked = (action for policy in self._policies for action in missing_rights(policy, scope, permissions))
                missing = tuple(dict.fromkeys(lacked))
            except RollcallError as error:
                if error.key == RESOURCE_MISSING:
                    self.findings.append(absent_finding(scope))
                else:
                    self._unread(error)
                continue
            if missing:
                self.findings.append(rights_finding(scope, missing))

    def _look_at_sight(self) -> None:
        """Subscriptions that are named and not shown: what stands there is unseen, so that nothing is concluded."""
        named, shown = self._had(self._named), self._had(self._ports.subscriptions.shown)
        if named is None or shown is None:
            return
        for subscription_id in sorted(named.keys() - shown):
            finding = unseen_finding(subscription_id, named[subscription_id])
            self.findings.append(finding)
            self.gaps.append(Gap(reason=finding.reason))

    def _named(self) -> dict[str, str]:
        """Subscriptions, in lower case, by who names them. Raises TransientError, ConfigurationError."""
        named = {
            ConnectorId.parse(record.connector_id).subscription_id.lower(): "the ledger"
            for record in self._ports.ledger.list_records()
            if record.state is State.CONNECTED and record.connector_id
        }
        return named | {subscription_of(scope): "the policy" for scope in self._part.scopes}

    def _look_at_plans(self) -> None:
        """Plans that connectors need and that are off; a subscription of which no plan is shown is unknown."""
        holders = self._had(self._holders)
        plans = self._had(self._ports.subscriptions.plans) if holders else None
        if not holders or plans is None:
            return
        for subscription_id, counted in sorted(holders.items()):
            if (known := plans.get(subscription_id)) is not None:
                self.findings += plan_findings(subscription_id, counted, known)
            else:
                reason = f"Resource Graph shows no plan of subscription {subscription_id}"
                self.gaps.append(Gap(reason=reason, area=Area.PREREQUISITES))

    def _holders(self) -> Mapping[str, Mapping[Plan, int]]:
        """Connectors of ours, of accounts and projects, by subscription and plan."""
        found: dict[str, Counter[Plan]] = defaultdict(Counter)
        for policy in self._policies:
            parent = policy.organization_connector
            owners = policy.organization, parent.parent_of_members if parent is not None else ""
            for subscription_id, counted in self._ports.subscriptions.holders(*owners).items():
                found[subscription_id].update(counted)
        return found

    def _had(self, read: Callable[[], _Read]) -> _Read | None:
        """What was read; None where it failed, which is a gap."""
        try:
            return read()
        except RollcallError as error:
            self._unread(error)
            return None

    def _unread(self, error: RollcallError) -> None:
        logger.error("prerequisite_unread", extra={"reason": error.reason, "remedy": error.remedy})
        self.gaps.append(Gap(reason=error.reason, area=Area.PREREQUISITES))
