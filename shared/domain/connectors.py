"""Security connectors: the body that an account should have, and how it becomes so without loss."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from shared.domain import connector_api as api
from shared.domain import gcp_connector_api as gcp
from shared.domain.accounts import Provider
from shared.domain.connector_api import Membership, Standalone
from shared.domain.gcp_connector_api import Project, ProjectMembership
from shared.domain.profiles import Plan, Profile
from shared.domain.targets import Target

ConnectorBody = dict[str, Any]
"""The JSON body of a connector as Resource Manager speaks it.

In a body that is desired, None stands for what must not be there: see `to_create` and `merge`.
"""

OWNER_TAG = "rollcall"
ENVIRONMENT_OF = {Provider.AWS: "AWS", Provider.GCP: "GCP"}
"""The clouds in Defender's words, as `Connector.environment` has them."""
ENVIRONMENT = ENVIRONMENT_OF[Provider.AWS]
STANDALONE = Standalone()
OUR_OFFERINGS = frozenset([*(plan.value for plan in Plan), *gcp.OFFERING_OF.values()])
"""Those that a profile asks for, or takes away; no connector may have another cloud's."""
_EXCLUDED = {"AWS": "excludedAccountIds", "GCP": "excludedProjectNumbers"}


@dataclass(frozen=True, kw_only=True)
class ConnectorId:
    """The address of a connector in Resource Manager."""

    subscription_id: str
    resource_group: str
    name: str

    def __str__(self) -> str:
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.Security/securityConnectors/{self.name}"
        )

    @classmethod
    def parse(cls, resource_id: str) -> ConnectorId:
        """Reads a resource id in any case. Raises ValueError where it is not a connector's."""
        parts = resource_id.strip("/").split("/")
        words = [part.lower() for part in parts]
        expected = ["subscriptions", "resourcegroups", "providers", "securityconnectors"]
        if len(parts) != 8 or words[0::2] != expected or words[5] != "microsoft.security":  # noqa: PLR2004
            raise ValueError(f"not the id of a security connector: {resource_id}")
        return cls(subscription_id=parts[1], resource_group=parts[3], name=parts[7])

    def same_as(self, other: ConnectorId) -> bool:
        """Whether both are one resource; Resource Manager ignores case in ids."""
        return str(self).lower() == str(other).lower()


@dataclass(frozen=True, kw_only=True)
class Connector:
    """A connector that exists."""

    connector_id: ConnectorId
    body: ConnectorBody

    @property
    def hierarchy_identifier(self) -> str:
        """The AWS account id or GCP project number that it connects; empty where it has none."""
        return str((self.body.get("properties") or {}).get("hierarchyIdentifier") or "")

    @property
    def organization(self) -> str | None:
        """The organization whose Rollcall owns it, from our tag; None for anybody else's.

        The names of Azure's tags have no case.
        """
        tags = self.body.get("tags") or {}
        return next((value for name, value in tags.items() if name.lower() == OWNER_TAG), None)

    @property
    def organizational_data(self) -> dict[str, Any]:
        """What it says about an organization; empty for a standalone connector."""
        environment = (self.body.get("properties") or {}).get("environmentData") or {}
        found = environment.get("organizationalData")
        return found if isinstance(found, dict) else {}

    @property
    def membership(self) -> str:
        """`organization`, `member`, or empty for a standalone connector."""
        return str(self.organizational_data.get("organizationMembershipType", "")).lower()

    @property
    def excluded_accounts(self) -> frozenset[str]:
        """The accounts or projects that an Organization connector leaves alone; nobody where it is none."""
        found = self.organizational_data.get(excluded_field(self.body))
        return frozenset(map(str, found)) if isinstance(found, list) else frozenset()

    @property
    def environment(self) -> str:
        """The cloud that it connects, in Defender's word and capital letters: `AWS`, `GCP` and others."""
        return str((self.body.get("properties") or {}).get("environmentName") or "").upper()


def excluded_field(body: ConnectorBody) -> str:
    """Where an Organization connector of that cloud has the accounts or projects that it leaves alone."""
    environment = str((body.get("properties") or {}).get("environmentName") or "").upper()
    return _EXCLUDED.get(environment, _EXCLUDED["AWS"])


def connector_id_for(account_id: str, target: Target, provider: Provider = Provider.AWS) -> ConnectorId:
    """The deterministic address of an account's or project's own connector, never made from display names."""
    return ConnectorId(
        subscription_id=target.subscription_id,
        resource_group=target.resource_group,
        name=f"{provider}-{account_id}",
    )


