"""Profiles as the policy file writes them, and what becomes of `extends`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StrictInt,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue

from shared.domain.profiles import (
    BUILT_IN,
    AgentlessScanning,
    Arc,
    Assessment,
    Ciem,
    Containers,
    Databases,
    DefenderCspm,
    GovernanceRule,
    Profile,
    Servers,
    SubPlan,
)

PLAN_NAMES: tuple[str, ...] = ("foundational_cspm", "defender_cspm", "servers", "containers", "databases")
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$")]
TagText = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Part(BaseModel):
    """A part of the policy file: unknown words are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    """Only the whole file is ever validated. A part that is made or dumped by itself is built for that, for some 2 ms:
    defaults are constructed, and `dict` gives the fields of one."""


class DefenderCspmDocument(Part):
    """Parts of Defender CSPM; what is left out stays as the profile that is extended has it."""

    sensitive_data: StrictBool | None = Field(
        default=None, description="find sensitive data in S3 (and RDS) and Cloud Storage"
    )
    database_posture: StrictBool | None = Field(
        default=None, description="posture of databases, from RDS snapshots; AWS only"
    )
    image_assessment: StrictBool | None = Field(
        default=None, description="vulnerabilities of images in ECR or Artifact Registry"
    )
    kubernetes_discovery: StrictBool | None = Field(default=None, description="EKS or GKE clusters, without an agent")
    ciem: StrictBool | None = Field(
        default=None, description="entitlement management; needs the section `ciem`, for projects that of `gcp`"
    )


class ServersDocument(Part):
    """Parts of Defender for Servers."""

    sub_plan: SubPlan | None = Field(default=None, description="P1 or P2; P2 scans without an agent, too")
    endpoint_protection: StrictBool | None = Field(default=None, description="Defender for Endpoint on the machines")
    vulnerability_assessment: Literal["TVM", "Qualys", "off"] | None = Field(
        default=None, description="TVM is Defender's own"
    )


class ContainersDocument(Part):
    """Parts of Defender for Containers."""

    audit_logs: StrictBool | None = Field(default=None, description="control-plane threats, from Kubernetes audit logs")
    sensor: StrictBool | None = Field(default=None, description="Defender's sensor on every cluster, through Arc")
    azure_policy: StrictBool | None = Field(default=None, description="Azure Policy on every cluster, through Arc")
    image_assessment: StrictBool | None = Field(
        default=None, description="vulnerabilities of images in ECR or Artifact Registry"
    )
    kubernetes_discovery: StrictBool | None = Field(default=None, description="EKS or GKE clusters, without an agent")
    audit_retention_days: StrictInt | None = Field(
        default=None, ge=1, le=3653, description="of the audit logs; AWS only"
    )
    external_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_+=,.@:/-]+$",
        min_length=2,
        max_length=1224,
        description="of AWS's role that collects audit logs; left out: made from the organization's id",
    )


class DatabasesDocument(Part):
    """Parts of Defender for Databases."""

    rds_threat_protection: StrictBool | None = Field(
        default=None,
        description="AWS only; billed; changes parameter and option groups; needs a template from the portal",
    )
    database_posture: StrictBool | None = Field(
        default=None, description="posture of databases, from RDS snapshots; AWS only"
    )


class PlansDocument(Part):
    """`true`, `false`, or the plan's parts. Foundational CSPM is part of every profile, named or not."""

    foundational_cspm: Literal[True] | None = Field(default=None, description="free; always on")
    defender_cspm: StrictBool | DefenderCspmDocument | None = Field(default=None, description="the paid posture plan")
    servers: StrictBool | ServersDocument | None = Field(
        default=None, description="EC2 and Compute Engine instances, through Arc"
    )
    containers: StrictBool | ContainersDocument | None = Field(
        default=None, description="EKS, ECR, GKE and Artifact Registry"
    )
    databases: StrictBool | DatabasesDocument | None = Field(
        default=None, description="SQL on machines; in AWS RDS, too"
    )


def _switched_on(value: Any) -> Any:
    """`[servers, containers]` is short for `{servers: true, containers: true}`."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return dict.fromkeys(value, True)
    return value


class _OrListOfPlans:
    """The short form, in the JSON Schema."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        short = {"type": "array", "items": {"type": "string", "enum": list(PLAN_NAMES)}}
        return {"anyOf": [handler(schema), short]}


Plans = Annotated[PlansDocument, BeforeValidator(_switched_on), _OrListOfPlans()]


class AgentlessScanningDocument(Part):
    """Scans of disks without an agent: one setting for Defender CSPM, Servers P2 and Containers."""

    enabled: StrictBool | None = Field(default=None, description="off: no plan scans disks")
    exclusion_tags: dict[TagText, TagText] | None = Field(
        default=None, description="machines with one of these tags or labels are not scanned"
    )


class ArcDocument(Part):
    """Azure Arc on the machines: one setting for Servers and Databases."""

    enabled: StrictBool | None = Field(
        default=None, description="installs Arc through SSM or VM Manager; needs Owner on the subscription"
    )
    proxy: str | None = Field(default=None, pattern=r"^(https?://[^\s]+)?$", description="that the machines go through")
    private_link_scope: str | None = Field(
        default=None,
        pattern=r"(?i)^(/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.hybridcompute/privatelinkscopes/[^/]+)?$",
        description="resource id of an Arc private link scope",
    )


