"""What Defender's service accounts are granted in a GCP organization, and which variable of `infra/gcp` makes it.

Source: as `gcp_identities`; Microsoft Defender for Cloud, "Resolve GCP sharing policy", "Resolve disk scanning error".
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.domain.gcp_identities import ServiceAccount

USER = "roles/iam.workloadIdentityUser"
TOKEN_CREATOR = "roles/iam.serviceAccountTokenCreator"  # noqa: S105 - a role
ARC_ACCOUNT = "azure-arc-for-servers-onboard"
"""The account that Arc is brought to machines as: nobody comes to it through the pool, others mint its tokens."""
ARC_CREATORS = (ServiceAccount.SERVERS, ServiceAccount.DATABASES_ARC)


@dataclass(frozen=True, kw_only=True)
class Made:
    """The variable of `infra/gcp` that has to name `value`; both empty where it is always made."""

    variable: str = ""
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class Outsider:
    """An account of Microsoft's or Google's, from outside the organization, and its roles there."""

    email: str
    roles: tuple[str, ...]
    made: Made


MADE_BY: dict[str, Made] = {
    ServiceAccount.ONBOARDING: Made(),
    ServiceAccount.CSPM: Made(),
    ServiceAccount.CONTAINERS: Made(variable="plans", value="containers"),
    ServiceAccount.CONTAINERS_STREAM: Made(variable="plans", value="containers"),
    ServiceAccount.KUBERNETES_DISCOVERY: Made(variable="parts", value="kubernetes_discovery"),
    ServiceAccount.IMAGE_ASSESSMENT: Made(variable="parts", value="image_assessment"),
    ServiceAccount.SERVERS: Made(variable="plans", value="servers"),
    ServiceAccount.DATABASES_ARC: Made(variable="plans", value="databases"),
    ServiceAccount.SENSITIVE_DATA: Made(variable="parts", value="sensitive_data"),
    ServiceAccount.CIEM: Made(variable="parts", value="ciem"),
    ARC_ACCOUNT: Made(variable="parts", value="arc"),
}
"""What makes each service account, its provider and its roles."""

ROLES_OF: dict[ServiceAccount, tuple[str, ...]] = {
    ServiceAccount.ONBOARDING: ("MDCCustomRole",),
    ServiceAccount.CSPM: ("roles/viewer", "MDCCspmCustomRole"),
    ServiceAccount.CONTAINERS: ("MicrosoftDefenderContainersRole", "roles/container.admin", "roles/pubsub.admin"),
    ServiceAccount.CONTAINERS_STREAM: ("MicrosoftDefenderContainersDataCollectionRole",),
    ServiceAccount.KUBERNETES_DISCOVERY: ("roles/container.viewer", "MDCGkeClusterWriteRole"),
    ServiceAccount.IMAGE_ASSESSMENT: ("roles/storage.objectUser", "roles/artifactregistry.writer"),
    ServiceAccount.SERVERS: (
        "roles/compute.viewer",
        "roles/osconfig.osPolicyAssignmentAdmin",
        "roles/osconfig.osPolicyAssignmentReportViewer",
    ),
    ServiceAccount.DATABASES_ARC: (
        "roles/compute.viewer",
        "roles/osconfig.osPolicyAssignmentAdmin",
        "roles/osconfig.osPolicyAssignmentReportViewer",
    ),
    ServiceAccount.SENSITIVE_DATA: ("MDCDataSecurityPostureStorageRole",),
    ServiceAccount.CIEM: ("roles/viewer", "roles/iam.securityReviewer"),
}
"""Roles on the organization; a name without a slash is that of a custom role there."""

READ_ONLY_INSTEAD: dict[str, str] = {
    "roles/storage.objectUser": "roles/storage.objectViewer",
    "roles/artifactregistry.writer": "roles/artifactregistry.reader",
}
"""What does instead where image assessment only reads (`read_only_image_assessment`)."""

SCANNER = Outsider(
    email="mdc-agentless-scanning@guardians-prod-diskscanning.iam.gserviceaccount.com",
    roles=("MDCAgentlessScanningRole",),
    made=Made(variable="parts", value="agentless_scanning"),
)
"""Scans disks. Which profiles scan encrypted ones is not known here: the account for that is not looked for."""
AUDIT_LOGS = Outsider(
    email="cloud-logs@system.gserviceaccount.com",
    roles=("roles/pubsub.publisher",),
    made=Made(variable="parts", value="audit_logs"),
)

MICROSOFT = ("principalSet://iam.googleapis.com/organizations/517615557103", "C03um0klj")
"""Microsoft's organization at Google, either of which domain-restricted sharing has to let in."""
MICROSOFTS_DISKS = "under:organizations/517615557103"
"""What restrictions of storage use have to let in: snapshots of disks go there."""


def role_name(role: str, organization: str) -> str:
    """A role as policies name it."""
    return role if "/" in role else f"organizations/{organization}/roles/{role}"
