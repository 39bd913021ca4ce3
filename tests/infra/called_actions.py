"""The IAM actions that code needs: those of its own calls, and what the platform does with a function's role."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import ServiceModel
from moto.iam.aws_managed_policies import aws_managed_policies_data

from sandbox.aws.iam_enforcement import action_of
from tests.infra.aws_templates import as_list, policies_of, resolved
from tests.infra.call_graph import AwsCall, aws_calls

Needed = Mapping[str, str]
"""Action → who needs it."""
_UNSIGNED = {"none"}  # botocore's word for it: nobody is asked for a permission


@cache
def needed_by_code(*entry_points: str) -> Needed:
    """What the calls need that these functions can make."""
    return dict(sorted(filter(None, map(_action, sorted(aws_calls(*entry_points), reverse=True)))))


@cache
def _model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def _action(call: AwsCall) -> tuple[str, str] | None:
    model = _model(call.service)
    [operation] = [name for name in model.operation_names if xform_name(name) == call.method]
    if model.operation_model(operation).auth_type in _UNSIGNED:
        return None
    return action_of(f"{call.service}:{operation}"), f"{call.place} calls it"


@cache
def _managed(name: str) -> frozenset[str]:
    """The actions of a policy that AWS publishes for the roles of functions."""
    statements = json.loads(aws_managed_policies_data)[name]["Document"]["Statement"]
    return frozenset(action for each in statements for action in as_list(each["Action"]))


def needed_by_platform(template: dict[str, Any], function: str) -> Needed:
    """What Lambda does as the function's role: it writes the log and takes messages off the queue.

    Sources: AWS managed policies AWSLambdaBasicExecutionRole (without logs:CreateLogGroup, where the template makes
    the group) and AWSLambdaSQSQueueExecutionRole; Lambda developer guide, "Creating and configuring an Amazon SQS
    event source mapping"; SQS developer guide, "Key management": who receives from a queue with a key of its own
    needs kms:Decrypt, who sends to one kms:GenerateDataKey, too.
    """
    resources = template["Resources"]
    properties = resources[function]["Properties"]
    log = _managed("AWSLambdaBasicExecutionRole")
    if "LogGroup" in properties.get("LoggingConfig", {}):
        log -= {"logs:CreateLogGroup"}
    needed: dict[str, str] = dict.fromkeys(sorted(log), "Lambda writes the log")
    for event in properties["Events"].values():
        assert event["Type"] == "SQS", f"{function}: nobody knows what Lambda needs for {event['Type']}"
        take = _managed("AWSLambdaSQSQueueExecutionRole") - _managed("AWSLambdaBasicExecutionRole")
        needed |= dict.fromkeys(sorted(take), "Lambda takes messages off the queue")
        if resolved(event["Properties"]["Queue"], resources) in _encrypted(resources):
            needed["kms:Decrypt"] = "the queue that is read has a key of its own"
    return {**needed, **_needed_for_keys(resources, _sent_to(template, function))}


def needed_by_service(template: dict[str, Any], role: str) -> Needed:
    """What Scheduler or EventBridge does as a role: it delivers to the targets that name the role.

    Sources: EventBridge Scheduler user guide, "Setting up the execution role" and "Configuring a dead-letter queue";
    EventBridge user guide, "Sending and receiving events between buses".
    """
    resources, needed = template["Resources"], dict[str, str]()
    for name, target in _targets(resources):
        if target.get("RoleArn") != {"Fn::GetAtt": [role, "Arn"]}:
            continue
        places = [resolved(target["Arn"], resources)]
        if resources[name]["Type"] == "AWS::Scheduler::Schedule" and "DeadLetterConfig" in target:
            places.append(resolved(target["DeadLetterConfig"]["Arn"], resources))  # a rule's needs the queue's policy
        needed |= {_DELIVERS[each.split(":")[2]]: f"{name} delivers to {each}" for each in places}
        needed.update(_needed_for_keys(resources, places))
    return needed


_DELIVERS = {"sqs": "sqs:SendMessage", "events": "events:PutEvents"}


def _targets(resources: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, each in resources.items():
        properties = each.get("Properties", {})
        if each["Type"] == "AWS::Scheduler::Schedule":
            yield name, properties["Target"]
        elif each["Type"] == "AWS::Events::Rule":
            yield from ((name, target) for target in properties["Targets"])


def _needed_for_keys(resources: dict[str, Any], sent_to: Iterable[str]) -> Needed:
    if not any(fnmatchcase(queue, pattern) for pattern in sent_to for queue in _encrypted(resources)):
        return {}
    return dict.fromkeys(("kms:Decrypt", "kms:GenerateDataKey"), "a queue that is sent to has a key of its own")


def _encrypted(resources: dict[str, Any]) -> set[str]:
    """The ARNs of the queues that are encrypted with a key of their own."""
    queues = {name: each["Properties"] for name, each in resources.items() if each["Type"] == "AWS::SQS::Queue"}
    keyed = [name for name, properties in queues.items() if "KmsMasterKeyId" in properties]
    return {resolved({"Fn::GetAtt": [name, "Arn"]}, resources) for name in keyed}


def _sent_to(template: dict[str, Any], function: str) -> Iterator[str]:
    role = template["Resources"][function]["Properties"]["Role"]["Fn::GetAtt"][0]
    for name, document in policies_of(template):
        for statement in document["Statement"] if name == role else ():
            if "sqs:SendMessage" in as_list(statement["Action"]):
                yield from as_list(statement["Resource"])


def functions_of(template: dict[str, Any]) -> dict[str, str]:
    """Its functions by their roles, both as logical ids."""
    found = {name: each for name, each in template["Resources"].items() if each["Type"] == "AWS::Serverless::Function"}
    return {each["Properties"]["Role"]["Fn::GetAtt"][0]: name for name, each in found.items()}


def needed_by_function(template: dict[str, Any], function: str) -> Needed:
    """Both, of one function of the template."""
    handler = template["Resources"][function]["Properties"]["Handler"]
    return {**needed_by_platform(template, function), **needed_by_code(handler)}
