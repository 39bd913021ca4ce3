"""What a person should know before a plan is carried out, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.domain.connectors import Connector, ConnectorId, excluded_field
from shared.domain.drift import Difference
from shared.domain.gcp_connector_api import OFFERING_OF
from shared.domain.placement import Placement, is_ours
from shared.domain.policy import Policy
from shared.domain.prechecks import owner_features
from shared.domain.profiles import Plan, Profile


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a person should know before it happens; the same one about many accounts is told once."""

    key: str
    message: str


_AUDIT_LOGS = {
    f"properties.offerings[{kind}].enableAuditLogsAutoProvisioning"
    for kind in (Plan.CONTAINERS, OFFERING_OF[Plan.CONTAINERS])
}
_SHOWN = 10
AFTERCARE_DUE = Note(key="aftercare-due", message="standards and governance rules would be seen to")


def notes_on_number(connectors: Sequence[Connector], policy: Policy) -> Iterator[Note]:
    """More than one connector of ours for one account: nothing but the first is looked after."""
    ours = [str(each.connector_id) for each in connectors if is_ours(each, policy)]
    if len(ours) > 1:
        yield Note(
            key="several-connectors",
            message=f"the {policy.noun} has {len(ours)} connectors of ours, of which only one is looked after: "
            + ", ".join(ours),
        )


def notes_on_owner(profile: Profile, subscription_id: str) -> Iterator[Note]:
    """What is planned on trust: whether the identity that onboards is an Owner, only that identity can see."""
    if parts := owner_features(profile):
        yield Note(
            key="owner-assumed",
            message=f"{', '.join(parts)}: planned as if the Function App's identity may assign roles in subscription "
            f"{subscription_id}, which is not seen from here; say --no-owner where it may not",
        )


def notes_on_organization(wanted: Placement) -> Iterator[Note]:
    """Whom an Organization connector that is to be made would leave alone; one that is there shows it as a change."""
    data = wanted.desired["properties"]["environmentData"].get("organizationalData") or {}
    if excluded := data.get(excluded_field(wanted.desired)):
        named = ", ".join(excluded[:_SHOWN]) + (f" and {len(excluded) - _SHOWN} more" if len(excluded) > _SHOWN else "")
        yield Note(
            key="organization-excludes",
            message=f"the Organization connector {wanted.connector_id.name} would leave alone: {named}",
        )


def notes_on_place(wanted: Placement, standing: Connector) -> Iterator[Note]:
    """What a connector that exists keeps, whatever the policy's target says."""
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


def notes_on_changes(found: Sequence[Difference]) -> Iterator[Note]:
    """What a change takes away."""
    for difference in found:
        if difference.path in _AUDIT_LOGS and not difference.desired:
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


def notes_on_servers(profile: Profile, connector_id: ConnectorId) -> Iterator[Note]:
    """What Servers brings for a whole subscription."""
    if Plan.SERVERS in profile.plans:
        yield Note(
            key="agent-settings",
            message=f"Servers: subscription {connector_id.subscription_id} has one setting for agents, which all "
            "accounts and projects connected in it share",
        )
