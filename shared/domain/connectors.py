"""Security connectors: the body that an account should have, and how it becomes so without loss."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from shared.domain.offerings import offerings_of
from shared.domain.policy import Plan, Profile, Target

ConnectorBody = dict[str, Any]
"""The JSON body of a connector as Resource Manager speaks it."""

OWNER_TAG = "rollcall"
ENVIRONMENT = "AWS"
_READ_ONLY = ("id", "name", "type", "systemData", "kind")
_READ_ONLY_PROPERTIES = ("hierarchyIdentifierTrialEndDate",)
_READ_ONLY_ENVIRONMENT = ("accountName",)
_READ_ONLY_OFFERING = ("description",)
_OURS = frozenset(plan.value for plan in Plan)


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
    def environment(self) -> str:
        """The cloud that it connects, in Defender's word: `AWS`, `GCP` and others."""
        return str((self.body.get("properties") or {}).get("environmentName") or "")


def connector_id_for(account_id: str, target: Target) -> ConnectorId:
    """The deterministic address of an AWS account's connector, never made from display names."""
    return ConnectorId(
        subscription_id=target.subscription_id,
        resource_group=target.resource_group,
        name=f"aws-{account_id}",
    )


def desired_body(account_id: str, profile: Profile, target: Target, organization: str) -> ConnectorBody:
    """The body of a standalone connector: no `organizationalData`, our tag, the profile's offerings.

    Source: Microsoft.Security/securityConnectors, api-version 2024-08-01-preview, `SecurityConnector`.
    """
    environment: dict[str, Any] = {
        "environmentType": "AwsAccount",
        "scanInterval": profile.scan_interval_hours,
    }
    if profile.regions:
        environment["regions"] = list(profile.regions)
    return {
        "location": target.location,
        "tags": {OWNER_TAG: organization},
        "properties": {
            "hierarchyIdentifier": account_id,
            "environmentName": ENVIRONMENT,
            "environmentData": environment,
            "offerings": offerings_of(profile, account_id),
        },
    }


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
    kept = deepcopy({key: value for key, value in actual.items() if key not in _READ_ONLY})
    properties = {key: value for key, value in kept.pop("properties", {}).items() if key not in _READ_ONLY_PROPERTIES}
    environment = properties.get("environmentData") or {}
    for name in _READ_ONLY_ENVIRONMENT:
        environment.pop(name, None)
    have = {
        offering.get("offeringType"): {key: value for key, value in offering.items() if key not in _READ_ONLY_OFFERING}
        for offering in properties.pop("offerings", None) or []
    }
    wanted = desired["properties"]["offerings"]
    offerings = [_overlay(have.pop(offering["offeringType"], {}), offering) for offering in wanted]
    offerings += [offering for kind, offering in have.items() if kind not in _OURS]
    merged = _overlay({**kept, "properties": properties}, {**desired, "location": kept.get("location")})
    merged["location"] = kept.get("location") or desired["location"]
    merged["properties"]["offerings"] = offerings
    return merged


def _overlay(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    """`base` with everything that `top` says, object by object; lists and values of `top` replace."""
    result = deepcopy(base)
    for key, value in top.items():
        before = result.get(key)
        result[key] = (
            _overlay(before, value) if isinstance(before, dict) and isinstance(value, dict) else deepcopy(value)
        )
    return result
