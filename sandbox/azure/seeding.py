"""What `POST /seed` plants in the simulated Azure: things that should have been there before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.azure.assessments import Severity, Source, Status, assessment_of
from sandbox.azure.classic_connectors import Answer
from sandbox.azure.directory import FUNCTIONS, OPERATOR
from sandbox.azure.locks import Level
from sandbox.azure.posture import State, attack_path_of, standard_state_of, vulnerability_of
from sandbox.azure.resources import SubscriptionState

if TYPE_CHECKING:
    from sandbox.azure.cloud import AzureCloud


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SeedSubscription(_Part):
    """A subscription: made if it is not there, changed if it is."""

    id: str | None = Field(default=None, description="the sandbox's own if left out")
    name: str = "seeded"
    state: SubscriptionState | None = None
    registered: list[str] = Field(default_factory=list, description="namespaces to register: Microsoft.Security")
    unregistered: list[str] = Field(default_factory=list, description="namespaces whose registration is taken away")
    resource_groups: list[str] = Field(default_factory=list, description="names of groups to make")


class SeedRole(_Part):
    """A built-in role that one of the sandbox's identities is given or loses."""

    identity: str
    role: str
    scope: str | None = Field(default=None, description="the sandbox's subscription if left out")
    action: Literal["grant", "revoke"] = "grant"


class SeedLock(_Part):
    """A management lock on a subscription, resource group or resource, put there or taken away."""

    scope: str | None = Field(default=None, description="the sandbox's subscription if left out")
    level: Level = "ReadOnly"
    name: str = "seeded"
    notes: str | None = None
    action: Literal["put", "remove"] = "put"


class SeedPricing(_Part):
    """A Defender plan as it stands, without the pause that changes need."""

    name: str
    properties: dict[str, Any]
    subscription_id: str | None = None


class SeedClassicConnector(_Part):
    """A connector of the retired kind; its `authenticationDetails` as Azure names them."""

    name: str
    authentication_details: dict[str, Any]
    subscription_id: str | None = None


class SeedAssessment(_Part):
    """What Defender says of a resource of AWS or GCP that it discovered through a connector."""

    connector: str = Field(description="the connector's id")
    resource: str = Field(description="service, type, name and region: ec2-instance-i-0123456789abcdef0-us-east-1")
    resource_type: str = Field(description="ec2instance, ekscluster, …")
    key: str = Field(description="the recommendation's key")
    status: Status = "Healthy"
    source: Source = "AWS"
    severity: Severity = "Medium"
    title: str = Field(default="", description="what the recommendation is called; its key if left out")


class SeedVulnerability(_Part):
    """A vulnerability that Defender has found on a resource of a cloud."""

    resource: str = Field(description="the whole id of the resource: CONNECTOR/securityentitydata/aws-ecr-repository-…")
    cve: str
    key: str = Field(default="c27441ae-775c-45be-8ffa-655de37362ce", description="the recommendation's key")
    severity: Severity = "High"
    status: Status = "Unhealthy"
    source: Source | Literal["Azure"] = "AWS"
    assessed: str = Field(default="AwsContainerRegistryVulnerability", description="`assessedResourceType`")


class SeedAttackPath(_Part):
    """A way over resources that an attacker could take."""

    title: str
    risk: str = "High"
    entities: list[str] = Field(description="ids of the resources on it; empty: the internet, say")
    subscription_id: str | None = None


class SeedStandard(_Part):
    """How far a standard is fulfilled in a subscription."""

    name: str
    state: State = "Failed"
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    unsupported: int = 0
    subscription_id: str | None = None


class AzureSeed(_Part):
    """The parts of a seed that belong to Azure."""

    resources: list[dict[str, Any]] = Field(
        default_factory=list, description="Resource Manager resources, each with its id"
    )
    subscriptions: list[SeedSubscription] = Field(default_factory=list)
    roles: list[SeedRole] = Field(default_factory=list)
    locks: list[SeedLock] = Field(default_factory=list)
    pricings: list[SeedPricing] = Field(default_factory=list)
    classic_connectors: list[SeedClassicConnector] = Field(default_factory=list)
    assessments: list[SeedAssessment] = Field(default_factory=list)
    vulnerabilities: list[SeedVulnerability] = Field(default_factory=list)
    attack_paths: list[SeedAttackPath] = Field(default_factory=list)
    compliance: list[SeedStandard] = Field(default_factory=list)
    classic_answer: Answer | None = Field(default=None, description="how their list is answered")


