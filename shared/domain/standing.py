"""What stands in the tenant for an account already, and what that means for the connector that the policy wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.domain.accounts import Provider, as_argument
from shared.domain.connectors import ENVIRONMENT_OF, Connector, ConnectorId
from shared.domain.findings import MEMBERSHIP_CHANGE, ORGANIZATION_CONNECTOR_MISSING, Finding
from shared.domain.placement import Placement, address_of, is_organization_connector, is_ours, membership_changes
from shared.domain.policy import Decision, Mode, Policy
from shared.domain.targets import Target

DUPLICATE = "duplicate-connector"
"""The key of what is refused because of another's connector."""


def find_foreign(connectors: Sequence[Connector], policy: Policy) -> Connector | None:
    """The first connector that is not ours."""
    return next((each for each in connectors if not is_ours(each, policy)), None)


def foreign(connector: Connector, policy: Policy) -> Finding:
    """Why an account or project stays as it is that another's connector has; `policy` is that of its cloud."""
    noun, who = policy.noun, as_argument(connector.hierarchy_identifier, policy.provider)
    remedy = f"Remove it, exclude the {noun} in the policy, or take it over with `rollcall onboard {who} --adopt`."
    if made_in_another_mode(connector, policy) is not None:
        remedy = f"Remove it, or exclude the {noun} in the policy: made in another mode, it cannot be taken over."
    if connector.membership == "member":
        remedy = (
            "Defender made it under an Organization connector and would make it again: exclude the "
            f"{noun} there, or use mode member."
        )
    reason = f"the {noun} is connected already by {connector.connector_id}, which is not ours"
    return Finding(key=DUPLICATE, reason=reason, remedy=f"{remedy} Runbook: {DUPLICATE}.")


def _provider_of(connector: Connector) -> Provider:
    return Provider.GCP if connector.environment == ENVIRONMENT_OF[Provider.GCP] else Provider.AWS


def standing_at(wanted: ConnectorId, connectors: Sequence[Connector]) -> Connector | None:
    """The account's connector that is looked after: at its usual place, or else the first; None where there is none."""
    same = (each for each in connectors if each.connector_id.same_as(wanted))
    return next(same, connectors[0] if connectors else None)


def target_of(connector_id: ConnectorId, target: Target) -> Target:
    """The place of a connector as a target: what is checked is where it stands, not where a new one would."""
    return replace(target, subscription_id=connector_id.subscription_id, resource_group=connector_id.resource_group)


def made_in_another_mode(connector: Connector, policy: Policy) -> Finding | None:
    """Why the account's connector can never be what the policy asks for, whoever made it."""
    wanted = ""
    if policy.mode is not Mode.STANDALONE:
        is_parent = policy.is_organization_connector_s(connector.hierarchy_identifier)
        wanted = "organization" if is_parent else "member"
    return _changes_mode(connector) if connector.membership != wanted else None


def membership_change(standing: Connector, wanted: Placement) -> Finding | None:
    """Why a connector of another mode stays as it is."""
    if not membership_changes(standing, wanted.desired):
        return None
    return _changes_mode(standing)


def _changes_mode(connector: Connector) -> Finding:
    return MEMBERSHIP_CHANGE.found(
        f"{connector.connector_id} was made in another mode: a connector cannot join or leave an organization in place",
        remedy=MEMBERSHIP_CHANGE.remedy.replace("the account", f"the {_provider_of(connector).noun}"),
    )


def parent_account(policy: Policy, account_id: str) -> str:
    """The account whose Organization connector has to be there first; empty where none has to."""
    parent = policy.organization_connector
    if policy.mode is not Mode.MEMBER or parent is None or account_id == parent.management_account:
        return ""
    return parent.management_account


def missing_parent(policy: Policy, decision: Decision, account_id: str, found: Sequence[Connector]) -> Finding | None:
    """What a member waits for, since without its parent it would be an orphan; `found` are the parent account's."""
    parent = parent_account(policy, account_id)
    if not parent:
        return None
    expected = address_of(policy, parent, decision.target)
    if any(is_organization_connector(each) and each.connector_id.same_as(expected) for each in found):
        return None
    elsewhere = ", ".join(str(each.connector_id) for each in found)
    reason = f"there is no Organization connector {expected}" + (f", but {elsewhere}" if elsewhere else "")
    who = as_argument(parent, policy.provider)
    return ORGANIZATION_CONNECTOR_MISSING.found(
        reason, remedy=f"Ask for it with `rollcall onboard {who}`; members follow by themselves."
    )
