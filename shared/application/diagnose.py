"""Why Defender may call an account's connector unhealthy, seen in the account itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from shared.application.sweep_ports import SweepPorts
from shared.domain.accounts import Account
from shared.domain.policy import Mode, Policy
from shared.domain.profiles import Profile
from shared.domain.sweep.findings import Area, Gap, SweepFinding
from shared.domain.sweep.identity import identity_findings
from shared.domain.sweep.slices import MOST_TIME
from shared.domain.sweep.templates import InstanceSeen, template_findings
from shared.errors import RollcallError

logger = logging.getLogger(__name__)
_Seen = TypeVar("_Seen")


class Diagnosis:
    """Looks into accounts; one that gives no answer is a gap."""

    def __init__(self, policy: Policy, ports: SweepPorts, *, since: datetime) -> None:
        """`since` is when the slice began."""
        self._policy = policy
        self._ports = ports
        self._since = since
        self.gaps: list[Gap] = []

    def of(self, account: Account, profile: Profile, unhealthy: Sequence[SweepFinding]) -> Iterator[SweepFinding]:
        """What Defender says, with the stack instance as evidence, and what is wrong in the account.

        Roles and provider are compared with the profile, the stack with its StackSet; only `unhealthy` is said where
        the time is over.
        """
        account_id = account.account_id
        if self._ports.clock.now() - self._since > MOST_TIME:
            self.gaps.append(Gap(reason="the time of a slice was over", area=Area.HEALTH, account=account_id))
            yield from unhealthy
            return
        instance = self._instance(account)
        for finding in unhealthy:
            yield finding if instance is None else replace(finding, evidence={**finding.evidence, **instance.told})
        if instance is not None:
            yield from template_findings(account_id, instance)
        seen = self._asked(account_id, lambda: self._ports.identities.inspect(account_id, sorted(profile.roles())))
        if seen is not None:
            yield from identity_findings(account_id, profile, self._policy.tenant_id, seen)

    def _instance(self, account: Account) -> InstanceSeen | None:
        """None also where the roles come of no StackSet of ours: that of the management account, and mode `native`."""
        if account.is_management or self._policy.mode is Mode.NATIVE:
            return None
        return self._asked(account.account_id, lambda: self._ports.templates.inspect(account.account_id))

    def _asked(self, account_id: str, ask: Callable[[], _Seen]) -> _Seen | None:
        try:
            return ask()
        except RollcallError as error:
            logger.warning("account_not_diagnosed", extra={"hierarchy_identifier": account_id, "reason": error.reason})
            self.gaps.append(Gap(reason=error.reason, area=Area.HEALTH, account=account_id))
            return None
