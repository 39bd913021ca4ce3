"""What Microsoft documents for Defender's roles besides what our own template grants, and its two kinds of access.

Source: Defender for Cloud documentation, "User roles and permissions" (Permissions on AWS) and "Container permissions"
(June 2026); AWS managed policies by their names.
"""

from __future__ import annotations

import re
from enum import StrEnum

from shared.domain.roles import Role


class Access(StrEnum):
    """The portal's choice of permissions for a template."""

    DEFAULT = "default"
    LEAST_PRIVILEGE = "least privilege"
    UNKNOWN = "unknown"


READ_EVERYTHING = "ReadOnlyAccess"
"""Of CspmMonitorAws with default access."""
LEAST_POLICY = "CspmMonitorAwsPolicy"
"""The policy of CspmMonitorAws that lists its actions one by one; Microsoft publishes no list of them."""

LEAST_MANAGED: dict[Role, frozenset[str]] = {
    Role.CSPM_MONITOR: frozenset(),
    Role.IMAGE_ASSESSMENT: frozenset(
        {"AmazonEC2ContainerRegistryReadOnly", "AmazonElasticContainerRegistryPublicReadOnly"}
    ),
}
"""The managed policies of roles whose two kinds of access differ in them."""

LEAST_WITHOUT: dict[Role, frozenset[str]] = {
    Role.CSPM_MONITOR: frozenset(
        {
            f"{service}:*"
            for service in ("billing", "consolidatedbilling", "cur", "freetier", "invoicing", "payments", "tax")
        }
    ),
    Role.KUBERNETES_DISCOVERY: frozenset(
        {
            "eks:associateaccesspolicy",
            "eks:createaccessentry",
            "eks:listaccessentries",
            "eks:listassociatedaccesspolicies",
        }
    ),
}
"""What belongs to default access only: denials of what ReadOnlyAccess would read, and entries of clusters."""

_KEYS_OF_DATABASES = (
    "CancelKeyDeletion DescribeKey DisableKey EnableKey Encrypt ListGrants PutKeyPolicy ScheduleKeyDeletion "
    "UpdateAlias UpdateKeyDescription"
)
DOCUMENTED_BESIDES: dict[Role, frozenset[str]] = {
    Role.DATABASE_POSTURE: frozenset(f"kms:{action.lower()}" for action in _KEYS_OF_DATABASES.split()),
    Role.ARC_PROVISIONING: frozenset(
        {
            "ec2:describeiaminstanceprofileassociations",
            "ec2:describeinstances",
            "ec2:disassociateiaminstanceprofile",
            "iam:getinstanceprofile",
            "iam:listinstanceprofilesforrole",
            "ssm:getautomationexecution",
            "ssm:getservicesetting",
            "ssm:startautomationexecution",
            "ssm:updateservicesetting",
        }
    ),
    Role.KUBERNETES_DISCOVERY: frozenset({"eks:updateclusterconfig*"}),
    Role.DATA_COLLECTION: frozenset(
        {
            "logs:describeloggroups",
            "logs:describesubscriptionfilters",
            "logs:putretentionpolicy",
            "logs:putsubscriptionfilter",
        }
    ),
    Role.CIEM_OIDC: frozenset(
        {
            "sts:assumerolewithsaml",
            "sts:getaccesskeyinfo",
            "sts:getcalleridentity",
            "sts:getfederationtoken",
            "sts:getservicebearertoken",
            "sts:getsessiontoken",
        }
    ),
    Role.CIEM_DISCOVERY: frozenset({"s3:getobject", "s3:listbucket"}),
}
"""Actions, in small letters, that a portal's template may grant and ours does not."""

_READING = re.compile(r"[a-z0-9-]+:(batch)?(describe|get|list|lookup|query|search|view)[a-z0-9]*\*?")
_REPORTS = frozenset({"iam:generatecredentialreport", "iam:generateservicelastaccesseddetails"})


def only_reads(action: str) -> bool:
    """Whether an action, in small letters, only looks, by its verb."""
    return action in _REPORTS or _READING.fullmatch(action) is not None
