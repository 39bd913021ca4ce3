"""A stack's status: waited for, refused where nothing can be done with it, and why it failed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

from deploy.aws_account import REGION
from deploy.programs import ask, say
from deploy.refusal import RefusedError

NEVER_EXECUTED = "REVIEW_IN_PROGRESS"
"""The status of a stack for which there was a change set, and no more."""
_NO_STACK = ("ValidationError",)
_GOOD = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_DEAD = {"CREATE_FAILED", "DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
_STUCK = "UPDATE_ROLLBACK_FAILED"
_BEGINNINGS = {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"}
_FIRST_PAUSES, _PAUSE = (1, 2, 4, 8), 15
_EVENTS = 500


def called(*words: str) -> tuple[str, ...]:
    """A command of CloudFormation's."""
    return ("aws", "cloudformation", *words, "--region", REGION, "--output", "json")


def outputs_of(name: str) -> dict[str, str] | None:
    """What a stack gave; None where there is no such stack."""
    found = _described(name)
    if found is None or found["StackStatus"] == NEVER_EXECUTED:
        return None
    return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}


def check_status(name: str) -> None:
    """Waits until nothing is under way. Raises RefusedError where the stack can take no change set."""
    found = _described(name)
    if found is None or found["StackStatus"] == NEVER_EXECUTED:
        return
    status = _settled(name, {NEVER_EXECUTED})
    by_hand = f"--region {REGION} --stack-name {name}"
    if status in _DEAD:
        _say_reasons(name)
        raise RefusedError(
            f"{name} is {status} and can take no change",
            remedy=f"See why, then `aws cloudformation delete-stack {by_hand}`, and once more.",
        )
    if status == _STUCK:
        _say_reasons(name)
        raise RefusedError(
            f"{name} is {status} and can take no change",
            remedy=f"See why, then `aws cloudformation continue-update-rollback {by_hand}`, and once more.",
        )


def check_done(name: str) -> None:
    """Waits for a change that was begun, however long it takes. Raises RefusedError where it failed."""
    status = _settled(name, set())
    say(f"{name}: {status}")
    if status not in _GOOD:
        _say_reasons(name)
        raise RefusedError(f"{name} is {status}", remedy="Its reasons are above; mend them, and once more.")


def reasons(name: str, events: list[dict[str, Any]]) -> Iterator[str]:
    """Why the last operation failed, oldest first; `events` are as CloudFormation lists them, newest first."""
    told: list[str] = []
    for each in events:
        failed = each["ResourceStatus"].endswith("_FAILED") and each.get("ResourceStatusReason")
        if failed and "cancelled" not in each["ResourceStatusReason"]:
            told.append(f"{each['ResourceStatus']} {each['LogicalResourceId']}: {each['ResourceStatusReason']}")
        if each["LogicalResourceId"] == name and each["ResourceStatus"] in _BEGINNINGS:
            break
    yield from reversed(told)


def _settled(name: str, as_it_is: set[str]) -> str:
    """The status once nothing is under way. A waiter of the AWS CLI would give up after an hour."""
    for pause in itertools.chain(_FIRST_PAUSES, itertools.repeat(_PAUSE)):
        found = _described(name)
        if found is None:
            return "DELETE_COMPLETE"
        status = str(found["StackStatus"])
        if not status.endswith("_IN_PROGRESS") or status in as_it_is:
            return status
        say(f"{name}: {status}")
        time.sleep(pause)
    raise AssertionError  # the pauses never end


def _say_reasons(name: str) -> None:
    events = ask(*called("describe-stack-events", "--stack-name", name, "--max-items", str(_EVENTS)))["StackEvents"]
    for line in reasons(name, events):
        say(f"{name}: {line}")


def _described(name: str) -> dict[str, Any] | None:
    found = ask(*called("describe-stacks", "--stack-name", name), unless=_NO_STACK)
    described: dict[str, Any] | None = None if found is None else found["Stacks"][0]
    return described
