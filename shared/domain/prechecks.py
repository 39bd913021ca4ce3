"""What has to be the case before a connector is made, decided from facts that were read beforehand.

Source: Microsoft Defender for Cloud documentation, "Connect your AWS account" (prerequisites), "Enable Defender for
Servers / Databases" (plans of the subscription), and "How to use the classic connector".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.domain.findings import (
    CLASSIC_CONNECTOR,
    OWNER_MISSING,
    SUBSCRIPTION_NOT_ENABLED,
    SUBSCRIPTION_PLAN_OFF,
    Finding,
)
from shared.domain.policy import OnMissingOwner, OnMissingPlan, Prechecks
from shared.domain.profiles import Plan, Profile

ASSIGN_ROLES = "Microsoft.Authorization/roleAssignments/write"
"""What an Owner may do and a Contributor may not."""
_USABLE_STATES = frozenset({"enabled", "pastdue"})  # a warned one is read-only already
NEEDED_PLANS: Mapping[Plan, str] = {
    Plan.DEFENDER_CSPM: "CloudPosture",
    Plan.SERVERS: "VirtualMachines",
    Plan.DATABASES: "SqlServerVirtualMachines",
}
"""The plan of the subscription, by its name in Microsoft.Security/pricings, that a plan of the connector needs."""


@dataclass(frozen=True, kw_only=True)
class Permission:
    """One role's actions at a scope; `*` stands for anything, case does not matter."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    def allows(self, action: str) -> bool:
        """Whether the role contains the action."""
        return _any_matches(self.actions, action) and not _any_matches(self.not_actions, action)


@dataclass(frozen=True, kw_only=True)
class SubscriptionFacts:
    """What was read about a subscription, and about one of its resource groups, at `read_at` (UTC).

    `plans` are the names in Microsoft.Security/pricings that are at tier Standard; `classic_connectors` resource ids
    by account id.
    """

    subscription_id: str
    state: str
    plans: frozenset[str]
    permissions: tuple[Permission, ...]
    classic_connectors: Mapping[str, str] = field(default_factory=dict)
    read_at: datetime

    def may(self, action: str) -> bool:
        """Whether our identity may do that in the resource group."""
        return any(permission.allows(action) for permission in self.permissions)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What the checks come to: refusals, or the profile that can be had, and what that one lacks."""

    profile: Profile
    refusals: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()


def check(facts: SubscriptionFacts, profile: Profile, rules: Prechecks, account_id: str) -> Checked:
    """Decides whether an account may get its connector, with which plans, and what to say about it."""
    refusals: list[Finding] = []
    notes: list[Finding] = []
    if facts.state.lower() not in _USABLE_STATES:
        reason = f"subscription {facts.subscription_id} is {facts.state}"
        refusals.append(SUBSCRIPTION_NOT_ENABLED.found(reason))
    if classic := facts.classic_connectors.get(account_id):
        refusals.append(CLASSIC_CONNECTOR.found(f"the account has a classic connector: {classic}"))
    missing = [name for plan, name in NEEDED_PLANS.items() if plan in profile.plans and name not in facts.plans]
    if missing:
        found = SUBSCRIPTION_PLAN_OFF.found(
            f"subscription {facts.subscription_id} has these plans off: {', '.join(missing)}"
        )
        (refusals if rules.subscription_plans is OnMissingPlan.REFUSE else notes).append(found)
    if (parts := owner_features(profile)) and not facts.may(ASSIGN_ROLES):
        refuses = rules.owner_features is OnMissingOwner.REFUSE
        said = "needs an Owner" if refuses else "left out, since they need an Owner"
        found = OWNER_MISSING.found(f"{', '.join(parts)}: {said} of subscription {facts.subscription_id}")
        (refusals if refuses else notes).append(found)
        profile = profile if refuses else without_owner_features(profile)
    return Checked(profile=profile, refusals=tuple(refusals), notes=tuple(notes))


def owner_features(profile: Profile) -> tuple[str, ...]:
    """The parts of a profile that only an Owner of the subscription can switch on, in words for people."""
    arc = profile.arc.enabled and (profile.servers or profile.databases)
    cspm = profile.cspm
    full = cspm and (profile.agentless_scanning.enabled or cspm.sensitive_data or cspm.ciem)
    return tuple(words for words, is_on in (("Arc provisioning", arc), ("full Defender CSPM", full)) if is_on)


def without_owner_features(profile: Profile) -> Profile:
    """The profile as far as a Contributor can have it: no Arc, and of Defender CSPM what needs no Owner."""
    cspm = profile.cspm and replace(profile.cspm, sensitive_data=False, ciem=None)
    scanning = replace(profile.agentless_scanning, enabled=profile.agentless_scanning.enabled and cspm is None)
    return replace(profile, cspm=cspm, agentless_scanning=scanning, arc=replace(profile.arc, enabled=False))


def _any_matches(patterns: Iterable[str], action: str) -> bool:
    return any(
        re.fullmatch(".*".join(re.escape(piece) for piece in pattern.split("*")), action, re.IGNORECASE)
        for pattern in patterns
    )
