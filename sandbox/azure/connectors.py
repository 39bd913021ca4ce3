"""Microsoft.Security/securityConnectors: what the provider stores, checks, refuses and returns.

Source: API version 2024-08-01-preview and live answers of 2023-10-01-preview. No live success for an AWS
connector is public; its body is taken to look as those of the other environments do.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.azure.answers import RefusalError, connector_refusal, gateway_refusal, not_found, now_spelt
from sandbox.azure.aws_verification import AwsVerification
from sandbox.azure.connector_bodies import aws_account, role_arns
from sandbox.azure.directory import Identity
from sandbox.azure.gcp_verification import GcpVerification
from sandbox.azure.identities import InspectAccount
from sandbox.azure.resources import Document, Resources
from sandbox.config import SandboxSettings

TYPE = "Microsoft.Security/securityConnectors"
_STORED_TYPE = "Microsoft.Security/securityconnectors"  # as live answers spell it
_PROPERTIES = ("offerings", "environmentName", "hierarchyIdentifier", "environmentData")


@dataclass(frozen=True)
class Address:
    """Which connector."""

    subscription_id: str
    resource_group: str
    name: str

    @property
    def id(self) -> str:
        """The resource id as the provider returns it, with `resourcegroups` in lower case."""
        return (
            f"/subscriptions/{self.subscription_id}/resourcegroups/{self.resource_group}/providers/{TYPE}/{self.name}"
        )


@dataclass
class DuplicateAnswer:
    """How a second connector for one account is refused; what Azure really answers is not public."""

    status: int = 409
    code: str = "Conflict"
    envelope: Literal["gateway", "connector"] = "gateway"


class SecurityConnectors:
    """The provider; thread-safe."""

    def __init__(self, resources: Resources, settings: SandboxSettings, inspect_account: InspectAccount) -> None:
        self._resources = resources
        self._aws = AwsVerification(inspect_account, settings.tenant_id)
        self.gcp = GcpVerification(settings.tenant_id)
        self.put_seconds = settings.connector_put_seconds
        self.check_all_roles = settings.connector_checks_all_roles
        self.duplicate_answer = DuplicateAnswer()
        self.page_size: int | None = None  # None = a list is one page, as live answers are

    def put(self, address: Address, body: Any, caller: Identity) -> tuple[int, Document]:
        """Creates (201) or replaces (200) a connector after the look into the other cloud.

        Raises:
            RefusalError: as the provider or Resource Manager answers.
        """
        if not isinstance(body, dict) or not isinstance(body.get("properties"), dict):
            raise gateway_refusal(400, "InvalidRequestContent", "The request content was invalid.")
        properties = _writable(body["properties"])
        _check_location(self._resources.find(address.id), body.get("location"), address)
        self._verify(properties)
        with self._resources.lock:
            before = self._resources.find(address.id)
            self._refuse_duplicate(address, properties)
            document = stored_document(address, body["location"], body.get("tags"), properties)
            document["systemData"] = _system_data(before, caller)
            self._resources.put(document)
        return (200 if before else 201), document

    def patch(self, address: Address, body: Any, caller: Identity) -> Document:
        """Replaces the tags, and each property that is given, of an existing connector."""
        if not isinstance(body, dict):
            raise gateway_refusal(400, "InvalidRequestContent", "The request content was invalid.")
        document = self.get(address)
        changes = _writable(body.get("properties") or {})
        if changes:
            document["properties"] |= changes
            self._verify(document["properties"])
        if "tags" in body:
            document["tags"] = body["tags"] or {}
        with self._resources.lock:
            self._refuse_duplicate(address, document["properties"])
            document["systemData"] = _system_data(document, caller)
            self._resources.put(document)
        return document

    def get(self, address: Address) -> Document:
        """A copy of the connector; 404 as a RefusalError where there is none."""
        document = self._resources.find(address.id)
        if document is None:
            raise not_found(TYPE, address.name, address.resource_group)
        return document

    def delete(self, address: Address) -> None:
        """Removes a connector; one that is not there is no error (204 both times)."""
        self._resources.delete(address.id)

    def list(self, scope: str) -> list[Document]:
        """The connectors below a subscription or resource group."""
        return self._resources.of_type(TYPE, scope)

    def _verify(self, properties: Document) -> None:
        if self.put_seconds:
            time.sleep(self.put_seconds)
        environment = properties.get("environmentName")
        if environment == "AWS":
            account_id, cspm_role_arn = aws_account(properties)
            others = role_arns(properties) if self.check_all_roles else []
            self._aws.check(account_id, cspm_role_arn, others)
        elif environment == "GCP":
            self.gcp.check(properties)
        elif environment != "AzureDevOps":
            raise connector_refusal(f"The environment '{environment}' is not supported.")

    def _refuse_duplicate(self, address: Address, properties: Document) -> None:
        for other in self._resources.of_identifier(TYPE, str(properties.get("hierarchyIdentifier") or "")):
            if other["id"].lower() != address.id.lower():
                raise self._duplicate(str(properties.get("hierarchyIdentifier")), other["id"])

    def _duplicate(self, hierarchy_identifier: str, other: str) -> RefusalError:
        answer = self.duplicate_answer
        text = f"A security connector for '{hierarchy_identifier}' already exists: {other}."
        if answer.envelope == "gateway":
            return gateway_refusal(answer.status, answer.code, text)
        refusal = connector_refusal(text)
        refusal.status = refusal.body["statusCode"] = answer.status
        return refusal


def _writable(properties: Document) -> Document:
    """The properties without those that only the service sets."""
    kept = {key: copy.deepcopy(value) for key, value in properties.items()}
    kept.pop("hierarchyIdentifierTrialEndDate", None)
    if isinstance(environment := kept.get("environmentData"), dict):
        environment.pop("accountName", None)
    return kept


def _check_location(before: Document | None, location: Any, address: Address) -> None:
    def bare(text: str) -> str:
        return text.lower().replace(" ", "")

    if not isinstance(location, str) or not location:
        raise gateway_refusal(400, "LocationRequired", "The location property is required for this definition.")
    if before is not None and bare(before["location"]) != bare(location):
        raise gateway_refusal(
            409,
            "InvalidResourceLocation",
            f"The resource '{address.name}' already exists in location '{bare(before['location'])}' in resource "
            f"group '{address.resource_group}'. A resource with the same name cannot be created in location "
            f"'{bare(location)}'. Please select a new resource name.",
        )


def stored_document(address: Address, location: str, tags: Document | None, properties: Document) -> Document:
    """A connector as the provider keeps it, keys in the order of live answers; `systemData` comes last."""
    ordered = {key: properties[key] for key in _PROPERTIES if key in properties}
    return {
        "properties": ordered | properties,
        "id": address.id,
        "name": address.name,
        "type": _STORED_TYPE,
        "location": location,
        "tags": tags or {},
    }


def _system_data(before: Document | None, caller: Identity) -> Document:
    now = now_spelt()
    created = {"createdBy": caller.object_id, "createdByType": "Application", "createdAt": now}
    if before is not None:
        created = {key: before["systemData"][key] for key in created if key in before.get("systemData", {})}
    return {
        **created,
        "lastModifiedBy": caller.object_id,
        "lastModifiedByType": "Application",
        "lastModifiedAt": now,
    }
