"""The policy file: one YAML document, checked field by field before anything acts on it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictInt, StringConstraints

from shared.adapters.policy.gcp_document import GcpDocument
from shared.adapters.policy.matcher_document import AccountId, MatcherDocument, Name
from shared.adapters.policy.profile_document import Part, ProfileDocument, Region, built_in
from shared.domain.policy import (
    DEFAULT_RETRY_BUDGET_HOURS,
    Deletions,
    Mode,
    Notification,
    OnMissingOwner,
    OnMissingPlan,
    OrganizationConnector,
    Policy,
    Prechecks,
    ReceiverKind,
    Repairs,
    Rule,
    SweepLimits,
)
from shared.domain.profiles import BUILT_IN, Ciem, Profile
from shared.domain.targets import Target
from shared.messages.defaults import empty_dict, empty_list

Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
_EXTERNAL_IDS = uuid.UUID("7d9a3c1e-52f4-5b0e-8c57-0b5e6a1f4d21")


class TargetDocument(Part):
    """A place for connectors."""

    subscription: Guid = Field(description="its id")
    # The length apart: a counted class of all letters of Unicode takes pydantic 30 ms to compile.
    resource_group: str = Field(pattern=r"^[-\w._()]+$", max_length=90, description="has to exist")
    location: str = Field(
        pattern=r"^[A-Za-z0-9 ]+$", description="of new connectors; that of one that exists cannot be changed"
    )

    def to_domain(self) -> Target:
        """The place as a value."""
        return Target(subscription_id=self.subscription, resource_group=self.resource_group, location=self.location)


class OrganizationConnectorDocument(Part):
    """The connector of the management account, in modes `member` and `native`; it and its members are in `target`."""

    name: Name = Field(description="its own; members are named after it")
    management_account: AccountId = Field(description="of the organization")
    stack_set_name: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9-]{0,127}$", description="that Defender reaches members by"
    )


class CiemDocument(Part):
    """The Entra application of entitlement management. An administrator makes it; Rollcall never does."""

    application: str = Field(min_length=1, max_length=120, description="its display name")
    subject: Guid = Field(description="its service principal, which AWS sees as subject")


class RuleDocument(Part):
    """The first rule whose every kind of fact matches gives profile and target."""

    name: str = Field(default="", max_length=64, description="for people; shown where the rule decided")
    match: MatcherDocument = Field(description="every kind of fact that is given has to match")
    profile: str = Field(description="a ready-made profile or one of this file")
    target: str | None = Field(default=None, description="one of `targets`; left out: `target`")


class RetryDocument(Part):
    """How long a request is tried before it is parked."""

    budget_hours: float = Field(
        strict=True,
        default=DEFAULT_RETRY_BUDGET_HOURS,
        gt=0,
        le=24 * 14,
        description="counted from when it was asked for",
    )


class PrechecksDocument(Part):
    """What becomes of an account where its subscription lacks something."""

    subscription_plans: OnMissingPlan = Field(
        default=OnMissingPlan.REFUSE, description="plans that have to be on in the subscription, too"
    )
    owner_features: OnMissingOwner = Field(
        default=OnMissingOwner.REFUSE, description="Arc and full Defender CSPM, which need an Owner"
    )


class SweepDocument(Part):
    """After how long the daily sweep takes something for a finding."""

    discovery_hours: float = Field(strict=True, default=24, gt=0, le=24 * 14, description="without anything discovered")
    native_member_hours: float = Field(
        strict=True, default=24, gt=0, le=24 * 14, description="without Defender's own member"
    )
    orphaned_after_days: StrictInt = Field(default=7, ge=7, le=365, description="Arc machines; Defender itself waits 7")
    instance_regions: list[Region] | None = Field(
        default=None, description="where the organization may have EC2 instances; left out or empty: all are asked"
    )

    def to_domain(self) -> SweepLimits:
        """What the sweep goes by."""
        regions = tuple(self.instance_regions or ())
        return SweepLimits(**(dict(self) | {"instance_regions": regions}))


class RepairsDocument(Part):
    """What the daily sweep asks for again by itself; everything else it only reports."""

    missing_connectors: StrictBool = Field(default=True, description="of accounts that should have one")
    drifted_connectors: StrictBool = Field(default=True, description="that differ from their profile")


class DeletionsDocument(Part):
    """What may be deleted without a word for each; nothing unless it is said here."""

    excluded_accounts: StrictBool = Field(
        default=False, description="connectors of accounts that the policy excludes now"
    )
    departed_accounts: StrictBool = Field(default=False, description="connectors of accounts that left or were closed")
    orphaned_machines: StrictBool = Field(
        default=False, description="Arc machines whose instance is gone, the day after they were first reported"
    )
    most_per_run: StrictInt = Field(
        default=10,
        ge=1,
        le=1000,
        description="connectors of each cloud in a day; of accounts also in one batch of events",
    )
    machines_per_run: StrictInt = Field(default=10, ge=1, le=1000, description="of Arc machines in a day")
    machines_percent: StrictInt = Field(
        default=5, ge=1, le=100, description="of all of Defender's machines in a day; one may go in any case"
    )


class NotificationDocument(Part):
    """Who is told of sweeps: what came and went."""

    kind: Literal["teams", "webhook"] = Field(description="a Teams workflow, or a signed JSON POST")
    setting: str = Field(
        pattern=r"^ROLLCALL_NOTIFY_[A-Z0-9_]+$",
        max_length=90,
        description="the setting with the address, a Key Vault reference; a webhook's key is in the setting of that "
        "name with `_KEY` behind it",
    )


class PolicyDocument(Part):
    """The whole file."""

    model_config = ConfigDict(title="Rollcall policy", extra="forbid", frozen=True, defer_build=False)

    version: Literal[1] = Field(description="of this format")
    organization: str = Field(
        pattern=r"^o-[a-z0-9]{10,32}$", description="the AWS organization; also the value of the tag `rollcall`"
    )
    tenant: Guid = Field(description="the Entra tenant")
    mode: Mode = Field(default=Mode.STANDALONE, description="who makes the connectors of member accounts, and where")
    organization_connector: OrganizationConnectorDocument | None = None
    target: TargetDocument = Field(description="where connectors are placed")
    targets: dict[Name, TargetDocument] = Field(
        default_factory=empty_dict, description="further places, for rules to name"
    )
    ciem: CiemDocument | None = None
    profiles: dict[Name, ProfileDocument] = Field(
        default_factory=empty_dict, description="besides the ready-made ones, or in their place"
    )
    default_profile: str = Field(default="foundational", description="of accounts that no rule matches")
    rules: list[RuleDocument] = Field(
        default_factory=empty_list, description="from the top; the first that matches counts"
    )
    exclusions: MatcherDocument = Field(
        default_factory=MatcherDocument.model_construct,
        description="no connector; every entry excludes by itself, before any rule",
    )
    retry: RetryDocument = Field(default_factory=RetryDocument.model_construct)
    prechecks: PrechecksDocument = Field(default_factory=PrechecksDocument.model_construct)
    sweep: SweepDocument = Field(default_factory=SweepDocument.model_construct)
    repairs: RepairsDocument = Field(default_factory=RepairsDocument.model_construct)
    deletions: DeletionsDocument = Field(default_factory=DeletionsDocument.model_construct)
    notifications: list[NotificationDocument] = Field(default_factory=empty_list)
    gcp: GcpDocument | None = None

    def to_domain(self, content_hash: str) -> Policy:
        """The policy that decisions are made from. Names have to be known: see `problems`."""
        profiles = self.all_profiles()
        targets = {name: target.to_domain() for name, target in self.targets.items()}
        parent = self.organization_connector
        policy = Policy(
            organization=self.organization,
            tenant_id=self.tenant,
            mode=self.mode,
            organization_connector=OrganizationConnector(**dict(parent)) if parent else None,
            target=self.target.to_domain(),
            default_profile=profiles[self.default_profile],
            rules=tuple(
                Rule(
                    match=rule.match.to_domain(),
                    profile=profiles[rule.profile],
                    target=targets[rule.target] if rule.target else None,
                    name=rule.name,
                )
                for rule in self.rules
            ),
            exclusions=self.exclusions.to_domain(),
            retry_budget_hours=self.retry.budget_hours,
            prechecks=Prechecks(**dict(self.prechecks)),
            sweep=self.sweep.to_domain(),
            repairs=Repairs(**dict(self.repairs)),
            deletions=Deletions(**dict(self.deletions)),
            notifications=tuple(
                Notification(kind=ReceiverKind(each.kind), setting=each.setting) for each in self.notifications
            ),
            content_hash=content_hash,
        )
        if self.gcp is None:
            return policy
        projects_profiles = self._profiles_with(self.gcp.ciem_application())
        return replace(policy, gcp=self.gcp.onto(policy, projects_profiles, targets))

    def all_profiles(self) -> dict[str, Profile]:
        """Every profile by name, as accounts have it: the ready-made ones and this file's, which go before them."""
        return self._profiles_with(self._ciem())

    def _profiles_with(self, ciem: Ciem | None) -> dict[str, Profile]:
        made: dict[str, Profile] = {}

        def make(name: str, *, own: bool = True) -> Profile:
            if not own or name not in self.profiles:
                return built_in(name, ciem, self._external_id())
            if name not in made:
                document = self.profiles[name]
                base = document.extends or "foundational"
                # A profile may extend the ready-made one that it takes the place of.
                made[name] = document.onto(name, make(base, own=base != name), ciem, self._external_id())
            return made[name]

        return {name: make(name) for name in (*BUILT_IN, *self.profiles)}

    def _ciem(self) -> Ciem | None:
        """AWS compares the subject letter by letter, and Entra writes it in lower case."""
        return Ciem(application=self.ciem.application, subject=self.ciem.subject.lower()) if self.ciem else None

    def _external_id(self) -> str:
        """One for the whole organization: it tells AWS whose Defender asks, and is no secret."""
        return str(uuid.uuid5(_EXTERNAL_IDS, self.organization))
