"""What infra/aws/member-roles.yaml makes of given parameters, as CloudFormation evaluates it."""

from __future__ import annotations

import json
import re
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from sandbox.deployment import MEMBER_TEMPLATE

ACCOUNT = "111122223333"
TENANT = "12345678-9abc-def0-1234-56789abcdef0"
TEMPLATE: dict[str, Any] = yaml_parse(MEMBER_TEMPLATE.read_text(encoding="utf-8"))

ALWAYS = {"CspmMonitorAws"}
GROUPS = {
    "AgentlessScanner": {"DefenderForCloud-AgentlessScanner"},
    "SensitiveDataDiscovery": {"SensitiveDataDiscovery"},
    "DatabasePosture": {"DefenderForCloud-DataSecurityPostureDB"},
    "ImageAssessment": {"MDCContainersImageAssessmentRole"},
    "KubernetesDiscovery": {"MDCContainersAgentlessDiscoveryK8sRole"},
    "Servers": {"DefenderForCloud-DefenderForServers"},
    "ArcProvisioning": {"DefenderForCloud-ArcAutoProvisioning"},
    "ContainersRuntime": {
        "DefenderForCloud-Containers-K8s",
        "DefenderForCloud-DataCollection",
        "DefenderForCloud-Containers-K8s-cloudwatch-to-kinesis",
        "DefenderForCloud-Containers-K8s-kinesis-to-s3",
    },
    "Ciem": {"DefenderForCloud-OidcCiem", "DefenderForCloud-Ciem"},
}
STRINGS = ("DataCollectionExternalId", "CiemSubject")
EVERYTHING = dict.fromkeys(GROUPS, "true")

_FUNCTIONS = {"Ref", "Fn::GetAtt", "Fn::If", "Fn::Sub"}
_NO_VALUE = object()
_PSEUDO = {"AWS::Partition": "aws", "AWS::AccountId": ACCOUNT, "AWS::NoValue": _NO_VALUE}


class Account:
    """An account that got the template with `given` parameters; the others keep their defaults."""

    def __init__(self, **given: str) -> None:
        declared = TEMPLATE["Parameters"]
        assert given.keys() <= declared.keys()
        defaults = {name: parameter["Default"] for name, parameter in declared.items() if "Default" in parameter}
        self._values = _PSEUDO | defaults | {"TenantId": TENANT} | given
        self._made = {
            name: resource
            for name, resource in TEMPLATE["Resources"].items()
            if "Condition" not in resource or self._holds(resource["Condition"])
        }
        self.roles = {role["RoleName"]: role for role in self._of_type("AWS::IAM::Role")}
        self.providers = {provider["Url"]: provider for provider in self._of_type("AWS::IAM::OIDCProvider")}

    def trust(self, role_name: str) -> list[dict[str, Any]]:
        """The statements of a role's trust policy."""
        document = self.roles[role_name]["AssumeRolePolicyDocument"]
        statements: list[dict[str, Any]] = (json.loads(document) if isinstance(document, str) else document)[
            "Statement"
        ]
        return statements

    def statements(self, role_name: str) -> list[dict[str, Any]]:
        """The statements of a role's inline policies."""
        policies = self.roles[role_name].get("Policies", [])
        return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]

    def _of_type(self, kind: str) -> list[dict[str, Any]]:
        return [self._resolved(found["Properties"]) for found in self._made.values() if found["Type"] == kind]

    def _holds(self, condition: str | dict[str, Any]) -> bool:
        if isinstance(condition, str):
            return self._holds(TEMPLATE["Conditions"][condition])
        ((function, arguments),) = condition.items()
        if function == "Fn::Equals":
            left, right = (self._resolved(argument) for argument in arguments)
            return bool(left == right)
        assert function == "Fn::Not"
        return not self._holds(arguments[0])

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self._resolved, value) if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and next(iter(value)) in _FUNCTIONS:
            ((function, argument),) = value.items()
            return self._called(function, argument)
        resolved = {key: self._resolved(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not _NO_VALUE}

    def _called(self, function: str, argument: Any) -> Any:
        if function == "Fn::If":
            return self._resolved(argument[1 if self._holds(argument[0]) else 2])
        if function == "Fn::Sub":
            return re.sub(r"\$\{([^}]+)\}", lambda found: self._reference(found[1]), argument)
        if function == "Fn::GetAtt":
            assert argument[1] == "Arn"
            return self._reference(argument[0])
        return self._reference(argument)

    def _reference(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        resource = self._made[name]  # a KeyError is a reference to what these parameters do not make
        properties = resource["Properties"]
        if resource["Type"] == "AWS::IAM::OIDCProvider":
            host = self._resolved(properties["Url"]).removeprefix("https://")
            return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"
        return f"arn:aws:iam::{ACCOUNT}:role/{properties['RoleName']}"


def as_list(value: str | list[str]) -> list[str]:
    """A policy element that may be one value or a list, as a list."""
    return [value] if isinstance(value, str) else value
