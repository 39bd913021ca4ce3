"""The pipeline through which every call to Resource Manager goes."""

from __future__ import annotations

from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.pipeline import policies
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

from shared.adapters.azure.bodies import require_object
from shared.adapters.azure.budget import BudgetPolicy

SCOPE = "https://management.azure.com/.default"
PUBLIC_ENDPOINT = "https://management.azure.com"


class ObjectsOnlyPolicy(SansIOHTTPPolicy[Any, Any]):
    """Refuses a success whose body is no JSON object, which a proxy may give and the SDK would trip over."""

    def on_response(self, request: Any, response: Any) -> None:
        """Raises azure.core's DecodeError."""
        if request.http_request.method != "DELETE":
            require_object(response)


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
        BudgetPolicy(),
        policies.ContentDecodePolicy(),
        ARMChallengeAuthenticationPolicy(credential, SCOPE),
        policies.DistributedTracingPolicy(),
    ]
