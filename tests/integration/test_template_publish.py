"""`rollcall template publish` on the simulated AWS: checks, first publication, the same again, drift, new template."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import bootstrap
from cli.template_files import OWN
from shared.adapters.aws.account_listing import AwsAccountListing
from shared.adapters.aws.management_stack import CloudFormationManagementStack
from shared.adapters.aws.organization import AwsOrganization
from shared.adapters.aws.stack_sets import CloudFormationStackSets
from shared.adapters.clock import SystemClock
from shared.adapters.policy.problems import parse_policy
from shared.application.account_batch import AccountSignal, DeployPorts
from shared.application.deploy_accounts import deploy_accounts
from shared.application.outcome import Outcome
from shared.application.ports import StackSets
from shared.application.reconcile import ReconcilePorts, Run, reconcile
from shared.application.requests import Cause
from shared.domain.readiness import Readiness
from shared.domain.stack_sets import InstanceState
from tests.fakes.aws import FakePolicySource, FakeReconcileEvents
from tests.fakes.aws_world import TENANT, AwsWorld, aws_world, wait_until
from tests.fakes.queues import FakeAccountRetries, FakeRequestQueue
from tests.fixtures.read import FOLDER
from tests.unit.test_policy_command import Said, Shell

BUCKET = "our-templates"
NAME = "rollcall-member-roles"
STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"
STEPS = ("bucket", "stack set", "stack of the management account")


def tls_only(bucket: str, **changes: Any) -> str:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | changes]})


class Publisher:
    """The command, on a world with a bucket as it has to be."""

    def __init__(self, world: AwsWorld, shell: Shell) -> None:
        self.world, self._shell = world, shell

    def run(self, *options: str, file: Path = OWN) -> Said:
        command = ("template", "publish", str(file), "--bucket", BUCKET, "--tenant", TENANT, "--json")
        return self._shell.run(*command, *options)

    def steps(self, *options: str, file: Path = OWN) -> list[str]:
        said = self.run(*options, file=file)
        assert said.code == 0, said.out + said.err
        assert [each["name"] for each in said.document["places"]] == list(STEPS)
        return [each["step"] for each in said.document["places"]]

    def keys(self, *options: str, file: Path = OWN) -> list[str]:
        """The checks that refuse."""
        said = self.run(*options, file=file)
        assert (said.code, said.document["done"], said.document["places"]) == (1, False, []), said.out
        assert all(each["reason"] and each["remedy"] for each in said.document["findings"])
        return [each["key"] for each in said.document["findings"]]


@pytest.fixture
def publisher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Publisher]:
    monkeypatch.chdir(tmp_path)
    with aws_world(tmp_path) as world:
        world.cloud.prepare_organization()
        s3 = world.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_policy(Bucket=BUCKET, Policy=tls_only(BUCKET))
        for name, value in {
            "AWS_ENDPOINT_URL": world.cloud.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
        bootstrap.settings.cache_clear()
        yield Publisher(world, Shell(monkeypatch, capsys))


def writes(world: AwsWorld) -> list[str]:
    reading = ("Get", "List", "Describe", "Head")
    return [
        entry.operation
        for entry in world.journal.entries()
        if not entry.operation.partition(":")[2].startswith(reading) and entry.service in {"s3", "cloudformation"}
    ]


def deploy(world: AwsWorld, account: str, **switched_on: str) -> None:
    answer = world.client("cloudformation").create_stack_instances(
        StackSetName=NAME,
        DeploymentTargets={
            "OrganizationalUnitIds": [world.root()],
            "Accounts": [account],
            "AccountFilterType": "INTERSECTION",
        },
        Regions=["us-east-1"],
        ParameterOverrides=[{"ParameterKey": name, "ParameterValue": value} for name, value in switched_on.items()],
    )
    finished(world, answer["OperationId"])


def finished(world: AwsWorld, operation_id: str) -> None:
    cloudformation = world.client("cloudformation")
    wait_until(
        lambda: (
            cloudformation.describe_stack_set_operation(StackSetName=NAME, OperationId=operation_id)[
                "StackSetOperation"
            ]["Status"]
            == "SUCCEEDED"
        )
    )


def changed_template(tmp_path: Path) -> Path:
    """Another template: the role of Servers under another group."""
    path = tmp_path / "changed.yaml"
    path.write_text(OWN.read_text().replace("Condition: WithServers\n", "Condition: WithDatabasePosture\n"))
    return path


def test_the_first_time_makes_everything_and_the_same_again_changes_nothing(publisher: Publisher) -> None:
    world = publisher.world
    assert publisher.steps("--dry-run", "--profile", "recommended") == ["create", "create", "create"]
    before = len(writes(world))
    assert publisher.steps("--profile", "recommended") == ["create", "create", "create"]
    assert sorted(writes(world)[before:]) == [
        "cloudformation:CreateStack",
        "cloudformation:CreateStackSet",
        "s3:PutObject",
    ]
    stack_set = world.client("cloudformation").describe_stack_set(StackSetName=NAME)["StackSet"]
    assert stack_set["TemplateBody"] == OWN.read_text()
    assert (stack_set["AutoDeployment"]["Enabled"], stack_set["ManagedExecution"]["Active"]) == (False, True)
    assert stack_set["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    roles = world.client("iam").list_roles()["Roles"]
    assert "DefenderForCloud-Containers-K8s" in {role["RoleName"] for role in roles}
    before = len(writes(world))
    assert publisher.steps("--profile", "recommended") == ["unchanged"] * 3
    assert publisher.steps() == ["unchanged"] * 3
    assert writes(world)[before:] == []


def test_another_template_reaches_every_instance_and_the_management_account(
    publisher: Publisher, tmp_path: Path
) -> None:
    world = publisher.world
    publisher.steps()
    account = world.cloud.add_account("member")
    deploy(world, account, DatabasePosture="true")
    assert "DefenderForCloud-DefenderForServers" not in world.roles_in(account)
    changed = changed_template(tmp_path)
    dry = publisher.run("--dry-run", file=changed)
    assert [each["step"] for each in dry.document["places"]] == ["update"] * 3
    assert not any(each["drift"] for each in dry.document["places"])
    assert publisher.steps("--profile", "recommended", file=changed) == ["update"] * 3
    assert {"DefenderForCloud-DefenderForServers", "DefenderForCloud-DataSecurityPostureDB"} <= world.roles_in(account)
    operation = world.client("cloudformation").list_stack_set_operations(StackSetName=NAME)["Summaries"][0]
    assert (operation["Action"], operation["OperationPreferences"]) == (
        "UPDATE",
        {
            "FailureTolerancePercentage": 100,
            "MaxConcurrentPercentage": 100,
            "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE",
        },
    )
    versions = world.client("s3").list_object_versions(Bucket=BUCKET)["Versions"]
    assert len(versions) == 2
    assert publisher.steps(file=changed) == ["unchanged"] * 3


def test_an_account_where_it_fails_is_told_and_the_others_have_it(publisher: Publisher, tmp_path: Path) -> None:
    world = publisher.world
    publisher.steps()
    good, bad = world.cloud.add_account("good"), world.cloud.add_account("bad")
    for account in (good, bad):
        deploy(world, account, DatabasePosture="true")
    world.cloud.fail_stack_instances(bad, "denied by a policy")
    said = publisher.run(file=changed_template(tmp_path))
    assert said.code == 1
    assert said.document["places"][1]["failed"].keys() == {bad}
    assert "DefenderForCloud-DefenderForServers" in world.roles_in(good)
    again = publisher.run(file=changed_template(tmp_path))
    assert (again.code, again.document["places"][1]["step"]) == (0, "unchanged")
    assert again.document["places"][1]["behind"] == {bad: "denied by a policy"}


def test_what_was_changed_by_hand_is_drift_and_is_mended(publisher: Publisher, tmp_path: Path) -> None:
    cloudformation = publisher.world.client("cloudformation")
    publisher.steps()
    cloudformation.update_stack_set(
        StackSetName=NAME,
        TemplateBody=changed_template(tmp_path).read_text(),
        Parameters=[{"ParameterKey": "TenantId", "UsePreviousValue": True}],
        Capabilities=["CAPABILITY_NAMED_IAM"],
        AutoDeployment={"Enabled": True, "RetainStacksOnAccountRemoval": False},
    )
    dry = publisher.run("--dry-run")
    assert [each["drift"] for each in dry.document["places"]] == [False, True, False]
    assert dry.document["places"][1]["wrong_settings"] == ["automatic deployment is on"]
    assert publisher.steps() == ["unchanged", "update", "unchanged"]
    stack_set = cloudformation.describe_stack_set(StackSetName=NAME)["StackSet"]
    assert (stack_set["TemplateBody"], stack_set["AutoDeployment"]["Enabled"]) == (OWN.read_text(), False)


def test_stack_sets_are_trusted_only_with_fix(publisher: Publisher) -> None:
    publisher.world.client("cloudformation").deactivate_organizations_access()
    assert publisher.keys() == ["stack-sets-not-trusted"]
    assert publisher.keys("--dry-run", "--fix") == ["stack-sets-not-trusted"]
    assert publisher.steps("--fix") == ["create"] * 3


def test_without_federation_nothing_is_done(publisher: Publisher) -> None:
    publisher.world.client("iam").disable_outbound_web_identity_federation()
    assert publisher.keys() == ["web-identity-off"]


@pytest.mark.parametrize("delegated", [False, True], ids=["member", "delegated administrator"])
def test_only_the_management_account_may_publish(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch, delegated: bool
) -> None:
    world = publisher.world
    account = world.cloud.add_account("security")
    if delegated:
        organizations = world.client("organizations")
        organizations.register_delegated_administrator(AccountId=account, ServicePrincipal=STACK_SETS)
    key = world.cloud.credentials_for_role(f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret_access_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", key.session_token)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the credentials that it first saw
    said = publisher.run()
    [finding] = said.document["findings"]
    assert (said.code, finding["key"]) == (1, "caller-not-management")
    assert ("delegated administrator" in finding["reason"]) is delegated


def test_a_bucket_has_to_keep_versions_and_to_deny_what_comes_without_tls(publisher: Publisher) -> None:
    s3 = publisher.world.client("s3")
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    s3.delete_bucket_policy(Bucket=BUCKET)
    assert publisher.keys() == ["bucket-not-versioned", "bucket-without-tls"]
    s3.delete_bucket(Bucket=BUCKET)
    assert publisher.keys() == ["bucket-missing"]


def test_what_is_neither_ours_nor_the_portal_s_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "half.yaml").write_text(OWN.read_text().replace("CiemSubject", "Subject"))
    assert set(publisher.keys(file=tmp_path / "half.yaml")) == {"template-parameters"}
    (tmp_path / "sam.yaml").write_text("Transform: AWS::Serverless-2016-10-31\n" + OWN.read_text())
    said = publisher.run(file=tmp_path / "sam.yaml")
    assert (said.code, "transforms" in said.err) == (2, True)


PORTAL = "0aa1b2c3-1111-4222-8333-944445555666"
EXTERNAL_ID = "9aa1b2c3-1111-4222-8333-944445555666"
POLICY = f"""version: 1
organization: o-exampleorg1
tenant: {TENANT}
target: {{subscription: 00000000-0000-4000-8000-0000000000d1, resource_group: rg, location: westeurope}}
profiles:
  few: {{plans: [foundational_cspm]}}
  usual:
    extends: recommended
    plans: {{containers: {{external_id: {EXTERNAL_ID}}}}}
