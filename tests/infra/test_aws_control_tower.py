"""infra/aws/control-tower.yaml: it forwards what template.yaml listens for, and may do nothing else."""

from __future__ import annotations

from typing import Any

from sandbox.deployment import TEMPLATE
from tests.infra.test_aws_template import ACCOUNT, load, resolved

FORWARDING = TEMPLATE.with_name("control-tower.yaml")
RESOURCES: dict[str, Any] = load(FORWARDING)["Resources"]
BUS = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"


def test_it_forwards_exactly_the_events_that_the_rule_in_us_east_1_takes() -> None:
    pattern = dict(RESOURCES["ForwardRule"]["Properties"]["EventPattern"])
    assert pattern.pop("account") == [{"Ref": "AWS::AccountId"}]
    taken = load(TEMPLATE)["Resources"]["AccountEventsRule"]["Properties"]["EventPattern"]["$or"]
    assert pattern in taken


def test_its_role_puts_events_on_that_one_bus_and_is_taken_by_that_one_rule() -> None:
    role = RESOURCES["ForwardRole"]["Properties"]
    [policy] = role["Policies"]
    [statement] = resolved(policy["PolicyDocument"], RESOURCES)["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("events:PutEvents", BUS)
    [trust] = resolved(role["AssumeRolePolicyDocument"], RESOURCES)["Statement"]
    assert trust["Principal"] == {"Service": "events.amazonaws.com"}
    name = resolved(RESOURCES["ForwardRule"]["Properties"]["Name"], RESOURCES)
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnEquals": {"aws:SourceArn": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{name}"},
    }


def test_its_dead_letter_queue_takes_from_the_rule_only() -> None:
    [target] = RESOURCES["ForwardRule"]["Properties"]["Targets"]
    assert resolved(target["Arn"], RESOURCES) == BUS
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["ForwardDeadLetterQueue", "Arn"]}}
    allow, deny = RESOURCES["ForwardDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["ForwardRule", "Arn"]}}}
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert RESOURCES["ForwardDeadLetterQueue"]["Properties"]["SqsManagedSseEnabled"] is True
