"""The alarms and the dashboard of infra/aws/template.yaml, applied to the sandbox's AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.cloud import QUEUE_SENDER_FUNCTIONS
from sandbox.deployment import TEMPLATE, DeploymentError
from tests.integration.test_aws_deployment import PARAMETERS, Sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path)
    yield made
    made.patches.remove()
    made.cloud.stop()


def alarms(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    found = sandbox.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return {alarm["AlarmName"]: alarm for alarm in found}


def test_alarms_tell_nobody_unless_somebody_is_named(sandbox: Sandbox) -> None:
    sandbox.deploy()
    assert len(alarms(sandbox)) == 18
    assert [alarm["AlarmActions"] for alarm in alarms(sandbox).values()] == [[]] * 18
    assert sandbox.client("sns").list_topics()["Topics"] == []


def test_an_address_gets_a_topic_of_our_own_that_all_alarms_tell(sandbox: Sandbox) -> None:
    sandbox.deploy(parameters=PARAMETERS | {"AlarmEmail": "team@example.org"})
    sns = sandbox.client("sns")
    [topic] = [each["TopicArn"] for each in sns.list_topics()["Topics"]]
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert attributes["KmsMasterKeyId"].startswith("arn:aws:kms:")
    assert "cloudwatch.amazonaws.com" in attributes["Policy"]
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "team@example.org")
    for alarm in alarms(sandbox).values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [topic]


def test_a_topic_that_is_there_is_told_and_none_is_made(sandbox: Sandbox) -> None:
    topic = sandbox.client("sns").create_topic(Name="on-call")["TopicArn"]
    sandbox.deploy(parameters=PARAMETERS | {"AlarmTopicArn": topic, "AlarmEmail": "team@example.org"})
    assert [each["TopicArn"] for each in sandbox.client("sns").list_topics()["Topics"]] == [topic]
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms(sandbox).values()} == {(topic,)}


def test_what_does_not_compare_by_itself_is_not_missed(sandbox: Sandbox) -> None:
    sandbox.deploy(parameters=PARAMETERS | {"DailyComparison": "off"})
    schedule = sandbox.client("scheduler").get_schedule(Name="rollcall-reconcile", GroupName="rollcall")
    assert schedule["State"] == "DISABLED"
    assert len(alarms(sandbox)) == 17
    assert "rollcall-reconcile-missed" not in alarms(sandbox)


def test_the_dashboard_names_queues_and_functions_as_they_are_called(sandbox: Sandbox) -> None:
    deployment = sandbox.deploy()
    body = sandbox.client("cloudwatch").get_dashboard(DashboardName="rollcall")["DashboardBody"]
    widgets = json.loads(body)["widgets"]
    named = {metric[3] for widget in widgets for metric in widget["properties"]["metrics"]}
    queues = {url.rpartition("/")[2] for name, url in deployment.outputs.items() if name.endswith("QueueUrl")}
    assert queues | {f"rollcall-{name}" for name in QUEUE_SENDER_FUNCTIONS} <= named
    assert "${" not in body


def test_an_alarm_that_looks_too_far_back_is_refused_as_by_cloudwatch(sandbox: Sandbox, tmp_path: Path) -> None:
    changed = tmp_path / "template.yaml"
    hours = "      Period: 3600\n      EvaluationPeriods: 26\n"
    text = TEMPLATE.read_text()
    assert text.count(hours) == 1
    changed.write_text(text.replace(hours, "      Period: 3600\n      EvaluationPeriods: 169\n"))
    with pytest.raises(DeploymentError, match="ReconcileMissedAlarm"):
        sandbox.deploy(template=changed)
