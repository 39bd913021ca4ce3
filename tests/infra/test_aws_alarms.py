"""The alarms and the dashboard of infra/aws/template.yaml: every figure in them is one that somebody publishes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from lambdas.metrics import publish_outcomes, publish_reconciliation
from sandbox.deployment import TEMPLATE
from shared.application.outcome import Outcome
from shared.application.reconcile import Looked, Reconciliation
from shared.domain.ledger import Result
from shared.domain.reconciliation import Signal
from tests.infra.test_aws_template import load, resolved

RESOURCES: dict[str, Any] = load(TEMPLATE)["Resources"]
ALARMS = {name: each["Properties"] for name, each in RESOURCES.items() if each["Type"] == "AWS::CloudWatch::Alarm"}
HOUR, DAY = 3600, 86400
PUBLISHED_BY_AWS = {
    ("AWS/SQS", "QueueName"): {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
    ("AWS/Lambda", "FunctionName"): {"Invocations", "Errors", "Throttles", "Duration"},
    ("AWS/Events", "RuleName"): {"Invocations", "FailedInvocations", "InvocationsFailedToBeSentToDlq"},
}
"""Source: developer guides of SQS, Lambda and EventBridge, the pages on metrics for CloudWatch."""
KINDS = {"QueueName": "AWS::SQS::Queue", "FunctionName": "AWS::Serverless::Function", "RuleName": "AWS::Events::Rule"}


def of_type(kind: str) -> set[str]:
    return {name for name, each in RESOURCES.items() if each["Type"] == kind}


@pytest.fixture
def ours(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str, str, str]]:
    """Namespace, dimension, its value and name of every figure that the functions write, from the lines themselves."""
    everything = [Outcome(result=result, budget_used=0.5) for result in Result]
    looked = Looked(account_id="1", signal=Signal.NOTE, reason="r")
    for function in ("account-events", "stack-events", "reconcile-accounts"):
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", function)
        if function == "reconcile-accounts":
            publish_reconciliation(Reconciliation(accounts=(looked,), after=None))
        else:
            publish_outcomes(everything)
    found = set()
    for line in capsys.readouterr().out.splitlines():
        document = json.loads(line)
        for group in document["_aws"]["CloudWatchMetrics"]:
            [[dimension]] = group["Dimensions"]
            found |= {(group["Namespace"], dimension, document[dimension], each["Name"]) for each in group["Metrics"]}
    return found


def test_every_alarm_looks_at_a_figure_that_somebody_publishes(ours: set[tuple[str, str, str, str]]) -> None:
    for name, alarm in ALARMS.items():
        [dimension] = alarm["Dimensions"]
        if alarm["Namespace"] == "Rollcall":
            assert (alarm["Namespace"], dimension["Name"], dimension["Value"], alarm["MetricName"]) in ours, name
        else:
            assert alarm["MetricName"] in PUBLISHED_BY_AWS[alarm["Namespace"], dimension["Name"]], name
            assert RESOURCES[resource_of(alarm)]["Type"] == KINDS[dimension["Name"]], name


def resource_of(alarm: dict[str, Any]) -> str:
    """The resource that the alarm's dimension names."""
    value = alarm["Dimensions"][0]["Value"]
    return str(value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0])


def watched(metric_name: str) -> set[str]:
    """The resources that an alarm of that figure looks at."""
    return {resource_of(alarm) for alarm in ALARMS.values() if alarm["MetricName"] == metric_name}


def test_every_queue_function_and_rule_is_watched() -> None:
    queues = of_type("AWS::SQS::Queue")
    dead_letters = {name for name in queues if name.endswith("DeadLetterQueue")}
    assert watched("ApproximateNumberOfMessagesVisible") == dead_letters
    assert watched("ApproximateAgeOfOldestMessage") == queues - dead_letters
    assert watched("Errors") == watched("Throttles") == of_type("AWS::Serverless::Function")
    assert watched("InvocationsFailedToBeSentToDlq") == of_type("AWS::Events::Rule")
    assert len(ALARMS) == 18


def test_no_alarm_looks_further_back_than_cloudwatch_allows() -> None:
    """Source: CloudWatch API, PutMetricAlarm: a day for periods below an hour, else seven days."""
    for name, alarm in ALARMS.items():
        looked_back = alarm["Period"] * alarm["EvaluationPeriods"]
        assert looked_back <= (DAY if alarm["Period"] < HOUR else 7 * DAY), name


