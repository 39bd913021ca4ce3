"""GCP's part of what depends on the api-version of security connectors: environment and offerings of a project.

As `connector_api` for AWS, of the same profiles; what a profile says and GCP does not have is in `WITHOUT_EFFECT`.
Source: Microsoft.Security/securityConnectors 2024-08-01-preview (definitions `GcpProjectEnvironmentData` and
`…GcpOffering`), names of identities in `gcp_identities`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.domain.connector_api import SUB_PLAN_AS_OBJECT, Offering, Standalone
from shared.domain.gcp_identities import PROVIDER_OF, ServiceAccount, WorkloadProvider, email_of
from shared.domain.profiles import Containers, Databases, DefenderCspm, Plan, Profile, Servers

READ_ONLY_PROJECT = ("workloadIdentityPoolId", "projectName")
READ_ONLY_ORGANIZATION = ("organizationName",)

OFFERING_OF: dict[Plan, str] = {
    Plan.FOUNDATIONAL_CSPM: "CspmMonitorGcp",
    Plan.DEFENDER_CSPM: "DefenderCspmGcp",
    Plan.SERVERS: "DefenderForServersGcp",
    Plan.CONTAINERS: "DefenderForContainersGcp",
    Plan.DATABASES: "DefenderForDatabasesGcp",
}
"""The offering that each plan becomes on the connector of a project."""

WITHOUT_EFFECT: dict[str, tuple[str, ...]] = {
    "defender_cspm": ("database_posture",),
    "containers": ("audit_retention_days", "external_id"),
    "databases": ("rds_threat_protection", "database_posture"),
}
"""Parts of plans, by their names in the policy, for which GCP's offerings have no field; nor has a project regions."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """A GCP project by number and id; the id never changes."""

    number: str
    project_id: str


@dataclass(frozen=True, kw_only=True)
class ProjectMember:
    """A member of an Organization connector: its identities are those of the management project.

    `parent` is what `parentHierarchyId` says; see `Policy.parent_of_members`.
    """

    parent: str
    management: Project


@dataclass(frozen=True, kw_only=True)
class ProjectOrganization:
    """The Organization connector itself, which is the management project's: projects that it leaves alone."""

    excluded: tuple[str, ...] = ()


ProjectMembership = Standalone | ProjectMember | ProjectOrganization


def environment_data(project: Project, profile: Profile, membership: ProjectMembership) -> dict[str, Any]:
    """`properties.environmentData` of a project's connector."""
    return {
        "environmentType": "GcpProject",
        "organizationalData": _organizational_data(project, membership),
        "projectDetails": {"projectNumber": project.number, "projectId": project.project_id},
        "scanInterval": profile.scan_interval_hours,
    }


def _organizational_data(project: Project, membership: ProjectMembership) -> dict[str, Any] | None:
    match membership:
        case ProjectMember(parent=parent, management=management):
            return {
                "organizationMembershipType": "Member",
                "parentHierarchyId": parent,
                "managementProjectNumber": management.number,
            }
        case ProjectOrganization(excluded=excluded):
            return {
                "organizationMembershipType": "Organization",
                "excludedProjectNumbers": sorted(excluded) or None,
                **_identity(ServiceAccount.ONBOARDING, project.project_id),
            }
        case Standalone():
            return None


def offerings_of(
    project: Project,
    profile: Profile,
    membership: ProjectMembership,
    *,
    sub_plan_as_object: bool = SUB_PLAN_AS_OBJECT,
) -> list[Offering]:
    """The offerings that give `project` the plans of `profile`, in the order of `Plan`."""
    home = membership.management if isinstance(membership, ProjectMember) else project
    builder = _Builder(profile, home.project_id, sub_plan_as_object)
    parts: dict[Plan, Offering | None] = {
        Plan.FOUNDATIONAL_CSPM: builder.foundational_cspm(),
        Plan.DEFENDER_CSPM: builder.defender_cspm(profile.cspm) if profile.cspm else None,
        Plan.SERVERS: builder.servers(profile.servers) if profile.servers else None,
        Plan.CONTAINERS: builder.containers(profile.containers) if profile.containers else None,
        Plan.DATABASES: builder.databases(profile.databases) if profile.databases else None,
    }
    return [{"offeringType": OFFERING_OF[plan], **part} for plan, part in parts.items() if part is not None]


