"""The schedule of the daily comparison in infra/aws/template.yaml."""

from __future__ import annotations

import json
from typing import Any

from sandbox.deployment import TEMPLATE
from shared.adapters.aws.own_events import RECONCILE_REQUESTED, RECONCILE_SOURCE
from shared.adapters.aws.reconcile_events import read_reconcile_event
from tests.fakes.scheduler_input import EXECUTION, message_of
from tests.fixtures.read import loaded
from tests.infra.aws_templates import ACCOUNT, load, resolved

RESOURCES: dict[str, Any] = load(TEMPLATE)["Resources"]
SCHEDULE: dict[str, Any] = RESOURCES["ReconcileDailySchedule"]["Properties"]
ROLE: dict[str, Any] = RESOURCES["ReconcileScheduleRole"]["Properties"]


def sent() -> str:
    return message_of(
        resolved(SCHEDULE["Target"]["Input"], RESOURCES),
        schedule_arn=f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/rollcall/rollcall-reconcile",
    )


def test_the_schedule_puts_what_the_rule_would_have_put() -> None:
    message = json.loads(sent())
    assert (message["source"], message["detail-type"]) == (RECONCILE_SOURCE, RECONCILE_REQUESTED)
    known = loaded("events/reconciliation_requested.scheduled.json")
    assert json.loads(json.dumps(message).replace(ACCOUNT, "123456789012")) == known
    assert "<aws." not in sent()


def test_the_message_begins_a_run_of_its_own() -> None:
    part = read_reconcile_event(sent())
    assert (part.run, part.after) == (EXECUTION, "")


def test_the_time_is_meant_exactly_and_is_utc() -> None:
    assert SCHEDULE["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert SCHEDULE["ScheduleExpressionTimezone"] == "UTC"
    assert SCHEDULE["ScheduleExpression"] == {"Ref": "ReconcileSchedule"}
    assert load(TEMPLATE)["Parameters"]["ReconcileSchedule"]["Default"].startswith("cron(")


def test_off_means_that_the_schedule_is_there_and_does_not_fire() -> None:
    assert SCHEDULE["State"] == {"Fn::If": ["ComparesDaily", "ENABLED", "DISABLED"]}
    assert load(TEMPLATE)["Parameters"]["DailyComparison"]["Default"] == "on"


def test_what_cannot_be_put_is_tried_for_half_a_day_and_then_is_a_dead_letter() -> None:
    target = SCHEDULE["Target"]
    assert target["Arn"] == {"Fn::GetAtt": ["ReconcileQueue", "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["ReconcileDeadLetterQueue", "Arn"]}}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 43200, "MaximumRetryAttempts": 185}


def test_the_role_of_the_schedule_sends_to_these_two_queues_and_is_taken_by_its_group_only() -> None:
    assert SCHEDULE["Target"]["RoleArn"] == {"Fn::GetAtt": ["ReconcileScheduleRole", "Arn"]}
    [trust] = resolved(ROLE["AssumeRolePolicyDocument"], RESOURCES)["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    group = resolved(RESOURCES["ReconcileScheduleGroup"]["Properties"]["Name"], RESOURCES)
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnEquals": {"aws:SourceArn": f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule-group/{group}"},
    }
    assert SCHEDULE["GroupName"] == {"Ref": "ReconcileScheduleGroup"}
    [policy] = ROLE["Policies"]
    send, _key = resolved(policy["PolicyDocument"], RESOURCES)["Statement"]
    assert send["Action"] == "sqs:SendMessage"
    queues = [f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}" for name in ("ReconcileQueue", "ReconcileDeadLetterQueue")]
    assert send["Resource"] == queues
