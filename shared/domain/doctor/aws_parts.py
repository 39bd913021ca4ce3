"""Rules, queues, event sources and bucket of AWS's side: what the facts come to, and the policies that are ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.domain.doctor import aws_checks as checks
from shared.domain.doctor.verdicts import Verdict
from shared.domain.reconciliation import ManagementStack
from shared.domain.template_rollout import BucketFacts, is_tls_only

PARTS = {"account-events": "AccountEvents", "stack-events": "StackEvents", "reconcile": "Reconcile"}
"""The event queues with their rules; how outputs of the stack begin that name them."""
OUR_SIDS = frozenset({"OnlyFromTheRule", "OnlyOverTls"})
"""The statements of the template: a queue's policy that has others is somebody's own, and left alone."""
_COMPLETE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")


@dataclass(frozen=True, kw_only=True)
class RuleSeen:
    """A rule; `targets` are the ARNs that it sends to, with the dead-letter queue of each."""

    name: str
    arn: str
    enabled: bool
    targets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class QueueSeen:
    """A queue; `policy` is the text of its policy, empty where it has none."""

    label: str
    url: str
    arn: str
    policy: str


@dataclass(frozen=True, kw_only=True)
class EventSourceSeen:
    """How a function takes from its queue; `state` is Lambda's word."""

    function: str
    identifier: str
    state: str

    @property
    def works(self) -> bool:
        """Whether messages are taken, or will be in a moment."""
        return self.state in {"Enabled", "Enabling", "Creating", "Updating"}


def stack_verdict(name: str, seen: ManagementStack | None) -> Verdict:
    """Whether the stack is there and whole."""
    if seen is None:
        return checks.STACK.wrong(f"there is no stack {name} in {checks.REGION}", subject=name)
    if seen.status.startswith(_COMPLETE):
        return checks.STACK.ok(f"it is {seen.status}", subject=name)
    return checks.STACK.wrong(f"it is {seen.status} {seen.reason}".strip(), subject=name)


def rule_verdict(name: str, seen: RuleSeen | None, queue_arn: str, dead_letter_arn: str) -> Verdict:
    """Whether events reach their queue."""
    if seen is None:
        return checks.RULES.wrong(f"there is no rule {name}", subject=name)
    if not seen.enabled:
        command = f"aws events enable-rule --name {name} --region {checks.REGION}"
        return checks.RULES.wrong("it is disabled", subject=name, command=command)
    if queue_arn not in seen.targets:
        return checks.RULES.wrong(f"it does not send to {queue_arn}", subject=name)
    if seen.targets[queue_arn] != dead_letter_arn:
        return checks.RULES.wrong("its target has no dead-letter queue of ours", subject=name)
    return checks.RULES.ok("enabled, with its queue and dead-letter queue", subject=name)


def queue_policy_verdict(queue: QueueSeen, rule_arn: str) -> Verdict:
    """Whether the rule may send to a queue, nobody else, and nobody without TLS."""
    check = checks.QUEUE_POLICIES
    statements = statements_of(queue.policy)
    wrong = []
    if not any(_lets_in(each, queue.arn, rule_arn) for each in statements):
        wrong.append(f"it does not let in the rule {rule_arn.rpartition('/')[2]}")
    if not any(_denies_insecure(each, queue.arn) for each in statements):
        wrong.append("it does not deny requests without TLS")
    strangers = [str(each.get("Sid", "without a name")) for each in statements if each.get("Sid") not in OUR_SIDS]
    if strangers and wrong:
        wrong.append(f"it has statements of somebody's own ({', '.join(strangers)}), so it is left alone")
    if wrong:
        return check.wrong("; ".join(wrong), subject=queue.label, command=policy_command(queue, rule_arn))
    if strangers:
        return check.advice(f"it lets in somebody besides: {', '.join(strangers)}", subject=queue.label)
    return check.ok("its rule only, over TLS only", subject=queue.label)


def policy_command(queue: QueueSeen, rule_arn: str) -> str:
    """How the policy is given by hand."""
    attributes = json.dumps({"Policy": our_policy(queue.arn, rule_arn)})
    return f"aws sqs set-queue-attributes --queue-url {queue.url} --attributes '{attributes}'"


