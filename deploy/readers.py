"""The readers in the accounts: one that fails fails no stack, so what is not there is asked for and told."""

from __future__ import annotations

from deploy.programs import ask, say
from deploy.stacks import called

STACK_SET = "rollcall-reader"
_NO_STACK_SET = ("StackSetNotFoundException",)


def say_failed() -> None:
    """A line for each account in which the reader role is not as it is to be."""
    found = ask(*called("list-stack-instances", "--stack-set-name", STACK_SET), unless=_NO_STACK_SET)
    instances = [] if found is None else found["Summaries"]
    missing = [each for each in instances if each["Status"] != "CURRENT"]
    for each in missing:
        say(f"{STACK_SET}: {each['Account']} {each['Status']}: {each.get('StatusReason', 'no reason is told')}")
    if missing:
        say(f"{STACK_SET}: no look into {len(missing)} of {len(instances)} accounts: docs/deploy.md, step 5")
