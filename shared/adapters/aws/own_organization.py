"""Which organization the shell's AWS credentials are of. Source: Organizations API 2016-11-28, DescribeOrganization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.adapters.aws.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_organizations.client import OrganizationsClient


class AwsOwnOrganization:
    """The organization of whoever asks."""

    def __init__(self, organizations: OrganizationsClient) -> None:
        """`organizations` has the credentials of an account of the organization, any of them."""
        self._client = organizations

    def organization_id(self) -> str:
        """Its id, `o-…`. Raises TransientError, PermanentError, ConfigurationError."""
        with translated("read which organization this is"):
            return self._client.describe_organization()["Organization"]["Id"]