def is_replaceable(policy: str) -> bool:
    """Whether every statement of a queue's policy is one of the template's."""
    return all(each.get("Sid") in OUR_SIDS for each in statements_of(policy))


def our_policy(queue_arn: str, rule_arn: str) -> str:
    """The policy of the template for a queue."""
    statements = [
        {
            "Sid": "OnlyFromTheRule",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
        },
        {
            "Sid": "OnlyOverTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": queue_arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def statements_of(policy: str) -> list[dict[str, Any]]:
    """The statements of a policy's text; none of what is no policy."""
    try:
        document = json.loads(policy) if policy else {}
    except ValueError:
        return []
    found = document.get("Statement", []) if isinstance(document, dict) else []
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)]


def _lets_in(statement: dict[str, Any], queue_arn: str, rule_arn: str) -> bool:
    principal = statement.get("Principal")
    source = _condition(statement, ("ArnEquals", "ArnLike", "StringEquals"), "aws:sourcearn")
    return (
        statement.get("Effect") == "Allow"
        and isinstance(principal, dict)
        and "events.amazonaws.com" in _listed(principal.get("Service"))
        and bool({"sqs:sendmessage", "sqs:*"} & {str(each).lower() for each in _listed(statement.get("Action"))})
        and bool({queue_arn, "*"} & set(_listed(statement.get("Resource"))))
        and (not statement.get("Condition") or rule_arn in source)
    )


def _denies_insecure(statement: dict[str, Any], queue_arn: str) -> bool:
    return (
        statement.get("Effect") == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and "sqs:*" in {str(each).lower() for each in _listed(statement.get("Action"))}
        and bool({queue_arn, "*"} & set(_listed(statement.get("Resource"))))
        and "false" in {str(each).lower() for each in _condition(statement, ("Bool",), "aws:securetransport")}
    )


def _condition(statement: dict[str, Any], operators: tuple[str, ...], key: str) -> list[Any]:
    found: list[Any] = []
    for operator in operators:
        keys = (statement.get("Condition") or {}).get(operator, {})
        found += [value for name, values in keys.items() if name.lower() == key for value in _listed(values)]
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def event_source_verdict(function: str, seen: EventSourceSeen | None) -> Verdict:
    """Whether a function takes what lies on its queue."""
    check = checks.EVENT_SOURCES
    if seen is None:
        return check.wrong("no queue is its event source", subject=function)
    if not seen.works:
        command = f"aws lambda update-event-source-mapping --uuid {seen.identifier} --enabled --region {checks.REGION}"
        return check.wrong(f"its event source is {seen.state}", subject=function, command=command)
    return check.ok(f"its event source is {seen.state}", subject=function)


def schedule_verdict(name: str, state: str | None) -> Verdict:
    """Whether the comparison starts by itself."""
    if state is None:
        return checks.SCHEDULE.wrong(f"there is no schedule {name}", subject=name)
    if state != "ENABLED":
        return checks.SCHEDULE.advice("it is off: accounts that no event told of stay unnoticed", subject=name)
    return checks.SCHEDULE.ok("it is on", subject=name)


def bucket_verdicts(facts: BucketFacts) -> Iterator[Verdict]:
    """Versions, and TLS only."""
    check, name = checks.BUCKET, facts.name
    if not facts.exists:
        yield check.wrong(f"there is no bucket {name}", subject=name)
        return
    if not facts.versioned:
        command = f"aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled"
        yield check.wrong("it keeps no versions", subject=f"{name}#versions", command=command)
    if not is_tls_only(facts.policy, name):
        command = f"aws s3api put-bucket-policy --bucket {name} --policy '{tls_only_policy(name)}'"
        own = " by a policy that is somebody's own, so it is left alone" if facts.policy else ""
        yield check.wrong(f"it may be reached without TLS{own}", subject=f"{name}#tls", command=command)
    if facts.versioned and is_tls_only(facts.policy, name):
        yield check.ok("it keeps versions and takes TLS only", subject=name)


def tls_only_policy(bucket: str) -> str:
    """The policy of infra/aws/bucket.yaml."""
    statement = {
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
