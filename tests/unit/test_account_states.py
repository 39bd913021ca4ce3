"""A state of accounts that AWS adds one day is the trouble of that account, not of its batch."""

from __future__ import annotations

from typing import Any, cast

import pytest

from shared.adapters.aws.organization import AwsOrganization
from shared.domain.accounts import AccountState
from shared.errors import TransientError
from tests.fakes.clock import FakeClock
from tests.fixtures.read import ACCOUNT_ID


class Organizations:
    """Organizations with one account right under the root."""

    def __init__(self, **states: str) -> None:
        self._states = states

    def describe_account(self, AccountId: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        arn = f"arn:aws:organizations::000000000001:account/o-exampleorg1/{AccountId}"
        return {"Account": {"Id": AccountId, "Arn": arn, "Name": "payments", **self._states}}

    def list_parents(self, ChildId: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return {"Parents": [{"Id": "r-root", "Type": "ROOT"}]}


def directory(**states: str) -> AwsOrganization:
    return AwsOrganization(cast("Any", Organizations(**states)), FakeClock())


def test_an_unknown_state_is_tried_again_for_that_account_alone() -> None:
    with pytest.raises(TransientError, match="HIBERNATING"):
        directory(State="HIBERNATING").find_account(ACCOUNT_ID, with_tags=False)


def test_the_newer_field_goes_before_the_older_one() -> None:
    found = directory(State="PENDING_CLOSURE", Status="ACTIVE").find_account(ACCOUNT_ID, with_tags=False)
    assert found is not None
    assert found.state is AccountState.PENDING_CLOSURE
