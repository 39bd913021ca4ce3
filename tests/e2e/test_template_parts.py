"""Every rule, queue and queue policy of `infra/aws/template.yaml` carries the path: without it nothing connects."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from sandbox.deployment import TEMPLATE, DeploymentError
from tests.e2e.roll import Roll, running

BOUND_SECONDS = 6.0  # three times as long as it takes
RECONCILE = "rollcall-reconcile-accounts"
CARRIERS = {"AWS::Events::Rule", "AWS::SQS::Queue", "AWS::SQS::QueuePolicy"}
RESOURCES: dict[str, Any] = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))["Resources"]
PARTS = sorted(name for name, resource in RESOURCES.items() if resource["Type"] in CARRIERS)
RULES = [name for name in PARTS if RESOURCES[name]["Type"] == "AWS::Events::Rule"]


def carries(template: Path, folder: Path, seconds: float = BOUND_SECONDS, *, daily: bool = False) -> bool:
    """Whether the template deploys, a new account gets its one connector in time, and no event can get lost.

    `daily` asks the same of the comparison of everything instead.
    """
    try:
        with running(folder, template=template, resource_graph_lag_seconds=0.0) as roll:
            if daily:
                return _compares(roll, seconds) and _keeps_undeliverable_requests(roll)
            return _connects(roll, seconds) and _keeps_undeliverable_events(roll)
    except DeploymentError:
        return False


def is_daily(part: str) -> bool:
    """Whether a part belongs to the comparison of everything."""
    return part.startswith("Reconcile")


def _compares(roll: Roll, seconds: float) -> bool:
    log, deadline = roll.sandbox.lambdas.log_of(RECONCILE), time.monotonic() + seconds
    roll.put_event("rollcall.reconcile", "Reconciliation Requested", {})
    while time.monotonic() < deadline:
        if log.exists() and '"message":"reconciled"' in log.read_text(encoding="utf-8"):
            return True
        time.sleep(0.1)
    return False


def _keeps_undeliverable_requests(roll: Roll) -> bool:
    roll.client("sqs").set_queue_attributes(QueueUrl=roll.outputs["ReconcileQueueUrl"], Attributes={"Policy": ""})
    roll.put_event("rollcall.reconcile", "Reconciliation Requested", {})
    time.sleep(0.2)
    return roll.messages_on("ReconcileDeadLetterQueue") == 1


def _connects(roll: Roll, seconds: float) -> bool:
    request, deadline = roll.ask_for_account("probe"), time.monotonic() + seconds
    account_id = roll.wait_for_account(request)
    while time.monotonic() < deadline:
        if len(roll.connectors(account_id)) == 1:
            return True
        time.sleep(0.1)
    return False


def _keeps_undeliverable_events(roll: Roll) -> bool:
    """With the queues closed to EventBridge, an event of each rule has to end in that rule's dead-letter queue."""
    sqs = roll.client("sqs")
    for queue in ("AccountEventsQueue", "StackEventsQueue"):
        sqs.set_queue_attributes(QueueUrl=roll.outputs[f"{queue}Url"], Attributes={"Policy": ""})
    roll.put_event("rollcall", "Account Onboarding Requested", {"accountId": "000000000001"})
    roll.put_event(
        "aws.cloudformation",
        "CloudFormation StackSet StackInstance Status Change",
        {
            "stack-set-arn": f"arn:aws:cloudformation:us-east-1:{roll.sandbox.aws.management_account_id}:stackset/"
            f"{roll.outputs['StackSetId']}",
            "stack-id": "arn:aws:cloudformation:us-east-1:000000000001:stack/probe/0",
            "status-details": {"status": "CURRENT", "detailed-status": "SUCCEEDED"},
        },
    )
    time.sleep(0.2)
    letters = [roll.messages_on(f"{which}DeadLetterQueue") for which in ("AccountEvents", "StackEvents")]
    return letters == [1, 1]


def written(folder: Path, text: str) -> Path:
    path = folder / "template.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def without(part: str) -> str:
    """The template's text without one resource."""
    kept: list[str] = []
    dropping = False
    for line in TEMPLATE.read_text(encoding="utf-8").splitlines():
        if line.startswith("  ") and line[2:3] not in {" ", "#", ""}:
            dropping = line == f"  {part}:"
        elif line and not line.startswith(" "):
            dropping = False
        if not dropping:
            kept.append(line)
    return "\n".join(kept) + "\n"


def test_the_template_as_it_is_carries_the_path(tmp_path: Path) -> None:
    assert carries(TEMPLATE, tmp_path / "new", seconds=30)
    assert carries(TEMPLATE, tmp_path / "daily", seconds=30, daily=True)


def test_the_template_has_the_parts_that_the_path_is_made_of() -> None:
    kinds = [RESOURCES[part]["Type"] for part in PARTS]
    assert {kind: kinds.count(kind) for kind in CARRIERS} == {
        "AWS::Events::Rule": 3,
        "AWS::SQS::Queue": 6,
        "AWS::SQS::QueuePolicy": 6,
    }


@pytest.mark.parametrize("part", PARTS)
def test_without_one_of_its_parts_the_template_carries_nothing(part: str, tmp_path: Path) -> None:
    text = without(part)
    left = yaml_parse(text)["Resources"]
    assert left == {name: resource for name, resource in RESOURCES.items() if name != part}
    assert not carries(written(tmp_path, text), tmp_path / "sandbox", daily=is_daily(part))


@pytest.mark.parametrize("rule", RULES)
def test_with_a_rule_switched_off_nothing_is_carried(rule: str, tmp_path: Path) -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    head = f"  {rule}:\n    Type: AWS::Events::Rule\n    Properties:\n"
    assert text.count(head) == 1
    off = text.replace(head, head + "      State: DISABLED\n")
    assert yaml_parse(off)["Resources"][rule]["Properties"]["State"] == "DISABLED"
    assert not carries(written(tmp_path, off), tmp_path / "sandbox", daily=is_daily(rule))