def _identity(account: ServiceAccount, project_id: str) -> Offering:
    provider: WorkloadProvider = PROVIDER_OF[account]
    return {"workloadIdentityProviderId": str(provider), "serviceAccountEmailAddress": email_of(account, project_id)}


@dataclass(frozen=True)
class _Builder:
    """`home_id` is the project that has the pool, the providers and the service accounts."""

    profile: Profile
    home_id: str
    sub_plan_as_object: bool

    def foundational_cspm(self) -> Offering:
        return {"nativeCloudConnection": self._identity(ServiceAccount.CSPM)}

    def defender_cspm(self, cspm: DefenderCspm) -> Offering:
        ciem = cspm.ciem and {
            **self._identity(ServiceAccount.CIEM),
            "azureActiveDirectoryAppName": cspm.ciem.application,
        }
        return {
            "ciemDiscovery": ciem,
            "vmScanners": self._scanners(self.profile.agentless_scanning.enabled),
            "dataSensitivityDiscovery": self._switch(cspm.sensitive_data, ServiceAccount.SENSITIVE_DATA),
            "mdcContainersImageAssessment": self._switch(cspm.image_assessment, ServiceAccount.IMAGE_ASSESSMENT),
            "mdcContainersAgentlessDiscoveryK8s": self._switch(
                cspm.kubernetes_discovery, ServiceAccount.KUBERNETES_DISCOVERY
            ),
        }

    def servers(self, servers: Servers) -> Offering:
        assessment = servers.vulnerability_assessment
        return {
            "defenderForServers": self._identity(ServiceAccount.SERVERS),
            "arcAutoProvisioning": self._arc(),
            "vaAutoProvisioning": {
                "enabled": assessment is not None,
                "configuration": {"type": str(assessment)} if assessment else None,
            },
            "mdeAutoProvisioning": {"enabled": servers.endpoint_protection, "configuration": {}},
            "subPlan": {"type": str(servers.sub_plan)} if self.sub_plan_as_object else str(servers.sub_plan),
            "vmScanners": self._scanners(self.profile.scans_servers),
        }

    def containers(self, containers: Containers) -> Offering:
        return {
            "nativeCloudConnection": self._identity(ServiceAccount.CONTAINERS),
            "dataPipelineNativeCloudConnection": self._identity(ServiceAccount.CONTAINERS_STREAM),
            "enableAuditLogsAutoProvisioning": containers.audit_logs,
            "enableDefenderAgentAutoProvisioning": containers.sensor,
            "enablePolicyAgentAutoProvisioning": containers.azure_policy,
            "mdcContainersImageAssessment": self._switch(containers.image_assessment, ServiceAccount.IMAGE_ASSESSMENT),
            "mdcContainersAgentlessDiscoveryK8s": self._switch(
                containers.kubernetes_discovery, ServiceAccount.KUBERNETES_DISCOVERY
            ),
            "vmScanners": self._scanners(self.profile.agentless_scanning.enabled),
        }

    def databases(self, _: Databases) -> Offering:
        return {
            "arcAutoProvisioning": self._arc(),
            "defenderForDatabasesArcAutoProvisioning": self._identity(ServiceAccount.DATABASES_ARC),
        }

    def _identity(self, account: ServiceAccount) -> Offering:
        return _identity(account, self.home_id)

    def _switch(self, enabled: bool, account: ServiceAccount) -> Offering:
        return {"enabled": True, **self._identity(account)} if enabled else {"enabled": False}

    def _scanners(self, enabled: bool) -> Offering:
        if not enabled:
            return {"enabled": False}
        tags = dict(self.profile.agentless_scanning.exclusion_tags)
        return {"enabled": True, "configuration": {"scanningMode": "Default", "exclusionTags": tags or None}}

    def _arc(self) -> Offering:
        arc = self.profile.arc
        if not arc.enabled:
            return {"enabled": False}
        return {
            "enabled": True,
            "configuration": {"proxy": arc.proxy or None, "privateLinkScope": arc.private_link_scope or None},
        }
