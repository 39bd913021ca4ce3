"""infra/aws/reader-hub.yaml with the readers: every account has the role, and each that comes gets it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.cloud import HUB_TEMPLATE
from tests.fakes.aws_world import AwsWorld, aws_world, wait_until

READER_TEMPLATE = HUB_TEMPLATE.with_name("reader-role.yaml")
ROLE = "rollcall-reader"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AwsWorld]:
    with aws_world(tmp_path) as made:
        made.cloud.prepare_organization()
        yield made


def deploy_hub(world: AwsWorld, **more: str) -> dict[str, Any]:
    s3, organizations = world.client("s3"), world.client("organizations")
    s3.create_bucket(Bucket="rollcall")
    s3.put_object(Bucket="rollcall", Key="reader-role.yaml", Body=READER_TEMPLATE.read_bytes())
    parameters = {
        "TenantId": "00000000-0000-4000-8000-0000000000f1",
        "IdentityObjectId": "00000000-0000-4000-8000-0000000000b1",
        "OrganizationId": organizations.describe_organization()["Organization"]["Id"],
        "OrganizationRootId": organizations.list_roots()["Roots"][0]["Id"],
    } | more
    cloudformation = world.client("cloudformation")
    cloudformation.create_stack(
        StackName="rollcall-reader-hub",
        TemplateBody=HUB_TEMPLATE.read_text(encoding="utf-8"),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    [stack] = cloudformation.describe_stacks(StackName="rollcall-reader-hub")["Stacks"]
    found: dict[str, Any] = stack
    return found


def has_reader(world: AwsWorld, account_id: str) -> bool:
    at_home = account_id == world.cloud.management_account_id
    iam = world.client("iam") if at_home else world.member("iam", account_id)
    try:
        role = iam.get_role(RoleName=ROLE)["Role"]
    except ClientError:
        return False
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    hub = f"arn:aws:iam::{world.cloud.management_account_id}:role/rollcall-reader-hub"
    return bool(trust["Principal"]["AWS"] == hub)


URL = {"ReaderTemplateUrl": "https://rollcall.s3.us-east-1.amazonaws.com/reader-role.yaml"}


def test_one_deployment_gives_every_account_the_reader_and_those_that_come_later(world: AwsWorld) -> None:
    early = [world.cloud.add_account(name) for name in ("one", "two")]
    assert deploy_hub(world, **URL)["StackStatus"] == "CREATE_COMPLETE"
    wait_until(lambda: all(has_reader(world, each) for each in early))
    assert has_reader(world, world.cloud.management_account_id)
    organizations = world.client("organizations")
    request = organizations.create_account(AccountName="three", Email="three@example.com")["CreateAccountStatus"]["Id"]
    status: dict[str, Any] = {}

    def made() -> bool:
        answer = organizations.describe_create_account_status(CreateAccountRequestId=request)
        status.update(answer["CreateAccountStatus"])
        return "AccountId" in status

    wait_until(made)
    wait_until(lambda: has_reader(world, status["AccountId"]))
    found = world.client("cloudformation").describe_stack_set(StackSetName=ROLE)["StackSet"]
    assert found["AutoDeployment"] == {"Enabled": True, "RetainStacksOnAccountRemoval": False}
    assert (found["PermissionModel"], found["ManagedExecution"]) == ("SERVICE_MANAGED", {"Active": True})


def test_without_the_template_the_hub_makes_no_reader(world: AwsWorld) -> None:
    account_id = world.cloud.add_account("one")
    assert deploy_hub(world)["StackStatus"] == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="StackSetNotFound"):
        world.client("cloudformation").describe_stack_set(StackSetName=ROLE)
    assert not has_reader(world, account_id)
    assert not has_reader(world, world.cloud.management_account_id)
