"""The caller, the organization and the StackSets: what the facts come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.doctor import aws_checks as checks
from shared.domain.doctor.verdicts import Verdict
from shared.domain.identity_provider import audiences_of
from shared.domain.policy import Mode, Policy
from shared.domain.reconciliation import ManagementStack
from shared.domain.roles import PROVIDER_HOST
from shared.domain.sweep.identity import THUMBPRINT, ProviderSeen
from shared.domain.template_rollout import CallerFacts

_ENABLED = "ENABLED"
_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class StackSetSeen:
    """A StackSet as CloudFormation describes it; `behind` are accounts whose instance is not current, with the reason.

    `drift` is CloudFormation's word: DRIFTED, IN_SYNC, UNKNOWN or NOT_CHECKED.
    """

    name: str
    template: str
    service_managed: bool = True
    auto_deployment: bool = False
    managed_execution: bool = True
    names_roles: bool = True
    drift: str = "NOT_CHECKED"
    drifted_instances: int = 0
    drift_checked_at: datetime | None = None
    behind: Mapping[str, str] = field(default_factory=dict)


def caller_verdicts(facts: CallerFacts) -> Iterator[Verdict]:
    """About the caller and the organization; of a member account only the first can be told."""
    if facts.partition != "aws":
        yield checks.CALLER.wrong(f"account {facts.account_id} is in the partition {facts.partition}")
    elif facts.account_id != facts.management_account:
        why = f"the caller is account {facts.account_id}, the management account is {facts.management_account}"
        yield checks.CALLER.wrong(why)
    else:
        yield checks.CALLER.ok(f"account {facts.account_id}")
    if facts.account_id != facts.management_account:
        for check in (checks.FEATURES, checks.TRUSTED_ACCESS, checks.FEDERATION):
            yield check.unknown("only the management account may see it")
        return
    yield (
        checks.FEATURES.ok("all features are on")
        if facts.all_features
        else checks.FEATURES.wrong("the organization has consolidated billing only")
    )
    access = f"CloudFormation says {facts.organizations_access}"
    yield (
        checks.TRUSTED_ACCESS.ok(access)
        if facts.organizations_access == _ENABLED
        else checks.TRUSTED_ACCESS.wrong(access)
    )
    yield (
        checks.FEDERATION.ok("it is on") if facts.federation else checks.FEDERATION.wrong("it is off in this account")
    )


def delegated_verdict(administrators: Sequence[str], mode: Mode) -> Verdict:
    """Whether somebody else may operate StackSets of the organization; in mode `native` that leads nowhere."""
    if not administrators:
        return checks.DELEGATED.ok("there is none")
    named = ", ".join(sorted(administrators))
    command = "; ".join(
        "aws organizations deregister-delegated-administrator "
        f"--account-id {each} --service-principal member.org.stacksets.cloudformation.amazonaws.com"
        for each in sorted(administrators)
    )
    said = f"{named} may deploy StackSets to the organization"
    if mode is Mode.NATIVE:
        why = f"{said}: Defender makes no members for a StackSet of theirs"
        return checks.DELEGATED.wrong(why, command=command)
    return checks.DELEGATED.advice(f"{said}; Rollcall's own is the management account's", command=command)


def stack_set_verdict(name: str, seen: StackSetSeen | None) -> Verdict:
    """Its settings; instances that are behind are told, and are the sweep's to mend."""
    check = checks.STACK_SET
    if seen is None:
        return check.wrong(f"there is no StackSet {name}", subject=name, command="make deploy-aws APPLY=1")
    problems = {
        "it is self-managed": not seen.service_managed,
        "automatic deployment is on": seen.auto_deployment,
        "managed execution is off": not seen.managed_execution,
        "CAPABILITY_NAMED_IAM is missing": not seen.names_roles,
    }
    wrong = [words for words, is_wrong in problems.items() if is_wrong]
    if wrong:
        return check.wrong("; ".join(wrong), subject=name)
    if seen.behind:
        told = dict(sorted(seen.behind.items())[:_MOST_NAMED])
        why = f"{len(seen.behind)} instance(s) are not current: {', '.join(told)}"
        return check.advice(why, subject=name, command="rollcall status ACCOUNT", evidence=told)
    return check.ok("service-managed, every instance is current", subject=name)


