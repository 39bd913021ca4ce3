"""Profiles: named sets of Defender's plans and their options, three of them ready made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.roles import ROLES_OF, Role, RoleGroup


class Plan(StrEnum):
    """Defender plans, by the name of the offering that each becomes on a connector of AWS; GCP's: `OFFERING_OF`."""

    FOUNDATIONAL_CSPM = "CspmMonitorAws"
    DEFENDER_CSPM = "DefenderCspmAws"
    SERVERS = "DefenderForServersAws"
    CONTAINERS = "DefenderForContainersAws"
    DATABASES = "DefenderForDatabasesAws"


class SubPlan(StrEnum):
    """The two plans for servers. Agentless scanning belongs to P2."""

    P1 = "P1"
    P2 = "P2"


class Assessment(StrEnum):
    """Who looks for vulnerabilities on servers."""

    TVM = "TVM"
    QUALYS = "Qualys"


@dataclass(frozen=True, kw_only=True)
class Ciem:
    """The Entra application of entitlement management; `subject` is its service principal's id, empty for GCP."""

    application: str
    subject: str


@dataclass(frozen=True, kw_only=True)
class DefenderCspm:
    """Parts of Defender CSPM; agentless scanning is said once for all plans, see `Profile`."""

    sensitive_data: bool = True
    database_posture: bool = True
    image_assessment: bool = True
    kubernetes_discovery: bool = True
    ciem: Ciem | None = None


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Parts of Defender for Servers; Arc is said once for all plans, see `Profile`."""

    sub_plan: SubPlan = SubPlan.P2
    endpoint_protection: bool = True
    vulnerability_assessment: Assessment | None = Assessment.TVM


@dataclass(frozen=True, kw_only=True)
class Containers:
    """Parts of Defender for Containers. `external_id` guards the role that collects audit logs."""

    audit_logs: bool = True
    sensor: bool = True
    azure_policy: bool = True
    image_assessment: bool = True
    kubernetes_discovery: bool = True
    audit_retention_days: int = 30
    external_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Databases:
    """Parts of Defender for Databases. Threat protection for RDS is billed and changes parameter groups."""

    rds_threat_protection: bool = False
    database_posture: bool = True


@dataclass(frozen=True, kw_only=True)
class AgentlessScanning:
    """Scans of disks without an agent: one setting for Defender CSPM, Servers P2 and Containers."""

    enabled: bool = True
    exclusion_tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Arc:
    """Azure Arc on the machines: one setting for Servers and Databases. Empty: neither proxy nor private link."""

    enabled: bool = True
    proxy: str = ""
    private_link_scope: str = ""


@dataclass(frozen=True, kw_only=True)
class GovernanceRule:
    """Gives the recommendations of some severities an owner and a time. `owner` is an e-mail address or tag name."""

    name: str
    priority: int
    severities: tuple[str, ...]
    owner: str
    owner_from_tag: bool
    remediation_days: int
    grace_period: bool


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A named set of plans and their options; None is a plan that is off. Foundational CSPM is always on."""

    name: str
    cspm: DefenderCspm | None = None
    servers: Servers | None = None
    containers: Containers | None = None
    databases: Databases | None = None
    agentless_scanning: AgentlessScanning = field(default_factory=AgentlessScanning)
    arc: Arc = field(default_factory=Arc)
    scan_interval_hours: int = 24
    regions: tuple[str, ...] = ()
    standards: tuple[str, ...] = ()
    governance: tuple[GovernanceRule, ...] = ()

    @property
    def plans(self) -> frozenset[Plan]:
        """The plans that are on."""
        parts = {
            Plan.DEFENDER_CSPM: self.cspm,
            Plan.SERVERS: self.servers,
            Plan.CONTAINERS: self.containers,
            Plan.DATABASES: self.databases,
        }
        return frozenset({Plan.FOUNDATIONAL_CSPM, *(plan for plan, part in parts.items() if part is not None)})

    @property
    def scans_servers(self) -> bool:
        """Whether Servers scans without an agent, which only P2 does."""
        on = self.servers is not None and self.servers.sub_plan is SubPlan.P2
        return on and self.agentless_scanning.enabled

    def role_groups(self) -> frozenset[RoleGroup]:
        """The groups of roles that the offerings of this profile name."""
        cspm, servers, containers, databases = self.cspm, self.servers, self.containers, self.databases
        scans = self.agentless_scanning.enabled and (cspm or containers)
        needed = {
            RoleGroup.AGENTLESS_SCANNER: scans or self.scans_servers,
            RoleGroup.SENSITIVE_DATA: cspm and cspm.sensitive_data,
            RoleGroup.DATABASE_POSTURE: (cspm and cspm.database_posture) or (databases and databases.database_posture),
            RoleGroup.IMAGE_ASSESSMENT: (cspm and cspm.image_assessment)
            or (containers and containers.image_assessment),
            RoleGroup.KUBERNETES_DISCOVERY: (cspm and cspm.kubernetes_discovery)
            or (containers and containers.kubernetes_discovery),
            RoleGroup.SERVERS: servers,
            RoleGroup.ARC_PROVISIONING: self.arc.enabled and (servers or databases),
            RoleGroup.CONTAINERS_RUNTIME: containers,
            RoleGroup.CIEM: cspm and cspm.ciem,
        }
        return frozenset(group for group, need in needed.items() if need)

    def roles(self) -> frozenset[Role]:
        """Every role that the offerings of this profile name."""
        named = {role for group in self.role_groups() for role in ROLES_OF[group]}
        if self.databases is not None and self.databases.rds_threat_protection:
            named.add(Role.DATABASE_THREATS)
        return frozenset({Role.CSPM_MONITOR, *named})

    def stack_parameters(self) -> dict[str, str]:
        """The StackSet parameters that give an account the roles of this profile, and no others."""
        groups = self.role_groups()
        switches = {str(group): "true" if group in groups else "false" for group in RoleGroup}
        return switches | {
            "DataCollectionExternalId": self.containers.external_id if self.containers else "",
            "CiemSubject": self.cspm.ciem.subject if self.cspm and self.cspm.ciem else "",
        }


FOUNDATIONAL = Profile(name="foundational")
"""Free posture management, and nothing else."""

RECOMMENDED = Profile(
    name="recommended", cspm=DefenderCspm(), servers=Servers(), containers=Containers(), databases=Databases()
)
"""What the portal switches on by itself."""

MAXIMUM = Profile(
    name="maximum",
    cspm=DefenderCspm(),
    servers=Servers(),
    containers=Containers(),
    databases=Databases(rds_threat_protection=True),
    scan_interval_hours=4,
)
"""Everything, entitlement management (CIEM) included where the policy names its application."""

BUILT_IN = {profile.name: profile for profile in (FOUNDATIONAL, RECOMMENDED, MAXIMUM)}
