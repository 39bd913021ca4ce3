"""Who the caller is and what the organization has switched on. Source: STS, IAM, Organizations, CloudFormation APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from shared.adapters.aws.errors import error_code, translated
from shared.domain.template_rollout import CallerFacts

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_organizations.client import OrganizationsClient
    from mypy_boto3_sts.client import STSClient

_STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"
_NOT_ALLOWED = {"AccessDenied", "AccessDeniedException"}
_FEDERATION_OFF = {"FeatureDisabled", "FeatureDisabledException"}


def caller_account(sts: STSClient) -> str:
    """The account of this shell's credentials, for which GetCallerIdentity needs no right. Raises our errors only."""
    with translated("read the caller"):
        return sts.get_caller_identity()["Account"]


class AwsManagementAccount:
    """The account of this shell's credentials."""

    def __init__(
        self,
        sts: STSClient,
        iam: IAMClient,
        organizations: OrganizationsClient,
        cloudformation: CloudFormationClient,
    ) -> None:
        """All of one region, whose STS is asked."""
        self._sts = sts
        self._iam = iam
        self._organizations = organizations
        self._cloudformation = cloudformation

    def inspect(self) -> CallerFacts:
        """Of a member account only the first half can be read; the rest is as if it were off."""
        with translated("read the caller and the organization"):
            caller = self._sts.get_caller_identity()
            organization = self._organizations.describe_organization()["Organization"]
            account_id, management = caller["Account"], organization["MasterAccountId"]
            is_management = account_id == management
            access = self._cloudformation.describe_organizations_access()["Status"] if is_management else "unknown"
            return CallerFacts(
                account_id=account_id,
                partition=caller["Arn"].split(":")[1],
                management_account=management,
                all_features=organization["FeatureSet"] == "ALL",
                delegated=not is_management and self._is_delegated(account_id),
                organizations_access=access,
                sts_host=urlsplit(self._sts.meta.endpoint_url).hostname or "",
                federation=is_management and self._federates(),
            )

    def activate_organizations_access(self) -> None:
        """ActivateOrganizationsAccess, which Organizations' own EnableAWSServiceAccess does not replace."""
        with translated("activate StackSets' access to the organization"):
            self._cloudformation.activate_organizations_access()

    def _is_delegated(self, account_id: str) -> bool:
        """Whether a member is a delegated administrator of StackSets; only such a one may ask."""
        try:
            answer = self._organizations.list_delegated_administrators(ServicePrincipal=_STACK_SETS)
        except ClientError as error:
            if error_code(error) in _NOT_ALLOWED:
                return False
            raise
        return any(each["Id"] == account_id for each in answer["DelegatedAdministrators"])

    def _federates(self) -> bool:
        try:
            return self._iam.get_outbound_web_identity_federation_info()["JwtVendingEnabled"]
        except ClientError as error:
            if error_code(error) in _FEDERATION_OFF:
                return False
            raise
