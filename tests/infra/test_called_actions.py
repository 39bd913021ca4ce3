"""What the platform does with a role is read from the template: logs, queues, keys, deliveries."""

from __future__ import annotations

import pytest

from tests.fixtures.read import FOLDER
from tests.infra.aws_templates import load
from tests.infra.called_actions import needed_by_platform, needed_by_service

TEMPLATE = load(FOLDER / "aws" / "service_roles.yaml")
LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
TAKE = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}


@pytest.mark.parametrize(
    ("function", "actions"),
    [
        ("Reads", {*LOG, *TAKE, "logs:CreateLogGroup", "kms:Decrypt"}),
        ("Sends", {*LOG, *TAKE, "kms:Decrypt", "kms:GenerateDataKey"}),
    ],
)
def test_lambda_needs_what_aws_publishes_and_the_key_of_a_queue_that_has_one(function: str, actions: set[str]) -> None:
    assert needed_by_platform(TEMPLATE, function).keys() == actions


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        ("DailyRole", {"sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"}),
        ("ForwardRole", {"events:PutEvents"}),  # a rule's dead letters go by the queue's own policy
        ("ReadsRole", set()),
    ],
)
def test_a_service_needs_what_delivering_to_its_targets_takes(role: str, actions: set[str]) -> None:
    assert needed_by_service(TEMPLATE, role).keys() == actions
