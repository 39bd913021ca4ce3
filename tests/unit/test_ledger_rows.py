"""Ledger values as table entities."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.ledger.rows import account_entity, account_record, history_entity, history_entry
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, AccountRecord, HistoryEntry, Result, State

TEXT = st.text(max_size=10)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
KEYS = st.builds(AccountKey, provider=st.sampled_from(list(Provider)), hierarchy_identifier=st.from_regex(r"[0-9]{12}"))
RECORDS = st.builds(
    AccountRecord,
    key=KEYS,
    state=st.sampled_from(list(State)),
    state_at=st.none() | MOMENTS,
    name=TEXT,
    reason=TEXT,
    scheduled_attempt=st.integers(0, 1000),
    claimed_by=TEXT,
    claimed_until=st.none() | MOMENTS,
)
ENTRIES = st.builds(
    HistoryEntry,
    key=KEYS,
    at=MOMENTS,
    step=TEXT,
    result=st.sampled_from(list(Result)),
    message_id=TEXT,
    attempt=st.integers(0, 1000),
    correlation_id=TEXT,
    state=st.none() | st.sampled_from(list(State)),
    next_attempt=st.none() | st.integers(0, 1000),
)


@given(RECORDS)
def test_a_record_survives_writing_and_reading(record: AccountRecord) -> None:
    assert account_record(account_entity(record)) == record


@given(ENTRIES)
def test_an_entry_survives_writing_and_reading(entry: HistoryEntry) -> None:
    assert history_entry(history_entity(entry)) == entry


@given(ENTRIES, ENTRIES)
def test_newer_entries_come_first_by_their_row_key(one: HistoryEntry, other: HistoryEntry) -> None:
    older, newer = sorted((one, other), key=lambda entry: entry.at)
    if (newer.at - older.at).total_seconds() > 0.001:
        assert history_entity(newer)["RowKey"] < history_entity(older)["RowKey"]


@given(ENTRIES)
def test_the_same_entry_is_the_same_row(entry: HistoryEntry) -> None:
    assert history_entity(entry) == history_entity(entry)


def test_columns_that_are_missing_have_their_default() -> None:
    record = account_record({"PartitionKey": "aws", "RowKey": "012345678901"})
    key = AccountKey(provider=Provider.AWS, hierarchy_identifier="012345678901")
    assert record == AccountRecord(key=key)
