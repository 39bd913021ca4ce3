"""What is wrong with the rights of a role: actions that nobody calls or that are lacking, resources and conditions
that are too wide.

Which resources an action knows is told by the Service Authorization Reference, in the copy of it that parliament has.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.aws.policy_conditions import Context, condition_holds
from shared.adapters.aws.own_events import OWN_SOURCE, RECONCILE_SOURCE
from shared.adapters.aws.web_identity import AUDIENCE, LIFETIME_SECONDS
from tests.infra.aws_templates import PARAMETERS, as_list
from tests.infra.called_actions import Needed

Statement = dict[str, Any]


class UnknownActionError(Exception):
    """An action that the Service Authorization Reference does not have, so that nobody knows its resources."""


NEWER_THAN_THE_REFERENCE = {"sts:GetWebIdentityToken"}
"""Added by AWS in November 2025; it knows no resources. Source: Service Authorization Reference, AWS STS."""
_EVERY_ACCOUNT = "each account of the organization, which the account in the ARN owns"
_MADE_UP = "AWS makes it up with the resource"
WIDE: dict[tuple[str, str], str] = {
    ("account", "OrganizationId"): _EVERY_ACCOUNT,
    ("account", "AccountId"): _EVERY_ACCOUNT,
    ("organizationalunit", "OrganizationId"): _EVERY_ACCOUNT,
    ("organizationalunit", "OrganizationalUnitId"): _EVERY_ACCOUNT,
    ("root", "OrganizationId"): _EVERY_ACCOUNT,
    ("root", "RootId"): _MADE_UP,
    ("stack", "Id"): _MADE_UP,
    ("stackset", "Id"): _MADE_UP,
    ("log-stream", "LogStreamName"): "Lambda names them",
    ("stackset-target", "Region"): "AWS documents no region for it",
    ("sts:AssumeRole", "Account"): "the same role of each member account; a condition names the organization",
}
"""Parts of an ARN that may be anything, by the kind of resource or the action, and why."""


@dataclass(frozen=True)
class Narrowing:
    """What a condition has to let through, as our code asks it, and what it has to stop."""

    asked: Sequence[Context]
    strange: Sequence[Context]


_TOKEN: Context = {
    "sts:IdentityTokenAudience": [AUDIENCE],
    "sts:SigningAlgorithm": "RS256",
    "sts:DurationSeconds": str(LIFETIME_SECONDS),
}
_THROUGH_SQS = Narrowing(
    asked=({"kms:ViaService": "sqs.us-east-1.amazonaws.com"},),
    strange=({}, {"kms:ViaService": "s3.us-east-1.amazonaws.com"}),
)
NARROWED: dict[str, Narrowing] = {
    "sts:GetWebIdentityToken": Narrowing(
        asked=(_TOKEN,),
        strange=(
            {**_TOKEN, "sts:IdentityTokenAudience": ["https://elsewhere.example"]},
            {**_TOKEN, "sts:IdentityTokenAudience": [AUDIENCE, "https://elsewhere.example"]},
            {**_TOKEN, "sts:SigningAlgorithm": "ES384"},
            {**_TOKEN, "sts:DurationSeconds": "3600"},
        ),
    ),
    "events:PutEvents": Narrowing(
        asked=({"events:source": [OWN_SOURCE, OWN_SOURCE]}, {"events:source": [RECONCILE_SOURCE]}),
        strange=({"events:source": ["somebody.else"]}, {"events:source": [OWN_SOURCE, "somebody.else"]}),
    ),
    "sts:AssumeRole": Narrowing(
        asked=({"aws:ResourceOrgID": PARAMETERS["OrganizationId"]},),
        strange=({}, {"aws:ResourceOrgID": "o-elsewhere00"}),
    ),
}
"""Actions whose grants carry a condition; any other condition is one that nobody has checked."""
OF_SERVICES: dict[str, Narrowing] = {"kms:Decrypt": _THROUGH_SQS, "kms:GenerateDataKey": _THROUGH_SQS}
"""The same for roles that a service delivers as: for whom it does so is said by the trust, and what by its target."""
NARROWED |= OF_SERVICES


def problems(
    role: str, statements: Sequence[Statement], needed: Needed, narrowed: Mapping[str, Narrowing] = NARROWED
) -> list[str]:
    """Every difference between what a role has and what is needed, and whatever in it is too wide."""
    granted = {action for each in statements for action in as_list(each.get("Action", []))}
    found = [f"{role} grants {action}, which no code calls" for action in sorted(granted - needed.keys())]
    found += [f"{role} lacks {action}: {needed[action]}" for action in sorted(needed.keys() - granted)]
    for each in statements:
        if each["Effect"] != "Allow" or each.keys() & {"NotAction", "NotResource"}:
            found.append(f"{role} has a statement that does not say what it allows: {each.get('Sid')}")
    for action in sorted(granted & needed.keys()):
        grants = [each for each in statements if action in as_list(each.get("Action", []))]
        found += [f"{role} grants {action} {problem}" for problem in _too_wide(action, grants, narrowed)]
    return found


def _too_wide(action: str, grants: Sequence[Statement], narrowed: Mapping[str, Narrowing]) -> Iterator[str]:
    resources = [resource for each in grants for resource in as_list(each.get("Resource", []))]
    kinds = resource_kinds(action)
    if "*" in resources and kinds:
        yield f"on everything, although it knows resources ({', '.join(each.name for each in kinds)})"
    elif kinds:
        yield from _wide_resources(action, kinds, resources)
    elif set(resources) != {"*"}:
        yield "on a resource, but it knows none"
    for each in grants:
        yield from _loose_conditions(narrowed.get(action), each.get("Condition"))


def _wide_resources(action: str, kinds: Sequence[Kind], resources: Sequence[str]) -> Iterator[str]:
    for resource in resources:
        fitting = [(kind, found) for kind in kinds if (found := kind.arn.fullmatch(resource))]
        if not fitting:
            yield f"on {resource}, which is no resource of it"
        for kind, found in fitting:
            for part, value in found.groupdict().items():
                if value == "*" and not {(kind.name, part), (action, part)} & WIDE.keys():
                    yield f"on {resource}, whatever its {part}"
    for kind in kinds:
        if kind.required and not any(kind.arn.fullmatch(each) for each in resources):
            yield f"on no {kind.name}"


def _loose_conditions(narrowing: Narrowing | None, condition: Any) -> Iterator[str]:
    if narrowing is None:
        if condition:
            yield f"under a condition that nobody has checked: {condition}"
        return
    for context in narrowing.asked:
        if not condition_holds(condition, context):
            yield f"under a condition that refuses what the code asks: {context}"
    for context in narrowing.strange:
        if condition_holds(condition, context):
            yield f"to whoever asks with {context or 'nothing'}"


@dataclass(frozen=True)
class Kind:
    """A kind of resource that an action knows; `required` where the action always needs one."""

    name: str
    arn: re.Pattern[str]
    required: bool


@cache
def _reference() -> list[Any]:
    """Read from the file: parliament's own import of it leaves it open."""
    path = importlib.metadata.distribution("parliament").locate_file("parliament/iam_definition.json")
    found: list[Any] = json.loads(Path(str(path)).read_text(encoding="utf-8"))
    return found


