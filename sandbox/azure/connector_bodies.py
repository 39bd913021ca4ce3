"""What an AWS connector's body must say before Defender looks into the account.

Source: Microsoft.Security/securityConnectors, API version 2024-08-01-preview. The specification requires nothing;
that memberships need their fields follows from what Defender does with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sandbox.azure.answers import connector_refusal
from sandbox.azure.resources import Document

_ACCOUNT_ID = re.compile(r"\d{12}")
_AWS_OFFERINGS = {
    "CspmMonitorAws",
    "DefenderCspmAws",
    "DefenderForContainersAws",
    "DefenderForDatabasesAws",
    "DefenderForServersAws",
}


def aws_account(properties: Document) -> tuple[str, str | None]:
    """The account id, and the CSPM role's ARN where the connector has that offering.

    Raises:
        RefusalError: 400 in the connector's envelope, the body contradicts itself.
    """
    account_id = properties.get("hierarchyIdentifier")
    if not isinstance(account_id, str) or not _ACCOUNT_ID.fullmatch(account_id):
        raise connector_refusal(f"The hierarchy identifier '{account_id}' is not an AWS account id.")
    environment = properties.get("environmentData")
    if not isinstance(environment, dict) or environment.get("environmentType") != "AwsAccount":
        raise connector_refusal("The environment data do not belong to the environment AWS.")
    _check_membership(environment.get("organizationalData"))
    role_arn = None
    for offering in properties.get("offerings") or ():
        if offering.get("offeringType") not in _AWS_OFFERINGS:
            raise connector_refusal(f"The offering '{offering.get('offeringType')}' is not supported for AWS.")
        if offering["offeringType"] == "CspmMonitorAws":
            role_arn = (offering.get("nativeCloudConnection") or {}).get("cloudRoleArn", "")
    return account_id, role_arn


def role_arns(properties: Document) -> list[str]:
    """Every `cloudRoleArn` in the offerings, once, leaving out what is switched off with `enabled: false`."""
    return list(dict.fromkeys(_role_arns(properties.get("offerings") or ())))


def _role_arns(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("enabled") is False:
            return
        for key, item in value.items():
            if key == "cloudRoleArn":
                yield str(item)
            else:
                yield from _role_arns(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _role_arns(item)


def _check_membership(organizational: Any) -> None:
    if organizational is None:
        return
    kind = organizational.get("organizationMembershipType") if isinstance(organizational, dict) else None
    if kind == "Member":
        parent = organizational.get("parentHierarchyId")
        if not isinstance(parent, str) or not _ACCOUNT_ID.fullmatch(parent):
            raise connector_refusal(f"The parent hierarchy id '{parent}' of a member is not an AWS account id.")
    elif kind == "Organization":
        if not organizational.get("stacksetName"):
            raise connector_refusal("The StackSet name of the organization is missing.")
        excluded = organizational.get("excludedAccountIds") or []
        if not all(isinstance(each, str) and _ACCOUNT_ID.fullmatch(each) for each in excluded):
            raise connector_refusal("The excluded account ids are not AWS account ids.")
    else:
        raise connector_refusal(f"The organization membership type '{kind}' is not supported.")
