"""Security connectors through azure-mgmt-security, read and written as raw JSON.

The client's models are passed by: what they do not know must survive a GET and a PUT.
Source: Microsoft.Security/securityConnectors, api-version 2024-08-01-preview.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.security import SecurityManagementClient

from shared.adapters.azure import reasons
from shared.adapters.azure.bodies import checked_connector
from shared.adapters.azure.errors import names_no_resource, translated
from shared.adapters.azure.registration import Registration
from shared.adapters.azure.resource_manager import pipeline_policies
from shared.adapters.azure.timeouts import TIMEOUTS
from shared.domain.connector_api import API_VERSION
from shared.domain.connectors import Connector, ConnectorBody, ConnectorId
from shared.errors import PermanentError

PUT_TIMEOUT_SECONDS = 150  # Defender checks the other cloud while we wait; 35 s were recorded

logger = logging.getLogger(__name__)


class DefenderConnectors:
    """The connectors of any subscription that the credential may write to."""

    def __init__(
        self, credential: TokenCredential, *, arm_endpoint: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Speaks with the Resource Manager at `arm_endpoint`, https, without a trailing slash."""
        self._credential = credential
        self._endpoint = arm_endpoint.rstrip("/")
        self._clients: dict[str, SecurityManagementClient] = {}
        self._registration = Registration(credential, arm_endpoint=arm_endpoint, monotonic=monotonic)

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
                if names_no_resource(error):
                    return None
                raise
            except HttpResponseError as error:
                self._registration.ensure(connector_id.subscription_id, error)
                raise
        return Connector(connector_id=connector_id, body=body)

    def put(self, connector_id: ConnectorId, body: ConnectorBody) -> Connector:
        """Creates or replaces the connector; synchronous, no etag is needed or sent."""
        client = self._client(connector_id.subscription_id)
        with translated(f"PUT {connector_id}"):
            try:
                written: Any = client.security_connectors.create_or_update(
                    connector_id.resource_group,
                    connector_id.name,
                    body,
                    api_version=API_VERSION,
                    cls=_raw,
                    read_timeout=PUT_TIMEOUT_SECONDS,
                )
            except HttpResponseError as error:
                self._registration.ensure(connector_id.subscription_id, error)
                raise
        return Connector(connector_id=connector_id, body=written)

    def delete(self, connector_id: ConnectorId) -> None:
        """Deletes the connector; one that is not there is no error."""
        client = self._client(connector_id.subscription_id)
        with translated(f"DELETE {connector_id}"):
            client.security_connectors.delete(connector_id.resource_group, connector_id.name, api_version=API_VERSION)

    def tag(self, connector_id: ConnectorId, name: str, value: str) -> Connector:
        """Adds one tag. PATCH with tags replaces all of them, so those that are there go along."""
        found = self.find(connector_id)
        if found is None:
            raise PermanentError(f"{connector_id} is gone", remedy="Ask again.", key=reasons.RESOURCE_MISSING.key)
        client = self._client(connector_id.subscription_id)
        theirs = {key: tag for key, tag in (found.body.get("tags") or {}).items() if key.lower() != name.lower()}
        with translated(f"tag {connector_id}"):
            written: Any = client.security_connectors.update(
                connector_id.resource_group,
                connector_id.name,
                {"tags": {**theirs, name: value}},
                api_version=API_VERSION,
                cls=_raw,
            )
        return Connector(connector_id=connector_id, body=written)

    def _client(self, subscription_id: str) -> SecurityManagementClient:
        if subscription_id not in self._clients:
            self._clients[subscription_id] = SecurityManagementClient(
                self._credential,
                subscription_id,
                base_url=self._endpoint,
                policies=pipeline_policies(self._credential),
                **TIMEOUTS,
            )
        return self._clients[subscription_id]


def _raw(pipeline_response: Any, _model: Any, _headers: Any) -> ConnectorBody:
    body: ConnectorBody = checked_connector(pipeline_response.http_response.json())
    return body
