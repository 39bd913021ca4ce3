"""What the owner wants for each account, and the one decision that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.matching import Matcher
from shared.domain.profiles import Profile
from shared.domain.targets import Target

DEFAULT_RETRY_BUDGET_HOURS = 72.0


class Mode(StrEnum):
    """Who makes the connectors of member accounts, and where."""

    STANDALONE = "standalone"
    MEMBER = "member"
    NATIVE = "native"


class OnMissingPlan(StrEnum):
    """What becomes of an account where the subscription lacks a plan that its profile needs."""

    REFUSE = "refuse"
    WARN = "warn"


class OnMissingOwner(StrEnum):
    """What becomes of an account whose profile has parts that only an Owner can switch on."""

    REFUSE = "refuse"
    DOWNGRADE = "downgrade"


@dataclass(frozen=True, kw_only=True)
class Prechecks:
    """What to do about what the subscription lacks."""

    subscription_plans: OnMissingPlan = OnMissingPlan.REFUSE
    owner_features: OnMissingOwner = OnMissingOwner.REFUSE


@dataclass(frozen=True, kw_only=True)
class OrganizationConnector:
    """The connector of the management account under which members stand (modes `member` and `native`).

    Of GCP it is the management project's: `management_account` is that project's number, `management_id` its id, and
    `parent` what members name as their parent. There is no StackSet then; and of AWS no `management_id` and `parent`.
    """

    name: str
    management_account: str
    stack_set_name: str = ""
    management_id: str = ""
    parent: str = ""

    @property
    def parent_of_members(self) -> str:
        """What a member says in `parentHierarchyId`."""
        return self.parent or self.management_account


@dataclass(frozen=True, kw_only=True)
class SweepLimits:
    """After how long the daily sweep takes something for a finding, and where it looks for EC2 instances.

    Without `instance_regions` it asks every region of an account.
    """

    discovery_hours: float = 24.0
    native_member_hours: float = 24.0
    orphaned_after_days: int = 7
    instance_regions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Deletions:
    """What may be deleted without a person's word for each; nothing unless the policy says so."""

    excluded_accounts: bool = False
    departed_accounts: bool = False
    orphaned_machines: bool = False
    most_per_run: int = 10
    machines_per_run: int = 10
    machines_percent: int = 5


@dataclass(frozen=True, kw_only=True)
class Repairs:
    """What the daily sweep asks for again by itself."""

    missing_connectors: bool = True
    drifted_connectors: bool = True


class ReceiverKind(StrEnum):
    """What a receiver of notices is."""

    TEAMS = "teams"
    WEBHOOK = "webhook"


@dataclass(frozen=True, kw_only=True)
class Notification:
    """Where sweeps are told; `setting` names the setting that holds the address, which may be a secret.

    A webhook's key is in the setting of that name with `_KEY` behind it.
    """

    kind: ReceiverKind
    setting: str

    @property
    def key_setting(self) -> str:
        """The setting that holds a webhook's key."""
        return f"{self.setting}_KEY"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Gives the accounts that match a profile, and a target of their own where `target` is given."""

    match: Matcher
    profile: Profile
    target: Target | None = None
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The whole policy. `content_hash` is the SHA-256 of the bytes that it was read from, in hexadecimal.

    `gcp` is what the same file says about the projects of a GCP organization; None where it says nothing. It is a
    policy of its own, with `provider` GCP and the organization's number as `organization`.
    """

    organization: str
    tenant_id: str
    target: Target
    default_profile: Profile
    mode: Mode = Mode.STANDALONE
    organization_connector: OrganizationConnector | None = None
    rules: tuple[Rule, ...] = ()
    exclusions: Matcher = field(default_factory=Matcher)
    retry_budget_hours: float = DEFAULT_RETRY_BUDGET_HOURS
    prechecks: Prechecks = field(default_factory=Prechecks)
    sweep: SweepLimits = field(default_factory=SweepLimits)
    repairs: Repairs = field(default_factory=Repairs)
    deletions: Deletions = field(default_factory=Deletions)
    notifications: tuple[Notification, ...] = ()
    content_hash: str = ""
    provider: Provider = Provider.AWS
    gcp: Policy | None = None

    def of(self, provider: Provider) -> Policy | None:
        """The policy for the accounts of one cloud; None where the file says nothing about that cloud."""
        return self if provider is self.provider else self.gcp if provider is Provider.GCP else None

    @property
    def noun(self) -> str:
        """What one of its accounts is called: an account, or a project."""
        return self.provider.noun

    @property
    def uses_tags(self) -> bool:
        """Whether any rule asks for tags; if none does, nobody needs to read them."""
        return bool(self.exclusions.tags) or any(rule.match.tags for rule in self.rules)

    @property
    def reads_tags(self) -> bool:
        """Whether tags are to be read, one account at a time; a project has its labels with it."""
        return self.uses_tags and self.provider is Provider.AWS

    @property
    def organization_account(self) -> str:
        """Whose connector is the Organization connector that Rollcall keeps; empty but in mode `member`."""
        parent = self.organization_connector
        return parent.management_account if self.mode is Mode.MEMBER and parent is not None else ""

    @property
    def used_profiles(self) -> tuple[Profile, ...]:
        """Every profile that it gives to accounts, once: the default first, then in the order of the rules."""
        found = (self.default_profile, *(rule.profile for rule in self.rules))
        return tuple({profile.name: profile for profile in found}.values())

    def is_organization_connector_s(self, account_id: str) -> bool:
        """Whether that account's connector is the Organization connector, which Rollcall keeps in mode `member`."""
        return account_id == self.organization_account != ""


