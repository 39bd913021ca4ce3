"""Where an account's connector belongs and what it should say, in each of the three modes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.domain.accounts import Provider
from shared.domain.connector_api import Member, Membership, Organization
from shared.domain.connectors import (
    ENVIRONMENT_OF,
    STANDALONE,
    Connector,
    ConnectorBody,
    ConnectorId,
    connector_id_for,
    desired_body,
    desired_project_body,
    excluded_field,
)
from shared.domain.exclusions import Exclusions
from shared.domain.gcp_connector_api import Project, ProjectMember, ProjectMembership, ProjectOrganization
from shared.domain.policy import Mode, Policy
from shared.domain.profiles import Profile
from shared.domain.targets import Target


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The address of a connector and the body that it should have."""

    connector_id: ConnectorId
    desired: ConnectorBody


def place(policy: Policy, account_id: str, profile: Profile, target: Target, name: str = "") -> Placement:
    """What the policy wants for one account: of its own, as a member of the Organization connector, or that itself.

    `name` is needed for a GCP project: it is the project's id, which the policy knows of the management project only.
    Raises ValueError without it.
    """
    if policy.provider is Provider.GCP:
        parent = policy.organization_connector
        known = parent.management_id if parent is not None and account_id == parent.management_account else ""
        return _place_project(policy, Project(number=account_id, project_id=known or name), profile, target)
    membership = _membership(policy, account_id)
    return Placement(
        connector_id=address_of(policy, account_id, target),
        desired=desired_body(account_id, profile, target, policy.organization, membership),
    )


def address_of(policy: Policy, account_id: str, target: Target) -> ConnectorId:
    """Where the connector of an account or project is, of which nothing else needs to be known.

    A project that is a member has the name that a connector of its own would have: how Defender names the members
    that it makes itself is documented for neither cloud, and known for AWS only.
    """
    usual, parent = connector_id_for(account_id, target, policy.provider), policy.organization_connector
    if policy.mode is Mode.STANDALONE or parent is None:
        return usual
    if account_id == parent.management_account:
        return replace(usual, name=parent.name)
    return usual if policy.provider is Provider.GCP else replace(usual, name=f"{parent.name}_{account_id}")


def _place_project(policy: Policy, project: Project, profile: Profile, target: Target) -> Placement:
    """The same for a project."""
    if not project.project_id:
        raise ValueError(f"the id of project {project.number} is not known, and its service accounts are named by it")
    membership = _project_membership(policy, project)
    return Placement(
        connector_id=address_of(policy, project.number, target),
        desired=desired_project_body(project, profile, target, policy.organization, membership),
    )


def _project_membership(policy: Policy, project: Project) -> ProjectMembership:
    parent = policy.organization_connector
    if policy.mode is Mode.STANDALONE or parent is None:
        return STANDALONE
    if project.number == parent.management_account:
        return ProjectOrganization(excluded=tuple(sorted(policy.exclusions.account_ids)))
    management = Project(number=parent.management_account, project_id=parent.management_id)
    return ProjectMember(parent=parent.parent_of_members, management=management)


def _membership(policy: Policy, account_id: str) -> Membership:
    parent = policy.organization_connector
    if policy.mode is Mode.STANDALONE or parent is None:
        return STANDALONE
    if account_id == parent.management_account:
        return Organization(stack_set_name=parent.stack_set_name, excluded=tuple(sorted(policy.exclusions.account_ids)))
    return Member(parent=parent.parent_of_members)


def beside(wanted: Placement, actual: Connector | None, exclusions: Exclusions) -> Placement:
    """`wanted` with the list of excluded accounts that follows from the one there is, where it is for an organization.

    Accounts that the policy excludes by their ids are on it in any case.
    """
    environment = wanted.desired["properties"]["environmentData"]
    data = environment.get("organizationalData") or {}
    if data.get("organizationMembershipType") != "Organization":
        return wanted
    field = excluded_field(wanted.desired)
    by_id = Exclusions(excluded=frozenset(data.get(field) or ()))
    listed = by_id.applied(exclusions.applied(actual.excluded_accounts if actual is not None else ()))
    data = {**data, field: list(listed) or None}
    properties = {**wanted.desired["properties"], "environmentData": {**environment, "organizationalData": data}}
    return replace(wanted, desired={**wanted.desired, "properties": properties})


def is_defenders_own_member(connector: Connector, policy: Policy) -> bool:
    """Whether it is a member that Defender made, or could have made, under the policy's Organization connector.

    Of a project the management project alone tells: under which name Defender makes members there, nobody says.
    """
    parent = policy.organization_connector
    if policy.provider is Provider.GCP:
        data = connector.organizational_data
        return parent is not None and data.get("managementProjectNumber") == parent.management_account
    return (
        parent is not None
        and connector.organizational_data.get("parentHierarchyId") == parent.management_account
        and connector.connector_id.name.lower() == f"{parent.name}_{connector.hierarchy_identifier}".lower()
    )


def is_organization_connector(connector: Connector) -> bool:
    """Whether members stand below it."""
    return connector.membership == "organization"


def is_member_below(connector: Connector, parent: str, policy: Policy) -> bool:
    """Whether it is a member, whoever's, of the Organization connector of the account or project `parent`.

    A project's `parentHierarchyId` may name the organization: `managementProjectNumber` tells, too.
    """
    organization, data = policy.organization_connector, connector.organizational_data
    names = {parent}
    if organization is not None and organization.management_account == parent:
        names.add(organization.parent_of_members)
    below = str(data.get("parentHierarchyId")) in names or str(data.get("managementProjectNumber")) == parent
    return connector.environment == ENVIRONMENT_OF[policy.provider] and below


def is_parent(connector: Connector, policy: Policy) -> bool:
    """Whether it is the connector of the management account that the policy's Organization connector belongs to."""
    parent = policy.organization_connector
    return parent is not None and connector.hierarchy_identifier == parent.management_account


def membership_changes(connector: Connector, desired: ConnectorBody) -> bool:
    """Whether `desired` would make a member of a standalone connector, or the reverse, which nobody can do in place."""
    wanted = desired["properties"]["environmentData"].get("organizationalData") or {}
    return connector.membership != str(wanted.get("organizationMembershipType", "")).lower()


def is_ours(connector: Connector, policy: Policy) -> bool:
    """Whether Rollcall may work with it: our tag, or, where there is an Organization connector, one of its members."""
    ours = connector.organization == policy.organization
    return ours or (policy.mode is not Mode.STANDALONE and is_defenders_own_member(connector, policy))
