"""What only the comparison of everything asks of AWS: all instances, the bus, the management account's own stack."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from shared.adapters.aws.account_events import read_account_event
from shared.adapters.aws.event_bus import AwsEventBus
from shared.adapters.aws.events import Ignored
from shared.adapters.aws.management_stack import CloudFormationManagementStack
from shared.adapters.aws.reconcile_events import read_reconcile_event
from shared.adapters.aws.stack_sets import CloudFormationStackSets
from shared.application.ports import ManagementStacks
from shared.application.reconcile import Part
from shared.errors import ConfigurationError, PermanentError, TransientError
from tests.fakes.aws_world import TEMPLATES, TENANT, AwsWorld
from tests.fixtures.read import fixture


def test_the_second_hundred_of_instances_is_listed_too_and_none_without_it(aws_ports: AwsWorld) -> None:
    added = [aws_ports.cloud.add_account(f"one-{number}") for number in range(3)]
    aws_ports.finished(aws_ports.deploy(*added))
    client, asked = aws_ports.client("cloudformation"), []

    def one_a_page(params: dict[str, Any], **_: Any) -> None:
        asked.append(params["MaxResults"])
        params["MaxResults"] = 1

    client.meta.events.register("provide-client-params.cloudformation.ListStackInstances", one_a_page)
    listed = CloudFormationStackSets(client, aws_ports.client("organizations"), name="roles", region="us-east-1")
    assert listed.list_states().keys() == set(added)
    assert asked == [100, 100, 100]

    def break_off(params: dict[str, Any], **_: Any) -> None:
        if "NextToken" in params:
            raise EndpointConnectionError(endpoint_url="https://cloudformation")

    client.meta.events.register("provide-client-params.cloudformation.ListStackInstances", break_off)
    with pytest.raises(TransientError):
        listed.list_states()


def test_events_are_put_on_the_bus_one_for_each_account_and_part(aws_ports: AwsWorld) -> None:
    url = aws_ports.queue_of({"source": ["rollcall", "rollcall.reconcile"]})
    bus = AwsEventBus(aws_ports.client("events"))
    bus.request_accounts(["000000000001", "000000000002"])
    bus.request_part("daily", "000000000002")
    first, second, part = (json.dumps(event) for event in aws_ports.received(url))
    asked = [read_account_event(body) for body in (first, second)]
    assert [getattr(each, "account_id", None) for each in asked] == ["000000000001", "000000000002"]
    assert read_reconcile_event(part) == Part(run="daily", after="000000000002")
    assert isinstance(read_account_event(part), Ignored)


def test_events_that_the_bus_did_not_take_are_asked_for_again(aws_ports: AwsWorld) -> None:
    client = aws_ports.client("events")

    def leave_one(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Entries"][1] = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slower"}

    client.meta.events.register("after-call.events.PutEvents", leave_one)
    with pytest.raises(TransientError, match="slower"):
        AwsEventBus(client).request_accounts(["000000000001", "000000000002"])


def test_the_management_account_s_stack_is_found_with_its_parameters(aws_ports: AwsWorld) -> None:
    client = aws_ports.client("cloudformation")
    stacks: ManagementStacks = CloudFormationManagementStack(client, name="own-roles")
    assert stacks.find() is None
    template = (TEMPLATES / "member.yaml").read_text(encoding="utf-8")
    given = [{"ParameterKey": "TenantId", "ParameterValue": TENANT}]
    client.create_stack(
        StackName="own-roles", TemplateBody=template, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    found = stacks.find()
    assert found is not None
    assert (found.name, found.status) == ("own-roles", "CREATE_COMPLETE")
    assert found.parameters["TenantId"] == TENANT


def test_who_may_not_look_at_the_stack_is_not_told_that_there_is_none(aws_ports: AwsWorld) -> None:
    client = aws_ports.client("cloudformation")

    def refuse(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        parsed["Error"] = {"Code": "AccessDenied", "Message": "not authorized; the stack does not exist for you"}

    client.meta.events.register("after-call.cloudformation.DescribeStacks", refuse)
    with pytest.raises(ConfigurationError, match="AccessDenied"):
        CloudFormationManagementStack(client, name="own-roles").find()


def test_the_schedule_and_whoever_asks_begin_a_run_of_their_own() -> None:
    assert read_reconcile_event(fixture("events/reconciliation_requested.scheduled.json")) == Part(
        run="d32c5kddcf5bb8c3"
    )


@pytest.mark.parametrize("detail", [{"run": ""}, {"run": 7}, {"after": "12"}, {"run": "daily", "after": None}])
def test_a_request_that_names_no_part_is_refused(detail: dict[str, Any]) -> None:
    event = json.loads(fixture("events/reconciliation_requested.scheduled.json")) | {"detail": detail}
    with pytest.raises(PermanentError):
        read_reconcile_event(json.dumps(event))
