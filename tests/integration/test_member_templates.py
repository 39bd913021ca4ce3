"""The template of a member account's stack beside its StackSet's, read with the rights of infra/aws and no others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sandbox.aws.cloud import AwsCloud
from sandbox.certificates import Certificates
from sandbox.cloud import HUB_TEMPLATE
from sandbox.config import SandboxSettings
from sandbox.journal import Journal
from shared.adapters.aws.member_templates import MemberTemplates
from shared.domain.sweep.templates import InstanceSeen, template_findings
from shared.errors import RollcallError
from tests.e2e.roll import wait_until
from tests.integration.test_hub import TENANT, World

STACK_SET, REGION = "rollcall-member-roles", "us-east-1"
TEMPLATE = (Path(__file__).parents[1] / "fixtures" / "aws" / "member.yaml").read_text(encoding="utf-8")
READER = HUB_TEMPLATE.with_name("reader-role.yaml").read_text(encoding="utf-8")


class Members(World):
    """A hub as above, the StackSet of Defender's roles, and member accounts with the reader role of infra/aws."""

    def __init__(self, cloud: AwsCloud, journal: Journal) -> None:
        super().__init__(cloud, journal, reader="rollcall-reader")
        self.client("cloudformation").create_stack_set(
            StackSetName=STACK_SET,
            TemplateBody=TEMPLATE,
            PermissionModel="SERVICE_MANAGED",
            AutoDeployment={"Enabled": False},
            Parameters=[{"ParameterKey": "TenantId", "ParameterValue": TENANT}],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )

    def templates(self) -> MemberTemplates:
        hub = self.hub()
        return MemberTemplates(
            lambda account_id: hub.client("cloudformation", account_id=account_id),
            name=STACK_SET,
            region=REGION,
            clock=self.clock,
        )

    def inside(self, account_id: str, service: str = "cloudformation") -> Any:
        """A service of a member account, for whoever may do everything there."""
        given = self.cloud.credentials_for_role(f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole")
        return boto3.client(  # type: ignore[call-overload]  # by name
            service,
            region_name=REGION,
            endpoint_url=self.cloud.url,
            aws_access_key_id=given.access_key_id,
            aws_secret_access_key=given.secret_access_key,
            aws_session_token=given.session_token,
        )

    def member(self, name: str, *, with_roles: bool = True) -> str:
        account_id = self.cloud.add_account(name)
        parameters = {"ManagementAccountId": self.cloud.management_account_id, "OrganizationId": self.organization}
        self.inside(account_id).create_stack(
            StackName="rollcall-reader",
            TemplateBody=READER,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        if with_roles:
            self.deploy(account_id)
        return account_id

    def deploy(self, account_id: str) -> None:
        """An instance for the account, however that ends."""
        root = self.client("organizations").list_roots()["Roots"][0]["Id"]
        operation = self.client("cloudformation").create_stack_instances(
            StackSetName=STACK_SET,
            DeploymentTargets={
                "OrganizationalUnitIds": [root],
                "Accounts": [account_id],
                "AccountFilterType": "INTERSECTION",
            },
            Regions=[REGION],
        )["OperationId"]
        wait_until(lambda: self.has_ended(operation), "the operation has ended", 20)

    def has_ended(self, operation: str) -> bool:
        found = self.client("cloudformation").describe_stack_set_operation(
            StackSetName=STACK_SET, OperationId=operation
        )
        return bool(found["StackSetOperation"]["Status"] not in {"QUEUED", "RUNNING"})


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Members]:
    journal, settings = Journal(), SandboxSettings(folder=tmp_path, stack_instance_seconds=0.1)
    cloud = AwsCloud(journal, settings, Certificates(tmp_path / "certificates")).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    try:
        yield Members(cloud, journal)
    finally:
        cloud.stop()


def seen(world: Members, account_id: str) -> InstanceSeen:
    found = world.templates().inspect(account_id)
    assert found is not None
    return found


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_stack_as_its_stack_set_made_it_has_the_same_template(world: Members) -> None:
    account_id, other = world.member("one"), world.member("two")
    templates = world.templates()
    found = templates.inspect(account_id)
    assert found is not None
    assert (found.status, found.detailed_status, found.reason) == ("CURRENT", "SUCCEEDED", "")
    assert found.stack.startswith(f"StackSet-{STACK_SET}-")
    assert found.template_hash == found.stack_set_hash == hashed(TEMPLATE)
    assert list(template_findings(account_id, found)) == []
    templates.inspect(other)
    assert world.asked("cloudformation:DescribeStackSet") == 1
    world.clock.advance(60)
    templates.inspect(other)
    assert world.asked("cloudformation:DescribeStackSet") == 2


@pytest.mark.parametrize("change", ["# by hand\n", ""], ids=["changed", "as JSON"])
def test_a_template_that_somebody_changed_in_the_account_is_another(world: Members, change: str) -> None:
    account_id = world.member("one")
    other = TEMPLATE + change if change else '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
    stack = seen(world, account_id).stack
    world.inside(account_id).update_stack(
        StackName=stack,
        TemplateBody=other,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": "TenantId", "UsePreviousValue": True}] if change else [],
    )
    found = seen(world, account_id)
    assert (found.template_hash, found.stack_set_hash) == (hashed(other), hashed(TEMPLATE))
    [finding] = template_findings(account_id, found)
    assert finding.evidence["stack"] == stack


def test_a_stack_that_was_deleted_in_the_account_is_not_there(world: Members) -> None:
    account_id = world.member("one")
    stack = seen(world, account_id).stack
    world.inside(account_id).delete_stack(StackName=stack)
    found = seen(world, account_id)
    assert (found.stack, found.template_hash) == (stack, "")
    [finding] = template_findings(account_id, found)
    assert finding.reason == f"stack {stack}: it is not there"


def test_an_account_without_an_instance_has_nothing_to_compare(world: Members) -> None:
    assert world.templates().inspect(world.member("one", with_roles=False)) is None


def test_aws_s_own_reason_is_told(world: Members) -> None:
    account_id = world.member("one", with_roles=False)
    world.cloud.fail_stack_instances(account_id, "Account 1 should have 'stacksets-exec-1' role")
    world.deploy(account_id)
    found = seen(world, account_id)
    assert (found.status, found.detailed_status) == ("OUTDATED", "FAILED")
    assert "stacksets-exec-1" in found.told["stack_instance_reason"]


def test_the_reader_reads_no_other_stack_and_changes_none(world: Members) -> None:
    account_id = world.member("one")
    stack = seen(world, account_id).stack
    client = world.hub().client("cloudformation", account_id=account_id)
    for operation, name in (
        ("get_template", "rollcall-reader"),
        ("get_template", "not-there"),
        ("describe_stacks", stack),
        ("delete_stack", stack),
    ):
        with pytest.raises(ClientError, match="not authorized"):
            getattr(client, operation)(StackName=name)


def test_an_account_whose_reader_may_not_yet_is_no_answer(world: Members) -> None:
    account_id = world.member("one")
    world.inside(account_id, "iam").delete_role_policy(RoleName="rollcall-reader", PolicyName="look")
    with pytest.raises(RollcallError, match="read the template of stack StackSet-"):
        world.templates().inspect(account_id)


def test_a_hub_that_may_not_yet_is_no_answer(world: Members) -> None:
    account_id = world.member("one")
    world.client("iam").delete_role_policy(RoleName="rollcall-reader-hub", PolicyName="list-and-look")
    with pytest.raises(RollcallError, match="read the stack instance of"):
        world.templates().inspect(account_id)