class GovernanceDocument(Part):
    """An owner and a time for recommendations of some severities. Needs Defender CSPM."""

    name: str = Field(min_length=1, max_length=128, description="unique within the profile")
    priority: StrictInt = Field(ge=0, le=1000, description="unique within the profile; the lowest wins")
    severities: list[Literal["High", "Medium", "Low"]] = Field(min_length=1, description="of recommendations")
    owner: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$", description="an e-mail address")
    owner_tag: str | None = Field(default=None, min_length=1, description="or the tag that names the owner")
    remediation_days: StrictInt = Field(default=7, ge=1, le=365, description="until they are due")
    grace_period: StrictBool = Field(default=True, description="the secure score waits as long as the owner may")

    def to_domain(self) -> GovernanceRule:
        """The rule as a value."""
        return GovernanceRule(
            name=self.name,
            priority=self.priority,
            severities=tuple(self.severities),
            owner=self.owner or self.owner_tag or "",
            owner_from_tag=self.owner is None,
            remediation_days=self.remediation_days,
            grace_period=self.grace_period,
        )


class ProfileDocument(Part):
    """Plans and their options. What is left out is as in the profile that it extends."""

    extends: str | None = Field(default=None, description="a ready-made profile or one of this file")
    plans: Plans = Field(
        default_factory=PlansDocument.model_construct, description="or the short form: a list of plans that are on"
    )
    scan_interval_hours: StrictInt | None = Field(
        default=None, ge=1, le=24, description="how often posture is scanned; the portal offers 4, 6, 12 and 24"
    )
    regions: list[Region] | None = Field(
        default=None, description="of the partition `aws`; left out or empty: all; AWS only"
    )
    agentless_scanning: AgentlessScanningDocument = Field(default_factory=AgentlessScanningDocument.model_construct)
    arc: ArcDocument = Field(default_factory=ArcDocument.model_construct)
    standards: list[str] | None = Field(default=None, description="compliance standards, by display name")
    governance: list[GovernanceDocument] | None = Field(default=None, description="governance rules of the connector")

    def onto(self, name: str, base: Profile, ciem: Ciem | None, external_id: str) -> Profile:
        """The profile that this makes of `base`."""
        plans = self.plans
        containers = _part(plans.containers, base.containers, Containers(external_id=external_id))
        return replace(
            base,
            name=name,
            cspm=_cspm(plans.defender_cspm, base.cspm, ciem),
            servers=_servers(plans.servers, base.servers),
            containers=containers,
            databases=_part(plans.databases, base.databases, Databases()),
            agentless_scanning=_changed(base.agentless_scanning, self.agentless_scanning),
            arc=_changed(base.arc, self.arc),
            scan_interval_hours=self.scan_interval_hours or base.scan_interval_hours,
            regions=base.regions if self.regions is None else tuple(self.regions),
            standards=base.standards if self.standards is None else tuple(self.standards),
            governance=base.governance
            if self.governance is None
            else tuple(rule.to_domain() for rule in self.governance),
        )


def built_in(name: str, ciem: Ciem | None, external_id: str) -> Profile:
    """A ready-made profile as this organization has it; CIEM is part of `maximum` where its application is known."""
    profile = BUILT_IN[name]
    if profile.containers is not None:
        profile = replace(profile, containers=replace(profile.containers, external_id=external_id))
    if name == "maximum" and profile.cspm is not None:
        profile = replace(profile, cspm=replace(profile.cspm, ciem=ciem))
    return profile


def _cspm(
    asked: bool | DefenderCspmDocument | None, base: DefenderCspm | None, ciem: Ciem | None
) -> DefenderCspm | None:
    if not isinstance(asked, DefenderCspmDocument):
        return _part(asked, base, DefenderCspm())
    part: DefenderCspm = _changed(base or DefenderCspm(), asked, leave=("ciem",))
    return part if asked.ciem is None else replace(part, ciem=ciem if asked.ciem else None)


def _servers(asked: bool | ServersDocument | None, base: Servers | None) -> Servers | None:
    if not isinstance(asked, ServersDocument):
        return _part(asked, base, Servers())
    part: Servers = _changed(base or Servers(), asked, leave=("vulnerability_assessment",))
    who = asked.vulnerability_assessment
    return part if who is None else replace(part, vulnerability_assessment=None if who == "off" else Assessment(who))


P = TypeVar("P", bound=DefenderCspm | Servers | Containers | Databases | AgentlessScanning | Arc)


def _part(asked: bool | Part | None, base: P | None, default: P) -> P | None:
    """A plan that is left alone, off, on, or on with some parts otherwise."""
    if asked is None:
        return base
    if isinstance(asked, bool):
        return (base or default) if asked else None
    return _changed(base or default, asked)


def _changed(value: P, document: Part, *, leave: tuple[str, ...] = ()) -> P:
    given: dict[str, Any] = {name: getattr(document, name) for name in type(document).model_fields if name not in leave}
    return replace(value, **{name: item for name, item in given.items() if item is not None})