@cache
def resource_kinds(action: str) -> tuple[Kind, ...]:
    """The kinds of resources that an action knows; none where it is granted on everything or not at all."""
    if action in NEWER_THAN_THE_REFERENCE:
        return ()
    prefix, _, name = action.partition(":")
    services = [each for each in _reference() if each["prefix"] == prefix]  # some pages share a prefix
    privileges = [each for service in services for each in service["privileges"] if each["privilege"] == name]
    if not privileges:
        raise UnknownActionError(action)
    arns = {each["resource"]: each["arn"] for service in services for each in service["resources"]}
    marked = [
        each["resource_type"]
        for privilege in privileges
        for each in privilege["resource_types"]
        if each["resource_type"]
    ]
    return tuple(Kind(each.rstrip("*"), _pattern(arns[each.rstrip("*")]), each.endswith("*")) for each in marked)


def _pattern(arn: str) -> re.Pattern[str]:
    """Of `arn:${Partition}:sqs:${Region}:${Account}:${QueueName}`, a pattern whose groups are its parts.

    A log group's ARN, as CloudFormation gives it, ends with `:*` and stands for its streams.
    """
    parts = re.split(r"\$\{(\w+)\}", arn.replace(":log-stream:${LogStreamName}", ":${LogStreamName}"))
    return re.compile(
        "".join(f"(?P<{part}>.*?)" if number % 2 else re.escape(part) for number, part in enumerate(parts))
    )
