"""What our own identity has to be allowed where connectors stand: the Azure roles of docs/operations.md, by action.

Source: Azure built-in roles; Microsoft Defender for Cloud, "Roles and permissions"; an Owner's features:
shared/domain/prechecks.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.domain.connectors import Connector
from shared.domain.placement import is_ours
from shared.domain.policy import Mode, OnMissingOwner, Policy
from shared.domain.prechecks import ASSIGN_ROLES, Permission, owner_features
from shared.domain.profiles import Profile
from shared.domain.targets import Target

_CONNECTORS = "Microsoft.Security/securityConnectors"
_MACHINES = "Microsoft.HybridCompute/machines"
READS = (
    f"{_CONNECTORS}/read",
    f"{_MACHINES}/read",
    "Microsoft.Resources/subscriptions/read",
    "Microsoft.Security/assessments/read",
    "Microsoft.Security/healthReports/read",
    "Microsoft.Security/pricings/read",
)
"""What the sweep itself reads, and onboarding beforehand."""
WRITES = (f"{_CONNECTORS}/write", f"{_CONNECTORS}/delete")
STANDARDS = "Microsoft.Security/standardAssignments/write"
GOVERNANCE = "Microsoft.Security/governanceRules/write"
DELETE_MACHINES = f"{_MACHINES}/delete"


def scopes_of(policy: Policy, connectors: Iterable[Connector]) -> tuple[str, ...]:
    """The resource groups that the policy names, and those that hold connectors of ours."""
    targets = [_scope(target.subscription_id, target.resource_group) for target, _ in _placed(policy)]
    held = [
        _scope(each.connector_id.subscription_id, each.connector_id.resource_group)
        for each in connectors
        if is_ours(each, policy)
    ]
    named = {scope.lower(): scope for scope in (*held, *targets)}  # as the policy writes it, where it does
    return tuple(named[lower] for lower in sorted(named))


def subscription_of(scope: str) -> str:
    """The subscription of a resource id, in lower case: ids of Azure have none."""
    return scope.split("/")[2].lower()


def missing_rights(policy: Policy, scope: str, permissions: Iterable[Permission]) -> tuple[str, ...]:
    """The actions that our identity needs in a resource group and does not have there."""
    held = tuple(permissions)
    return tuple(
        action for action in _needed(policy, scope) if not any(permission.allows(action) for permission in held)
    )


def _needed(policy: Policy, scope: str) -> Iterator[str]:
    yield from READS
    profiles = [profile for target, profile in _placed(policy) if _is(target, scope)]
    if policy.mode is not Mode.NATIVE:
        yield from WRITES
        if any(profile.standards for profile in profiles):
            yield STANDARDS
        if any(profile.governance for profile in profiles):
            yield GOVERNANCE
        refuses = policy.prechecks.owner_features is OnMissingOwner.REFUSE
        if refuses and any(owner_features(profile) for profile in profiles):
            yield ASSIGN_ROLES
    if policy.deletions.orphaned_machines:
        yield DELETE_MACHINES


def _placed(policy: Policy) -> Iterator[tuple[Target, Profile]]:
    yield policy.target, policy.default_profile
    for rule in policy.rules:
        yield rule.target or policy.target, rule.profile


def _is(target: Target, scope: str) -> bool:
    return _scope(target.subscription_id, target.resource_group).lower() == scope.lower()


def _scope(subscription_id: str, resource_group: str) -> str:
    return f"/subscriptions/{subscription_id}/resourceGroups/{resource_group}"
