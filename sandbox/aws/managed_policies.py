"""AWS managed policies and their attachment by templates.

Loading all of AWS's policies costs moto 37 MB per account, so each account sees only those named here; and
moto drops `ManagedPolicyArns` of a role without a word, which would hide a template that cannot deploy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.exceptions import NotFoundException
from moto.iam.models import AWSManagedPolicy, IAMBackend, ManagedPolicy, Role, iam_backends

from sandbox.aws.active import PARTITION
from sandbox.aws.patching import Patch

_NAMES = (
    "AWSLambdaBasicExecutionRole",
    "AWSLambdaSQSQueueExecutionRole",
    "AmazonEC2ContainerRegistryPowerUser",
    "AmazonElasticContainerRegistryPublicPowerUser",
    "AmazonS3ReadOnlyAccess",
    "ReadOnlyAccess",
    "SecurityAudit",
    "ViewOnlyAccess",
)
_moto_create_role = Role.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]  # a classmethod
_moto_delete_role = Role.delete_from_cloudformation_json.__func__  # type: ignore[attr-defined]  # a classmethod


@lru_cache(maxsize=1)
def _documents() -> dict[str, tuple[str, str, str]]:
    """Name → (default version, path, document as text); the text is shared by all accounts."""
    everything = json.loads(aws_managed_policies_data)
    return {
        name: (
            everything[name]["DefaultVersionId"],
            everything[name]["Path"],
            json.dumps(everything[name]["Document"]),
        )
        for name in _NAMES
    }


def _init_aws_policies(self: IAMBackend) -> list[ManagedPolicy]:
    return [
        AWSManagedPolicy(  # type: ignore[abstract]  # moto itself makes it so
            name,
            account_id=self.account_id,
            region=self.region_name,
            default_version_id=version,
            path=path,
            document=document,
        )
        for name, (version, path, document) in _documents().items()
    ]


def _create_role(
    cls: type[Role],
    /,
    resource_name: str,
    cloudformation_json: dict[str, Any],
    account_id: str,
    region_name: str,
    **kwargs: Any,
) -> Role:
    role: Role = _moto_create_role(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
    backend = iam_backends[account_id][PARTITION]
    made_by_stacks(account_id).add(role.arn)
    try:
        for arn in cloudformation_json["Properties"].get("ManagedPolicyArns", []):
            backend.attach_role_policy(arn, role.name)
    except NotFoundException:
        _delete_role(cls, role.name, cloudformation_json, account_id, region_name)
        raise
    return role


def _delete_role(
    cls: type[Role],
    /,
    resource_name: str,
    cloudformation_json: dict[str, Any],
    account_id: str,
    region_name: str,
) -> None:
    backend = iam_backends[account_id][PARTITION]
    role = backend.get_role(resource_name)
    for policy in list(role.managed_policies.values()):
        policy.detach_from(role)
    made_by_stacks(account_id).discard(role.arn)
    _moto_delete_role(cls, resource_name, cloudformation_json, account_id, region_name)


def made_by_stacks(account_id: str) -> set[str]:
    """ARNs of the account's roles that a stack made; kept with moto's backend, so a reset clears it."""
    backend = iam_backends[account_id][PARTITION]
    roles: set[str] = vars(backend).setdefault("roles_made_by_stacks", set())
    return roles


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    yield Patch(IAMBackend, "_init_aws_policies", _init_aws_policies)
    yield Patch(Role, "create_from_cloudformation_json", classmethod(_create_role))
    yield Patch(Role, "delete_from_cloudformation_json", classmethod(_delete_role))
