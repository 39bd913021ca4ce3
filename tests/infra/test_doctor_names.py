"""What the doctor looks for is what `infra/` makes: names, policies, filter."""

from __future__ import annotations

import json
import re

from sandbox.deployment import BUCKET_TEMPLATE, REPOSITORY, TEMPLATE
from sandbox.gcp.intake import FILTER
from shared.application.doctor.aws import FUNCTIONS
from shared.domain.doctor import gcp
from shared.domain.doctor.aws_parts import OUR_SIDS, PARTS, our_policy, tls_only_policy
from shared.domain.doctor.azure import QUEUE_NAMES, READS_EVERYTHING, TABLE_NAMES
from shared.domain.doctor.gcp import METHODS, SINK_NAME, SUBSCRIPTION_NAME, TOPIC_NAME
from tests.infra.aws_templates import load
from tests.infra.azure_module import variable

INTAKE = (REPOSITORY / "infra" / "gcp" / "intake.tf").read_text(encoding="utf-8")
VARIABLES = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "infra" / "gcp").glob("*.tf"))


def test_the_policies_that_fix_gives_queues_are_those_of_the_template() -> None:
    resources = load(TEMPLATE)["Resources"]
    for part, begin in PARTS.items():
        rule = {"Fn::GetAtt": [f"{begin}Rule", "Arn"]}
        for end in ("Queue", "DeadLetterQueue"):
            queue = {"Fn::GetAtt": [f"{begin}{end}", "Arn"]}
            document = resources[f"{begin}{end}Policy"]["Properties"]["PolicyDocument"]
            ours = json.loads(our_policy("QUEUE", "RULE"))
            told = json.loads(
                json.dumps(document).replace(json.dumps(queue), '"QUEUE"').replace(json.dumps(rule), '"RULE"')
            )
            assert told == ours, part
            assert {each["Sid"] for each in document["Statement"]} == OUR_SIDS


def test_rules_functions_outputs_and_schedule_have_the_names_that_are_looked_for() -> None:
    template = load(TEMPLATE)
    resources = template["Resources"]
    for part, begin in PARTS.items():
        assert resources[f"{begin}Rule"]["Properties"]["Name"] == {"Fn::Sub": f"${{AWS::StackName}}-{part}"}
        assert {f"{begin}QueueUrl", f"{begin}DeadLetterQueueUrl"} <= template["Outputs"].keys()
    made = {
        each["Properties"]["FunctionName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        for each in resources.values()
        if each["Type"] == "AWS::Serverless::Function"
    }
    assert set(FUNCTIONS.values()) == made
    schedule = resources["ReconcileDailySchedule"]["Properties"]
    assert schedule["Name"] == {"Fn::Sub": "${AWS::StackName}-reconcile"}
    assert resources["ReconcileScheduleGroup"]["Properties"]["Name"] == {"Ref": "AWS::StackName"}


def test_the_bucket_s_policy_is_that_of_its_template() -> None:
    document = load(BUCKET_TEMPLATE)["Resources"]["BucketPolicy"]["Properties"]["PolicyDocument"]
    [ours] = json.loads(tls_only_policy("B"))["Statement"]
    [theirs] = document["Statement"]
    assert theirs | {"Resource": ours["Resource"]} == ours
    assert len(theirs["Resource"]) == 2


def test_queues_and_tables_are_those_of_the_storage_account() -> None:
    assert set(QUEUE_NAMES) == set(variable("modules/intake-storage.bicep", "queueNames"))
    assert set(TABLE_NAMES) == set(variable("modules/intake-storage.bicep", "tableNames"))
    assert variable("tenant-reader.bicep", "reader") in READS_EVERYTHING


def test_sink_topic_and_subscription_are_those_of_the_module() -> None:
    names = set(re.findall(r'^  name\s+= "([\w-]+)"$', INTAKE, re.MULTILINE))
    assert {SINK_NAME, TOPIC_NAME, SUBSCRIPTION_NAME} <= names
    assert all(method in VARIABLES for method in METHODS)
    assert "operation.last" not in VARIABLES
    assert all(method in FILTER for method in METHODS)
    assert gcp.PUSH_PATH == "/api/gcp/project-events"
