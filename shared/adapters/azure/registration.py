"""Registers a subscription for Microsoft.Security where a refusal says that it is not; nothing is polled."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient

from shared.adapters.azure import reasons
from shared.adapters.azure.errors import read_failure
from shared.adapters.azure.refusals import diagnose
from shared.adapters.azure.resource_manager import pipeline_policies
from shared.adapters.azure.timeouts import TIMEOUTS
from shared.adapters.diagnosis import SETTLING_SECONDS
from shared.errors import TransientError

API_VERSION = "2021-04-01"
WAIT_SECONDS = 30.0

logger = logging.getLogger(__name__)


class Registration:
    """Asks once per subscription and process for what a subscription lacks, and leaves waiting to the queue.

    A registration takes minutes; one that is still missing a quarter of an hour after it was asked for, however old
    the request, is a wrong deployment and left to the table. The identity's role has to contain
    Microsoft.Security/register/action. Source: Resource Manager "Providers - Register", 2021-04-01.
    """

    def __init__(
        self, credential: TokenCredential, *, arm_endpoint: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Speaks with the Resource Manager at `arm_endpoint`."""
        self._client: ARMPipelineClient[Any, Any] = ARMPipelineClient(
            base_url=arm_endpoint.rstrip("/"), policies=pipeline_policies(credential), **TIMEOUTS
        )
        self._monotonic = monotonic
        self._asked_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def ensure(self, subscription_id: str, error: HttpResponseError) -> None:
        """Raises TransientError where `error` says that the subscription is not registered, and that may pass."""
        failure = read_failure(error)
        if diagnose(failure.status, failure.code, failure.message) is not reasons.NOT_REGISTERED:
            return
        with self._lock:
            if subscription_id not in self._asked_at:
                path = f"/subscriptions/{subscription_id}/providers/Microsoft.Security/register"
                request = HttpRequest("POST", self._client.format_url(path), params={"api-version": API_VERSION})
                self._client.send_request(request).raise_for_status()
                self._asked_at[subscription_id] = self._monotonic()
                logger.info("resource_provider_registered", extra={"subscription_id": subscription_id})
            if self._monotonic() - self._asked_at[subscription_id] > SETTLING_SECONDS:
                return
        raise TransientError(
            f"subscription {subscription_id} is being registered for Microsoft.Security",
            remedy=f"{reasons.NOT_REGISTERED.remedy} Runbook: {reasons.NOT_REGISTERED.key}.",
            key=reasons.NOT_REGISTERED.key,
            retry_after_seconds=WAIT_SECONDS,
        ) from error