def desired_body(
    account_id: str, profile: Profile, target: Target, organization: str, membership: Membership = STANDALONE
) -> ConnectorBody:
    """The body that an account's connector should have: our tag, the profile's offerings, its place among others.

    Source: Microsoft.Security/securityConnectors, `SecurityConnector`, in the api-version of `connector_api`.
    """
    properties = {
        "hierarchyIdentifier": account_id,
        "environmentName": ENVIRONMENT_OF[Provider.AWS],
        "environmentData": api.environment_data(profile, membership),
        "offerings": api.offerings_of(profile, account_id),
    }
    return _resource(target, organization, properties)


def desired_project_body(
    project: Project, profile: Profile, target: Target, organization: str, membership: ProjectMembership = STANDALONE
) -> ConnectorBody:
    """The same for a GCP project; `organization` is the number of its organization."""
    properties = {
        "hierarchyIdentifier": project.number,
        "environmentName": ENVIRONMENT_OF[Provider.GCP],
        "environmentData": gcp.environment_data(project, profile, membership),
        "offerings": gcp.offerings_of(project, profile, membership),
    }
    return _resource(target, organization, properties)


def _resource(target: Target, organization: str, properties: dict[str, Any]) -> ConnectorBody:
    return {"location": target.location, "tags": {OWNER_TAG: organization}, "properties": properties}


def to_create(desired: ConnectorBody) -> ConnectorBody:
    """The body to PUT where nothing is: desired without what must not be there."""
    return _overlay({}, desired)


def without_absent(value: Any) -> Any:
    """A desired value without what must not be there."""
    return _overlay({}, value) if isinstance(value, dict) else value


def respelled(desired: ConnectorBody, actual: ConnectorBody) -> ConnectorBody:
    """`desired` with the names of its tags as `actual` spells them: Azure's tag names have no case."""
    theirs = {name.lower(): name for name in actual.get("tags") or {}}
    tags = {theirs.get(name.lower(), name): value for name, value in desired["tags"].items()}
    return {**desired, "tags": tags}


def merge(actual: ConnectorBody, desired: ConnectorBody) -> ConnectorBody:
    """The body to PUT over `actual`: desired where it says something, everything else as it was.

    Fields and offerings that we do not know are kept; offerings that we know and the profile does not ask
    for are left out; read-only fields are dropped; the location stays, since it cannot be changed.
    """
    desired = respelled(desired, actual)
    kept = _without(actual, api.READ_ONLY)
    properties = _without(kept.pop("properties", None) or {}, api.READ_ONLY_PROPERTIES)
    if isinstance(environment := properties.get("environmentData"), dict):
        properties["environmentData"] = _writable(environment)
    have = {
        offering.get("offeringType"): _without(offering, api.READ_ONLY_OFFERING)
        for offering in properties.pop("offerings", None) or []
    }
    wanted = desired["properties"]["offerings"]
    offerings = [_overlay(have.pop(offering["offeringType"], {}), offering) for offering in wanted]
    offerings += [offering for kind, offering in have.items() if kind not in OUR_OFFERINGS]
    merged = _overlay({**kept, "properties": properties}, {**desired, "location": kept.get("location")})
    merged["location"] = kept.get("location") or desired["location"]
    merged["properties"]["offerings"] = offerings
    return merged


def excluding(actual: ConnectorBody, account_ids: Sequence[str]) -> ConnectorBody:
    """The body to PUT over an Organization connector so that it leaves these accounts alone; the rest as it was."""
    field = excluded_field(actual)
    body = _without(actual, api.READ_ONLY)
    body["properties"] = properties = _without(body["properties"], api.READ_ONLY_PROPERTIES)
    properties["environmentData"] = environment = _writable(properties["environmentData"])
    properties["offerings"] = [_without(each, api.READ_ONLY_OFFERING) for each in properties.get("offerings") or []]
    environment["organizationalData"] = organizational = _without(environment["organizationalData"], (field,))
    if account_ids:
        organizational[field] = sorted(account_ids)
    return body


def _writable(environment: dict[str, Any]) -> dict[str, Any]:
    """`environmentData` without what the server alone says, in either cloud."""
    kept = _without(environment, api.READ_ONLY_ENVIRONMENT)
    nested = {"projectDetails": gcp.READ_ONLY_PROJECT, "organizationalData": gcp.READ_ONLY_ORGANIZATION}
    return kept | {key: _without(kept[key], names) for key, names in nested.items() if isinstance(kept.get(key), dict)}


def _without(body: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return deepcopy({key: value for key, value in body.items() if key not in names})


def _overlay(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    """`base` with everything that `top` says, object by object; lists and values of `top` replace, None removes."""
    result = deepcopy(base)
    for key, value in top.items():
        before = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and key not in api.WHOLE_MAPS:
            result[key] = _overlay(before if isinstance(before, dict) else {}, value)
        elif isinstance(value, list):
            result[key] = [_overlay({}, item) if isinstance(item, dict) else deepcopy(item) for item in value]
        else:
            result[key] = deepcopy(value)
    return result
