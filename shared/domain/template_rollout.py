"""Publishing a template: what has to be the case before, and what has to change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.domain import findings
from shared.domain.findings import Finding
from shared.domain.profiles import BUILT_IN, Profile
from shared.domain.role_templates import RoleTemplate
from shared.domain.template_findings import LintReport

TENANT = "TenantId"
SWITCHES = frozenset(BUILT_IN["foundational"].stack_parameters())
"""The parameters that each profile sets in a stack instance."""
_GLOBAL_STS = "sts.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class CallerFacts:
    """Whose credentials these are, and what the organization has switched on. `sts_host` is where STS is asked."""

    account_id: str
    partition: str
    management_account: str
    all_features: bool
    delegated: bool
    organizations_access: str
    sts_host: str
    federation: bool


@dataclass(frozen=True, kw_only=True)
class BucketFacts:
    """A bucket; `policy` is the text of its policy, empty where it has none."""

    name: str
    exists: bool = True
    versioned: bool = False
    policy: str = ""


@dataclass(frozen=True, kw_only=True)
class DeployedTemplate:
    """What a StackSet or Stack has: the SHA-256 of its template, its parameters, and settings that are not ours.

    `behind` are the accounts whose instance has not got it, with the reason.
    """

    template_hash: str
    parameters: Mapping[str, str]
    wrong_settings: tuple[str, ...] = ()
    service_managed: bool = True
    behind: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """How far an operation has come; `failed` are the accounts where it failed, with the reason."""

    ended: bool
    succeeded: bool = False
    failed: Mapping[str, str] = field(default_factory=dict)


class Step(StrEnum):
    """What is to be done with one of the places of the template."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"


def caller_findings(facts: CallerFacts) -> Iterator[Finding]:
    """What is wrong with the caller or the organization."""
    if facts.partition != "aws":
        yield findings.PARTITION_NOT_SUPPORTED.found(f"the account is in the partition {facts.partition}")
    if facts.account_id != facts.management_account:
        why = f"the caller is account {facts.account_id}, the management account is {facts.management_account}"
        if facts.delegated:
            why += "; it is a delegated administrator of StackSets, which Defender for Cloud does not support"
        yield findings.CALLER_NOT_MANAGEMENT.found(why)
        return  # what follows can only be seen there
    if not facts.all_features:
        yield findings.FEATURES_NOT_ALL.found("the organization has consolidated billing only")
    if facts.organizations_access != "ENABLED":
        yield findings.STACK_SETS_NOT_TRUSTED.found(
            f"CloudFormation's access to the organization is {facts.organizations_access}: AWS answers every call "
            "with 'You must enable organizations access to operate a service managed stack set', even where "
            "Organizations lists StackSets as a trusted service"
        )
    if facts.sts_host == _GLOBAL_STS:
        yield findings.STS_NOT_REGIONAL.found(f"STS is asked at {facts.sts_host}, which gives no web identity tokens")
    if not facts.federation:
        yield findings.WEB_IDENTITY_OFF.found("outbound web identity federation is off: Lambda cannot sign in to Azure")


def bucket_findings(facts: BucketFacts) -> Iterator[Finding]:
    """What is wrong with the bucket."""
    if not facts.exists:
        yield findings.BUCKET_MISSING.found(f"there is no bucket {facts.name}")
        return
    if not facts.versioned:
        yield findings.BUCKET_NOT_VERSIONED.found(f"bucket {facts.name} keeps no versions")
    if not is_tls_only(facts.policy, facts.name):
        yield findings.BUCKET_WITHOUT_TLS.found(f"bucket {facts.name} may be reached without TLS")


@dataclass(frozen=True, kw_only=True)
class Linted:
    """A template against one profile."""

    profile: Profile
    report: LintReport


_OURS = frozenset({TENANT, *SWITCHES})
_MOST_NAMED = 3


