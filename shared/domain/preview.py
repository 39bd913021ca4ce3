"""What would become of an account's connector under a policy, decided without doing any of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.connectors import Connector, ConnectorId, without_absent
from shared.domain.drift import Difference, differences
from shared.domain.placement import Placement, is_ours, place
from shared.domain.policy import Decision, Mode, Policy, Verdict, decide
from shared.domain.profiles import Plan, Profile

_STAYS = "nothing is deleted without opt-in"


class Action(StrEnum):
    """What would be done about an account, in the order in which people want to read it.

    `stays`: excluded now, with a connector of ours; `departed`: a connector of ours, of an account that the
    organization does not list any more. Both become `remove` where the policy's `deletions` say so.
    """

    CREATE = "create"
    CHANGE = "change"
    REMOVE = "remove"
    REFUSED = "refused"
    DEPARTED = "departed"
    STAYS = "stays"
    WAITS = "waits"
    EXCLUDED = "excluded"
    UNCHANGED = "unchanged"


NEEDS_NOTHING = frozenset({Action.EXCLUDED, Action.UNCHANGED})


@dataclass(frozen=True, kw_only=True)
class Change:
    """One field that would change; None stands for absent."""

    path: str
    now: Any
    wanted: Any


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a person should know before it happens; the same one about many accounts is told once."""

    key: str
    message: str


@dataclass(frozen=True, kw_only=True)
class PlannedAccount:
    """One account and what would be done. `profile` is empty where it would get none."""

    hierarchy_identifier: str
    action: Action
    reason: str
    provider: Provider = Provider.AWS
    name: str = ""
    ou_path: str = ""
    profile: str = ""
    connector_id: ConnectorId | None = None
    changes: tuple[Change, ...] = ()
    notes: tuple[Note, ...] = ()


def plan_account(policy: Policy, account: Account, connectors: Sequence[Connector]) -> PlannedAccount:
    """Plans one account of the organization; `connectors` are all of that account's in the tenant."""
    decision = decide(policy, account)
    if decision.verdict is Verdict.INCLUDE:
        planned = _plan_included(policy, account, decision, connectors)
    else:
        planned = _plan_left_out(policy, account, decision, connectors)
    return replace(planned, provider=account.provider, name=account.name, ou_path=account.ou_path)


def plan_departed(policy: Policy, connector: Connector) -> PlannedAccount:
    """Plans a connector of ours whose account the organization does not list."""
    fate, action = _fate(Action.DEPARTED, policy.deletions.departed_accounts, "departed_accounts", policy)
    return PlannedAccount(
        hierarchy_identifier=connector.hierarchy_identifier,
        action=action,
        reason=f"the organization does not list the account; its connector {fate}",
        connector_id=connector.connector_id,
    )


def _fate(otherwise: Action, may: bool, setting: str, policy: Policy) -> tuple[str, Action]:
    if not may:
        return f"would stay: {_STAYS}", otherwise
    return f"would be removed: deletions.{setting}, at most {policy.deletions.most_per_run} a run", Action.REMOVE


def _plan_left_out(
    policy: Policy, account: Account, decision: Decision, connectors: Sequence[Connector]
) -> PlannedAccount:
    ours = next((each for each in connectors if each.organization == policy.organization), None)
    planned = PlannedAccount(
        hierarchy_identifier=account.account_id,
        action=Action.WAITS if decision.verdict is Verdict.WAIT else Action.EXCLUDED,
        reason=decision.reason,
        connector_id=ours.connector_id if ours else None,
    )
    if ours is None or planned.action is Action.WAITS:
        return planned
    if account.is_management:
        fate, action = f"would stay: {_STAYS}", Action.STAYS
    elif account.state is AccountState.ACTIVE:
        fate, action = _fate(Action.STAYS, policy.deletions.excluded_accounts, "excluded_accounts", policy)
    else:
        fate, action = _fate(Action.STAYS, policy.deletions.departed_accounts, "departed_accounts", policy)
    return replace(planned, action=action, reason=f"{decision.reason}; its connector {fate}")


