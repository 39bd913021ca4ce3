"""From a managed identity's token into AWS: the hub role, and from there the reader of a member account."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.aws.cloud import AwsCloud
from sandbox.certificates import Certificates
from sandbox.cloud import HUB_TEMPLATE
from sandbox.config import SandboxSettings
from sandbox.journal import Journal
from sandbox.variables import READER_ROLE
from shared.adapters.aws.hub import Hub
from shared.adapters.aws.hub_views import HubAccountListing, HubQueueGauge
from shared.adapters.aws.instances import Ec2Instances
from shared.domain.queues import QueueDepth
from shared.domain.sweep.machines import InstanceState
from shared.errors import ConfigurationError, PermanentError, RollcallError
from tests.fakes.clock import FakeClock

TENANT = "00000000-0000-4000-8000-0000000000f1"
IDENTITY = "00000000-0000-4000-8000-0000000000b1"
QUEUES = """
Resources:
  AccountEventsQueue: {Type: AWS::SQS::Queue, Properties: {SqsManagedSseEnabled: true}}
  AccountEventsDeadLetterQueue: {Type: AWS::SQS::Queue, Properties: {SqsManagedSseEnabled: true}}
  StackEventsDeadLetterQueue: {Type: AWS::SQS::Queue, Properties: {SqsManagedSseEnabled: true}}
  ReconcileDeadLetterQueue: {Type: AWS::SQS::Queue, Properties: {SqsManagedSseEnabled: true}}
Outputs:
  AccountEventsQueueUrl: {Value: !Ref AccountEventsQueue}
  AccountEventsDeadLetterQueueUrl: {Value: !Ref AccountEventsDeadLetterQueue}
  StackEventsDeadLetterQueueUrl: {Value: !Ref StackEventsDeadLetterQueue}
  ReconcileDeadLetterQueueUrl: {Value: !Ref ReconcileDeadLetterQueue}
"""
"""As infra/aws/template.yaml has them: without names of their own."""
RIGHT = {"iss": f"https://sts.windows.net/{TENANT}/", "aud": "api://rollcall-aws", "sub": IDENTITY}


class World:
    """An organization with the hub deployed; `claims` are what the identity's token says, None of a forged one."""

    def __init__(self, cloud: AwsCloud, journal: Journal, *, reader: str = READER_ROLE) -> None:
        self.cloud, self.journal, self.reader = cloud, journal, reader
        self.clock = FakeClock(datetime.now(UTC))
        self.claims: dict[str, Any] | None = dict(RIGHT)
        cloud.prepare_organization()
        cloud.believe(lambda _: self.claims)
        self._session = boto3.Session("testing", "testing", region_name=cloud.region)
        self.organization = self.client("organizations").describe_organization()["Organization"]["Id"]
        parameters = {
            "TenantId": TENANT,
            "IdentityObjectId": IDENTITY,
            "OrganizationId": self.organization,
            "ReaderRoleName": reader,
        }
        self.client("cloudformation").create_stack(
            StackName="hub",
            TemplateBody=HUB_TEMPLATE.read_text(encoding="utf-8"),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )

    def client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self.cloud.url)  # type: ignore[call-overload]  # by name

    def hub(self, *, role: str = "rollcall-reader-hub", reader: str = "") -> Hub:
        return Hub(
            lambda: "a.token.of-ours",
            hub_role_arn=f"arn:aws:iam::{self.cloud.management_account_id}:role/{role}",
            reader_role=reader or self.reader,
            region=self.cloud.region,
            clock=self.clock,
        )

    def asked(self, operation: str) -> int:
        return len(self.journal.entries(operation=operation))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    journal = Journal()
    cloud = AwsCloud(journal, SandboxSettings(folder=tmp_path), Certificates(tmp_path / "certificates")).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    try:
        yield World(cloud, journal)
    finally:
        cloud.stop()


def test_the_organization_is_listed_and_one_session_does_for_all(world: World) -> None:
    account_id = world.cloud.add_account("one")
    listing = HubAccountListing(world.hub(), world.clock)
    assert account_id in {each.account_id for each in listing.list_accounts()}
    listing.list_accounts()
    listing.tags_of(account_id)
    assert world.asked("sts:AssumeRoleWithWebIdentity") == 1
    world.clock.advance(56 * 60)
    listing.list_accounts()
    assert world.asked("sts:AssumeRoleWithWebIdentity") == 2


@pytest.mark.parametrize(
    "claims",
    [
        None,
        RIGHT | {"aud": "api://another"},
        RIGHT | {"sub": "00000000-0000-4000-8000-0000000000b2"},
        RIGHT | {"iss": "https://sts.windows.net/00000000-0000-4000-8000-0000000000f2/"},
    ],
    ids=["forged", "audience", "subject", "tenant"],
)
def test_nobody_else_becomes_the_hub(world: World, claims: dict[str, Any] | None) -> None:
    world.claims = claims
    with pytest.raises(RollcallError):
        HubAccountListing(world.hub(), world.clock).list_accounts()


def test_no_other_role_is_taken_with_the_token(world: World) -> None:
    with pytest.raises(RollcallError):
        HubAccountListing(world.hub(role="not-there"), world.clock).list_accounts()


