"""The pipeline through which every call to Resource Manager goes."""

from __future__ import annotations

import json
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import DecodeError
from azure.core.pipeline import policies
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

SCOPE = "https://management.azure.com/.default"
PUBLIC_ENDPOINT = "https://management.azure.com"


class ObjectsOnlyPolicy(SansIOHTTPPolicy[Any, Any]):
    """Refuses a success whose body is no JSON object, which a proxy may give and the SDK would trip over."""

    def on_response(self, request: Any, response: Any) -> None:
        """Raises azure.core's DecodeError."""
        answer = response.http_response
        if answer.status_code not in {200, 201} or request.http_request.method == "DELETE":
            return
        try:
            body = json.loads(answer.text())
        except ValueError as error:
            raise DecodeError(message="not JSON", response=answer, error=error) from error
        if not isinstance(body, dict):
            raise DecodeError(message="no JSON object", response=answer)


def pipeline_policies(credential: TokenCredential) -> list[Any]:
    """A pipeline that leaves waiting to the queue and registers no resource provider behind our back.

    The SDK's default would retry for minutes inside a Function, and poll a registration without limit.
    Source: azure-core 1.41.0 RetryPolicy, azure-mgmt-core 1.6.0 ARMAutoResourceProviderRegistrationPolicy.
    """
    return [
        policies.RequestIdPolicy(),
        policies.HeadersPolicy(),
        policies.UserAgentPolicy(base_user_agent="rollcall"),
        ObjectsOnlyPolicy(),
        policies.ContentDecodePolicy(),
        ARMChallengeAuthenticationPolicy(credential, SCOPE),
        policies.DistributedTracingPolicy(),
    ]