def _plan_included(
    policy: Policy, account: Account, decision: Decision, connectors: Sequence[Connector]
) -> PlannedAccount:
    planned = PlannedAccount(
        hierarchy_identifier=account.account_id,
        action=Action.UNCHANGED,
        reason=decision.reason,
        profile=decision.profile.name,
    )
    for connector in connectors:
        if not is_ours(connector, policy):
            return replace(
                planned,
                action=Action.REFUSED,
                reason=f"the account is connected already by {connector.connector_id}, which is not ours",
                connector_id=connector.connector_id,
            )
    wanted = place(policy, account.account_id, decision.profile, decision.target)
    if policy.mode is Mode.NATIVE:
        return _plan_native(planned, connectors)
    if not connectors:
        notes = tuple(_notes_on_servers(decision.profile, wanted.connector_id))
        return replace(planned, action=Action.CREATE, connector_id=wanted.connector_id, notes=notes)
    standing = next((each for each in connectors if each.connector_id.same_as(wanted.connector_id)), connectors[0])
    return _plan_standing(planned, decision, wanted, standing)


def _plan_native(planned: PlannedAccount, connectors: Sequence[Connector]) -> PlannedAccount:
    if not connectors:
        return replace(planned, action=Action.WAITS, reason="mode native: Defender makes its connector by itself")
    return replace(planned, reason="mode native: Defender keeps it", connector_id=connectors[0].connector_id)


def _plan_standing(
    planned: PlannedAccount, decision: Decision, wanted: Placement, standing: Connector
) -> PlannedAccount:
    found = differences(wanted.desired, standing.body)
    notes = list(_notes_on_place(wanted, standing))
    if found:
        notes += _notes_on_changes(found)
        notes += _notes_on_servers(decision.profile, standing.connector_id)
    return replace(
        planned,
        action=Action.CHANGE if found else Action.UNCHANGED,
        connector_id=standing.connector_id,
        changes=tuple(_change(difference) for difference in found),
        notes=tuple(notes),
    )


def _change(difference: Difference) -> Change:
    return Change(path=difference.path, now=difference.actual, wanted=without_absent(difference.desired))


def _notes_on_place(wanted: Placement, standing: Connector) -> Iterator[Note]:
    if not standing.connector_id.same_as(wanted.connector_id):
        place_wanted = wanted.connector_id
        yield Note(
            key="not-moved",
            message=f"the policy's target is resource group {place_wanted.resource_group} of subscription "
            f"{place_wanted.subscription_id}; a connector that exists elsewhere or under another name is not moved",
        )
    have, want = str(standing.body.get("location") or ""), str(wanted.desired["location"])
    if have and _plain(have) != _plain(want):
        yield Note(
            key="location-kept",
            message=f"the policy's location is {want}; a connector that exists in {have} keeps its location",
        )


def _plain(location: str) -> str:
    return location.lower().replace(" ", "")


def _notes_on_changes(found: Sequence[Difference]) -> Iterator[Note]:
    containers = f"properties.offerings[{Plan.CONTAINERS}]"
    for difference in found:
        if difference.path == f"{containers}.enableAuditLogsAutoProvisioning" and not difference.desired:
            yield Note(
                key="audit-logs-off",
                message="audit logs of Containers are switched off: control-plane threat detection is lost there",
            )
        if difference.desired is None and difference.path.endswith("]"):
            kind = difference.path.partition("[")[2].removesuffix("]")
            yield Note(
                key="plan-removed",
                message=f"{kind} is taken off: the extensions that it brought stay on the machines",
            )


def _notes_on_servers(profile: Profile, connector_id: ConnectorId) -> Iterator[Note]:
    if Plan.SERVERS in profile.plans:
        yield Note(
            key="agent-settings",
            message=f"Servers: subscription {connector_id.subscription_id} has one setting for agents, which all "
            "accounts and projects connected in it share",
        )
