"""What would become of an account's connector under a policy, decided without doing any of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.connectors import Connector, ConnectorId, without_absent
from shared.domain.drift import Difference, differences
from shared.domain.findings import Finding
from shared.domain.placement import Placement, address_of, beside, is_ours, is_parent, place
from shared.domain.policy import Decision, Mode, Policy, Verdict, decide
from shared.domain.prechecks import Checked
from shared.domain.preview_checks import Known
from shared.domain.preview_notes import (
    AFTERCARE_DUE,
    Note,
    notes_on_changes,
    notes_on_number,
    notes_on_organization,
    notes_on_owner,
    notes_on_place,
    notes_on_servers,
)
from shared.domain.profiles import Profile
from shared.domain.standing import find_foreign, foreign, membership_change, missing_parent, standing_at, target_of
from shared.domain.targets import Target

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
class PlannedAccount:
    """One account and what would be done. `profile` is empty where it would get none.

    `key` and `remedy` belong to what is refused or waits: its heading in docs/runbook.md, and what a person has to do.
    """

    hierarchy_identifier: str
    action: Action
    reason: str
    key: str = ""
    remedy: str = ""
    provider: Provider = Provider.AWS
    name: str = ""
    ou_path: str = ""
    profile: str = ""
    connector_id: ConnectorId | None = None
    changes: tuple[Change, ...] = ()
    notes: tuple[Note, ...] = ()


def plan_account(
    policy: Policy, account: Account, connectors: Sequence[Connector], known: Known | None = None
) -> PlannedAccount:
    """Plans one account of the organization; `connectors` are all of that account's in the tenant."""
    decision = decide(policy, account)
    if decision.verdict is Verdict.INCLUDE:
        planned = _plan_included(policy, account, decision, connectors, known or Known())
    else:
        planned = _plan_left_out(policy, account, decision, connectors)
    notes = (*planned.notes, *notes_on_number(connectors, policy))
    return replace(planned, provider=account.provider, name=account.name, ou_path=account.ou_path, notes=notes)


def plan_departed(policy: Policy, connector: Connector) -> PlannedAccount:
    """Plans a connector of ours whose account the organization does not list."""
    fate, action = _fate(Action.DEPARTED, policy.deletions.departed_accounts, "departed_accounts", policy)
    return PlannedAccount(
        hierarchy_identifier=connector.hierarchy_identifier,
        provider=policy.provider,
        action=action,
        reason=f"the organization does not list the {policy.noun}; its connector {fate}",
        connector_id=connector.connector_id,
    )


def _fate(otherwise: Action, may: bool, setting: str, policy: Policy) -> tuple[str, Action]:
    if not may:
        return f"would stay: {_STAYS}", otherwise
    counted = "in one batch of events" if policy.provider is Provider.AWS else "in a day"
    return f"would be removed: deletions.{setting}, at most {policy.deletions.most_per_run} {counted}", Action.REMOVE


def _plan_left_out(
    policy: Policy, account: Account, decision: Decision, connectors: Sequence[Connector]
) -> PlannedAccount:
    ours = next((each for each in connectors if is_ours(each, policy)), None)
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
    policy: Policy, account: Account, decision: Decision, connectors: Sequence[Connector], known: Known
) -> PlannedAccount:
    planned = PlannedAccount(
        hierarchy_identifier=account.account_id,
        action=Action.UNCHANGED,
        reason=decision.reason,
        name=account.name,
        profile=decision.profile.name,
    )
    if policy.mode is Mode.NATIVE:
        return _plan_native(planned, policy, decision, connectors, known)
    if (theirs := find_foreign(connectors, policy)) is not None:
        return replace(_refuse(planned, foreign(theirs, policy)), connector_id=theirs.connector_id)
    return _plan_connected(planned, policy, decision, connectors, known)


