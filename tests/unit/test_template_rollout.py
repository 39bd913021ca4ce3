"""What keeps a template from being published: each check with the facts that produce it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cli.template_files import OWN
from shared.adapters.template.roles import read_role_template
from shared.application.publish_template import Plan, TemplatePorts, Wish, plan_template, publish_template
from shared.domain.documented_access import Access
from shared.domain.findings import Finding
from shared.domain.profiles import FOUNDATIONAL, RECOMMENDED, Profile
from shared.domain.role_templates import RoleTemplate
from shared.domain.template_findings import Check, LintFinding, LintReport
from shared.domain.template_rollout import (
    SWITCHES,
    TENANT,
    BucketFacts,
    CallerFacts,
    DeployedTemplate,
    Linted,
    Rollout,
    Step,
    bucket_findings,
    caller_findings,
    is_tls_only,
    lint_findings,
    template_findings,
)
from shared.errors import TransientError
from tests.fakes.clock import FakeClock

BUCKET = "our-templates"
WHOLE = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
STATEMENT: dict[str, Any] = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": WHOLE,
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
CALLER = CallerFacts(
    account_id="111122223333",
    partition="aws",
    management_account="111122223333",
    all_features=True,
    delegated=False,
    organizations_access="ENABLED",
    sts_host="sts.us-east-1.amazonaws.com",
    federation=True,
)


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


GOOD_BUCKET = BucketFacts(name=BUCKET, versioned=True, policy=policy(STATEMENT))
GOOD_TEMPLATE = RoleTemplate(parameters=SWITCHES | {TENANT}, obligatory=frozenset({TENANT}))
PORTAL_TEMPLATE = RoleTemplate()
SELF_MANAGED = DeployedTemplate(template_hash="a", parameters={}, service_managed=False)


class FakeAccount:
    def __init__(self, facts: CallerFacts) -> None:
        self.facts = facts

    def inspect(self) -> CallerFacts:
        return self.facts

    def activate_organizations_access(self) -> None:
        self.facts = replace(self.facts, organizations_access="ENABLED")


class FakeBucket:
    url = "https://our-templates.s3.us-east-1.amazonaws.com/roles.yaml"

    def __init__(self, facts: BucketFacts) -> None:
        self.facts, self.puts, self.lies = facts, 0, ""

    def inspect(self) -> BucketFacts:
        return self.facts

    def find(self) -> str:
        return self.lies

    def put(self, content: bytes) -> None:
        self.puts += 1


class FakeDeployment:
    """A StackSet or Stack; an update ends when `progress` was asked `steps` times."""

    def __init__(self, present: DeployedTemplate | None = None, steps: int = 0) -> None:
        self.present, self.steps = present, steps
        self.updated_with: DeployedTemplate | None = None

    def find(self) -> DeployedTemplate | None:
        return self.present

    def create(self, template_url: str, parameters: Any) -> str:
        return "job"

    def update(self, template_url: str, parameters: Any, present: DeployedTemplate) -> str:
        self.updated_with = present
        return "job"

    def progress(self, waiting_for: str) -> Rollout:
        self.steps -= 1
        return Rollout(ended=self.steps < 0, succeeded=True)


class World:
    def __init__(self, caller: CallerFacts = CALLER, bucket: BucketFacts = GOOD_BUCKET) -> None:
        self.account, self.bucket = FakeAccount(caller), FakeBucket(bucket)
        self.stack_set, self.stack, self.clock = FakeDeployment(), FakeDeployment(), FakeClock()
        self.wish = Wish(content=b"new", template=GOOD_TEMPLATE, for_stack_set={TENANT: "t"}, for_stack={TENANT: "t"})

    @property
    def ports(self) -> TemplatePorts:
        return TemplatePorts(
            account=self.account, bucket=self.bucket, stack_set=self.stack_set, stack=self.stack, clock=self.clock
        )

    def plan(self, *, fix: bool = False) -> Plan:
        return plan_template(self.wish, self.ports, fix=fix)


def report(*found: str) -> LintReport:
    """What the linter says: each finding a check and a subject."""
    pairs = [each.split() for each in found]
    return LintReport(
        access=Access.DEFAULT,
        findings=tuple(LintFinding(check=Check(check), subject=subject, message="m") for check, subject in pairs),
    )


def self_managed() -> list[Finding]:
    world = World()
    world.stack_set.present = SELF_MANAGED
    return list(world.plan().findings)


CHECKED: dict[str, list[Finding]] = {
    "partition-not-supported": list(caller_findings(replace(CALLER, partition="aws-us-gov"))),
    "features-not-all": list(caller_findings(replace(CALLER, all_features=False))),
    "caller-not-management": list(caller_findings(replace(CALLER, account_id="444455556666", all_features=False))),
    "stack-sets-not-trusted": list(caller_findings(replace(CALLER, organizations_access="DISABLED"))),
    "sts-not-regional": list(caller_findings(replace(CALLER, sts_host="sts.amazonaws.com"))),
    "web-identity-off": list(caller_findings(replace(CALLER, federation=False))),
    "bucket-missing": list(bucket_findings(BucketFacts(name=BUCKET, exists=False))),
    "bucket-not-versioned": list(bucket_findings(replace(GOOD_BUCKET, versioned=False))),
    "bucket-without-tls": list(bucket_findings(replace(GOOD_BUCKET, policy=""))),
    "template-lint": list(lint_findings([Linted(profile=RECOMMENDED, report=report("role-missing X"))])),
    "template-parameters": list(template_findings(replace(GOOD_TEMPLATE, obligatory=frozenset({"Strange"})))),
    "stack-set-self-managed": self_managed(),
}
"""Each kind of finding and what one such fact produces; tests/unit/test_runbook.py counts them."""


@pytest.mark.parametrize("key", CHECKED)
def test_each_fact_is_found_alone_with_reason_and_remedy(key: str) -> None:
    [finding] = CHECKED[key]
    assert finding.key == key
    assert finding.reason
    assert finding.remedy.endswith(f"Runbook: {key}.")


def test_where_everything_is_as_it_has_to_be_nothing_is_found() -> None:
    assert World().plan().findings == ()


def test_the_misleading_error_of_aws_is_explained() -> None:
    [finding] = CHECKED["stack-sets-not-trusted"]
    assert "You must enable organizations access to operate a service managed stack set" in finding.reason
    assert "--fix" in finding.remedy


def test_a_template_without_one_of_our_parameters_is_named_with_it() -> None:
    template = replace(GOOD_TEMPLATE, parameters=GOOD_TEMPLATE.parameters - {"Ciem"})
    [finding] = template_findings(template)
    assert finding.reason == "the template does not take Ciem"


def test_a_template_without_any_of_our_parameters_is_taken() -> None:
    assert list(template_findings(PORTAL_TEMPLATE)) == []
    assert list(template_findings(replace(PORTAL_TEMPLATE, parameters=frozenset({"TheirOwn"})))) == []


def test_a_template_with_one_of_our_parameters_alone_is_refused() -> None:
    [finding] = template_findings(replace(PORTAL_TEMPLATE, parameters=frozenset({"Servers"})))
    assert finding.key == "template-parameters"
    assert "TenantId" in finding.reason


def test_lint_findings_are_named_once_for_each_profile_that_has_some() -> None:
    world = World()
    many = report("role-missing A", "role-missing B", "role-unknown C", "static-key D", "static-key E")
    world.wish = replace(
        world.wish,
        linted=(
            Linted(profile=FOUNDATIONAL, report=report()),
            Linted(profile=RECOMMENDED, report=many),
        ),
    )
    [finding] = world.plan().findings
    named = "role-missing A, role-missing B, role-unknown C and 2 more"
    assert (finding.key, finding.reason) == ("template-lint", f"for profile recommended: {named}")
    assert world.plan().places == ()
    world.wish = replace(world.wish, despite_findings=True)
    assert world.plan().findings == ()


def test_fix_activates_nothing_for_a_template_that_is_refused() -> None:
    world = World(replace(CALLER, organizations_access="DISABLED"))
    world.wish = replace(world.wish, linted=(Linted(profile=RECOMMENDED, report=report("role-missing A")),))
    assert [each.key for each in world.plan(fix=True).findings] == ["template-lint", "stack-sets-not-trusted"]
    assert world.account.facts.organizations_access == "DISABLED"


@pytest.mark.parametrize(
    ("profiles", "different"), [((RECOMMENDED,), False), ((FOUNDATIONAL, RECOMMENDED), True)], ids=["one", "two"]
)
def test_a_template_without_parameters_is_said_to_give_all_the_same_roles(
    profiles: tuple[Profile, ...], different: bool
) -> None:
    world = World()
    linted = tuple(Linted(profile=profile, report=report()) for profile in profiles)
    world.wish = Wish(content=b"new", template=PORTAL_TEMPLATE, for_stack_set={}, for_stack={}, linted=linted)
    [note] = world.plan().notes
    assert "gets the same roles" in note
    assert ("the profiles foundational, recommended need different ones" in note) is different


def test_our_own_template_needs_no_note_but_that_nothing_was_linted() -> None:
    world = World()
    assert world.plan().notes == ("not linted: name a policy, or a profile",)
    world.wish = replace(world.wish, linted=(Linted(profile=RECOMMENDED, report=report()),))
    assert world.plan().notes == ()


def test_our_template_in_the_place_of_one_without_parameters_is_said_to_take_roles_away_for_a_while() -> None:
    world = World()
    world.wish = replace(world.wish, linted=(Linted(profile=RECOMMENDED, report=report()),))
    world.stack_set.present = DeployedTemplate(template_hash="portal", parameters={})
    [note] = world.plan().notes
    assert "rollcall backfill" in note


@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Allow"},
        {"Principal": {"AWS": "arn:aws:iam::111122223333:root"}},
        {"Action": "s3:GetObject"},
        {"Resource": WHOLE[1]},
        {"Resource": "arn:aws:s3:::another/*"},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "false", "aws:ViaAWSService": "false"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
        {"Condition": {}},
    ],
    ids=str,
)
def test_a_bucket_policy_that_leaves_a_gap_is_not_tls_only(change: dict[str, Any]) -> None:
    assert not is_tls_only(policy(STATEMENT | change), BUCKET)


@pytest.mark.parametrize(
    "text",
    [
        policy(STATEMENT),
        policy(STATEMENT | {"Resource": WHOLE[0]}, STATEMENT | {"Resource": WHOLE[1]}),
        policy(STATEMENT | {"Resource": "*", "Principal": {"AWS": "*"}, "Action": ["s3:*"]}),
        policy(STATEMENT | {"Condition": {"Bool": {"AWS:securetransport": False}}}),
        json.dumps({"Statement": STATEMENT}),
    ],
    ids=["whole", "two statements", "everything", "spelling", "one statement"],
)
def test_a_bucket_policy_that_denies_everything_without_tls_is_tls_only(text: str) -> None:
    assert is_tls_only(text, BUCKET)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"Statement": ["x"]}'], ids=str)
def test_what_is_no_bucket_policy_is_not_tls_only(text: str) -> None:
    assert not is_tls_only(text, BUCKET)


def test_fix_activates_only_where_nothing_else_is_wrong() -> None:
    world = World(replace(CALLER, organizations_access="DISABLED"))
    assert [each.key for each in world.plan().findings] == ["stack-sets-not-trusted"]
    assert world.plan(fix=True).findings == ()
    world = World(replace(CALLER, organizations_access="DISABLED", federation=False))
    assert len(world.plan(fix=True).findings) == 2
    assert world.account.facts.organizations_access == "DISABLED"


def test_a_rollout_that_takes_too_long_is_said_and_not_ended() -> None:
    world = World()
    world.stack_set.present = DeployedTemplate(template_hash="old", parameters={TENANT: "t"})
    world.stack_set.steps = 10
    with pytest.raises(TransientError, match="still being changed after 3 s"):
        publish_template(world.wish, world.plan(), world.ports, timeout_seconds=3)
    done = publish_template(world.wish, world.plan(), world.ports, timeout_seconds=30)
    assert [place.step for place in done.places] == [Step.CREATE, Step.UPDATE, Step.CREATE]


def test_parameters_that_the_new_template_no_longer_takes_are_left_out() -> None:
    world = World()
    world.stack_set.present = DeployedTemplate(
        template_hash="old", parameters={TENANT: "t", "Gone": "x", "Ciem": "true"}
    )
    publish_template(world.wish, world.plan(), world.ports, timeout_seconds=3)
    assert world.stack_set.updated_with is not None
    assert world.stack_set.updated_with.parameters == {TENANT: "t", "Ciem": "true"}


def test_the_same_template_is_not_uploaded_again() -> None:
    world = World()
    present = DeployedTemplate(template_hash=world.wish.content_hash, parameters={TENANT: "t"})
    world.bucket.lies, world.stack_set.present, world.stack.present = world.wish.content_hash, present, present
    done = publish_template(world.wish, world.plan(), world.ports, timeout_seconds=3)
    assert [place.step for place in done.places] == [Step.UNCHANGED] * 3
    assert world.bucket.puts == 0


def test_our_own_template_takes_what_every_profile_sets() -> None:
    assert list(template_findings(read_role_template(OWN.read_bytes(), {}))) == []
