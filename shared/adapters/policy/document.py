"""The policy file: one YAML document, checked field by field before anything acts on it."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from shared.domain.policy import DEFAULT_RETRY_BUDGET_HOURS, Matcher, Plan, Policy, Profile, Rule, Target
from shared.errors import ConfigurationError

Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
OuPattern = Annotated[str, StringConstraints(pattern=r"^/.*$", max_length=1024)]
PlanName = Literal["foundational_cspm", "defender_cspm"]

_PLANS: dict[str, Plan] = {
    "foundational_cspm": Plan.FOUNDATIONAL_CSPM,
    "defender_cspm": Plan.DEFENDER_CSPM,
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TargetDocument(_Part):
    """Where connectors are placed."""

    subscription: Guid
    resource_group: str = Field(pattern=r"^[-\w._()]{1,90}$")
    location: str = Field(min_length=1)


class ProfileDocument(_Part):
    """Plans and their options. Foundational CSPM is part of every profile."""

    plans: list[PlanName] = Field(min_length=1)
    scan_interval_hours: int = Field(default=24, ge=1, le=24)
    regions: list[str] = Field(default_factory=list)


class MatcherDocument(_Part):
    """Any of these; an OU path stands for the unit and everything below it."""

    ou_paths: list[OuPattern] = Field(default_factory=list)
    accounts: list[AccountId] = Field(default_factory=list)
    tags: dict[str, str] = Field(default_factory=dict)

    def to_domain(self) -> Matcher:
        """The matcher that the decision uses."""
        return Matcher(ou_paths=tuple(self.ou_paths), account_ids=frozenset(self.accounts), tags=self.tags)


class RuleDocument(_Part):
    """The first rule that matches gives the profile."""

    match: MatcherDocument
    profile: str


class RetryDocument(_Part):
    """How long a request is tried before it is parked."""

    budget_hours: float = Field(default=DEFAULT_RETRY_BUDGET_HOURS, gt=0, le=24 * 14)


class PolicyDocument(_Part):
    """The whole file."""

    version: Literal[1]
    organization: str = Field(pattern=r"^o-[a-z0-9]{10,32}$")
    tenant: Guid
    target: TargetDocument
    profiles: dict[str, ProfileDocument] = Field(min_length=1)
    default_profile: str
    rules: list[RuleDocument] = Field(default_factory=list)
    exclusions: MatcherDocument = Field(default_factory=MatcherDocument)
    retry: RetryDocument = Field(default_factory=RetryDocument)

    @model_validator(mode="after")
    def _profiles_exist(self) -> Self:
        for name in [self.default_profile, *(rule.profile for rule in self.rules)]:
            if name not in self.profiles:
                raise ValueError(f"profile {name!r} is not among {sorted(self.profiles)}")
        return self

    def to_domain(self, content_hash: str) -> Policy:
        """The policy that decisions are made from."""
        profiles = {name: _profile(name, profile) for name, profile in self.profiles.items()}
        return Policy(
            organization=self.organization,
            tenant_id=self.tenant,
            target=Target(
                subscription_id=self.target.subscription,
                resource_group=self.target.resource_group,
                location=self.target.location,
            ),
            default_profile=profiles[self.default_profile],
            rules=tuple(Rule(match=rule.match.to_domain(), profile=profiles[rule.profile]) for rule in self.rules),
            exclusions=self.exclusions.to_domain(),
            retry_budget_hours=self.retry.budget_hours,
            content_hash=content_hash,
        )


def parse_policy(content: bytes, origin: str) -> Policy:
    """Reads a policy. Raises ConfigurationError that names `origin`, the field and what is wrong with it."""
    try:
        loaded: Any = yaml.load(content, Loader=_StrictLoader)  # noqa: S506 - derived from SafeLoader
        document = PolicyDocument.model_validate(loaded)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{origin} is not YAML: {error}", setting="ROLLCALL_POLICY") from error
    except ValidationError as error:
        raise ConfigurationError(f"{origin}: {_words(error)}", setting="ROLLCALL_POLICY") from error
    return document.to_domain(hashlib.sha256(content).hexdigest())


def _profile(name: str, document: ProfileDocument) -> Profile:
    plans = {Plan.FOUNDATIONAL_CSPM} | {_PLANS[plan] for plan in document.plans}
    return Profile(
        name=name,
        plans=frozenset(plans),
        scan_interval_hours=document.scan_interval_hours,
        regions=tuple(document.regions),
    )


def _words(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'the file'}: {problem['msg']}"
        for problem in error.errors()
    )


class _StrictLoader(yaml.SafeLoader):
    """YAML without its traps: account ids stay strings, and no key is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {str(key) for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"given twice: {', '.join(sorted(twice))}", node.start_mark
            )
        return super().construct_mapping(node, deep=deep)


_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _plain_integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int | str:
    """An integer, except where digits are an identifier: leading zeros, or as long as an account id."""
    text = loader.construct_scalar(node)
    identifier = len(text) >= 12 or (len(text) > 1 and text.startswith("0"))  # noqa: PLR2004
    return text if identifier else loader.construct_yaml_int(node)


_StrictLoader.add_constructor("tag:yaml.org,2002:int", _plain_integer)
