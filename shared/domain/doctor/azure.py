"""Subscriptions, rights and storage of Azure's side: what the facts come to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.domain.doctor import azure_checks as checks
from shared.domain.doctor.verdicts import Check, State, Verdict
from shared.domain.identity_provider import audiences_of
from shared.domain.policy import OnMissingPlan, Policy
from shared.domain.prechecks import NEEDED_PLANS, Permission
from shared.domain.profiles import Profile
from shared.domain.roles import PROVIDER_HOST
from shared.domain.subscription_plans import PLAN_WORDS, SubscriptionPlan
from shared.domain.sweep.identity import ProviderSeen
from shared.domain.sweep.rights import missing_rights
from shared.domain.targets import Target

QUEUE_NAMES = ("onboarding", "onboarding-poison", "sweep", "sweep-poison")
TABLE_NAMES = ("accounts", "history", "pacing", "parked", "sweeps")
"""Those of infra/azure/modules/intake-storage.bicep."""
READS_EVERYTHING = {
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
}
"""Built-in roles with `*/read`, by id. Source: Azure built-in roles."""
_USABLE = {"enabled", "pastdue"}


@dataclass(frozen=True, kw_only=True)
class RootSeen:
    """What the tenant's root management group says of an identity: whether it may read there, and its own roles' ids.

    Roles that it has through a group are not among them.
    """

    readable: bool
    roles: tuple[str, ...] = ()
    refusal: str = ""


def root_verdict(tenant_id: str, object_id: str, seen: RootSeen) -> Verdict:
    """Whether everything in the tenant can be seen."""
    check = checks.READER_AT_ROOT
    scope = f"/providers/Microsoft.Management/managementGroups/{tenant_id}"
    command = (
        f"az role assignment create --assignee-object-id {object_id} --assignee-principal-type ServicePrincipal "
        f"--role Reader --scope {scope}"
    )
    if not seen.readable:
        return check.wrong(f"{object_id} may not read there: {seen.refusal}", subject=scope, command=command)
    named = [READS_EVERYTHING[each] for each in seen.roles if each in READS_EVERYTHING]
    if named:
        return check.ok(f"{object_id} is {named[0]} there", subject=scope)
    return check.wrong(f"{object_id} has no role there that reads everything", subject=scope, command=command)


def targets_of(policy: Policy) -> tuple[tuple[Target, tuple[Profile, ...]], ...]:
    """Every place of connectors that the policy names, for either cloud, with the profiles of accounts there."""
    found: dict[tuple[str, str], tuple[Target, list[Profile]]] = {}
    for each in (policy, policy.gcp):
        if each is None:
            continue
        placed = [(each.target, each.default_profile), *((r.target or each.target, r.profile) for r in each.rules)]
        for target, profile in placed:
            place = (target.subscription_id.lower(), target.resource_group.lower())
            known = found.setdefault(place, (target, []))[1]
            if profile.name not in {one.name for one in known}:
                known.append(profile)
    return tuple((target, tuple(profiles)) for target, profiles in found.values())


def subscription_verdict(subscription_id: str, state: str) -> Verdict:
    """Whether it takes connectors."""
    if state.lower() in _USABLE:
        return checks.SUBSCRIPTIONS.ok(f"it is {state}", subject=subscription_id)
    return checks.SUBSCRIPTIONS.wrong(f"it is {state or 'in no known state'}", subject=subscription_id)


def group_verdict(target: Target, *, there: bool) -> Verdict:
    """Whether it is there."""
    scope = scope_of(target)
    if there:
        return checks.RESOURCE_GROUPS.ok("it is there", subject=scope)
    command = (
        f"az group create --subscription {target.subscription_id} --name {target.resource_group} "
        f"--location {target.location}"
    )
    return checks.RESOURCE_GROUPS.wrong("it is not there", subject=scope, command=command)


def scope_of(target: Target) -> str:
    """The id of a target's resource group."""
    return f"/subscriptions/{target.subscription_id}/resourceGroups/{target.resource_group}"


def rights_verdict(policy: Policy, target: Target, object_id: str, permissions: Iterable[Permission]) -> Verdict:
    """Whether everything may be done there that has to be done."""
    scope, held = scope_of(target), tuple(permissions)
    policies = [each for each in (policy, policy.gcp) if each is not None]
    missing = dict.fromkeys(action for each in policies for action in missing_rights(each, scope, held))
    if not missing:
        return checks.ROLE_ASSIGNMENTS.ok("every action is allowed", subject=scope)
    command = (
        f"az role assignment create --assignee-object-id {object_id} --assignee-principal-type ServicePrincipal "
        f"--role 'Security Admin' --scope {scope}"
    )
    rights = [each for each in missing if not each.startswith("Microsoft.Security/")]
    return checks.ROLE_ASSIGNMENTS.wrong(
        f"{object_id} may not: {', '.join(missing)}",
        subject=scope,
        command="" if rights else command,
        evidence={"actions": ", ".join(missing)},
    )


