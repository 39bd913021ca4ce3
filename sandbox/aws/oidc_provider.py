"""`AWS::IAM::OIDCProvider`, which moto's CloudFormation lacks, and the client ids that IAM adds to a provider later.

Source: CloudFormation template reference, AWS::IAM::OIDCProvider; IAM API 2010-05-08,
AddClientIDToOpenIDConnectProvider, which is idempotent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.cloudformation.exceptions import UnformattedGetAttTemplateException
from moto.core.common_models import CloudFormationModel
from moto.core.responses import EmptyResult
from moto.iam.exceptions import EntityAlreadyExists
from moto.iam.models import OpenIDConnectProvider, iam_backends
from moto.iam.responses import IamResponse

from sandbox.aws.active import PARTITION
from sandbox.aws.errors import AwsError
from sandbox.aws.patching import Patch


def patches() -> Iterable[Patch]:
    """What this module adds to moto's IAM."""
    yield Patch(IamResponse, "add_client_id_to_open_id_connect_provider", _add_client_id)


def _add_client_id(self: IamResponse) -> EmptyResult:
    provider = self.backend.get_open_id_connect_provider(self._get_param("OpenIDConnectProviderArn"))
    client_id = self._get_param("ClientID")
    if client_id not in provider.client_id_list:
        provider.client_id_list = [*provider.client_id_list, client_id]
    return EmptyResult()


class OidcProviderResource(CloudFormationModel):
    """An OIDC provider of an account, made by a stack."""

    def __init__(self, provider: OpenIDConnectProvider) -> None:
        self.provider = provider

    @property
    def physical_resource_id(self) -> str:
        """What `Ref` returns: the ARN."""
        return self.provider.arn

    @staticmethod
    def cloudformation_name_type() -> str:
        """The resource has no name property."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """The type in templates."""
        return "AWS::IAM::OIDCProvider"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether `Fn::GetAtt` knows `attr`."""
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """The value of `Fn::GetAtt`."""
        if attribute_name == "Arn":
            return self.provider.arn
        raise UnformattedGetAttTemplateException

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> OidcProviderResource:
        """Makes the provider; an account has one per URL."""
        properties = cloudformation_json["Properties"]
        try:
            provider = iam_backends[account_id][PARTITION].create_open_id_connect_provider(
                url=properties["Url"],
                thumbprint_list=properties.get("ThumbprintList", []),
                client_id_list=properties.get("ClientIdList", []),
                tags=properties.get("Tags", []),
            )
        except EntityAlreadyExists as error:
            message = f"Provider with url {properties['Url']} already exists."
            raise AwsError("EntityAlreadyExists", message) from error
        return cls(provider)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: OidcProviderResource,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> OidcProviderResource:
        """Updates in place; a new URL means a new provider."""
        properties = cloudformation_json["Properties"]
        provider = original_resource.provider
        if not properties["Url"].endswith(f"//{provider.url}"):
            original_resource.delete(account_id, region_name)
            return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)
        provider.thumbprint_list = properties.get("ThumbprintList", [])
        provider.client_id_list = properties.get("ClientIdList", [])
        return original_resource

    def delete(self, account_id: str, region_name: str) -> None:
        """Removes the provider from the account."""
        iam_backends[account_id][PARTITION].delete_open_id_connect_provider(self.provider.arn)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        """Removes the provider by its ARN."""
        iam_backends[account_id][PARTITION].delete_open_id_connect_provider(resource_name)

    def is_created(self) -> bool:
        """Providers exist at once."""
        return True
