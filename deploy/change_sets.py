"""What CloudFormation would change: made, shown, and carried out or thrown away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.aws_account import REGION
from deploy.programs import act, ask, say, text_of
from deploy.refusal import RefusedError
from deploy.stacks import called, check_done, check_status, outputs_of

_MADE = re.compile(r"arn:\S+:changeSet/\S+")
_NAMED = "CAPABILITY_NAMED_IAM"
_KEPT = {
    "AWS::CloudFormation::StackSet",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
}
"""What is not lost by a perhaps: roles of all accounts, messages, trust, and what they are read with."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack as it is to be; `bucket` takes a template that is too large to be sent along."""

    name: str
    template: Path
    parameters: Mapping[str, str]
    bucket: str = ""


def change(stack: Stack, *, apply: bool, replace: bool) -> dict[str, str] | None:
    """Shows what would be changed, and with `apply` changes it.

    Returns the stack's outputs, or None where there is no such stack yet. Raises RefusedError where something would
    be deleted or replaced and `replace` does not allow it.
    """
    check_status(stack.name)
    made = _change_set(stack, apply=apply)
    if made is None:
        say(f"{stack.name}: nothing to change")
        return outputs_of(stack.name)
    changes = ask(*called("describe-change-set", "--change-set-name", made))["Changes"]
    for line in sorted(shown(changes)):
        say(f"{stack.name}: {line}")
    losses = sorted(lost(changes))
    if not apply or (losses and not replace):
        ask(*called("delete-change-set", "--change-set-name", made))
    if apply and losses and not replace:
        raise RefusedError(
            f"{stack.name}: {', '.join(losses)} would be deleted or replaced",
            remedy="See the changelog whether that is meant; REPLACE=1 allows it.",
        )
    if apply:
        act(*called("execute-change-set", "--change-set-name", made))
        check_done(stack.name)
    return outputs_of(stack.name)


def shown(changes: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each resource that would be changed."""
    for each in (found["ResourceChange"] for found in changes):
        replaced = {"True": " (replaced)", "Conditional": " (perhaps replaced)"}.get(each.get("Replacement", ""), "")
        yield f"{each['Action']:8} {each['LogicalResourceId']} {each['ResourceType']}{replaced}"


def lost(changes: list[dict[str, Any]]) -> Iterator[str]:
    """What would be deleted, or made anew in the place of what is there."""
    for each in (found["ResourceChange"] for found in changes):
        if each["Action"] == "Remove" or each.get("Replacement") == "True":
            yield each["LogicalResourceId"]
        elif each["ResourceType"] in _KEPT and (
            each["Action"] == "Dynamic" or each.get("Replacement") == "Conditional"
        ):
            yield f"{each['LogicalResourceId']} (perhaps)"


def _change_set(stack: Stack, *, apply: bool) -> str | None:
    """Its ARN; None where there is nothing to change.

    A template's place is named by its MD5, and the AWS CLI leaves what lies there. Whoever may only look writes below
    a prefix of its own, and what is carried out is uploaded anew.
    """
    place = ("--s3-bucket", stack.bucket, "--s3-prefix", "deploy" if apply else "preview", "--force-upload")
    parameters = [f"{name}={value}" for name, value in sorted(stack.parameters.items())]
    printed = text_of(
        *("aws", "cloudformation", "deploy", "--region", REGION, "--stack-name", stack.name),
        *("--template-file", str(stack.template)),
        *(place if stack.bucket else ()),
        *("--capabilities", _NAMED, "--no-execute-changeset", "--no-fail-on-empty-changeset"),
        *("--parameter-overrides", *parameters),
    )
    found = _MADE.search(printed)
    return found[0] if found else None
