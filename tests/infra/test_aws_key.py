"""The key of queues, logs and alarms in infra/aws/template.yaml: who may use it, and that its names are right."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.deployment import TEMPLATE
from tests.infra.aws_templates import ACCOUNT, as_list, load, resolved, statements_of

RESOURCES: dict[str, Any] = load(TEMPLATE)["Resources"]
KEY_ARN = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/QueueKey"


def grants() -> dict[str, dict[str, Any]]:
    """The statements of the key's policy by their names."""
    policy = resolved(RESOURCES["QueueKey"]["Properties"]["KeyPolicy"], RESOURCES)
    return {each["Sid"]: each for each in policy["Statement"]}


def names_of(kind: str, property_name: str) -> set[str]:
    """What the resources of a type are called."""
    found = [each["Properties"][property_name] for each in RESOURCES.values() if each["Type"] == kind]
    return {resolved(each, RESOURCES) for each in found}


def test_the_key_is_renewed_every_year_and_outlives_the_stack() -> None:
    key = RESOURCES["QueueKey"]
    assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert key["Properties"]["EnableKeyRotation"] is True
    assert RESOURCES["QueueKeyAlias"]["Properties"]["TargetKeyId"] == {"Ref": "QueueKey"}


def test_events_come_from_rules_of_this_account_and_the_queues_say_of_which() -> None:
    """EventBridge tells KMS the account; that it tells the rule, nobody has shown."""
    grant = grants()["RulesPutEventsOnQueues"]
    assert grant["Principal"] == {"Service": "events.amazonaws.com"}
    assert set(grant["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}
    assert grant["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_lines_are_kept_for_the_log_groups_of_this_stack() -> None:
    grant = grants()["LogGroupsKeepLines"]
    assert grant["Principal"] == {"Service": "logs.us-east-1.amazonaws.com"}
    arns = {
        f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{name}" for name in names_of("AWS::Logs::LogGroup", "LogGroupName")
    }
    assert set(grant["Condition"]["StringEquals"]["kms:EncryptionContext:aws:logs:arn"]) == arns
    keys = [each["Properties"]["KmsKeyId"] for each in RESOURCES.values() if each["Type"] == "AWS::Logs::LogGroup"]
    assert keys == [{"Fn::GetAtt": ["QueueKey", "Arn"]}] * 3


def test_every_grant_to_a_service_says_for_what_and_only_the_account_itself_manages_the_key() -> None:
    found = grants()
    account = found.pop("ByTheRightsOfTheAccount")
    assert account["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert set(found) == {"RulesPutEventsOnQueues", "LogGroupsKeepLines", "AlarmsReachTheTopic"}
    for grant in found.values():
        assert set(grant["Principal"]) == {"Service"}
        assert grant["Condition"]
        assert not [action for action in grant["Action"] if action in {"kms:*", "kms:PutKeyPolicy", "kms:CreateGrant"}]


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        ("AccountEventsRole", {"kms:Decrypt", "kms:GenerateDataKey"}),  # takes events, and asks for the next attempt
        ("StackEventsRole", {"kms:Decrypt", "kms:GenerateDataKey"}),  # the same
        ("ReconcileAccountsRole", {"kms:Decrypt"}),  # takes events only
        ("ReconcileScheduleRole", {"kms:Decrypt", "kms:GenerateDataKey"}),  # sends
    ],
)
def test_roles_use_the_key_through_the_queues_only(role: str, actions: set[str]) -> None:
    [policy] = RESOURCES[role]["Properties"]["Policies"]
    statements = resolved(policy["PolicyDocument"], RESOURCES)["Statement"]
    [grant] = [each for each in statements if any(action.startswith("kms:") for action in as_list(each["Action"]))]
    assert (set(as_list(grant["Action"])), grant["Resource"]) == (actions, KEY_ARN)
    assert grant["Condition"] == {"StringEquals": {"kms:ViaService": "sqs.us-east-1.amazonaws.com"}}


def test_nobody_else_is_granted_a_key() -> None:
    using = [each for each in statements_of(TEMPLATE) if any("kms:" in action for action in as_list(each["Action"]))]
    assert len(using) == 4
