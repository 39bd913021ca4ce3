"""What an operator's AWS credentials tell of the management account, and what `--fix` does there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from shared.application.doctor.aws_ports import AwsSide
from shared.application.doctor.examine import Question
from shared.domain.doctor import aws_checks as checks
from shared.domain.doctor.aws_organization import (
    StackSetSeen,
    caller_verdicts,
    delegated_verdict,
    drift_verdict,
    management_stack_verdict,
    provider_verdict,
    reader_stack_set_verdict,
    stack_set_verdict,
)
from shared.domain.doctor.aws_parts import (
    PARTS,
    bucket_verdicts,
    event_source_verdict,
    is_replaceable,
    our_policy,
    queue_policy_verdict,
    rule_verdict,
    schedule_verdict,
    stack_verdict,
    tls_only_policy,
)
from shared.domain.doctor.verdicts import Check, Verdict
from shared.domain.policy import Mode
from shared.errors import RollcallError

FUNCTIONS = {"account-events": "account-events", "stack-events": "stack-events", "reconcile": "reconcile-accounts"}
"""The functions by their queues."""
_LINES = 3


class LookAtAws:
    """One look at AWS's side."""

    def __init__(self, side: AwsSide) -> None:
        """`side` is what is asked."""
        self._side = side

    def questions(self, checked_as: str) -> list[Question]:
        """Everything that is asked."""
        asked: list[tuple[tuple[Check, ...], Callable[[], Iterator[Verdict]]]] = [
            ((checks.CALLER, checks.FEATURES, checks.TRUSTED_ACCESS, checks.FEDERATION), self._caller),
            ((checks.DELEGATED,), self._delegated),
            ((checks.STACK,), self._stack),
            ((checks.STACK_SET, checks.STACK_SET_DRIFT, checks.READER_STACK_SET, checks.TEMPLATE), self._stack_sets),
            ((checks.MANAGEMENT_STACK,), self._management_stack),
            ((checks.RULES,), self._rules),
            ((checks.QUEUE_POLICIES,), self._queue_policies),
            ((checks.EVENT_SOURCES,), self._event_sources),
            ((checks.SCHEDULE,), self._schedule),
            ((checks.BUCKET,), self._bucket),
            ((checks.PROVIDER,), self._provider),
        ]
        return [Question(checks=told, ask=ask, checked_as=checked_as) for told, ask in asked]

    def menders(self) -> Mapping[str, Callable[[Verdict], str | None]]:
        """What `--fix` does about a check, by key: what was done, or None where this one is left to a person."""
        return {
            checks.TRUSTED_ACCESS.key: self._activate_access,
            checks.FEDERATION.key: self._enable_federation,
            checks.RULES.key: self._enable_rule,
            checks.QUEUE_POLICIES.key: self._put_queue_policy,
            checks.EVENT_SOURCES.key: self._enable_event_source,
            checks.BUCKET.key: self._mend_bucket,
        }

    # What is asked

    def _caller(self) -> Iterator[Verdict]:
        yield from caller_verdicts(self._side.account.inspect())

    def _delegated(self) -> Iterator[Verdict]:
        yield delegated_verdict(self._side.delegations.administrators(), self._mode())

    def _mode(self) -> Mode:
        return self._side.policy.current().mode

    def _stack(self) -> Iterator[Verdict]:
        name = self._side.names.stack
        yield stack_verdict(name, self._side.stacks.find(name))

    def _stack_sets(self) -> Iterator[Verdict]:
        names = self._side.names
        ours = self._side.stack_sets.find(names.stack_set)
        readers = self._side.stack_sets.find(names.reader_stack_set)
        yield stack_set_verdict(names.stack_set, ours)
        yield reader_stack_set_verdict(names.reader_stack_set, readers)
        for each in filter(None, (ours, readers)):
            yield drift_verdict(each)
        if ours is None:
            why = f"there is no StackSet {names.stack_set}"
            yield checks.STACK_SET_DRIFT.unknown(why, subject=names.stack_set)
            yield checks.TEMPLATE.unknown(why, subject=names.stack_set)
        else:
            yield from self._linted(ours)

    def _linted(self, stack_set: StackSetSeen) -> Iterator[Verdict]:
        policy = self._side.policy.current()
        for profile in policy.used_profiles:
            subject = f"profile {profile.name}"
            try:
                report = self._side.lint(stack_set.template.encode(), profile, policy.tenant_id)
            except RollcallError as error:
                yield checks.TEMPLATE.unknown(error.reason, subject=subject, remedy=error.remedy)
                continue
            if not report.findings:
                yield checks.TEMPLATE.ok(f"it has every role, {report.access} access", subject=subject)
                continue
            told = [f"{each.check} {each.subject}" for each in report.findings]
            more = f" and {len(told) - _LINES} more" if len(told) > _LINES else ""
            evidence = {str(number): f"{each.subject}: {each.message}" for number, each in enumerate(report.findings)}
            command = (
                f"aws cloudformation describe-stack-set --stack-set-name {stack_set.name} "
                "--query StackSet.TemplateBody --output text > template && "
                f"rollcall template lint template --profile {profile.name} --policy POLICY"
            )
            yield checks.TEMPLATE.wrong(
                f"{', '.join(told[:_LINES])}{more}", subject=subject, command=command, evidence=evidence
            )

    def _management_stack(self) -> Iterator[Verdict]:
        policy, name = self._side.policy.current(), self._side.names.management_stack
        seen = self._side.stacks.find(name) if policy.organization_connector is not None else None
        yield management_stack_verdict(name, seen, policy)

    def _rules(self) -> Iterator[Verdict]:
        outputs = self._side.parts.outputs()
        for part, begin in PARTS.items():
            arns = [
                self._side.parts.get_queue(part, outputs[f"{begin}{end}Url"]).arn
                for end in ("Queue", "DeadLetterQueue")
            ]
            name = self._rule(part)
            yield rule_verdict(name, self._side.parts.find_rule(name), *arns)

    def _rule(self, part: str) -> str:
        return f"{self._side.names.stack}-{part}"

    def _queue_policies(self) -> Iterator[Verdict]:
        for label, (url, part) in self._queues().items():
            queue = self._side.parts.get_queue(label, url)
            yield queue_policy_verdict(queue, self._rule_arn(queue.arn, part))

    def _queues(self) -> dict[str, tuple[str, str]]:
        """Each queue and dead-letter queue by its label, with its address and the part that it belongs to."""
        outputs = self._side.parts.outputs()
        return {
            f"{part}{suffix}": (outputs[f"{begin}{end}Url"], part)
            for part, begin in PARTS.items()
            for suffix, end in (("", "Queue"), ("-dead-letters", "DeadLetterQueue"))
        }

    def _rule_arn(self, queue_arn: str, part: str) -> str:
        """The rule of a queue's account, known without asking for it."""
        region, account = queue_arn.split(":")[3:5]
        return f"arn:aws:events:{region}:{account}:rule/{self._rule(part)}"

    def _event_sources(self) -> Iterator[Verdict]:
        for function in FUNCTIONS.values():
            name = self._rule(function)
            yield event_source_verdict(name, self._side.parts.find_event_source(name))

    def _schedule(self) -> Iterator[Verdict]:
        name = self._rule("reconcile")
        yield schedule_verdict(name, self._side.parts.find_schedule(self._side.names.stack, name))

    def _bucket(self) -> Iterator[Verdict]:
        if self._side.bucket is None:
            yield checks.BUCKET.unknown("no setting names it", remedy="Set ROLLCALL_PUBLISH__S3.")
        else:
            yield from bucket_verdicts(self._side.bucket.inspect())

    def _provider(self) -> Iterator[Verdict]:
        account_id = self._side.account.inspect().account_id
        yield provider_verdict(
            account_id, self._side.identities.inspect(account_id, ()).provider, self._side.policy.current()
        )

    # What is mended

    def _activate_access(self, _: Verdict) -> str:
        self._side.account.activate_organizations_access()
        return "StackSets' access to the organization is activated"

    def _enable_federation(self, _: Verdict) -> str:
        self._side.mender.enable_federation()
        return "outbound web identity federation is on"

    def _enable_rule(self, verdict: Verdict) -> str | None:
        seen = self._side.parts.find_rule(verdict.subject)
        if seen is None or seen.enabled:
            return None
        self._side.mender.enable_rule(verdict.subject)
        return f"rule {verdict.subject} is enabled"

    def _put_queue_policy(self, verdict: Verdict) -> str | None:
        url, part = self._queues()[verdict.subject]
        queue = self._side.parts.get_queue(verdict.subject, url)
        if not is_replaceable(queue.policy):
            return None
        self._side.mender.set_queue_policy(url, our_policy(queue.arn, self._rule_arn(queue.arn, part)))
        return f"queue {verdict.subject} has the policy of the template"

    def _enable_event_source(self, verdict: Verdict) -> str | None:
        seen = self._side.parts.find_event_source(verdict.subject)
        if seen is None or seen.works:
            return None
        self._side.mender.enable_event_source(seen.identifier)
        return f"{verdict.subject} takes from its queue"

    def _mend_bucket(self, verdict: Verdict) -> str | None:
        bucket, _, what = verdict.subject.partition("#")
        facts = self._side.bucket.inspect() if self._side.bucket is not None else None
        if facts is None or not facts.exists:
            return None
        if what == "versions":
            self._side.mender.enable_versions(bucket)
            return f"bucket {bucket} keeps versions"
        if facts.policy:
            return None
        self._side.mender.set_bucket_policy(bucket, tls_only_policy(bucket))
        return f"bucket {bucket} takes TLS only"
