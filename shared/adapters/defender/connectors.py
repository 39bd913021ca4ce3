"""Security connectors through azure-mgmt-security, read and written as raw JSON.

The client's models are passed by: what they do not know must survive a GET and a PUT.
Source: Microsoft.Security/securityConnectors, api-version 2024-08-01-preview.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpRequest
from azure.mgmt.security import SecurityManagementClient

from shared.adapters.azure import reasons
from shared.adapters.azure.errors import names_no_resource, read_failure, translated
from shared.adapters.azure.refusals import diagnose
from shared.adapters.azure.resource_manager import pipeline_policies
from shared.adapters.azure.timeouts import TIMEOUTS
from shared.adapters.diagnosis import SETTLING_SECONDS
from shared.domain.connectors import Connector, ConnectorBody, ConnectorId
from shared.errors import TransientError

API_VERSION = "2024-08-01-preview"
REGISTER_API_VERSION = "2021-04-01"
REGISTRATION_WAIT_SECONDS = 30.0
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
        self._monotonic = monotonic
        self._registered_at: dict[str, float] = {}
        self._lock = threading.Lock()

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
                self._register_if_missing(connector_id.subscription_id, error)
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
                self._register_if_missing(connector_id.subscription_id, error)
                raise
        return Connector(connector_id=connector_id, body=written)

    def _register_if_missing(self, subscription_id: str, error: HttpResponseError) -> None:
        """Asks once per subscription and process for what the subscription lacks, and leaves waiting to the queue.

        Nothing is polled. A registration takes minutes; one that is still missing a quarter of an hour after it
        was asked for, however old the request, is a wrong deployment and left to the table. The identity's role
        has to contain Microsoft.Security/register/action.
        Source: Resource Manager "Providers - Register", 2021-04-01.
        """
        failure = read_failure(error)
        if diagnose(failure.status, failure.code, failure.message) is not reasons.NOT_REGISTERED:
            return
        with self._lock:
            if subscription_id not in self._registered_at:
                path = f"{self._endpoint}/subscriptions/{subscription_id}/providers/Microsoft.Security/register"
                request = HttpRequest("POST", path, params={"api-version": REGISTER_API_VERSION})
                self._client(subscription_id).send_request(request).raise_for_status()
                self._registered_at[subscription_id] = self._monotonic()
                logger.info("resource_provider_registered", extra={"subscription_id": subscription_id})
            if self._monotonic() - self._registered_at[subscription_id] > SETTLING_SECONDS:
                return
        raise TransientError(
            f"subscription {subscription_id} is being registered for Microsoft.Security",
            remedy=f"{reasons.NOT_REGISTERED.remedy} Runbook: {reasons.NOT_REGISTERED.key}.",
            key=reasons.NOT_REGISTERED.key,
            retry_after_seconds=REGISTRATION_WAIT_SECONDS,
        ) from error

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
    body: ConnectorBody = pipeline_response.http_response.json()
    return body
