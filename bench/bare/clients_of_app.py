"""The clients that a request from the queue needs in the Function App."""

from __future__ import annotations

import os
from typing import Any

import pydantic_settings
from azure.core.pipeline.policies import RetryPolicy
from azure.data.tables import TableClient
from azure.identity import ManagedIdentityCredential
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.security import SecurityManagementClient
from azure.storage.blob import BlobClient
from azure.storage.queue import QueueClient, TextBase64EncodePolicy

LIBRARIES = (pydantic_settings,)
"""What ours imports besides on this path."""
ARM = "https://management.azure.com"
SUBSCRIPTION = "0b7c1f8e-2d54-4a8a-9a43-7f9f5f6f1c21"


def build() -> list[Any]:
    """One credential; queues, tables, a blob, Resource Manager."""
    credential = ManagedIdentityCredential()
    queues, tables = os.environ["ROLLCALL_QUEUE__QUEUESERVICEURI"], os.environ["ROLLCALL_LEDGER__TABLESERVICEURI"]
    policies = [ARMChallengeAuthenticationPolicy(credential, f"{ARM}/.default"), RetryPolicy()]
    return [
        *(
            QueueClient(queues, name, credential=credential, message_encode_policy=TextBase64EncodePolicy())
            for name in ("onboarding", "onboarding-poison")
        ),
        *(TableClient(tables, name, credential=credential) for name in ("accounts", "history", "pacing", "parked")),
        BlobClient.from_blob_url(os.environ["ROLLCALL_POLICY"], credential=credential),
        SecurityManagementClient(credential, SUBSCRIPTION, base_url=ARM),
        ARMPipelineClient(base_url=ARM, policies=policies),
    ]
