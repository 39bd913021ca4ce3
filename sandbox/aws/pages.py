"""One page of a CloudFormation list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult

_PAGE = 100
_Listed = TypeVar("_Listed")


def page(
    response: CloudFormationResponse, items: Sequence[_Listed], describe: Callable[[_Listed], Any]
) -> ActionResult:
    """The summaries of a page; nothing else is described."""
    start = int(response._get_param("NextToken") or 0)
    end = start + (response._get_int_param("MaxResults") or _PAGE)
    more = {"NextToken": str(end)} if end < len(items) else {}
    return ActionResult({"Summaries": [describe(each) for each in items[start:end]]} | more)
