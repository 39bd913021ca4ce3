"""How Defender for Cloud signs in to GCP: service accounts, workload identity providers, APIs; named here only.

Source: Microsoft's public onboarding Terraform (Azure/Microsoft-Defender-for-Cloud, MultiCloud/GCP, 2024), and newer
public copies of it for what says so; Microsoft Defender for Cloud documentation, "Connect your GCP project" (2026).
"""

from __future__ import annotations

from enum import StrEnum

from shared.domain.profiles import Profile

ISSUER = "https://sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d/"
"""Who signs Defender's tokens: Microsoft's own tenant, not the customer's. For CIEM see `issuer_of`."""
CIEM_APPLICATION_ID = "b46c3ac5-9da6-418f-a849-0a07a10b3c6c"
"""The application whose tokens the provider of CIEM admits (condition on `attribute.appid`; newer copies only)."""


class WorkloadProvider(StrEnum):
    """A provider of the workload identity pool, by the short id that connectors name it by."""

    AUTO_PROVISIONER = "auto-provisioner"
    CSPM = "cspm"
    CONTAINERS = "containers"
    CONTAINERS_STREAMS = "containers-streams"
    SERVERS = "defender-for-servers"
    DATABASES_ARC = "defender-for-databases-arc-ap"
    SENSITIVE_DATA = "data-security-posture-storage"
    CIEM = "ciem-discovery"


class ServiceAccount(StrEnum):
    """A service account that Defender impersonates, by the part of its e-mail address before the `@`."""

    ONBOARDING = "mdc-onboarding-sa"
    CSPM = "microsoft-defender-cspm"
    CONTAINERS = "microsoft-defender-containers"
    CONTAINERS_STREAM = "ms-defender-containers-stream"
    KUBERNETES_DISCOVERY = "mdc-containers-k8s-operator"
    IMAGE_ASSESSMENT = "mdc-containers-artifact-assess"
    SERVERS = "microsoft-defender-for-servers"
    DATABASES_ARC = "microsoft-databases-arc-ap"
    SENSITIVE_DATA = "mdc-data-sec-posture-storage"
    CIEM = "microsoft-defender-ciem"


PROVIDER_OF: dict[ServiceAccount, WorkloadProvider] = {
    ServiceAccount.ONBOARDING: WorkloadProvider.AUTO_PROVISIONER,
    ServiceAccount.CSPM: WorkloadProvider.CSPM,
    ServiceAccount.CONTAINERS: WorkloadProvider.CONTAINERS,
    ServiceAccount.CONTAINERS_STREAM: WorkloadProvider.CONTAINERS_STREAMS,
    ServiceAccount.KUBERNETES_DISCOVERY: WorkloadProvider.CONTAINERS,
    ServiceAccount.IMAGE_ASSESSMENT: WorkloadProvider.CONTAINERS,
    ServiceAccount.SERVERS: WorkloadProvider.SERVERS,
    ServiceAccount.DATABASES_ARC: WorkloadProvider.DATABASES_ARC,
    ServiceAccount.SENSITIVE_DATA: WorkloadProvider.SENSITIVE_DATA,
    ServiceAccount.CIEM: WorkloadProvider.CIEM,
}
"""The provider through which Defender comes to each service account."""

AUDIENCE_OF: dict[WorkloadProvider, str] = {
    WorkloadProvider.AUTO_PROVISIONER: "api://d17a7d74-7e73-4e7d-bd41-8d9525e86cab",
    WorkloadProvider.CSPM: "api://6e81e733-9e7f-474a-85f0-385c097f7f52",
    WorkloadProvider.CONTAINERS: "api://6610e979-c931-41ec-adc7-b9920c9d52f1",
    WorkloadProvider.CONTAINERS_STREAMS: "api://2041288c-b303-4ca0-9076-9612db3beeb2",
    WorkloadProvider.SERVERS: "api://AzureSecurityCenter.MultiCloud.DefenderForServers",
    WorkloadProvider.DATABASES_ARC: "api://AzureSecurityCenter.MultiCloud.DefenderForServers",
    WorkloadProvider.SENSITIVE_DATA: "api://2723a073-e7ed-4ff8-be05-88acda0c702e",
    WorkloadProvider.CIEM: "api://mciem-gcp-oidc-app",
}
"""The audience that each provider has to allow; the last two are from newer copies only."""

_BASE_APIS = (
    "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "sts.googleapis.com",
)
"""Documented for every project."""
_CONTAINERS_APIS = ("container.googleapis.com", "logging.googleapis.com", "pubsub.googleapis.com")
_IMAGE_APIS = ("artifactregistry.googleapis.com", "containeranalysis.googleapis.com")


def email_of(account: str, project_id: str) -> str:
    """The address of a service account in the project that has it.

    Of a project with a domain in its id (`example.com:name`) Google turns the two parts round.
    Source: Google Cloud IAM documentation, "Service accounts overview" (e-mail addresses).
    """
    domain, colon, name = project_id.rpartition(":")
    return f"{account}@{f'{name}.{domain}' if colon else project_id}.iam.gserviceaccount.com"


def pool_id(tenant_id: str) -> str:
    """The workload identity pool's id: the customer's Entra tenant id without dashes (newer copies only)."""
    return tenant_id.lower().replace("-", "")


def issuer_of(provider: WorkloadProvider, tenant_id: str) -> str:
    """Who signs the tokens that come through a provider: for CIEM the customer's own tenant."""
    return f"https://sts.windows.net/{tenant_id.lower()}/" if provider is WorkloadProvider.CIEM else ISSUER


def service_accounts_of(profile: Profile) -> frozenset[ServiceAccount]:
    """Every service account that the offerings of this profile name; an Organization connector names one more."""
    cspm, servers, containers, databases = profile.cspm, profile.servers, profile.containers, profile.databases
    needed = {
        ServiceAccount.CSPM: True,
        ServiceAccount.CONTAINERS: containers,
        ServiceAccount.CONTAINERS_STREAM: containers,
        ServiceAccount.KUBERNETES_DISCOVERY: (cspm and cspm.kubernetes_discovery)
        or (containers and containers.kubernetes_discovery),
        ServiceAccount.IMAGE_ASSESSMENT: (cspm and cspm.image_assessment)
        or (containers and containers.image_assessment),
        ServiceAccount.SERVERS: servers,
        ServiceAccount.DATABASES_ARC: databases,
        ServiceAccount.SENSITIVE_DATA: cspm and cspm.sensitive_data,
        ServiceAccount.CIEM: cspm and cspm.ciem,
    }
    return frozenset(account for account, need in needed.items() if need)


def services_of(profile: Profile) -> tuple[str, ...]:
    """The APIs of Google that a project of this profile needs enabled, in order.

    The first five are documented. Which plan needs which of the others is our reading of the Terraform's list, and of
    what each plan does: Arc through VM Manager, clusters and their logs, images.
    """
    images = (profile.cspm and profile.cspm.image_assessment) or (
        profile.containers and profile.containers.image_assessment
    )
    named = set(_BASE_APIS)
    if profile.containers or (profile.cspm and profile.cspm.kubernetes_discovery):
        named.update(_CONTAINERS_APIS if profile.containers else _CONTAINERS_APIS[:1])
    if images:
        named.update(_IMAGE_APIS)
    if needs_vm_manager(profile):
        named.add("osconfig.googleapis.com")
    return tuple(sorted(named))


def needs_vm_manager(profile: Profile) -> bool:
    """Whether machines get Arc, which Defender installs through VM Manager: the metadata `enable-osconfig` too."""
    return profile.arc.enabled and (profile.servers is not None or profile.databases is not None)
