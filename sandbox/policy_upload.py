"""The sandbox's own policy, and its way into the blob from which the Function App reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from azure.core.credentials import AccessToken
from azure.storage.blob import BlobServiceClient

from sandbox.azure.cloud import AzureCloud
from sandbox.azure.directory import POLICY_CONTAINER

if TYPE_CHECKING:
    from sandbox.config import SandboxSettings
    from sandbox.gcp.deployment import GcpDeployment

_SAMPLES = Path(__file__).with_name("samples")


def sample_policy(organization: str, settings: SandboxSettings, google: GcpDeployment | None = None) -> bytes:
    """The sample policy with this sandbox's organization, tenant and subscription; with `google` for projects, too."""
    text = (_SAMPLES / "policy.yaml").read_text(encoding="utf-8")
    filled = text.format(organization=organization, tenant=settings.tenant_id, subscription=settings.subscription_id)
    if google is not None:
        filled += (
            (_SAMPLES / "policy.gcp.yaml")
            .read_text(encoding="utf-8")
            .format(
                gcp_organization=settings.gcp_organization,
                management_number=google.management_number,
                management_project=google.management_project,
            )
        )
    return filled.encode()


class _Minted:
    def __init__(self, azure: AzureCloud) -> None:
        self._azure = azure

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        """A token of the Function App's identity, which owns the blobs."""
        return AccessToken(self._azure.mint("rollcall-functions", scopes[0].removesuffix("/.default")), 2**31)


def publish_policy(policy: bytes, azure: AzureCloud) -> str:
    """Puts the policy where the Function App reads it; returns the blob's URL."""
    with BlobServiceClient(azure.blob_url, credential=_Minted(azure)) as service:
        blob = service.get_blob_client(POLICY_CONTAINER, "policy.yaml")
        blob.upload_blob(policy, overwrite=True)
        return str(blob.url)
