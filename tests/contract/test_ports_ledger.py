"""One suite for the ledger and the pacer: the fakes, and Table Storage in real Azurite."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.data.tables import TableServiceClient

from sandbox.azure.directory import QUEUE_SENDER
from shared.adapters.ledger.pacing import TablePacer
from shared.adapters.ledger.table_ledger import TableLedger
from shared.application.ports import Ledger, Pacer
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, HistoryEntry, Result, State
from shared.domain.pacing import WriteRate
from shared.errors import ConfigurationError, TransientError
from shared.messages.connector_request import MOST_ATTEMPTS
from tests.contract.conftest import FixedCredential, becomes_wrong_deployment
from tests.fakes.azure_world import World
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.connectors import FakePacer
from tests.fakes.ledger import FakeLedger

RATE = WriteRate(writes_per_second=1, burst=3)


@pytest.fixture(params=["fake", "table"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    if request.param == "fake":
        return FakeLedger()
    world: World = request.getfixturevalue("azure_ports")
    return TableLedger(FixedCredential(world), table_endpoint=world.azure.table_url)


@pytest.fixture(params=["fake", "table"])
def pacers(request: pytest.FixtureRequest) -> Callable[[FakeClock], Pacer]:
    """Makes the pacer of one more process."""
    if request.param == "fake":
        cells: dict[str, object] = {}
        return lambda clock: FakePacer(clock, RATE, cells)  # type: ignore[arg-type] # the fake fills it
    world: World = request.getfixturevalue("azure_ports")
    return lambda clock: TablePacer(
        FixedCredential(world), table_endpoint=world.azure.table_url, rate=RATE, clock=clock
    )


@pytest.fixture
def key(account_id: str) -> AccountKey:
    return AccountKey(provider=Provider.AWS, hierarchy_identifier=account_id)


def entry(key: AccountKey, seconds: float = 0, **changes: object) -> HistoryEntry:
    made = HistoryEntry(
        key=key,
        at=NOON + timedelta(seconds=seconds),
        step="connect:deployed",
        result=Result.CREATED,
        message_id="m1",
        attempt=0,
        correlation_id="c1",
        state=State.CONNECTED,
        name="Zahlungsverkehr ☂",
        ou_path="/Workloads/Prod",
        reason="with \"quotes\" and 'ticks'",
        connector_id="/subscriptions/s",
        policy_hash="a" * 64,
    )
    return replace(made, **changes)  # type: ignore[arg-type] # the tests name fields of the entry


def test_an_account_that_nobody_reported_has_no_line(ledger: Ledger, key: AccountKey) -> None:
    assert ledger.find(key) is None
    assert list(ledger.history(key)) == []


def test_what_is_recorded_is_found_as_it_was(ledger: Ledger, key: AccountKey) -> None:
    made = entry(key, 0.123456)
    ledger.record(made)
    found = ledger.find(key)
    assert found is not None
    assert (found.state, found.state_at, found.name) == (State.CONNECTED, made.at, made.name)
    assert (found.reason, found.connector_id, found.policy_hash) == (made.reason, made.connector_id, "a" * 64)
    assert list(ledger.history(key)) == [made]


def test_history_is_newest_first_and_a_repeat_is_the_same_line(ledger: Ledger, key: AccountKey) -> None:
    entries = [entry(key, seconds, message_id=f"m{seconds}") for seconds in (5, 1, 9)]
    for made in [*entries, entries[0], entries[1]]:
        ledger.record(made)
    assert [made.message_id for made in ledger.history(key)] == ["m9", "m5", "m1"]


def test_a_late_report_leaves_the_state_alone(ledger: Ledger, key: AccountKey) -> None:
    ledger.record(entry(key, 60))
    ledger.record(entry(key, 30, state=State.DEPLOYING))
    found = ledger.find(key)
    assert found is not None
    assert found.state is State.CONNECTED


def test_a_claim_is_one_s_until_it_is_released_or_runs_out(ledger: Ledger, key: AccountKey) -> None:
    assert ledger.claim(key, owner="one", now=NOON, seconds=180)
    assert ledger.claim(key, owner="one", now=NOON, seconds=180)
    assert not ledger.claim(key, owner="two", now=NOON + timedelta(seconds=179), seconds=180)
    assert ledger.claim(key, owner="two", now=NOON + timedelta(seconds=180), seconds=180)
    ledger.record(entry(key, 200), release="one")
    assert not ledger.claim(key, owner="three", now=NOON + timedelta(seconds=201), seconds=180)
    ledger.record(entry(key, 202), release="two")
    assert ledger.claim(key, owner="three", now=NOON + timedelta(seconds=203), seconds=180)


def test_of_many_claims_at_one_moment_one_wins(ledger: Ledger, key: AccountKey) -> None:
    def take(owner: int) -> bool:
        return ledger.claim(key, owner=f"w{owner}", now=NOON, seconds=180)

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(take, range(6))) == 1


def test_many_reports_at_one_moment_are_all_remembered(ledger: Ledger, key: AccountKey) -> None:
    entries = [entry(key, second, message_id=f"m{second}") for second in range(5)]
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(ledger.record, entries))
    assert len(list(ledger.history(key))) == 5
    found = ledger.find(key)
    assert found is not None
    assert found.state_at == NOON + timedelta(seconds=4)


def test_a_scheduled_attempt_is_remembered(ledger: Ledger, key: AccountKey) -> None:
    ledger.record(entry(key, state=State.DEFERRED, next_attempt=4))
    found = ledger.find(key)
    assert found is not None
    assert found.superseded("m1", 3, NOON)
    assert not found.superseded("m1", 4, NOON)


def test_every_line_is_listed(ledger: Ledger, key: AccountKey) -> None:
    google = AccountKey(provider=Provider.GCP, hierarchy_identifier=key.hierarchy_identifier)
    for each in (key, google):
        ledger.record(entry(each))
    assert {key, google} <= {record.key for record in ledger.list_records()}


def test_lines_are_listed_from_one_key_to_another(ledger: Ledger) -> None:
    keys = [AccountKey(provider=Provider.AWS, hierarchy_identifier=f"7000000{number:05d}") for number in range(5)]
    google = AccountKey(provider=Provider.GCP, hierarchy_identifier=keys[2].hierarchy_identifier)
    for each in (*keys, google):
        ledger.record(entry(each))
    assert [record.key for record in ledger.list_records((keys[1], keys[3]))] == keys[1:4]
    assert [record.key for record in ledger.list_records((keys[4], keys[4]))] == [keys[4]]


def test_two_processes_together_keep_to_the_rate(pacers: Callable[[FakeClock], Pacer], account_id: str) -> None:
    clock = FakeClock()
    one, two = pacers(clock), pacers(clock)
    slots = sorted(pacer.reserve(f"subscription-{account_id}") for _ in range(5) for pacer in (one, two))
    assert slots[0] == NOON
    for first, slot in enumerate(slots):
        for last in range(first, len(slots)):
            window = (slots[last] - slot).total_seconds()
            assert last - first + 1 <= RATE.burst + window + 0.001
    assert slots[-1] == NOON + timedelta(seconds=7)


def test_slots_that_processes_kept_through_an_idle_hour_are_no_burst_of_their_own(
    pacers: Callable[[FakeClock], Pacer], account_id: str
) -> None:
    clock = FakeClock()
    both = [pacers(clock), pacers(clock)]
    for pacer in both:
        pacer.reserve(f"subscription-{account_id}")
    clock.advance(3600)
    slots = [pacer.reserve(f"subscription-{account_id}") for _ in range(10) for pacer in both]
    assert len([slot for slot in slots if slot <= clock.now()]) == RATE.burst


@pytest.mark.parametrize("moment", [datetime(1601, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)])
def test_the_bounds_of_a_message_are_what_the_ledger_can_hold(
    ledger: Ledger, key: AccountKey, moment: datetime
) -> None:
    extreme = replace(entry(key), at=moment, sent_at=moment, attempt=MOST_ATTEMPTS, next_attempt=MOST_ATTEMPTS + 1)
    ledger.record(extreme)
    assert list(ledger.history(key)) == [extreme]


def test_subscriptions_do_not_wait_for_each_other(pacers: Callable[[FakeClock], Pacer], account_id: str) -> None:
    pacer = pacers(FakeClock())
    for _ in range(5):
        pacer.reserve(f"busy-{account_id}")
    assert pacer.reserve(f"idle-{account_id}") == NOON


def test_an_identity_without_a_role_on_the_tables_is_a_wrong_deployment_when_it_lasts(
    azure_ports: World, key: AccountKey
) -> None:
    ledger = TableLedger(FixedCredential(azure_ports, QUEUE_SENDER), table_endpoint=azure_ports.azure.table_url)
    with pytest.raises(TransientError, match="403") as refused:
        ledger.find(key)
    assert becomes_wrong_deployment(refused.value)


def test_a_missing_table_is_a_wrong_deployment(azure_ports: World, key: AccountKey) -> None:
    credential = FixedCredential(azure_ports)
    tables = TableServiceClient(azure_ports.azure.table_url, credential=credential)
    ledger = TableLedger(credential, table_endpoint=azure_ports.azure.table_url)
    kept = list(tables.get_table_client("accounts").list_entities())
    tables.delete_table("accounts")
    try:
        with pytest.raises(ConfigurationError, match="TableNotFound"):
            ledger.find(key)
    finally:
        made = tables.create_table("accounts")
        for row in kept:
            made.upsert_entity(row)