def template_findings(template: RoleTemplate) -> Iterator[Finding]:
    """What keeps a template from being deployed account by account.

    One that takes none of our parameters is as the portal makes it; one that takes some of them is neither.
    """
    lacking = sorted(_OURS - template.parameters)
    if lacking and _OURS & template.parameters:
        yield findings.TEMPLATE_PARAMETERS.found(f"the template does not take {', '.join(lacking)}")
    strange = sorted(template.obligatory - _OURS)
    if strange:
        yield findings.TEMPLATE_PARAMETERS.found(f"the template asks for {', '.join(strange)}, without a default")


def lint_findings(linted: Iterable[Linted]) -> Iterator[Finding]:
    """What the linter found, once for each profile."""
    for each in linted:
        found = [f"{finding.check} {finding.subject}" for finding in each.report.findings]
        if found:
            more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
            named = ", ".join(found[:_MOST_NAMED])
            yield findings.TEMPLATE_LINT.found(f"for profile {each.profile.name}: {named}{more}")


def replacement_notes(template: RoleTemplate, present: DeployedTemplate | None) -> Iterator[str]:
    """What is worth knowing where a StackSet's template without our parameters gives way to one with them."""
    if present is not None and not SWITCHES & present.parameters.keys() and template.parameters >= SWITCHES:
        yield (
            "the StackSet's template took no parameters: its accounts have the roles of Foundational CSPM only until "
            "`rollcall backfill`, or the daily comparison, gives each those of its profile"
        )


def publication_notes(template: RoleTemplate, linted: Iterable[Linted]) -> Iterator[str]:
    """What is worth knowing of a template and keeps it from nothing."""
    profiles = [each.profile for each in linted]
    if not profiles:
        yield "not linted: name a policy, or a profile"
    if template.parameters & _OURS:
        return
    needs = {(profile.roles(), *sorted(profile.stack_parameters().items())) for profile in profiles}
    why = ""
    if len(needs) > 1:
        why = f", though the profiles {', '.join(profile.name for profile in profiles)} need different ones"
    yield f"the template takes none of our parameters: every account of the StackSet gets the same roles{why}"


def is_tls_only(policy: str, bucket: str) -> bool:
    """Whether a bucket policy denies everything to everybody without TLS, for the bucket and what is in it."""
    try:
        document = json.loads(policy) if policy else {}
    except ValueError:
        return False
    statements = _list(document.get("Statement")) if isinstance(document, dict) else []
    covered = {resource for statement in statements for resource in _denied(statement)}
    whole = {f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"}
    return bool({"*", f"arn:aws:s3:::{bucket}*", "arn:aws:s3:::*"} & covered) or whole <= covered


def _denied(statement: Any) -> list[str]:
    """The resources of which a statement denies everything to everybody without TLS."""
    if not isinstance(statement, dict) or statement.get("Effect") != "Deny":
        return []
    condition = statement.get("Condition")
    compared = condition.get("Bool") if isinstance(condition, dict) and len(condition) == 1 else None
    transport = {key.lower(): str(value).lower() for key, value in (compared or {}).items()}
    everybody = statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
    everything = bool({"s3:*", "*"} & set(_list(statement.get("Action"))))
    right = everybody and everything and transport == {"aws:securetransport": "false"}
    return [str(each) for each in _list(statement.get("Resource"))] if right else []


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def step_for(present: DeployedTemplate | None, content_hash: str, parameters: Mapping[str, str]) -> Step:
    """What a StackSet or Stack needs to have this template, and at least these parameters."""
    if present is None:
        return Step.CREATE
    same = present.template_hash == content_hash and not present.wrong_settings
    same = same and all(present.parameters.get(name) == value for name, value in parameters.items())
    return Step.UNCHANGED if same else Step.UPDATE


def drifted(present: DeployedTemplate | None, published_hash: str) -> bool:
    """Whether something else is deployed than lies in the bucket: somebody changed one without the other."""
    return present is not None and bool(published_hash) and present.template_hash != published_hash
