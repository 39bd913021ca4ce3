"""AWS's side for the doctor, in memory: everything is as it has to be, until a test breaks one thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.application.doctor.aws_ports import AwsNames, AwsSide
from shared.domain.doctor.aws_organization import StackSetSeen
from shared.domain.doctor.aws_parts import PARTS, EventSourceSeen, QueueSeen, RuleSeen, our_policy, tls_only_policy
from shared.domain.documented_access import Access
from shared.domain.policy import Policy
from shared.domain.profiles import Profile
from shared.domain.reconciliation import ManagementStack
from shared.domain.sweep.identity import THUMBPRINT, IdentitySeen, ProviderSeen
from shared.domain.template_findings import LintReport
from shared.domain.template_rollout import BucketFacts, CallerFacts
from tests.fakes.aws import FakePolicySource
from tests.fakes.failures import Failures

ACCOUNT = "123456789012"
BUCKET = "rollcall-artefacts"
WELL = CallerFacts(
    account_id=ACCOUNT,
    partition="aws",
    management_account=ACCOUNT,
    all_features=True,
    delegated=False,
    organizations_access="ENABLED",
    sts_host="sts.us-east-1.amazonaws.com",
    federation=True,
)
OUTPUTS = {
    f"{begin}{end}Url": f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{part}{end}"
    for part, begin in PARTS.items()
    for end in ("Queue", "DeadLetterQueue")
}


def queue_arn(url: str) -> str:
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{url.rpartition('/')[2]}"


def rule_arn(part: str) -> str:
    return f"arn:aws:events:us-east-1:{ACCOUNT}:rule/rollcall-{part}"


@dataclass
class FakeAws:
    """Every port of AWS's side at once; `failures` plans refusals by method."""

    caller: CallerFacts = WELL
    delegated: list[str] = field(default_factory=list)
    stack_sets: dict[str, StackSetSeen] = field(default_factory=dict)
    stacks: dict[str, ManagementStack] = field(default_factory=dict)
    rules: dict[str, RuleSeen] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    sources: dict[str, EventSourceSeen] = field(default_factory=dict)
    schedule: str | None = "ENABLED"
    bucket: BucketFacts = field(
        default_factory=lambda: BucketFacts(name=BUCKET, versioned=True, policy=tls_only_policy(BUCKET))
    )
    provider: ProviderSeen | None = None
    report: LintReport = LintReport(access=Access.DEFAULT)
    failures: Failures = field(default_factory=Failures)

    def __post_init__(self) -> None:
        self.stack_sets["rollcall-member-roles"] = StackSetSeen(
            name="rollcall-member-roles", template="Resources: {}", drift="IN_SYNC"
        )
        self.stack_sets["rollcall-reader"] = StackSetSeen(
            name="rollcall-reader", template="Resources: {}", auto_deployment=True, drift="IN_SYNC"
        )
        self.stacks["rollcall"] = ManagementStack(name="rollcall", status="UPDATE_COMPLETE", parameters={})
        for part, begin in PARTS.items():
            name = f"rollcall-{part}"
            target, dead = (queue_arn(OUTPUTS[f"{begin}{end}Url"]) for end in ("Queue", "DeadLetterQueue"))
            self.rules[name] = RuleSeen(name=name, arn=rule_arn(part), enabled=True, targets={target: dead})
            for end in ("Queue", "DeadLetterQueue"):
                url = OUTPUTS[f"{begin}{end}Url"]
                self.policies[url] = our_policy(queue_arn(url), rule_arn(part))
        for function in ("account-events", "stack-events", "reconcile-accounts"):
            name = f"rollcall-{function}"
            self.sources[name] = EventSourceSeen(function=name, identifier=f"id-{function}", state="Enabled")

    def side(self, policy: Policy) -> AwsSide:
        """All of it as the use case wants it."""
        return AwsSide(
            account=_Account(self),
            delegations=self,
            identities=_Identities(self),
            stack_sets=_StackSets(self),
            stacks=_Stacks(self),
            parts=self,
            mender=self,
            bucket=_Bucket(self),
            policy=FakePolicySource(policy),
            lint=self._lint,
            names=AwsNames(stack="rollcall", stack_set="rollcall-member-roles", management_stack="roles"),
        )

    def _lint(self, content: bytes, profile: Profile, tenant: str) -> LintReport:
        return self.report

    def administrators(self) -> Sequence[str]:
        return self.delegated

    def outputs(self) -> Mapping[str, str]:
        self.failures.strike("outputs")
        return OUTPUTS

    def find_rule(self, name: str) -> RuleSeen | None:
        return self.rules.get(name)

    def get_queue(self, label: str, url: str) -> QueueSeen:
        return QueueSeen(label=label, url=url, arn=queue_arn(url), policy=self.policies[url])

    def find_event_source(self, function: str) -> EventSourceSeen | None:
        return self.sources.get(function)

    def find_schedule(self, group: str, name: str) -> str | None:
        return self.schedule

    def enable_rule(self, name: str) -> None:
        self.rules[name] = replace(self.rules[name], enabled=True)

    def set_queue_policy(self, url: str, policy: str) -> None:
        self.policies[url] = policy

    def enable_event_source(self, identifier: str) -> None:
        name = f"rollcall-{identifier.removeprefix('id-')}"
        self.sources[name] = replace(self.sources[name], state="Enabling")

    def enable_versions(self, bucket: str) -> None:
        self.bucket = replace(self.bucket, versioned=True)

    def set_bucket_policy(self, bucket: str, policy: str) -> None:
        self.bucket = replace(self.bucket, policy=policy)

    def enable_federation(self) -> None:
        self.caller = replace(self.caller, federation=True)


class _Account:
    def __init__(self, world: FakeAws) -> None:
        self._world = world

    def inspect(self) -> CallerFacts:
        self._world.failures.strike("inspect")
        return self._world.caller

    def activate_organizations_access(self) -> None:
        self._world.failures.strike("activate_organizations_access")
        self._world.caller = replace(self._world.caller, organizations_access="ENABLED")


class _Identities:
    def __init__(self, world: FakeAws) -> None:
        self._world = world

    def inspect(self, account_id: str, roles: Sequence[str]) -> IdentitySeen:
        return IdentitySeen(provider=self._world.provider)


class _StackSets:
    def __init__(self, world: FakeAws) -> None:
        self._world = world

    def find(self, name: str) -> StackSetSeen | None:
        self._world.failures.strike("find")
        return self._world.stack_sets.get(name)


class _Stacks:
    def __init__(self, world: FakeAws) -> None:
        self._world = world

    def find(self, name: str) -> ManagementStack | None:
        return self._world.stacks.get(name)


class _Bucket:
    def __init__(self, world: FakeAws) -> None:
        self._world = world

    def inspect(self) -> BucketFacts:
        return self._world.bucket


SENTINEL = ProviderSeen(client_ids=frozenset({"api://somebody-else"}), thumbprints=frozenset({THUMBPRINT}))
