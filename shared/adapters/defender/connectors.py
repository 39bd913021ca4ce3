"""Security connectors through azure-mgmt-security, read and written as raw JSON.

The client's models are passed by: what they do not know must survive a GET and a PUT.
Source: Microsoft.Security/securityConnectors, api-version 2024-08-01-preview.
"""

from __future__ import annotations

from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceNotFoundError
from azure.mgmt.security import SecurityManagementClient

from shared.adapters.azure.errors import read_failure, translated
from shared.adapters.azure.resource_manager import pipeline_policies
from shared.domain.connectors import Connector, ConnectorBody, ConnectorId

API_VERSION = "2024-08-01-preview"
PUT_TIMEOUT_SECONDS = 150  # Defender checks the other cloud while we wait; 35 s were recorded


class DefenderConnectors:
    """The connectors of any subscription that the credential may write to."""

    def __init__(self, credential: TokenCredential, *, arm_endpoint: str) -> None:
        """Speaks with the Resource Manager at `arm_endpoint`, https, without a trailing slash."""
        self._credential = credential
        self._endpoint = arm_endpoint.rstrip("/")
        self._clients: dict[str, SecurityManagementClient] = {}

    def find(self, connector_id: ConnectorId) -> Connector | None:
        """The connector as it is now; None where it, but not its resource group, is missing."""
        client = self._client(connector_id.subscription_id)
        with translated(f"GET {connector_id}"):
            try:
                body: Any = client.security_connectors.get(
                    connector_id.resource_group,
                    connector_id.name,
                    api_version=API_VERSION,
                    cls=_raw,
                )
            except ResourceNotFoundError as error:
                if read_failure(error).code in {"ResourceNotFound", "NotFound"}:
                    return None
                raise
        return Connector(connector_id=connector_id, body=body)

    def put(self, connector_id: ConnectorId, body: ConnectorBody) -> Connector:
        """Creates or replaces the connector; synchronous, no etag is needed or sent."""
        client = self._client(connector_id.subscription_id)
        with translated(f"PUT {connector_id}"):
            written: Any = client.security_connectors.create_or_update(
                connector_id.resource_group,
                connector_id.name,
                body,
                api_version=API_VERSION,
                cls=_raw,
                read_timeout=PUT_TIMEOUT_SECONDS,
            )
        return Connector(connector_id=connector_id, body=written)

    def _client(self, subscription_id: str) -> SecurityManagementClient:
        if subscription_id not in self._clients:
            self._clients[subscription_id] = SecurityManagementClient(
                self._credential,
                subscription_id,
                base_url=self._endpoint,
                policies=pipeline_policies(self._credential),
            )
        return self._clients[subscription_id]


def _raw(pipeline_response: Any, _model: Any, _headers: Any) -> ConnectorBody:
    body: ConnectorBody = pipeline_response.http_response.json()
    return body
