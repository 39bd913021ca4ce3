"""What was asked in a sandbox as a role, beside what the role may."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sandbox.aws.callers import find_role
from sandbox.aws.iam_enforcement import action_of, statements_of
from sandbox.journal import JournalEntry
from tests.infra.aws_templates import as_list

CUT_OFF = ":POST /"
"""How the journal names a request whose body, with its action, did not come: its sender was killed in the middle."""


@dataclass(frozen=True)
class Used:
    """Actions and resources that a role asked for and was not denied, and its statements."""

    asked: frozenset[tuple[str, str]]
    statements: tuple[dict[str, Any], ...]

    @property
    def actions(self) -> set[str]:
        """What it asked for."""
        return {action for action, _ in self.asked}

    @property
    def granted(self) -> set[str]:
        """What it may ask for."""
        return {action for each in self.statements for action in as_list(each["Action"])}

    def unused_resources(self) -> Iterator[tuple[str, str]]:
        """Statement and resource, where none of the statement's actions was asked for on it."""
        for each in self.statements:
            mine = {arn for action, arn in self.asked if action in as_list(each["Action"])}
            for pattern in as_list(each["Resource"]):
                if not any(fnmatchcase(arn, pattern) for arn in mine):
                    yield str(each["Sid"]), pattern


def used_by(role_arn: str, entries: Iterable[JournalEntry]) -> Used:
    """Of a role that a stack made in the sandbox."""
    role = find_role(role_arn)
    assert role is not None, role_arn
    mine = [each for each in entries if each.identity == role_arn and "denied" not in each.detail]
    return Used(asked_in(mine), tuple(statements_of(role)))


def asked_in(entries: Iterable[JournalEntry]) -> frozenset[tuple[str, str]]:
    """Action and resource of each; `*` where a request names none."""
    whole = (each for each in entries if not each.operation.endswith(CUT_OFF))
    return frozenset((action_of(each.operation), each.detail.get("arn", "*")) for each in whole)
