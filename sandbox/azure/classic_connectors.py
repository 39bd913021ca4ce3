"""Microsoft.Security/connectors, the retired predecessor of security connectors: gone, unless it is planted.

Source: API version 2020-01-01-preview; Microsoft Defender for Cloud "Connect AWS accounts with the classic
connector", which says that it is retired. What a retired type answers today is not public.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sandbox.azure.answers import RefusalError, gateway_refusal
from sandbox.azure.resource_manager import SUBSCRIPTION, Call, ResourceType, Route
from sandbox.azure.resources import Document

TYPE = "Microsoft.Security/connectors"
API_VERSION = "2020-01-01-preview"
_OPERATIONS = ResourceType(TYPE, (API_VERSION,))
Answer = Literal["not-found", "gone", "list"]
_SECRETS = {"awsAccessKeyId", "awsSecretAccessKey", "privateKey", "privateKeyId"}  # sent, never returned


class ClassicConnectors:
    """The list operation; `answer` says how it is answered."""

    def __init__(self) -> None:
        self.answer: Answer = "not-found"
        self._connectors: dict[str, Document] = {}

    def add(self, subscription_id: str, name: str, authentication: Mapping[str, Any]) -> None:
        """Plants a connector and lets the list be answered.

        `authentication` is its `authenticationDetails`: `authenticationType` (awsCreds, awsAssumeRole,
        gcpCredentials) and, for AWS, `accountId`.
        """
        shown = {key: value for key, value in authentication.items() if key not in _SECRETS}
        resource_id = f"/subscriptions/{subscription_id}/providers/{TYPE}/{name}"
        self._connectors[resource_id.lower()] = {
            "id": resource_id,
            "name": name,
            "type": TYPE,
            "properties": {
                "hybridComputeSettings": {"autoProvision": "Off"},
                "authenticationDetails": {"authenticationProvisioningState": "Valid"} | shown,
            },
        }
        self.answer = "list"

    def clear(self) -> None:
        """Takes everything that was planted away."""
        self._connectors.clear()
        self.answer = "not-found"

    def routes(self) -> list[Route]:
        """The list of a subscription."""
        path = rf"{SUBSCRIPTION}/providers/microsoft\.security/connectors"
        return [_OPERATIONS.route("GET", path, "ListClassicConnectors", "read", self._list)]

    def _list(self, call: Call) -> tuple[int, Any]:
        if self.answer != "list":
            raise self._refusal()
        prefix = f"/subscriptions/{call.parts['subscription'].lower()}/"
        return 200, {"value": [each for key, each in self._connectors.items() if key.startswith(prefix)]}

    def _refusal(self) -> RefusalError:
        if self.answer == "gone":
            return gateway_refusal(410, "Gone", f"The resource type '{TYPE}' is retired.")
        return gateway_refusal(
            404,
            "InvalidResourceType",
            "The resource type 'connectors' could not be found in the namespace 'Microsoft.Security' for api version "
            f"'{API_VERSION}'.",
        )
