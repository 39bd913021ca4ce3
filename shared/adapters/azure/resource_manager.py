"""The pipeline through which every call to Resource Manager goes."""

from __future__ import annotations

from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.pipeline import policies
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

SCOPE = "https://management.azure.com/.default"
PUBLIC_ENDPOINT = "https://management.azure.com"


def pipeline_policies(credential: TokenCredential) -> list[Any]:
    """A pipeline that leaves waiting to the queue and registers no resource provider behind our back.

    The SDK's default would retry for minutes inside a Function, and poll a registration without limit.
    Source: azure-core 1.41.0 RetryPolicy, azure-mgmt-core 1.6.0 ARMAutoResourceProviderRegistrationPolicy.
    """
    return [
        policies.RequestIdPolicy(),
        policies.HeadersPolicy(),
        policies.UserAgentPolicy(base_user_agent="rollcall"),
        policies.ContentDecodePolicy(),
        ARMChallengeAuthenticationPolicy(credential, SCOPE),
        policies.DistributedTracingPolicy(),
    ]