def test_only_a_comparison_that_does_not_happen_is_an_alarm_without_figures() -> None:
    missing = {name: alarm["TreatMissingData"] for name, alarm in ALARMS.items()}
    assert missing.pop("ReconcileMissedAlarm") == "breaching"
    assert set(missing.values()) == {"notBreaching"}
    assert {name for name in ALARMS if "Condition" in RESOURCES[name]} == {"ReconcileMissedAlarm"}
    assert RESOURCES["ReconcileMissedAlarm"]["Condition"] == "ComparesDaily"


def test_a_comparison_is_missed_after_26_hours() -> None:
    alarm = ALARMS["ReconcileMissedAlarm"]
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 26 * HOUR
    assert (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"]) == ("Sum", "LessThanThreshold", 1)
    assert "DatapointsToAlarm" not in alarm  # every hour of them without a run that ended


def test_whoever_is_named_is_told_of_the_alarm_and_of_its_end() -> None:
    told = [
        {"Fn::If": ["HasTopic", {"Ref": "AlarmTopicArn"}, {"Fn::If": ["MakesTopic", {"Ref": "AlarmTopic"}, NOBODY]}]}
    ]
    for alarm in ALARMS.values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == told
        assert resolved(alarm["AlarmName"], RESOURCES).startswith("rollcall-")  # as the key's policy has them
        assert len(alarm["AlarmDescription"]) > 20


NOBODY = {"Ref": "AWS::NoValue"}


def test_the_topic_of_our_own_is_encrypted_and_takes_from_our_alarms_only() -> None:
    topic, policy = RESOURCES["AlarmTopic"], RESOURCES["AlarmTopicPolicy"]
    assert topic["Condition"] == policy["Condition"] == "MakesTopic"
    assert topic["Properties"]["KmsMasterKeyId"] == {"Fn::GetAtt": ["QueueKey", "Arn"]}
    allow, deny = resolved(policy["Properties"]["PolicyDocument"], RESOURCES)["Statement"]
    assert allow["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    grant = resolved(RESOURCES["QueueKey"]["Properties"]["KeyPolicy"], RESOURCES)["Statement"][-1]
    assert grant["Principal"] == allow["Principal"]
    assert grant["Condition"] == allow["Condition"]
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def widgets() -> list[dict[str, Any]]:
    """The dashboard after CloudFormation has filled it in: each reference reads as the name in it."""
    text = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    filled = re.sub(r"\$\{([A-Za-z:.]+)\}", lambda found: found[1].replace("AWS::Region", "us-east-1"), text)
    found: list[dict[str, Any]] = json.loads(filled)["widgets"]
    return found


def shown() -> Iterator[tuple[str, str, str, str]]:
    for widget in widgets():
        for namespace, metric, dimension, value, *_ in widget["properties"]["metrics"]:
            yield namespace, dimension, value, metric


def test_every_figure_of_the_dashboard_is_one_that_somebody_publishes(ours: set[tuple[str, str, str, str]]) -> None:
    for namespace, dimension, value, metric in shown():
        if namespace == "Rollcall":
            assert (namespace, dimension, value, metric) in ours
        else:
            assert metric in PUBLISHED_BY_AWS[namespace, dimension]
            assert RESOURCES[value.removesuffix(".QueueName")]["Type"] == KINDS[dimension]
            assert value.endswith(".QueueName") is (namespace == "AWS/SQS")


def test_the_dashboard_shows_all_queues_functions_and_rules_and_all_that_the_functions_count(
    ours: set[tuple[str, str, str, str]],
) -> None:
    figures = set(shown())
    assert {each for each in figures if each[0] == "Rollcall"} == ours
    named = {value.removesuffix(".QueueName") for _, _, value, _ in figures}
    everything = of_type("AWS::SQS::Queue") | of_type("AWS::Serverless::Function") | of_type("AWS::Events::Rule")
    assert everything <= named


def test_no_two_widgets_lie_on_each_other_and_all_fit_the_width() -> None:
    taken: set[tuple[int, int]] = set()
    for each in widgets():
        assert each["x"] + each["width"] <= 24
        cells = {(each["x"] + x, each["y"] + y) for x in range(each["width"]) for y in range(each["height"])}
        assert not taken & cells
        taken |= cells
