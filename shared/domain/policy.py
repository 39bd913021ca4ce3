"""What the owner wants for each account, and the one decision that follows from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from shared.domain.accounts import Account, AccountState

DEFAULT_RETRY_BUDGET_HOURS = 72.0

# The groups of roles in infra/aws/member-roles.yaml, each a parameter.
_DEFENDER_CSPM_GROUPS = (
    "AgentlessScanner",
    "SensitiveDataDiscovery",
    "DatabasePosture",
    "ImageAssessment",
    "KubernetesDiscovery",
)
_OTHER_GROUPS = ("Servers", "ArcProvisioning", "ContainersRuntime", "Ciem")


class Plan(StrEnum):
    """Defender plans, by the name of the offering that each becomes on a connector."""

    FOUNDATIONAL_CSPM = "CspmMonitorAws"
    DEFENDER_CSPM = "DefenderCspmAws"


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where connectors are placed. Source: securityConnectors, api-version 2024-08-01-preview."""

    subscription_id: str
    resource_group: str
    location: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A named set of plans and their options. Foundational CSPM belongs to every profile."""

    name: str
    plans: frozenset[Plan]
    scan_interval_hours: int = 24
    regions: tuple[str, ...] = ()

    def stack_parameters(self) -> dict[str, str]:
        """The StackSet parameters that give an account the roles of this profile, and no others."""
        wanted = _DEFENDER_CSPM_GROUPS if Plan.DEFENDER_CSPM in self.plans else ()
        groups = {group: str(group in wanted).lower() for group in (*_DEFENDER_CSPM_GROUPS, *_OTHER_GROUPS)}
        return groups | {"CiemSubject": "", "DataCollectionExternalId": ""}


@dataclass(frozen=True, kw_only=True)
class Matcher:
    """Matches an account when any of its lists does. An empty matcher matches nothing."""

    ou_paths: tuple[str, ...] = ()
    account_ids: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)

    def match(self, account: Account) -> str | None:
        """Why `account` matches, as words for people; None where it does not."""
        if account.account_id in self.account_ids:
            return f"account id {account.account_id}"
        for pattern in self.ou_paths:
            if _ou_pattern(pattern).fullmatch(account.ou_path):
                return f"OU path {pattern}"
        for key, value in self.tags.items():
            if key in account.tags and value in {"*", account.tags[key]}:
                return f"tag {key}={value}"
        return None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Gives the accounts that match a profile of their own."""

    match: Matcher
    profile: Profile


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The whole policy. `content_hash` is the SHA-256 of the bytes that it was read from, in hexadecimal."""

    organization: str
    tenant_id: str
    target: Target
    default_profile: Profile
    rules: tuple[Rule, ...] = ()
    exclusions: Matcher = field(default_factory=Matcher)
    retry_budget_hours: float = DEFAULT_RETRY_BUDGET_HOURS
    content_hash: str = ""

    @property
    def uses_tags(self) -> bool:
        """Whether any rule asks for tags; if none does, nobody needs to read them."""
        return bool(self.exclusions.tags) or any(rule.match.tags for rule in self.rules)


class Verdict(StrEnum):
    """What is to become of an account."""

    INCLUDE = "include"
    EXCLUDE = "exclude"
    WAIT = "wait"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A verdict with its reason, and for an included account the profile and place of its connector."""

    verdict: Verdict
    reason: str
    profile: Profile
    target: Target


def decide(policy: Policy, account: Account) -> Decision:
    """Decides about one account from its present state; the first rule that matches wins."""
    profile, why = policy.default_profile, "default profile"
    for number, rule in enumerate(policy.rules, start=1):
        if matched := rule.match.match(account):
            profile, why = rule.profile, f"rule {number}: {matched}"
            break

    def decision(verdict: Verdict, reason: str) -> Decision:
        return Decision(verdict=verdict, reason=reason, profile=profile, target=policy.target)

    if account.state is AccountState.PENDING_ACTIVATION:
        return decision(Verdict.WAIT, "the account is not activated yet")
    if account.state is not AccountState.ACTIVE:
        return decision(Verdict.EXCLUDE, f"the account is {account.state}")
    if account.is_management:
        return decision(Verdict.EXCLUDE, "the management account: StackSets never deploy to it")
    if excluded := policy.exclusions.match(account):
        return decision(Verdict.EXCLUDE, f"excluded by {excluded}")
    return decision(Verdict.INCLUDE, f"profile {profile.name} ({why})")


@cache
def _ou_pattern(pattern: str) -> re.Pattern[str]:
    """Compiles an OU glob: `*` within one name, `**` any number of units; units below a match match too."""
    parts = [part for part in pattern.split("/") if part]
    expression = ""
    for part in parts:
        if part == "**":
            expression += r"(?:/[^/]+)*"
        else:
            expression += "/(?=[^/])" + "[^/]*".join(re.escape(piece) for piece in part.split("*"))
    return re.compile(f"{expression}(?:/.*)?", re.DOTALL)