def _plan_connected(
    planned: PlannedAccount, policy: Policy, decision: Decision, connectors: Sequence[Connector], known: Known
) -> PlannedAccount:
    """The steps of onboarding, in its order; all connectors are ours."""
    account_id = planned.hierarchy_identifier
    wanted = place(policy, account_id, decision.profile, decision.target, planned.name)
    standing = standing_at(wanted.connector_id, connectors)
    wanted = beside(wanted, standing, known.exclusions)
    planned = replace(planned, connector_id=standing.connector_id if standing else None)
    if standing is not None and (change := membership_change(standing, wanted)):
        return _refuse(planned, change)
    if standing is None and known.mode_switch is not None:
        return _refuse(planned, known.mode_switch)
    if standing is not None and known.settles(decision.profile) and not differences(wanted.desired, standing.body):
        return _plan_standing(planned, decision.profile, wanted, standing)
    place_of = standing.connector_id if standing is not None else wanted.connector_id
    checked = known.check(decision.profile, policy.prechecks, account_id, place_of.subscription_id)
    if checked.refusals:
        return _refuse(planned, *checked.refusals)
    if missing := missing_parent(policy, decision, account_id, known.parents):
        return replace(planned, action=Action.WAITS, reason=missing.reason, key=missing.key, remedy=missing.remedy)
    wanted = beside(
        place(policy, account_id, checked.profile, decision.target, planned.name), standing, known.exclusions
    )
    if standing is None:
        planned = _plan_new(planned, checked.profile, wanted)
    else:
        planned = _plan_standing(planned, checked.profile, wanted, standing)
    return replace(planned, notes=(*planned.notes, *_notes_on_checks(planned, checked, known)))


def checked_at(policy: Policy, account: Account, connectors: Sequence[Connector]) -> Target | None:
    """Where onboarding would look before it writes; None where it would not look."""
    decision = decide(policy, account)
    if decision.verdict is not Verdict.INCLUDE or policy.mode is Mode.NATIVE or find_foreign(connectors, policy):
        return None
    wanted = address_of(policy, account.account_id, decision.target)
    standing = standing_at(wanted, connectors)
    return target_of(standing.connector_id if standing else wanted, decision.target)


def _notes_on_checks(planned: PlannedAccount, checked: Checked, known: Known) -> Iterator[Note]:
    yield from (Note(key=finding.key, message=finding.reason) for finding in checked.notes)
    if planned.connector_id is not None and planned.action in {Action.CREATE, Action.CHANGE}:
        subscription_id = planned.connector_id.subscription_id
        if known.assumes_owner(subscription_id):
            yield from notes_on_owner(checked.profile, subscription_id)
    if known.aftercare_due(checked.profile, creates=planned.action is Action.CREATE):
        yield AFTERCARE_DUE


def _plan_native(
    planned: PlannedAccount, policy: Policy, decision: Decision, connectors: Sequence[Connector], known: Known
) -> PlannedAccount:
    wanted = place(policy, planned.hierarchy_identifier, decision.profile, decision.target, planned.name)
    for connector in connectors:
        planned = replace(planned, connector_id=connector.connector_id)
        if not is_ours(connector, policy) and not is_parent(connector, policy):
            return _refuse(planned, foreign(connector, policy))
        if is_ours(connector, policy) and (change := membership_change(connector, wanted)):
            return _refuse(planned, change)
        return replace(planned, reason="mode native: Defender keeps it")
    if known.mode_switch is not None:
        return _refuse(planned, known.mode_switch)
    return replace(planned, action=Action.WAITS, reason="mode native: Defender makes its connector by itself")


def _refuse(planned: PlannedAccount, *findings: Finding) -> PlannedAccount:
    return replace(
        planned,
        action=Action.REFUSED,
        reason="; ".join(finding.reason for finding in findings),
        key=findings[0].key,
        remedy=" ".join(finding.remedy for finding in findings),
    )


def _plan_new(planned: PlannedAccount, profile: Profile, wanted: Placement) -> PlannedAccount:
    notes = (*notes_on_servers(profile, wanted.connector_id), *notes_on_organization(wanted))
    return replace(planned, action=Action.CREATE, connector_id=wanted.connector_id, notes=notes)


def _plan_standing(planned: PlannedAccount, profile: Profile, wanted: Placement, standing: Connector) -> PlannedAccount:
    found = differences(wanted.desired, standing.body)
    notes = list(notes_on_place(wanted, standing))
    if found:
        notes += notes_on_changes(found)
        notes += notes_on_servers(profile, standing.connector_id)
    return replace(
        planned,
        action=Action.CHANGE if found else Action.UNCHANGED,
        connector_id=standing.connector_id,
        changes=tuple(_change(difference) for difference in found),
        notes=tuple(notes),
    )


def _change(difference: Difference) -> Change:
    return Change(path=difference.path, now=difference.actual, wanted=without_absent(difference.desired))
