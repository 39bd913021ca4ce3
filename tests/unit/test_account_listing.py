"""Reading the tags of many accounts: one request each, at a pace that the organization bears."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from shared.adapters.aws.account_listing import TAG_READS_PER_SECOND, AwsAccountListing
from tests.fakes.clock import FakeClock


class Organizations:
    """Organizations whose accounts all have two pages of one tag."""

    def get_paginator(self, operation: str) -> Organizations:
        assert operation == "list_tags_for_resource"
        return self

    def paginate(self, ResourceId: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - boto3's name
        yield {"Tags": [{"Key": "account", "Value": ResourceId}]}
        yield {"Tags": [{"Key": "tier", "Value": "gold"}]}


def test_tags_are_read_to_their_end_at_a_pace() -> None:
    clock = FakeClock()
    listing = AwsAccountListing(cast("Any", Organizations()), clock)
    assert listing.tags_of("1") == {"account": "1", "tier": "gold"}
    assert clock.slept == []
    for number in range(5):
        listing.tags_of(str(number))
    assert clock.slept == [pytest.approx(1 / TAG_READS_PER_SECOND)] * 5
    clock.advance(60)
    listing.tags_of("1")
    assert len(clock.slept) == 5