def test_the_hub_can_change_nothing_and_takes_no_other_role(world: World) -> None:
    account_id = world.cloud.add_account("one")
    hub = world.hub()
    with pytest.raises(Exception, match="not authorized"):
        hub.client("organizations").remove_account_from_organization(AccountId=account_id)
    with pytest.raises(RollcallError):
        world.hub(reader="Administrator").client("ec2", account_id=account_id)


def test_instances_are_asked_for_in_every_region_of_their_own_account(world: World) -> None:
    account_id, other = world.cloud.add_account("one"), world.cloud.add_account("two")
    hub = world.hub()

    def ec2(account: str, region: str) -> Any:
        return hub.client("ec2", account_id=account, region=region)

    far = ec2(account_id, "eu-west-1")
    running, stopped, ended = (
        far.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        for _ in range(3)
    )
    far.stop_instances(InstanceIds=[stopped])
    far.terminate_instances(InstanceIds=[ended])
    instances = Ec2Instances(ec2)
    assert instances.states_of(account_id, [running, stopped, ended, "i-00000000000000000"]) == {
        running: InstanceState.RUNNING,
        stopped: InstanceState.STOPPED,
        ended: InstanceState.GONE,
        "i-00000000000000000": InstanceState.GONE,
    }
    assert instances.states_of(other, [running]) == {running: InstanceState.GONE}


def test_one_region_without_an_answer_is_no_answer(world: World) -> None:
    account_id = world.cloud.add_account("one")
    hub = world.hub()

    def ec2(account: str, region: str) -> Any:
        if region == "eu-west-1":
            raise PermanentError("a policy of the organization denies it")
        return hub.client("ec2", account_id=account, region=region)

    with pytest.raises(PermanentError):
        Ec2Instances(ec2).states_of(account_id, ["i-1"])
    assert Ec2Instances(ec2).states_of(account_id, ["i-1"], ["us-east-1", "us-west-2"]) == {"i-1": InstanceState.GONE}
    with pytest.raises(PermanentError, match="none of the regions"):
        Ec2Instances(ec2).states_of(account_id, ["i-1"], ["us-esat-1"])


def test_where_one_region_is_denied_another_says_which_there_are(world: World) -> None:
    account_id = world.cloud.add_account("one")
    hub = world.hub()

    def ec2(account: str, region: str) -> Any:
        if region == "":
            raise ConfigurationError("a policy of the organization denies it", setting="the policy")
        return hub.client("ec2", account_id=account, region=region)

    assert Ec2Instances(ec2).states_of(account_id, ["i-1"], ["eu-west-1"]) == {"i-1": InstanceState.GONE}
    with pytest.raises(ConfigurationError):
        Ec2Instances(ec2).states_of(account_id, ["i-1"])


def queues_of(world: World, stack_name: str = "rollcall") -> dict[str, str]:
    cloudformation = world.client("cloudformation")
    cloudformation.create_stack(StackName=stack_name, TemplateBody=QUEUES)
    [stack] = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def test_dead_letters_are_counted_with_their_age_and_no_other_queue_is_asked(world: World) -> None:
    urls = queues_of(world)
    for name in ("StackEventsDeadLetterQueueUrl", "AccountEventsQueueUrl"):
        world.client("sqs").send_message(QueueUrl=urls[name], MessageBody="{}")
    depths = {
        each.name: each for each in HubQueueGauge(world.hub(), stack_name="rollcall", clock=world.clock).measure()
    }
    assert set(depths) == {"account-events-dead-letters", "stack-events-dead-letters", "reconcile-dead-letters"}
    assert {each.problem for each in depths.values()} == {""}
    assert {name: each.waiting for name, each in depths.items() if each.waiting} == {"stack-events-dead-letters": 1}
    assert depths["stack-events-dead-letters"].oldest_at is not None
    assert all(each.given_up for each in depths.values())


def test_the_hub_may_not_ask_other_queues_nor_take_from_these(world: World) -> None:
    urls = queues_of(world)
    sqs = world.hub().client("sqs")
    with pytest.raises(Exception, match="not authorized"):
        sqs.get_queue_attributes(QueueUrl=urls["AccountEventsQueueUrl"], AttributeNames=["All"])
    with pytest.raises(Exception, match="not authorized"):
        sqs.receive_message(QueueUrl=urls["StackEventsDeadLetterQueueUrl"])


def test_another_stacks_queues_and_a_closed_door_are_problems(world: World) -> None:
    queues_of(world, "another")
    found = HubQueueGauge(world.hub(), stack_name="another", clock=world.clock).measure()
    assert {bool(each.problem) for each in found} == {True}
    plain = "Resources: {Queue: {Type: AWS::SQS::Queue, Properties: {SqsManagedSseEnabled: true}}}"
    world.client("cloudformation").create_stack(StackName="rollcall", TemplateBody=plain)
    [without] = HubQueueGauge(world.hub(), stack_name="rollcall", clock=world.clock).measure()
    assert without.problem == "stack rollcall names no dead-letter queue"
    world.claims = None
    [shut] = HubQueueGauge(world.hub(), stack_name="rollcall", clock=world.clock).measure()
    assert shut == QueueDepth(name=shut.name, given_up=True, problem=shut.problem)
    assert shut.problem
