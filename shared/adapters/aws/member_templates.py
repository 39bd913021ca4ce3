"""The template of an account's stack, read in the account, and that of its StackSet, read in the management account.

The stack is asked for by its name, not by its id: of a stack that was deleted AWS goes on giving the template for 90
days, but only to who names its id. Source: CloudFormation API 2010-05-15, DescribeStackSet, DescribeStackInstance,
GetTemplate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore import handlers
from botocore.exceptions import ClientError

from shared.adapters.aws.errors import error_code, reads_aws, translated
from shared.application.ports import Clock
from shared.domain.sweep.templates import InstanceSeen

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

_KEPT_FOR = timedelta(minutes=1)


class MemberTemplates:
    """Reads only."""

    def __init__(
        self, make_cloudformation: Callable[[str], CloudFormationClient], *, name: str, region: str, clock: Clock
    ) -> None:
        """`make_cloudformation` makes a client for an account id, "" for the management account.

        `name` is the StackSet's; `region` the one that its instances are made in.
        """
        self._make = make_cloudformation
        self._name = name
        self._region = region
        self._clock = clock
        self._known: tuple[str, datetime] | None = None

    @reads_aws
    def inspect(self, account_id: str) -> InstanceSeen | None:
        """The account's instance and both templates; None where it has no instance."""
        found = self._instance(account_id)
        if found is None:
            return None
        stack = _name_of(found.get("StackId", ""))
        return InstanceSeen(
            status=found.get("Status", ""),
            detailed_status=found.get("StackInstanceStatus", {}).get("DetailedStatus", ""),
            reason=found.get("StatusReason", ""),
            stack=stack,
            template_hash=self._template_of(account_id, stack) if stack else "",
            stack_set_hash=self._stack_set_hash(),
        )

    def _instance(self, account_id: str) -> dict[str, Any] | None:
        with translated(f"read the stack instance of {account_id}"):
            try:
                answer = self._make("").describe_stack_instance(
                    StackSetName=self._name, StackInstanceAccount=account_id, StackInstanceRegion=self._region
                )
            except ClientError as error:
                if error_code(error) == "StackInstanceNotFoundException":
                    return None
                raise
            return dict(answer["StackInstance"])

    def _template_of(self, account_id: str, stack: str) -> str:
        """The hash of the stack's own template as it was given; empty where there is no such stack."""
        with translated(f"read the template of stack {stack} of account {account_id}"):
            client = self._make(account_id)
            client.meta.events.unregister("after-call.cloudformation.GetTemplate", handlers.json_decode_template_body)
            try:
                body: Any = client.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
            except ClientError as error:
                if _is_absent(error):
                    return ""
                raise
            return _hash(body)

    def _stack_set_hash(self) -> str:
        """Kept for a minute: a slice may look into many accounts."""
        now = self._clock.now()
        if self._known is None or now - self._known[1] >= _KEPT_FOR:
            with translated(f"read StackSet {self._name}"):
                found = self._make("").describe_stack_set(StackSetName=self._name)["StackSet"]
                self._known = _hash(found["TemplateBody"]), now
        return self._known[0]


def _name_of(stack_id: str) -> str:
    """A stack's name, of its id. Source: CloudFormation, `arn:…:stack/NAME/GUID`."""
    return stack_id.split("/")[1] if stack_id.count("/") > 1 else ""


def _is_absent(error: ClientError) -> bool:
    """CloudFormation has no code of its own for it. Source: CloudFormation API reference, GetTemplate."""
    return error_code(error) == "ValidationError" and "does not exist" in str(error)


def _hash(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