def of_another(verdict: Verdict) -> Verdict:
    """What a person's lack of a right says of the Function App's identity, in whose place they look: nothing."""
    if verdict.state is not State.WRONG:
        return verdict
    reason = f"{verdict.reason}; whether the Function App may, only it can say"
    return verdict.check.unknown(reason, subject=verdict.subject, remedy=checks.FUNCTION_APP.remedy)


def registration_verdict(subscription_id: str, state: str) -> Verdict:
    """Whether Microsoft.Security is registered."""
    if state == "Registered":
        return checks.REGISTRATION.ok("it is registered", subject=subscription_id)
    command = f"az provider register --namespace Microsoft.Security --subscription {subscription_id}"
    return checks.REGISTRATION.wrong(f"it is {state or 'unknown'}", subject=subscription_id, command=command)


def plans_verdict(
    policy: Policy, subscription_id: str, profiles: Iterable[Profile], plans: Iterable[SubscriptionPlan]
) -> Verdict:
    """Whether the plans that profiles need there are on."""
    wanted = {plan for profile in profiles for plan in profile.plans}
    needed = [name for plan, name in NEEDED_PLANS.items() if plan in wanted]
    on = {plan.name for plan in plans if plan.is_on}
    missing = [name for name in needed if name not in on]
    if not missing:
        return checks.PLANS.ok(f"on are {', '.join(needed)}" if needed else "none is needed", subject=subscription_id)
    words = {name: word for word, name in PLAN_WORDS.items()}
    command = (
        f"rollcall subscription enable --subscription {subscription_id} "
        f"--plans {','.join(words.get(name, name) for name in missing)}"
    )
    why = f"off are {', '.join(missing)}"
    if policy.prechecks.subscription_plans is OnMissingPlan.WARN:
        return checks.PLANS.advice(f"{why}; the policy takes that", subject=subscription_id, command=command)
    return checks.PLANS.wrong(why, subject=subscription_id, command=command)


def storage_verdicts(check: Check, account: str, found: Mapping[str, bool]) -> Iterator[Verdict]:
    """Which queues, tables or containers there are; `account` is the name of the storage account."""
    absent = [name for name, there in found.items() if not there]
    verbs = {checks.QUEUES.key: "queue", checks.TABLES.key: "table", checks.CONTAINERS.key: "container"}
    for name in absent:
        command = f"az storage {verbs[check.key]} create --name {name} --account-name {account} --auth-mode login"
        yield check.wrong(f"{name} is not there", subject=name, command=command)
    if not absent:
        yield check.ok(f"there are {', '.join(found)}", subject=account)


def sentinel_verdict(account_id: str, profile: Profile, seen: ProviderSeen | None) -> Verdict:
    """Whether a provider that somebody else made lets Defender into every role of the profile."""
    check = checks.SENTINEL_FIRST
    if seen is None:
        return check.wrong("its provider is gone, though its roles use it", subject=account_id)
    missing = [each for each in audiences_of(profile) if each not in seen.client_ids]
    if not missing:
        return check.ok("its provider lists every client id", subject=account_id)
    add = (
        "aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn "
        f"arn:aws:iam::{account_id}:oidc-provider/{PROVIDER_HOST} --client-id"
    )
    return check.wrong(
        f"its provider lacks {', '.join(missing)}",
        subject=account_id,
        command="; ".join(f"{add} {each}" for each in missing),
    )


def workspace_verdict(workspace: str, *, there: bool, solutions: Iterable[str]) -> Verdict:
    """Whether the workspace has Security or SecurityInsights (Microsoft Sentinel)."""
    check, found = checks.WORKSPACE, list(solutions)
    parts = workspace.strip("/").split("/")
    if not there:
        return check.wrong("the workspace is not there", subject=workspace)
    if found:
        return check.ok(f"it has {', '.join(found)}", subject=workspace)
    command = (
        f"az monitor log-analytics solution create --subscription {parts[1]} --resource-group {parts[3]} "
        f"--solution-type Security --workspace {parts[-1]}"
    )
    return check.wrong("it has neither Security nor SecurityInsights", subject=workspace, command=command)
