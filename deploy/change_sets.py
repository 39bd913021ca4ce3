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

_MADE = re.compile(r"arn:\S+:changeSet/\S+")
_NAMED = "CAPABILITY_NAMED_IAM"
_NO_STACK = ("ValidationError",)
_NEVER_EXECUTED = "REVIEW_IN_PROGRESS"
"""The status of a stack for which there was a change set, and no more."""


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
    made = _change_set(stack)
    if made is None:
        say(f"{stack.name}: nothing to change")
        return outputs_of(stack.name)
    changes = ask(*_called("describe-change-set", "--change-set-name", made))["Changes"]
    for line in sorted(shown(changes)):
        say(f"{stack.name}: {line}")
    losses = sorted(lost(changes))
    if not apply or (losses and not replace):
        ask(*_called("delete-change-set", "--change-set-name", made))
    if apply and losses and not replace:
        raise RefusedError(
            f"{stack.name}: {', '.join(losses)} would be deleted or replaced",
            remedy="See the changelog whether that is meant; REPLACE=1 allows it.",
        )
    if apply:
        _execute(stack.name, made)
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


def _change_set(stack: Stack) -> str | None:
    """Its ARN; None where there is nothing to change."""
    parameters = [f"{name}={value}" for name, value in sorted(stack.parameters.items())]
    printed = text_of(
        *("aws", "cloudformation", "deploy", "--region", REGION, "--stack-name", stack.name),
        *("--template-file", str(stack.template)),
        *(("--s3-bucket", stack.bucket, "--s3-prefix", "deploy") if stack.bucket else ()),
        *("--capabilities", _NAMED, "--no-execute-changeset", "--no-fail-on-empty-changeset"),
        *("--parameter-overrides", *parameters),
    )
    found = _MADE.search(printed)
    return found[0] if found else None


def _execute(name: str, change_set: str) -> None:
    status = _stack(name)["StackStatus"]
    act(*_called("execute-change-set", "--change-set-name", change_set))
    waited = "stack-create-complete" if status == _NEVER_EXECUTED else "stack-update-complete"
    text_of("aws", "cloudformation", "wait", waited, "--stack-name", name, "--region", REGION)
    say(f"{name}: {_stack(name)['StackStatus']}")


def _stack(name: str) -> dict[str, Any]:
    found: dict[str, Any] = ask(*_called("describe-stacks", "--stack-name", name))["Stacks"][0]
    return found


def outputs_of(name: str) -> dict[str, str] | None:
    """What a stack gave; None where there is no such stack."""
    found = ask(*_called("describe-stacks", "--stack-name", name), unless=_NO_STACK)
    if found is None or found["Stacks"][0]["StackStatus"] == _NEVER_EXECUTED:
        return None
    return {each["OutputKey"]: each["OutputValue"] for each in found["Stacks"][0].get("Outputs", [])}


def _called(*words: str) -> tuple[str, ...]:
    return ("aws", "cloudformation", *words, "--region", REGION, "--output", "json")
