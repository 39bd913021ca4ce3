"""The IAM roles that Defender for Cloud takes in an AWS account: their names stand here and nowhere else.

Source: Microsoft's public onboarding Terraform (Azure/Microsoft-Defender-for-Cloud, MultiCloud/AWS, 2024) and the
permissions pages of the Defender for Cloud documentation (June 2026).
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A role by its default name."""

    CSPM_MONITOR = "CspmMonitorAws"
    AGENTLESS_SCANNER = "DefenderForCloud-AgentlessScanner"
    SENSITIVE_DATA = "SensitiveDataDiscovery"
    DATABASE_POSTURE = "DefenderForCloud-DataSecurityPostureDB"
    IMAGE_ASSESSMENT = "MDCContainersImageAssessmentRole"
    KUBERNETES_DISCOVERY = "MDCContainersAgentlessDiscoveryK8sRole"
    SERVERS = "DefenderForCloud-DefenderForServers"
    ARC_PROVISIONING = "DefenderForCloud-ArcAutoProvisioning"
    KUBERNETES = "DefenderForCloud-Containers-K8s"
    DATA_COLLECTION = "DefenderForCloud-DataCollection"
    CLOUDWATCH_TO_KINESIS = "DefenderForCloud-Containers-K8s-cloudwatch-to-kinesis"
    KINESIS_TO_S3 = "DefenderForCloud-Containers-K8s-kinesis-to-s3"
    CIEM_OIDC = "DefenderForCloud-OidcCiem"
    CIEM_DISCOVERY = "DefenderForCloud-Ciem"
    DATABASE_THREATS = "DefenderForCloud-DataThreatProtectionDB"


class RoleGroup(StrEnum):
    """Roles that come together, by the parameter of `infra/aws/member-roles.yaml` that makes them."""

    AGENTLESS_SCANNER = "AgentlessScanner"
    SENSITIVE_DATA = "SensitiveDataDiscovery"
    DATABASE_POSTURE = "DatabasePosture"
    IMAGE_ASSESSMENT = "ImageAssessment"
    KUBERNETES_DISCOVERY = "KubernetesDiscovery"
    SERVERS = "Servers"
    ARC_PROVISIONING = "ArcProvisioning"
    CONTAINERS_RUNTIME = "ContainersRuntime"
    CIEM = "Ciem"


ROLES_OF: dict[RoleGroup, tuple[Role, ...]] = {
    RoleGroup.AGENTLESS_SCANNER: (Role.AGENTLESS_SCANNER,),
    RoleGroup.SENSITIVE_DATA: (Role.SENSITIVE_DATA,),
    RoleGroup.DATABASE_POSTURE: (Role.DATABASE_POSTURE,),
    RoleGroup.IMAGE_ASSESSMENT: (Role.IMAGE_ASSESSMENT,),
    RoleGroup.KUBERNETES_DISCOVERY: (Role.KUBERNETES_DISCOVERY,),
    RoleGroup.SERVERS: (Role.SERVERS,),
    RoleGroup.ARC_PROVISIONING: (Role.ARC_PROVISIONING,),
    RoleGroup.CONTAINERS_RUNTIME: (
        Role.KUBERNETES,
        Role.DATA_COLLECTION,
        Role.CLOUDWATCH_TO_KINESIS,
        Role.KINESIS_TO_S3,
    ),
    RoleGroup.CIEM: (Role.CIEM_OIDC, Role.CIEM_DISCOVERY),
}
"""Every role but CspmMonitorAws, which every account has, and the one for threats to databases: nobody has published
its trust, so a template that has it comes from the portal."""


FORMER_NAMES: dict[str, Role] = {
    "DefenderForCloud_AgentlessScanner": Role.AGENTLESS_SCANNER,
    "MDCContainersK8sRole": Role.KUBERNETES,
    "azuredefender_kubernetes": Role.KUBERNETES,
    "MDCContainersK8sDataCollectionRole": Role.DATA_COLLECTION,
    "azuredefender_kubernetes_scuba_reader": Role.DATA_COLLECTION,
    "MDCContainersK8sCloudWatchToKinesisRole": Role.CLOUDWATCH_TO_KINESIS,
    "MDCContainersK8sKinesisToS3Role": Role.KINESIS_TO_S3,
    "MDCContainersK8sKinesisToS3RoleName": Role.KINESIS_TO_S3,
}
"""Other names that templates have given these roles; our connectors name the default ones."""

MACHINE_SETUP_PREFIX = "AWS-MDCSetup-HostMgmtRole-"
"""A role that no connector names: Systems Manager takes it, to give machines their instance profile."""

PROVIDER_HOST = "sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d/"
"""Defender's identity provider in every account: Microsoft's own tenant, not the customer's."""

AUDIENCE_OF: dict[Role, str] = {
    Role.CSPM_MONITOR: "api://4d8bed1f-eee7-4d8e-b0dc-8462049a4479",
    Role.AGENTLESS_SCANNER: "api://AzureSecurityCenter.MultiCloud.DefenderForServers.VmScanner",
    Role.SENSITIVE_DATA: "api://b2f86835-c959-461c-b08c-2cd5ca382af5",
    Role.DATABASE_POSTURE: "api://AzureSecurityCenter.MultiCloud.DefenderForDatabases",
    Role.IMAGE_ASSESSMENT: "api://6610e979-c931-41ec-adc7-b9920c9d52f1",
    Role.KUBERNETES_DISCOVERY: "api://6610e979-c931-41ec-adc7-b9920c9d52f1",
    Role.SERVERS: "api://AzureSecurityCenter.MultiCloud.DefenderForServers",
    Role.ARC_PROVISIONING: "api://AzureSecurityCenter.MultiCloud.DefenderForServers",
    Role.KUBERNETES: "api://6610e979-c931-41ec-adc7-b9920c9d52f1",
    Role.DATA_COLLECTION: "api://1462b192-27f7-4cb9-8523-0f4ecb54b47e",
}
"""The audience with which Defender comes to each role that it takes through that provider."""


def role_arn(account_id: str, role: Role) -> str:
    """The ARN of one of Defender's roles."""
    return role_arn_of(account_id, role)


def role_arn_of(account_id: str, name: str) -> str:
    """The ARN of a role in the commercial partition, the only one that Defender for Cloud supports."""
    return f"arn:aws:iam::{account_id}:role/{name}"
