"""Microsoft.Security/pricings: the Defender plans of a subscription.

Source: API version 2024-01-01 and live answers of 2023-01-01. That two changes need time between them:
Microsoft Defender for Cloud FAQ; the refusal's words: hashicorp/terraform-provider-azurerm#32444.
"""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.azure.answers import RefusalError, bad_request, gateway_refusal, now_spelt
from sandbox.azure.resources import Document, Resources

TYPE = "Microsoft.Security/pricings"
API_VERSIONS = ("2024-01-01", "2023-01-01")
_SINCE_2024 = ("enforce", "resourcesCoverageStatus")
_TIERS = {"free": "Free", "standard": "Standard"}
_TRUTHS = {"true": "True", "false": "False"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One plan: its extensions and whether they are on by themselves, its sub-plan where none is asked for."""

    name: str
    extensions: tuple[tuple[str, bool], ...] = ()
    optional: tuple[str, ...] = ()  # come back only where they were sent
    sub_plan: str | None = None
    replaced_by: str | None = None  # deprecated


_PLANS = (
    Plan(
        name="VirtualMachines",
        extensions=(("MdeDesignatedSubscription", False), ("AgentlessVmScanning", True)),
        optional=("FileIntegrityMonitoring",),
        sub_plan="P2",
    ),
    Plan(name="SqlServers"),
    Plan(name="AppServices"),
    Plan(
        name="StorageAccounts",
        extensions=(("OnUploadMalwareScanning", True), ("SensitiveDataDiscovery", True)),
        sub_plan="DefenderForStorageV2",
    ),
    Plan(name="SqlServerVirtualMachines"),
    Plan(name="KubernetesService", replaced_by="Containers"),
    Plan(name="ContainerRegistry", replaced_by="Containers"),
    Plan(name="KeyVaults"),
    Plan(name="Dns", replaced_by="VirtualMachines"),
    Plan(name="Arm"),
    Plan(name="OpenSourceRelationalDatabases"),
    Plan(name="CosmosDbs"),
    Plan(
        name="Containers",
        extensions=(("ContainerRegistriesVulnerabilityAssessments", True), ("AgentlessDiscoveryForKubernetes", True)),
        optional=("AgentlessVmScanning", "ContainerSensor"),
    ),
    Plan(
        name="CloudPosture",
        extensions=(
            ("AgentlessVmScanning", True),
            ("AgentlessDiscoveryForKubernetes", True),
            ("SensitiveDataDiscovery", True),
            ("ContainerRegistriesVulnerabilityAssessments", True),
            ("EntraPermissionsManagement", True),
        ),
    ),
    Plan(name="Api", sub_plan="P1"),
)
_BY_NAME = {plan.name.lower(): plan for plan in _PLANS}


class Pricings:
    """The plans of every subscription, all Free until they are changed; thread-safe."""

    def __init__(self, resources: Resources, *, gap_seconds: float) -> None:
        self._resources = resources
        self.gap_seconds = gap_seconds
        self._changed_at: dict[str, float] = {}

    def list(self, subscription_id: str, condition: str = "") -> list[Document]:
        """The plans, all or those that `name in (…)` names."""
        names = _filtered(condition)
        return [self.get(subscription_id, plan.name) for plan in _PLANS if names is None or plan.name.lower() in names]

    def get(self, subscription_id: str, name: str) -> Document:
        """One plan. Raises RefusalError where there is none of that name."""
        plan = _plan(name)
        found = self._resources.find(_id(subscription_id, plan.name))
        return found or _document(subscription_id, plan, _free(plan))

    def seed(self, subscription_id: str, name: str, properties: Document) -> None:
        """Plants a plan's properties as they are. Raises LookupError where there is none of that name."""
        plan = _BY_NAME.get(name.lower())
        if plan is None:
            raise LookupError(f"no plan {name}")
        self._resources.put(_document(subscription_id, plan, properties))

    def put(self, subscription_id: str, name: str, body: Any) -> Document:
        """Changes a plan; the answer is what the service made of it, with the outcome of its extensions.

        Raises:
            RefusalError: a bad body (400), or too soon after another change (409).
        """
        plan, wanted = _plan(name), _wanted(body)
        if plan.replaced_by is not None:
            raise bad_request(f"The plan '{plan.name}' is deprecated. Use '{plan.replaced_by}'.")
        with self._resources.lock:
            self._refuse_hurry(subscription_id)
            before = self.get(subscription_id, name)["properties"]
            properties = _standard(plan, wanted, before) if wanted["pricingTier"] == "Standard" else _free(plan)
            properties["enforce"] = str(wanted.get("enforce") or before.get("enforce") or "False")
            document = _document(subscription_id, plan, properties)
            self._resources.put(document)
            self._changed_at[subscription_id.lower()] = time.monotonic()
        return _with_outcome(document)

    def _refuse_hurry(self, subscription_id: str) -> None:
        changed_at = self._changed_at.get(subscription_id.lower())
        if changed_at is not None and time.monotonic() - changed_at < self.gap_seconds:
            text = "Another update operation is in progress. Please retry in a few minutes"
            raise RefusalError(409, {"error": {"code": "Conflict", "message": text}})


def untouched(subscription_id: str) -> Iterator[Document]:
    """Every plan as it is until somebody changes it."""
    return (_document(subscription_id, plan, _free(plan)) for plan in _PLANS)


def for_version(document: Document, version: str) -> Document:
    """A plan without the properties that an older api-version did not know."""
    if version >= "2024":
        return document
    kept = {key: value for key, value in document["properties"].items() if key not in _SINCE_2024}
    return document | {"properties": kept}


def _plan(name: str) -> Plan:
    if name.lower() not in _BY_NAME:
        names = ", ".join(plan.name for plan in _PLANS)
        raise bad_request(f"The name '{name}' is not a valid name. Possible pricing bundle names: {names}.")
    return _BY_NAME[name.lower()]


def _id(subscription_id: str, name: str) -> str:
    return f"/subscriptions/{subscription_id}/providers/{TYPE}/{name}"


def _document(subscription_id: str, plan: Plan, properties: Document) -> Document:
    return {"id": _id(subscription_id, plan.name), "name": plan.name, "type": TYPE, "properties": properties}


def _filtered(condition: str) -> set[str] | None:
    if not condition:
        return None
    match = re.fullmatch(r"\s*name\s+in\s*\(([^)]*)\)\s*", condition, re.IGNORECASE)
    if match is None:
        raise gateway_refusal(400, "InvalidFilter", f"The filter '{condition}' is not simulated.")
    return {each.strip().lower() for each in match[1].split(",")}


def _wanted(body: Any) -> Document:
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise bad_request("The request body has no properties.")
    tier = _TIERS.get(str(properties.get("pricingTier")).lower())
    if tier is None:
        raise bad_request(f"The pricing tier '{properties.get('pricingTier')}' is not one of Free, Standard.")
    return properties | {"pricingTier": tier}


def _free(plan: Plan) -> Document:
    properties: Document = {"pricingTier": "Free", "freeTrialRemainingTime": "PT0S", "enforce": "False"}
    properties["resourcesCoverageStatus"] = "NotCovered"
    if plan.replaced_by is not None:
        properties |= {"deprecated": True, "replacedBy": [plan.replaced_by]}
    return properties


def _standard(plan: Plan, wanted: Document, before: Document) -> Document:
    sub_plan = wanted.get("subPlan") or plan.sub_plan
    extensions = _extensions(plan, sub_plan, wanted.get("extensions") or [], before.get("extensions") or [])
    return {
        **({"extensions": extensions} if extensions else {}),
        "enablementTime": before.get("enablementTime") or now_spelt(),
        **({"subPlan": sub_plan} if sub_plan else {}),
        "pricingTier": "Standard",
        "freeTrialRemainingTime": "PT0S",
        "enforce": "False",
        "resourcesCoverageStatus": "FullyCovered",
    }


def _extensions(plan: Plan, sub_plan: str | None, sent: Any, before: Any) -> list[Document]:
    """What was sent over what was there over what the plan has by itself."""
    own = [
        (name, on)
        for name, on in plan.extensions
        if (plan.name, sub_plan, name) != ("VirtualMachines", "P1", "AgentlessVmScanning")
    ]
    found: dict[str, Document] = {name: {"name": name, "isEnabled": str(on)} for name, on in own}
    known = {*found, *plan.optional}
    for each in before:
        if each["name"] in known:
            found[each["name"]] = copy.deepcopy(each)
    for each in sent:
        name, on = each.get("name"), _TRUTHS.get(str(each.get("isEnabled")).lower())
        if name not in known or on is None:
            raise bad_request(f"The extension '{name}' with isEnabled '{each.get('isEnabled')}' is not valid here.")
        given = {key: each[key] for key in ("additionalExtensionProperties",) if key in each}
        found[name] = found.get(name, {"name": name}) | {"isEnabled": on} | given
    return list(found.values())


def _with_outcome(document: Document) -> Document:
    answer = copy.deepcopy(document)
    for extension in answer["properties"].get("extensions", ()):
        if extension["isEnabled"] == "True":
            extension["operationStatus"] = {"code": "Succeeded", "message": "Successfully enabled extension"}
    return answer