class Verdict(StrEnum):
    """What is to become of an account."""

    INCLUDE = "include"
    EXCLUDE = "exclude"
    WAIT = "wait"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A verdict with its reason, and for an included account the profile and place of its connector.

    `rule` is the number of the rule that matched, counted from 1, and None for the default.
    """

    verdict: Verdict
    reason: str
    profile: Profile
    target: Target
    rule: int | None = None


_WAITING = {
    AccountState.PENDING_ACTIVATION: "is not activated yet",
    AccountState.UNKNOWN: "is in a state that this version does not know",
}


def decide(policy: Policy, account: Account) -> Decision:
    """Decides about one account or project from its present state; the first rule that matches wins.

    `policy` is that of the account's cloud (`Policy.of`). Raises ValueError for one of another cloud, since its rules
    mean something else there.
    """
    if account.provider is not policy.provider:
        raise ValueError(f"a policy for {policy.provider} was asked about {account.provider} {account.account_id}")
    noun = account.provider.noun
    profile, target, number, why = policy.default_profile, policy.target, None, "default profile"
    for index, rule in enumerate(policy.rules, start=1):
        if matched := rule.match.match_every(account):
            profile, target, number = rule.profile, rule.target or policy.target, index
            why = f"rule {index}{f' {rule.name}' if rule.name else ''}: {matched}"
            break

    def decision(verdict: Verdict, reason: str) -> Decision:
        return Decision(verdict=verdict, reason=reason, profile=profile, target=target, rule=number)

    if account.state in _WAITING:
        return decision(Verdict.WAIT, f"the {noun} {_WAITING[account.state]}")
    if account.state is not AccountState.ACTIVE:
        return decision(Verdict.EXCLUDE, f"the {noun} is {account.state}")
    if is_management(policy, account):
        if policy.is_organization_connector_s(account.account_id):
            return decision(Verdict.INCLUDE, f"the Organization connector, profile {profile.name}")
        return decision(Verdict.EXCLUDE, "the management account: StackSets never deploy to it")
    if excluded := policy.exclusions.match_any(account):
        return decision(Verdict.EXCLUDE, f"excluded by {excluded}")
    return decision(Verdict.INCLUDE, f"profile {profile.name} ({why})")


def is_management(policy: Policy, account: Account) -> bool:
    """Whether it is the organization's management account, or the project that the policy makes one.

    Google knows no such project: it is an ordinary one where no Organization connector is kept.
    """
    if account.provider is Provider.GCP:
        return policy.is_organization_connector_s(account.account_id)
    return account.is_management


def is_excluded_for_good(policy: Policy, project: Account) -> bool:
    """Whether a project is excluded by its number or id, which never change, whatever else becomes of it.

    Source: Resource Manager, "Creating and managing projects": neither can be changed, and neither is used again.
    """
    fixed = replace(policy.exclusions, ou_paths=(), tags={})
    ordinary = project.provider is Provider.GCP and not is_management(policy, project)
    return ordinary and fixed.match_any(project) is not None
