"""What depends on the api-version of security connectors: field names, read-only fields, and forms of one value.

The next api-version is a change of this file. Source: Microsoft.Security/securityConnectors 2024-08-01-preview
(definitions `AwsEnvironmentData` and `…AwsOffering`), answers of live Resource Manager, role names in `roles`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.domain.profiles import Arc, Containers, Databases, DefenderCspm, Plan, Profile, Servers
from shared.domain.roles import Role, role_arn

API_VERSION = "2024-08-01-preview"
SUB_PLAN_AS_OBJECT = False
"""`subPlan` is written as text, as live answers and Microsoft's own Terraform have it; the OpenAPI file says object.
Both forms are read."""

Offering = dict[str, Any]
"""One entry of `properties.offerings`, a JSON body of Resource Manager; None stands for what must not be there."""

READ_ONLY = ("id", "name", "type", "systemData", "kind")
READ_ONLY_PROPERTIES = ("hierarchyIdentifierTrialEndDate",)
READ_ONLY_ENVIRONMENT = ("accountName",)
READ_ONLY_OFFERING = ("description",)
WHOLE_MAPS = frozenset({"exclusionTags"})
"""Maps that are the policy's as a whole: what it does not name is taken away."""
CASELESS = frozenset({"environmentName", "environmentType", "organizationMembershipType", "type", "scanningMode"})
"""Fields whose values are names of the API, which ignores their case."""


@dataclass(frozen=True, kw_only=True)
class Standalone:
    """A connector that belongs to no Organization connector."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A member of an Organization connector; `parent` is the management account's id."""

    parent: str


@dataclass(frozen=True, kw_only=True)
class Organization:
    """The Organization connector itself: the StackSet that reaches members, and accounts that it leaves alone."""

    stack_set_name: str
    excluded: tuple[str, ...] = ()


Membership = Standalone | Member | Organization


def environment_data(profile: Profile, membership: Membership) -> dict[str, Any]:
    """`properties.environmentData` of an AWS connector."""
    return {
        "environmentType": "AwsAccount",
        "organizationalData": _organizational_data(membership),
        "regions": list(profile.regions) or None,
        "scanInterval": profile.scan_interval_hours,
    }


def _organizational_data(membership: Membership) -> dict[str, Any] | None:
    match membership:
        case Member(parent=parent):
            return {"organizationMembershipType": "Member", "parentHierarchyId": parent}
        case Organization(stack_set_name=name, excluded=excluded):
            return {
                "organizationMembershipType": "Organization",
                "stacksetName": name,
                "excludedAccountIds": sorted(excluded) or None,
            }
        case Standalone():
            return None


def offerings_of(profile: Profile, account_id: str, *, sub_plan_as_object: bool = SUB_PLAN_AS_OBJECT) -> list[Offering]:
    """The offerings that give `account_id` the plans of `profile`, in the order of `Plan`."""
    builder = _Builder(profile, account_id, sub_plan_as_object)
    parts: dict[Plan, Offering | None] = {
        Plan.FOUNDATIONAL_CSPM: builder.foundational_cspm(),
        Plan.DEFENDER_CSPM: builder.defender_cspm(profile.cspm) if profile.cspm else None,
        Plan.SERVERS: builder.servers(profile.servers) if profile.servers else None,
        Plan.CONTAINERS: builder.containers(profile.containers) if profile.containers else None,
        Plan.DATABASES: builder.databases(profile.databases) if profile.databases else None,
    }
    return [{"offeringType": str(plan), **part} for plan, part in parts.items() if part is not None]


@dataclass(frozen=True)
class _Builder:
    profile: Profile
    account_id: str
    sub_plan_as_object: bool

    def foundational_cspm(self) -> Offering:
        return {"nativeCloudConnection": self._role(Role.CSPM_MONITOR)}

    def defender_cspm(self, cspm: DefenderCspm) -> Offering:
        ciem = cspm.ciem and {
            "ciemDiscovery": self._role(Role.CIEM_DISCOVERY),
            "ciemOidc": self._role(Role.CIEM_OIDC) | {"azureActiveDirectoryAppName": cspm.ciem.application},
        }
        return {
            "vmScanners": self._scanners(self.profile.agentless_scanning.enabled),
            "dataSensitivityDiscovery": self._switch(cspm.sensitive_data, Role.SENSITIVE_DATA),
            "databasesDspm": self._switch(cspm.database_posture, Role.DATABASE_POSTURE),
            "ciem": ciem,
            "mdcContainersImageAssessment": self._switch(cspm.image_assessment, Role.IMAGE_ASSESSMENT),
            "mdcContainersAgentlessDiscoveryK8s": self._switch(cspm.kubernetes_discovery, Role.KUBERNETES_DISCOVERY),
        }

    def servers(self, servers: Servers) -> Offering:
        assessment = servers.vulnerability_assessment
        return {
            "defenderForServers": self._role(Role.SERVERS),
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
            "kubernetesService": self._role(Role.KUBERNETES),
            "kubernetesDataCollection": self._role(Role.DATA_COLLECTION),
            "cloudWatchToKinesis": self._role(Role.CLOUDWATCH_TO_KINESIS),
            "kinesisToS3": self._role(Role.KINESIS_TO_S3),
            "enableAuditLogsAutoProvisioning": containers.audit_logs,
            "enableDefenderAgentAutoProvisioning": containers.sensor,
            "enablePolicyAgentAutoProvisioning": containers.azure_policy,
            "kubeAuditRetentionTime": containers.audit_retention_days,
            "dataCollectionExternalId": containers.external_id or None,
            "mdcContainersImageAssessment": self._switch(containers.image_assessment, Role.IMAGE_ASSESSMENT),
            "mdcContainersAgentlessDiscoveryK8s": self._switch(
                containers.kubernetes_discovery, Role.KUBERNETES_DISCOVERY
            ),
            "vmScanners": self._scanners(self.profile.agentless_scanning.enabled),
        }

    def databases(self, databases: Databases) -> Offering:
        return {
            "arcAutoProvisioning": self._arc(),
            "rds": self._switch(databases.rds_threat_protection, Role.DATABASE_THREATS),
            "databasesDspm": self._switch(databases.database_posture, Role.DATABASE_POSTURE),
        }

    def _role(self, role: Role) -> Offering:
        return {"cloudRoleArn": role_arn(self.account_id, role)}

    def _switch(self, enabled: bool, role: Role) -> Offering:
        return {"enabled": True, **self._role(role)} if enabled else {"enabled": False}

    def _scanners(self, enabled: bool) -> Offering:
        if not enabled:
            return {"enabled": False}
        tags = dict(self.profile.agentless_scanning.exclusion_tags)
        return self._switch(enabled, Role.AGENTLESS_SCANNER) | {
            "configuration": {"scanningMode": "Default", "exclusionTags": tags or None}
        }

    def _arc(self) -> Offering:
        arc: Arc = self.profile.arc
        if not arc.enabled:
            return {"enabled": False}
        return self._switch(arc.enabled, Role.ARC_PROVISIONING) | {
            "configuration": {"proxy": arc.proxy or None, "privateLinkScope": arc.private_link_scope or None}
        }


def canonical(name: str, value: Any) -> Any:
    """A value in the one form that comparisons use: `subPlan` as text, ids of Azure and names of the API caseless."""
    if name == "subPlan":
        text = value.get("type") if isinstance(value, dict) else value
        return text.upper() if isinstance(text, str) else text
    if isinstance(value, str) and (name in CASELESS or value.lower().startswith("/subscriptions/")):
        return value.lower()
    return value
