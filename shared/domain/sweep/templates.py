"""The stack behind an account's stack instance, against the StackSet that it belongs to.

Source: CloudFormation API 2010-05-15, StackInstance: Status, StatusReason, DetailedStatus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.domain.accounts import Provider
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import TEMPLATE_DIFFERS

_UNDER_WAY = frozenset({"PENDING", "RUNNING"})


@dataclass(frozen=True, kw_only=True)
class InstanceSeen:
    """A stack instance in AWS's words, and its stack's template beside the StackSet's, both as SHA-256.

    `stack` is the stack's name, empty where the instance has none; `template_hash` is empty where there is no such
    stack.
    """

    status: str
    detailed_status: str
    reason: str
    stack: str
    template_hash: str
    stack_set_hash: str

    @property
    def is_under_way(self) -> bool:
        """Whether an operation of the StackSet is about to change the stack."""
        return self.detailed_status in _UNDER_WAY

    @property
    def told(self) -> Mapping[str, str]:
        """The instance as evidence; what AWS did not say is left out."""
        status = f"{self.status} ({self.detailed_status})" if self.detailed_status else self.status
        seen = {"stack_instance": status, "stack_instance_reason": self.reason, "stack": self.stack}
        return {name: value for name, value in seen.items() if value}


def template_findings(account_id: str, seen: InstanceSeen) -> Iterator[SweepFinding]:
    """The stack is gone, or has another template than its StackSet.

    An instance without a stack is another finding, and one that is being changed is none yet.
    """
    if not seen.stack or seen.is_under_way or seen.template_hash == seen.stack_set_hash:
        return
    there = bool(seen.template_hash)
    yield TEMPLATE_DIFFERS.about(
        f"{account_id}#{seen.stack}",
        f"stack {seen.stack}: {'its template is not that of the StackSet' if there else 'it is not there'}",
        account=account_id,
        provider=Provider.AWS,
        evidence={
            "template": seen.template_hash or "absent",
            "template_of_stack_set": seen.stack_set_hash,
            **seen.told,
        },
    )
