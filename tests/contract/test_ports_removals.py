"""One suite for what counts whose connectors events take away: the fake, and Table Storage in real Azurite."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from sandbox.azure.directory import QUEUE_SENDER
from shared.adapters.ledger.removals import TableRemovals
from shared.application.onboard_ports import Removals
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey
from shared.errors import RollcallError
from tests.contract.conftest import FixedCredential
from tests.fakes.azure_world import World
from tests.fakes.clock import NOON
from tests.fakes.removals import FakeRemovals


@pytest.fixture(params=["fake", "table"])
def removals(request: pytest.FixtureRequest) -> Callable[[], Removals]:
    """Makes that of one more process."""
    if request.param == "fake":
        taken: dict[tuple[str, str], set[str]] = {}
        return lambda: FakeRemovals(taken)
    world: World = request.getfixturevalue("azure_ports")
    return lambda: TableRemovals(FixedCredential(world), table_endpoint=world.azure.table_url)


_DAYS = iter(range(1, 10_000))


@pytest.fixture
def day() -> timedelta:
    """A day that no other test has."""
    return timedelta(days=next(_DAYS))


def key(number: int | str) -> AccountKey:
    return AccountKey(provider=Provider.GCP, hierarchy_identifier=str(number))


def test_so_many_are_counted_in_and_each_once(removals: Callable[[], Removals], day: timedelta) -> None:
    now = NOON + day
    assert [removals().take(key(each), 2, now) for each in (1, 2, 3, 1, 2)] == [True, True, False, True, True]
    assert removals().take(key(3), 3, now), "a policy that allows more counts on"
    assert removals().take(key(4), 2, now + timedelta(hours=11)) is False


def test_another_day_and_another_cloud_begin_anew(removals: Callable[[], Removals], day: timedelta) -> None:
    now = NOON + day
    assert removals().take(key(1), 1, now)
    assert not removals().take(key(2), 1, now)
    assert removals().take(replace(key(2), provider=Provider.AWS), 1, now)
    assert removals().take(key(2), 1, now + timedelta(days=3000))


def test_processes_together_count_no_more(removals: Callable[[], Removals], day: timedelta) -> None:
    now = NOON + day

    def take(number: int) -> bool:
        try:
            return removals().take(key(number), 3, now)
        except RollcallError:  # the others were faster again and again: it is asked for anew
            return False

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(take, range(12))) == 3


def test_who_may_not_write_takes_nothing(azure_ports: World, day: timedelta) -> None:
    theirs = TableRemovals(FixedCredential(azure_ports, QUEUE_SENDER), table_endpoint=azure_ports.azure.table_url)
    with pytest.raises(RollcallError):
        theirs.take(key(uuid.uuid4().int % 10**12), 5, NOON + day)
