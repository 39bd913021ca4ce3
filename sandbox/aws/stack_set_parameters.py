"""Parameters of a StackSet: what its template declares, and the value that each has.

Source: CloudFormation API reference 2010-05-15, CreateStackSet, UpdateStackSet and DescribeStackSet; that the last one
names parameters with a default that nobody set is what Terraform's documentation of aws_cloudformation_stack_set says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from moto.cloudformation.exceptions import ValidationError


def effective(template: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Every parameter that the template declares, as given or by its default."""
    declared = template.get("Parameters") or {}
    return {
        name: given[name] if name in given else _text(each["Default"])
        for name, each in declared.items()
        if name in given or "Default" in each
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def refuse_parameters(template: Mapping[str, Any], given: Iterable[str]) -> None:
    """Insists on parameters that the template declares, and on all that have no default.

    Raises:
        ValidationError: in CloudFormation's words.
    """
    declared = template.get("Parameters") or {}
    named = set(given)
    if unknown := sorted(named - set(declared)):
        raise ValidationError(message=f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    if missing := [name for name, each in declared.items() if "Default" not in each and name not in named]:
        raise ValidationError(message=f"Parameters: [{', '.join(missing)}] must have values")
