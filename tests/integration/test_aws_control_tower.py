"""infra/aws/control-tower.yaml in another region of the sandbox, and what comes of it in us-east-1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.aws.events import emit
from sandbox.deployment import TEMPLATE
from tests.fixtures.read import loaded
from tests.integration.test_aws_deployment import Sandbox

HOME = "eu-central-1"
FORWARDING = TEMPLATE.with_name("control-tower.yaml")


class TwoRegions:
    """Rollcall in us-east-1, Control Tower in another region."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.account = sandbox.cloud.management_account_id
        self.outputs = sandbox.deploy().outputs
        self._session = boto3.Session("testing", "testing", region_name=HOME)

    def at_home(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._sandbox.cloud.url)  # type: ignore[call-overload]  # by name

    def forward(self, template: str) -> str:
        """Deploys the forwarding; returns its dead-letter queue."""
        cloudformation = self.at_home("cloudformation")
        stack = cloudformation.create_stack(
            StackName="rollcall-control-tower", TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"]
        )["StackId"]
        [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        assert found["StackStatus"] == "CREATE_COMPLETE"
        return {each["OutputKey"]: str(each["OutputValue"]) for each in found["Outputs"]}["DeadLetterQueueUrl"]

    def happen(self, name: str, **changes: Any) -> dict[str, Any]:
        """Control Tower says something in its home region."""
        event = {
            key: value for key, value in loaded(name).items() if key in {"detail-type", "source", "detail"}
        } | changes
        emit(self.account, event, region=HOME)
        return event

    def arrived(self) -> list[dict[str, Any]]:
        return self._sandbox.received(self.outputs["AccountEventsQueueUrl"])

    def dead_letters(self, url: str) -> int:
        return len(self.at_home("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []))


@pytest.fixture
def regions(tmp_path: Path) -> Iterator[TwoRegions]:
    made = Sandbox(tmp_path)
    yield TwoRegions(made)
    made.patches.remove()
    made.cloud.stop()


EVENT = "events/managed_account.created.json"


def test_an_account_that_control_tower_made_elsewhere_reaches_the_queue(regions: TwoRegions) -> None:
    regions.happen(EVENT)
    assert regions.arrived() == []  # nobody forwards yet
    regions.forward(FORWARDING.read_text(encoding="utf-8"))
    said = regions.happen(EVENT)
    [event] = regions.arrived()
    assert event["detail"] == said["detail"]
    assert (event["source"], event["account"], event["region"]) == ("aws.controltower", regions.account, HOME)


def test_what_control_tower_says_otherwise_stays_where_it_is(regions: TwoRegions) -> None:
    regions.forward(FORWARDING.read_text(encoding="utf-8"))
    detail = loaded(EVENT)["detail"]
    regions.happen(EVENT, detail=detail | {"eventName": "SetupLandingZone"})
    regions.happen(EVENT, source="aws.organizations")
    assert regions.arrived() == []


def test_what_cannot_be_forwarded_is_a_dead_letter_of_the_home_region(regions: TwoRegions) -> None:
    text = FORWARDING.read_text(encoding="utf-8")
    action = "                Action: events:PutEvents\n"
    assert text.count(action) == 1
    url = regions.forward(text.replace(action, "                Action: events:DescribeEventBus\n"))
    regions.happen(EVENT)
    assert regions.arrived() == []
    assert regions.dead_letters(url) == 1