default_profile: usual
rules: [{{match: {{ou_paths: [/Dev]}}, profile: few}}]
"""


def portal_template(tmp_path: Path, *, without: str = "") -> Path:
    """A template as the portal makes one, for our tenant; `without` is a role that it names otherwise."""
    text = (FOLDER / "templates" / "portal.default.json").read_text().replace(PORTAL, TENANT)
    path = tmp_path / "portal.json"
    path.write_text(text.replace(f'"RoleName": "{without}"', '"RoleName": "Other"') if without else text)
    (tmp_path / "policy.yaml").write_text(POLICY)
    return path


class Roll:
    """What the Lambda functions do, on the simulated AWS."""

    def __init__(self, world: AwsWorld) -> None:
        self.world, self.queue, self.events = world, FakeRequestQueue(), FakeReconcileEvents()
        organizations, cloudformation = world.client("organizations"), world.client("cloudformation")
        stack_sets = CloudFormationStackSets(
            cloudformation, organizations, name=NAME, region="us-east-1", seconds=itertools.count(step=60).__next__
        )
        policy = FakePolicySource(parse_policy(POLICY.encode(), "policy.yaml"))
        self._deploy = DeployPorts(
            directory=AwsOrganization(organizations, SystemClock()),
            stack_sets=stack_sets,
            sender=self.queue,
            retries=FakeAccountRetries(),
            readiness=Readiness(),
            policy=policy,
            clock=SystemClock(),
        )
        self._reconcile = ReconcilePorts(
            listing=AwsAccountListing(organizations, SystemClock()),
            instances=stack_sets,
            management=CloudFormationManagementStack(cloudformation, name=NAME),
            events=self.events,
            sender=self.queue,
            policy=policy,
            clock=SystemClock(),
        )

    def deploy(self, *accounts: str) -> None:
        """Events about accounts, and the end of the operations that they begin."""
        signals = [
            AccountSignal(
                account_id=each,
                cause=Cause(event_id=f"e-{each}", source="aws", occurred_at=datetime.now(UTC), correlation_id="c"),
            )
            for each in accounts
        ]
        for result in deploy_accounts(signals, self._deploy).values():
            assert isinstance(result, Outcome), result
        stack_sets = self._deploy.stack_sets
        wait_until(lambda: {self.state(each, stack_sets) for each in accounts} == {InstanceState.CURRENT})

    def state(self, account: str, stack_sets: StackSets) -> InstanceState | None:
        found = stack_sets.find_instance(account)
        return found.state if found else None

    def signals(self, *accounts: str) -> list[str]:
        """What the comparison of everything sends about these accounts."""
        found = {each.account_id: each.signal for each in reconcile(RUN, self._reconcile).accounts}
        return [str(found[account]) for account in accounts]


RUN = Run(name="daily", source="rollcall.reconcile")
SERVERS = "DefenderForCloud-DefenderForServers"


def test_a_template_of_the_portal_gives_every_account_its_roles_and_nothing_is_left_to_do(
    publisher: Publisher, tmp_path: Path
) -> None:
    world, file = publisher.world, portal_template(tmp_path)
    options = ("--policy", "policy.yaml", "--profile", "usual")
    said = publisher.run("--dry-run", *options, file=file)
    assert (said.code, [each["step"] for each in said.document["places"]]) == (0, ["create"] * 3), said.out
    [note] = said.document["notes"]
    assert "every account of the StackSet gets the same roles" in note
    assert "usual, few need different ones" in note
    assert [(each["profile"], each["findings"]) for each in said.document["linted"]] == [
        ("usual", []),
        ("few", []),
    ]
    assert publisher.steps(*options, file=file) == ["create"] * 3
    stack_set = world.client("cloudformation").describe_stack_set(StackSetName=NAME)["StackSet"]
    assert (stack_set["TemplateBody"], stack_set.get("Parameters", [])) == (file.read_text(), [])
    roll, one = Roll(world), world.cloud.add_account("one")
    deploy(world, one)
    two = world.cloud.add_account("two")
    roll.deploy(two)
    assert SERVERS in world.roles_in(one)
    assert world.roles_in(one) == world.roles_in(two)
    assert roll.signals(one, two) == ["connect_request"] * 2
    assert roll.events.asked == []
    assert publisher.steps(*options, file=file) == ["unchanged"] * 3


def test_from_our_template_to_the_portal_s_and_back(publisher: Publisher, tmp_path: Path) -> None:
    world, file, options = publisher.world, portal_template(tmp_path), ("--policy", "policy.yaml")
    publisher.steps(*options)
    roll, account = Roll(world), world.cloud.add_account("one")
    roll.deploy(account)
    assert publisher.steps(*options, file=file) == ["update"] * 3
    assert roll.signals(account) == ["connect_request"]
    assert publisher.steps(*options, file=file) == ["unchanged"] * 3
    said = publisher.run("--dry-run", *options)
    assert any("rollcall backfill" in note for note in said.document["notes"])
    assert publisher.steps(*options) == ["update"] * 3
    assert roll.signals(account) == ["connect_request"]
    assert SERVERS in world.roles_in(account)


def test_a_role_that_a_profile_lacks_is_named_and_refuses_unless_it_is_said_otherwise(
    publisher: Publisher, tmp_path: Path
) -> None:
    file, options = portal_template(tmp_path, without=SERVERS), ("--policy", "policy.yaml")
    said = publisher.run(*options, file=file)
    keys = [each["key"] for each in said.document["findings"]]
    assert (said.code, set(keys), said.document["done"]) == (1, {"template-lint"}, False)
    assert f"role-missing {SERVERS}" in said.document["findings"][0]["reason"]
    assert writes(publisher.world)[-1:] != ["cloudformation:CreateStackSet"]
    assert publisher.steps("--despite-findings", *options, file=file) == ["create"] * 3


def test_a_self_managed_stack_set_of_that_name_is_refused(publisher: Publisher) -> None:
    publisher.world.client("cloudformation").create_stack_set(
        StackSetName=NAME, TemplateBody="Resources: {A: {Type: 'AWS::SQS::Queue'}}"
    )
    said = publisher.run()
    assert (said.code, [each["key"] for each in said.document["findings"]]) == (1, ["stack-set-self-managed"])


def test_a_bucket_policy_that_denies_requests_with_tls_does_deny(publisher: Publisher) -> None:
    """The simulator's own: conditions are looked at, both ways."""
    s3 = publisher.world.client("s3")
    with_tls = {"Bool": {"aws:SecureTransport": "true"}}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=tls_only(BUCKET, Condition=with_tls, Action="s3:PutObject"))
    with pytest.raises(ClientError, match="403"):
        s3.put_object(Bucket=BUCKET, Key="a", Body=b"")
