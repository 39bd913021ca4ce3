"""AWS's side: everything that is broken is named, alone, and what `--fix` says that it mends it mends."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.application.doctor.aws import LookAtAws
from shared.application.doctor.examine import examine
from shared.application.doctor.mend import mend
from shared.domain.doctor.aws_checks import AWS_CHECKS
from shared.domain.doctor.aws_parts import OUR_SIDS, PARTS, our_policy, tls_only_policy
from shared.domain.doctor.verdicts import State, Verdict
from shared.domain.documented_access import Access
from shared.domain.identity_provider import audiences_of
from shared.domain.policy import Mode, OrganizationConnector, Policy
from shared.domain.sweep.identity import THUMBPRINT, ProviderSeen
from shared.domain.template_findings import Check, LintFinding, LintReport
from shared.errors import TransientError
from tests.fakes.doctor_aws import ACCOUNT, BUCKET, OUTPUTS, SENTINEL, FakeAws, queue_arn, rule_arn
from tests.infra.aws_templates import as_list

PARENT = OrganizationConnector(name="aws-org", management_account=ACCOUNT, stack_set_name="rollcall-member-roles")
Break = Callable[[FakeAws], None]


def looked(world: FakeAws, policy: Policy) -> tuple[Verdict, ...]:
    return examine(LookAtAws(world.side(policy)).questions("an operator"))


def named(found: tuple[Verdict, ...], *states: State) -> set[tuple[str, State]]:
    wanted = states or (State.WRONG, State.UNKNOWN)
    return {(each.check.key, each.state) for each in found if each.state in wanted}


def change(**facts: object) -> Break:
    def broken(world: FakeAws) -> None:
        world.caller = replace(world.caller, **facts)  # type: ignore[arg-type]  # by name

    return broken


def change_stack_set(name: str, **facts: object) -> Break:
    def broken(world: FakeAws) -> None:
        world.stack_sets[name] = replace(world.stack_sets[name], **facts)  # type: ignore[arg-type]  # by name

    return broken


def take_stack(world: FakeAws) -> None:
    del world.stacks["rollcall"]


def disable_rule(world: FakeAws) -> None:
    world.rules["rollcall-stack-events"] = replace(world.rules["rollcall-stack-events"], enabled=False)


def take_rule(world: FakeAws) -> None:
    del world.rules["rollcall-account-events"]


def turn_target(world: FakeAws) -> None:
    world.rules["rollcall-reconcile"] = replace(world.rules["rollcall-reconcile"], targets={"arn:elsewhere": ""})


def take_dead_letters(world: FakeAws) -> None:
    rule = world.rules["rollcall-reconcile"]
    world.rules["rollcall-reconcile"] = replace(rule, targets=dict.fromkeys(rule.targets, ""))


def take_policy(world: FakeAws) -> None:
    world.policies[OUTPUTS["StackEventsQueueUrl"]] = ""


def let_another_rule_in(world: FakeAws) -> None:
    url = OUTPUTS["AccountEventsDeadLetterQueueUrl"]
    world.policies[url] = our_policy(queue_arn(url), rule_arn("somebody-else"))


def own_statement_instead(world: FakeAws) -> None:
    url = OUTPUTS["AccountEventsQueueUrl"]
    world.policies[url] = json.dumps({"Statement": {"Sid": "Mine", "Effect": "Allow"}})


def disable_source(world: FakeAws) -> None:
    world.sources["rollcall-stack-events"] = replace(world.sources["rollcall-stack-events"], state="Disabled")


def take_source(world: FakeAws) -> None:
    del world.sources["rollcall-stack-events"]


def take_schedule(world: FakeAws) -> None:
    world.schedule = None


def no_versions(world: FakeAws) -> None:
    world.bucket = replace(world.bucket, versioned=False)


def no_tls(world: FakeAws) -> None:
    world.bucket = replace(world.bucket, policy="")


def own_bucket_policy(world: FakeAws) -> None:
    world.bucket = replace(world.bucket, policy=json.dumps({"Statement": []}))


def lint(world: FakeAws) -> None:
    finding = LintFinding(check=Check.ROLE_MISSING, subject="CspmMonitorAws", message="not there")
    world.report = LintReport(access=Access.DEFAULT, findings=(finding,))


def sentinel_first(world: FakeAws) -> None:
    world.provider = SENTINEL


def other_thumbprint(world: FakeAws) -> None:
    world.provider = ProviderSeen(client_ids=frozenset(), thumbprints=frozenset({"00"}))


MENDED, LEFT = True, False
BROKEN: list[tuple[str, Break, bool]] = [
    ("aws-organization-features", change(all_features=False), LEFT),
    ("aws-stack-sets-trusted", change(organizations_access="DISABLED"), MENDED),
    ("aws-outbound-federation", change(federation=False), MENDED),
    ("aws-stack", take_stack, LEFT),
    ("aws-stack-set", change_stack_set("rollcall-member-roles", managed_execution=False), LEFT),
    ("aws-stack-set", change_stack_set("rollcall-member-roles", auto_deployment=True), LEFT),
    ("aws-stack-set", change_stack_set("rollcall-member-roles", service_managed=False), LEFT),
    ("aws-stack-set", change_stack_set("rollcall-member-roles", names_roles=False), LEFT),
    ("aws-stack-set-drift", change_stack_set("rollcall-reader", drift="DRIFTED", drifted_instances=2), LEFT),
    ("aws-reader-stack-set", change_stack_set("rollcall-reader", auto_deployment=False), LEFT),
    ("aws-rules", disable_rule, MENDED),
    ("aws-rules", take_rule, LEFT),
    ("aws-rules", turn_target, LEFT),
    ("aws-rules", take_dead_letters, LEFT),
    ("aws-queue-policies", take_policy, MENDED),
    ("aws-queue-policies", let_another_rule_in, MENDED),
    ("aws-queue-policies", own_statement_instead, LEFT),
    ("aws-event-sources", disable_source, MENDED),
    ("aws-event-sources", take_source, LEFT),
    ("aws-schedule", take_schedule, LEFT),
    ("aws-bucket", no_versions, MENDED),
    ("aws-bucket", no_tls, MENDED),
    ("aws-bucket", own_bucket_policy, LEFT),
    ("aws-template", lint, LEFT),
    ("aws-identity-provider", sentinel_first, LEFT),
    ("aws-identity-provider", other_thumbprint, LEFT),
]


def test_where_all_is_well_every_check_says_so(policy: Policy) -> None:
    found = looked(FakeAws(), policy)
    assert {each.check for each in found} == set(AWS_CHECKS)
    assert {each.state for each in found} == {State.OK}
    assert {each.checked_as for each in found} == {"an operator"}


@pytest.mark.parametrize(("key", "broken", "mended"), BROKEN, ids=lambda value: getattr(value, "__name__", str(value)))
def test_what_is_broken_is_named_alone_and_mended_where_that_is_safe(
    policy: Policy, key: str, broken: Break, *, mended: bool
) -> None:
    world = FakeAws()
    if broken is other_thumbprint:
        world.provider = ProviderSeen(client_ids=frozenset(), thumbprints=frozenset({THUMBPRINT}))
        wanted = {each for profile in policy.used_profiles for each in audiences_of(profile)}
        broken(world)
        world.provider = ProviderSeen(client_ids=frozenset(wanted), thumbprints=frozenset({"00"}))
    else:
        broken(world)
    found = looked(world, policy)
    assert named(found) == {(key, State.WRONG)}
    wrong = [each for each in found if each.state is State.WRONG]
    assert all(each.reason and each.remedy for each in wrong)
    done = list(mend(found, LookAtAws(world.side(policy)).menders()))
    assert [bool(each.done) for each in done] == ([True] if mended else [])
    assert named(looked(world, policy)) == (set() if mended else {(key, State.WRONG)})


def test_of_a_member_account_only_the_account_is_told(policy: Policy) -> None:
    world = FakeAws()
    change(account_id="999999999999")(world)
    found = looked(world, policy)
    assert named(found, State.WRONG) == {("aws-caller", State.WRONG)}
    assert {key for key, _ in named(found, State.UNKNOWN)} == {
        "aws-organization-features",
        "aws-stack-sets-trusted",
        "aws-outbound-federation",
    }


def test_another_partition_is_wrong(policy: Policy) -> None:
    world = FakeAws()
    change(partition="aws-us-gov")(world)
    assert named(looked(world, policy)) == {("aws-caller", State.WRONG)}


def test_a_delegated_administrator_is_wrong_in_mode_native_and_told_elsewhere(policy: Policy) -> None:
    world = FakeAws(delegated=["222222222222"])
    assert named(looked(world, policy), State.ADVICE) == {("aws-delegated-administrator", State.ADVICE)}
    native = replace(policy, mode=Mode.NATIVE)
    assert ("aws-delegated-administrator", State.WRONG) in named(looked(world, native))


def test_the_management_account_needs_stack_and_provider_where_it_has_the_organization_connector(
    policy: Policy,
) -> None:
    member = replace(policy, mode=Mode.MEMBER, organization_connector=PARENT)
    assert named(looked(FakeAws(), member)) == {
        ("aws-management-stack", State.WRONG),
        ("aws-identity-provider", State.WRONG),
    }


def test_what_is_not_there_or_behind_is_told(policy: Policy) -> None:
    world = FakeAws()
    del world.stack_sets["rollcall-member-roles"]
    del world.stack_sets["rollcall-reader"]
    found = looked(world, policy)
    assert named(found, State.WRONG) == {("aws-stack-set", State.WRONG)}
    assert named(found, State.UNKNOWN) == {("aws-stack-set-drift", State.UNKNOWN), ("aws-template", State.UNKNOWN)}
    assert named(found, State.ADVICE) == {("aws-reader-stack-set", State.ADVICE)}
    behind = FakeAws(schedule="DISABLED")
    change_stack_set("rollcall-member-roles", behind={"111122223333": "AccessDenied"}, drift="NOT_CHECKED")(behind)
    assert named(looked(behind, policy), State.ADVICE) == {
        ("aws-stack-set", State.ADVICE),
        ("aws-stack-set-drift", State.ADVICE),
        ("aws-schedule", State.ADVICE),
    }


def test_an_account_that_does_not_answer_leaves_the_rest_to_be_told(policy: Policy) -> None:
    world = FakeAws()
    world.failures.plan("outputs", TransientError("no answer"), TransientError("no answer"))
    found = looked(world, policy)
    assert named(found) == {("aws-rules", State.UNKNOWN), ("aws-queue-policies", State.UNKNOWN)}


def test_a_bucket_that_is_not_there_or_not_named_is_told(policy: Policy) -> None:
    world = FakeAws()
    world.bucket = replace(world.bucket, exists=False)
    assert named(looked(world, policy)) == {("aws-bucket", State.WRONG)}
    side = replace(FakeAws().side(policy), bucket=None)
    assert named(examine(LookAtAws(side).questions(""))) == {("aws-bucket", State.UNKNOWN)}


def test_a_policy_that_lets_in_somebody_besides_is_told_and_left_alone(policy: Policy) -> None:
    world, url = FakeAws(), OUTPUTS["ReconcileQueueUrl"]
    document = json.loads(world.policies[url])
    document["Statement"].append({"Sid": "Schedule", "Effect": "Allow"})
    world.policies[url] = json.dumps(document)
    assert named(looked(world, policy), State.ADVICE) == {("aws-queue-policies", State.ADVICE)}


def test_commands_name_what_they_are_about(policy: Policy) -> None:
    world = FakeAws()
    for broken in (disable_rule, take_policy, disable_source, no_versions, sentinel_first):
        broken(world)
    commands = {each.check.key: each.command for each in looked(world, policy) if each.state is State.WRONG}
    assert commands["aws-rules"] == "aws events enable-rule --name rollcall-stack-events --region us-east-1"
    assert OUTPUTS["StackEventsQueueUrl"] in commands["aws-queue-policies"]
    assert "--uuid id-stack-events" in commands["aws-event-sources"]
    assert BUCKET in commands["aws-bucket"]
    assert f"arn:aws:iam::{ACCOUNT}:oidc-provider/" in commands["aws-identity-provider"]
    assert as_list(sorted(OUR_SIDS)) == ["OnlyFromTheRule", "OnlyOverTls"]
    assert len(PARTS) == 3
    assert json.loads(tls_only_policy(BUCKET))["Statement"][0]["Effect"] == "Deny"