def drift_verdict(seen: StackSetSeen) -> Verdict:
    """What CloudFormation's last drift detection found; it looks only when it is asked."""
    check, where = checks.STACK_SET_DRIFT, f"--stack-set-name {seen.name} --region {checks.REGION}"
    detect = f"aws cloudformation detect-stack-set-drift {where}"
    at = f" on {seen.drift_checked_at:%Y-%m-%d}" if seen.drift_checked_at else ""
    if seen.drift == "DRIFTED":
        command = f"aws cloudformation list-stack-instances {where} --filters Name=DRIFT_STATUS,Values=DRIFTED"
        why = f"{seen.drifted_instances} instance(s) had drifted{at}"
        return check.wrong(why, subject=seen.name, command=command)
    if seen.drift == "IN_SYNC":
        return check.ok(f"nothing had drifted{at}", subject=seen.name)
    return check.advice("nobody has looked for drift yet", subject=seen.name, command=detect)


def reader_stack_set_verdict(name: str, seen: StackSetSeen | None) -> Verdict:
    """The reader role comes by itself to accounts that join; by another way where there is no such StackSet."""
    check = checks.READER_STACK_SET
    if seen is None:
        return check.advice(f"there is no StackSet {name}: the accounts get the reader role in another way")
    if not seen.auto_deployment:
        return check.wrong("automatic deployment is off: accounts that join get no reader role", subject=name)
    if seen.behind:
        told = dict(sorted(seen.behind.items())[:_MOST_NAMED])
        return check.advice(f"{len(seen.behind)} instance(s) are not current", subject=name, evidence=told)
    return check.ok("every account has it, those that join get it", subject=name)


def management_stack_verdict(name: str, seen: ManagementStack | None, policy: Policy) -> Verdict:
    """Needed where the management account itself has a connector."""
    check = checks.MANAGEMENT_STACK
    if policy.organization_connector is None:
        return check.ok(f"not needed in mode {policy.mode}: the management account is left out")
    if seen is None:
        return check.wrong(f"there is no stack {name}", subject=name)
    if seen.status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}:
        return check.wrong(f"it is {seen.status} {seen.reason}".strip(), subject=name)
    return check.ok(f"it is {seen.status}", subject=name)


def provider_verdict(account_id: str, seen: ProviderSeen | None, policy: Policy) -> Verdict:
    """Thumbprint and client ids of Defender's provider where the account has one, whoever made it."""
    check = checks.PROVIDER
    if seen is None:
        if policy.organization_connector is None:
            return check.ok("there is none, and none is needed")
        return check.wrong("it is not there", command="rollcall template publish FILE --bucket BUCKET")
    arn = f"arn:aws:iam::{account_id}:oidc-provider/{PROVIDER_HOST}"
    wanted = sorted({each for profile in policy.used_profiles for each in audiences_of(profile)})
    lacking = [each for each in wanted if each not in seen.client_ids]
    if lacking:
        add = "aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn"
        command = "; ".join(f"{add} {arn} --client-id {each}" for each in lacking)
        return check.wrong(f"it lacks the client ids {', '.join(lacking)}", subject=account_id, command=command)
    if THUMBPRINT not in seen.thumbprints:
        command = (
            f"aws iam update-open-id-connect-provider-thumbprint --open-id-connect-provider-arn {arn} "
            f"--thumbprint-list {' '.join([*sorted(seen.thumbprints), THUMBPRINT])}"
        )
        return check.wrong(f"it lacks the thumbprint {THUMBPRINT}", subject=account_id, command=command)
    return check.ok("client ids and thumbprint are there", subject=account_id)