PREPARED = AzureSeed(
    pricings=[
        SeedPricing(name="CloudPosture", properties={"pricingTier": "Standard"}),
        SeedPricing(name="VirtualMachines", properties={"pricingTier": "Standard", "subPlan": "P2"}),
        SeedPricing(name="SqlServerVirtualMachines", properties={"pricingTier": "Standard"}),
        SeedPricing(name="Containers", properties={"pricingTier": "Standard"}),
    ],
    roles=[
        SeedRole(identity=FUNCTIONS, role="User Access Administrator"),
        SeedRole(identity=OPERATOR, role="Security Admin"),
    ],
)
"""What was done for a deployment that uses every plan: they are on, and the Function App may assign roles."""


def plant(azure: AzureCloud, seed: AzureSeed) -> None:
    """Plants everything.

    Raises:
        LookupError: an identity, a role or a plan that the sandbox does not know.
    """
    for subscription in seed.subscriptions:
        _plant_subscription(azure, subscription)
    for role in seed.roles:
        change = azure.directory.assign if role.action == "grant" else azure.directory.unassign
        change(role.identity, role.role, role.scope or f"/subscriptions/{azure.subscription_id}")
    for resource in seed.resources:
        azure.resources.put(resource)
    _plant_posture(azure, seed)
    for lock in seed.locks:
        _plant_lock(azure, lock)
    for pricing in seed.pricings:
        azure.pricings.seed(pricing.subscription_id or azure.subscription_id, pricing.name, pricing.properties)
    for connector in seed.classic_connectors:
        subscription_id = connector.subscription_id or azure.subscription_id
        azure.classic_connectors.add(subscription_id, connector.name, connector.authentication_details)
    if seed.classic_answer is not None:
        azure.classic_connectors.answer = seed.classic_answer


def _plant_lock(azure: AzureCloud, seed: SeedLock) -> None:
    scope = seed.scope or f"/subscriptions/{azure.subscription_id}"
    if seed.action == "put":
        azure.locks.put(scope, seed.name, seed.level, seed.notes)
    elif not azure.locks.remove(scope, seed.name):
        raise LookupError(f"no lock {seed.name} on {scope}")


def _plant_posture(azure: AzureCloud, seed: AzureSeed) -> None:
    for each in seed.assessments:
        parts = each.model_dump(exclude={"connector", "resource", "resource_type"})
        azure.resources.put(assessment_of(each.connector, each.resource, each.resource_type, **parts))
    for found in seed.vulnerabilities:
        azure.resources.put(vulnerability_of(found.resource, **found.model_dump(exclude={"resource"})))
    for path in seed.attack_paths:
        subscription_id = path.subscription_id or azure.subscription_id
        azure.resources.put(attack_path_of(subscription_id, path.title, risk=path.risk, entities=path.entities))
    for standard in seed.compliance:
        subscription_id = standard.subscription_id or azure.subscription_id
        controls = (standard.passed, standard.failed, standard.skipped, standard.unsupported)
        azure.resources.put(standard_state_of(subscription_id, standard.name, state=standard.state, controls=controls))


def _plant_subscription(azure: AzureCloud, seed: SeedSubscription) -> None:
    subscription_id = seed.id or azure.subscription_id
    found = azure.resources.find_subscription(subscription_id)
    subscription = found or azure.resources.add_subscription(subscription_id, seed.name)
    if seed.state is not None:
        subscription.state = seed.state
    subscription.registered |= {each.lower() for each in seed.registered}
    subscription.registered -= {each.lower() for each in seed.unregistered}
    for name in seed.resource_groups:
        azure.resources.add_resource_group(subscription_id, name)
