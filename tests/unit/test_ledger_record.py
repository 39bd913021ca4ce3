"""The line of an account in the ledger: claims, reports, and reports that come late or twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.accounts import Provider
from shared.domain.ledger import OVERDUE, AccountKey, AccountRecord, HistoryEntry, Result, State, advance, claim
from tests.fakes.clock import NOON

KEY = AccountKey(provider=Provider.AWS, hierarchy_identifier="012345678901")


def entry(seconds: int = 0, **changes: object) -> HistoryEntry:
    made = HistoryEntry(
        key=KEY,
        at=NOON + timedelta(seconds=seconds),
        step="connect:deployed",
        result=Result.CREATED,
        message_id="m1",
        attempt=0,
        correlation_id="c1",
        state=State.CONNECTED,
        name="payments",
        ou_path="/Workloads",
    )
    return replace(made, **changes)  # type: ignore[arg-type] # the tests name fields of the entry


ENTRIES = st.lists(
    st.builds(
        lambda at, state, text: entry(at, state=state, reason=text, name=f"n{at}", ou_path=f"/{at}", remedy=text),
        st.integers(0, 1000),
        st.sampled_from(list(State)),
        st.text("ab", max_size=2),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda made: made.at,
)


def fold(entries: list[HistoryEntry]) -> AccountRecord:
    record = AccountRecord(key=KEY)
    for made in entries:
        record = advance(record, made)
    return record


def test_a_report_changes_the_state_and_its_facts() -> None:
    record = advance(AccountRecord(key=KEY), entry(5, connector_id="/c", reason="", policy_hash="h"))
    assert record.state is State.CONNECTED
    assert record.state_at == NOON + timedelta(seconds=5)
    assert (record.connector_id, record.policy_hash, record.correlation_id) == ("/c", "h", "c1")


def test_a_report_that_comes_late_leaves_the_state_alone() -> None:
    record = advance(AccountRecord(key=KEY), entry(60))
    late = advance(record, entry(30, state=State.DEPLOYING, reason="deploying", name="old name"))
    assert (late.state, late.reason, late.name) == (State.CONNECTED, "", "payments")


def test_a_report_without_a_state_changes_only_what_it_says() -> None:
    record = advance(AccountRecord(key=KEY), entry(60))
    assert advance(record, entry(90, state=None, reason="contended")).state is State.CONNECTED


@given(entries=ENTRIES, data=st.data())
def test_reports_in_any_order_make_the_same_line(entries: list[HistoryEntry], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(entries))
    assert fold(shuffled) == fold(entries)


@given(entries=ENTRIES, data=st.data())
def test_reports_that_are_repeated_change_nothing(entries: list[HistoryEntry], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(entries), max_size=6))
    assert fold(entries + again) == fold(entries)


def test_a_claim_keeps_everybody_else_away_until_it_ends() -> None:
    record = claim(AccountRecord(key=KEY), owner="one", now=NOON, seconds=180)
    assert record.claimed_by_another("two", NOON + timedelta(seconds=179))
    assert not record.claimed_by_another("one", NOON)
    assert not record.claimed_by_another("two", NOON + timedelta(seconds=180))
    assert not AccountRecord(key=KEY).claimed_by_another("two", NOON)


def test_a_claim_shows_that_the_account_is_being_connected() -> None:
    parked = advance(AccountRecord(key=KEY), entry(state=State.PARKED, reason="no role", remedy="make it"))
    claimed = claim(parked, owner="one", now=NOON + timedelta(seconds=1), seconds=180, connecting=True)
    assert (claimed.state, claimed.reason, claimed.remedy) == (State.CONNECTING, "", "")


def test_a_claim_leaves_a_connected_account_connected() -> None:
    connected = advance(AccountRecord(key=KEY), entry())
    claimed = claim(connected, owner="one", now=NOON + timedelta(seconds=1), seconds=180)
    assert (claimed.state, claimed.state_at) == (State.CONNECTED, NOON)


def test_only_its_owner_ends_a_claim() -> None:
    record = claim(AccountRecord(key=KEY), owner="one", now=NOON, seconds=180)
    assert advance(record, entry(1), release="two").claimed_by == "one"
    assert advance(record, entry(1)).claimed_by == "one"
    released = advance(record, entry(1), release="one")
    assert (released.claimed_by, released.claimed_until) == ("", None)


def test_a_lower_attempt_of_a_scheduled_message_is_a_leftover() -> None:
    record = advance(AccountRecord(key=KEY), entry(state=State.DEFERRED, next_attempt=2))
    assert record.superseded("m1", 0, NOON)
    assert record.superseded("m1", 1, NOON)
    assert not record.superseded("m1", 2, NOON)
    assert not record.superseded("another", 0, NOON)


def test_the_schedule_never_goes_back() -> None:
    record = advance(AccountRecord(key=KEY), entry(10, state=State.DEFERRED, attempt=1, next_attempt=2))
    late = advance(record, entry(5, state=State.DEFERRED, attempt=0, next_attempt=1))
    assert late.superseded("m1", 1, NOON)


@pytest.mark.parametrize("state", [State.CONNECTED, State.PARKED, State.EXCLUDED])
def test_a_message_that_came_to_its_end_can_be_replayed(state: State) -> None:
    scheduled = advance(AccountRecord(key=KEY), entry(state=State.DEFERRED, next_attempt=3))
    ended = advance(scheduled, entry(60, attempt=3, state=state))
    assert not ended.superseded("m1", 0, NOON)


def test_a_copy_that_is_long_overdue_supersedes_nobody() -> None:
    """The host set it aside after five tries: a replay of its message has to be looked at."""
    record = AccountRecord(key=KEY, scheduled_message_id="m1", scheduled_attempt=3, scheduled_at=NOON)
    assert record.superseded("m1", 0, NOON + OVERDUE - timedelta(seconds=1))
    assert not record.superseded("m1", 0, NOON + OVERDUE)


def test_a_claim_to_disconnect_changes_no_state() -> None:
    record = advance(AccountRecord(key=KEY), entry(state=State.EXCLUDED))
    claimed = claim(record, owner="one", now=NOON + timedelta(seconds=1), seconds=180)
    assert (claimed.state, claimed.claimed_by) == (State.EXCLUDED, "one")


def told(state: State, *, sent: float, done: float) -> HistoryEntry:
    """What came of a message that was written `sent` seconds after noon and ended `done` seconds after noon."""
    return replace(entry(state=state), sent_at=NOON + timedelta(seconds=sent), at=NOON + timedelta(seconds=done))


@pytest.mark.parametrize("left", [State.EXCLUDED, State.DEPARTED])
def test_a_connector_that_was_asked_for_before_the_account_left_does_not_bring_it_back(left: State) -> None:
    note = told(left, sent=10, done=10)
    connected = replace(told(State.CONNECTED, sent=5, done=20), connector_id="c")
    for order in ([note, connected], [connected, note]):
        record = AccountRecord(key=KEY)
        for each in order:
            record = advance(record, each)
        assert (record.state, record.connector_id) == (left, "c")


@pytest.mark.parametrize("left", [State.EXCLUDED, State.DEPARTED])
@pytest.mark.parametrize("ended", [State.DEFERRED, State.PARKED])
def test_work_that_was_asked_for_before_the_account_left_and_failed_since_does_not_bring_it_back(
    left: State, ended: State
) -> None:
    record = claim(AccountRecord(key=KEY), owner="one", now=NOON, seconds=180, connecting=True)
    record = advance(record, told(left, sent=10, done=10))
    record = advance(record, replace(told(ended, sent=5, done=20), next_attempt=1), release="one")
    assert record.state is left
    assert record.outdated_by({left}, NOON + timedelta(seconds=5))  # so the next attempt does nothing
    claimed = claim(record, owner="two", now=NOON + timedelta(seconds=30), seconds=180, connecting=True)
    assert claimed.state is left


@pytest.mark.parametrize("ended", [State.DEFERRED, State.PARKED, State.CONNECTED])
def test_what_was_asked_for_after_the_account_came_back_counts(ended: State) -> None:
    record = advance(AccountRecord(key=KEY), told(State.EXCLUDED, sent=10, done=10))
    assert advance(record, told(ended, sent=15, done=20)).state is ended


def test_what_is_told_after_a_slow_removal_was_asked_for_counts() -> None:
    removed = told(State.DEPARTED, sent=5, done=60)
    for later in (State.EXCLUDED, State.DEPLOYING, State.DEPLOY_FAILED):
        assert advance(advance(AccountRecord(key=KEY), removed), told(later, sent=10, done=10)).state is later


def test_an_old_word_that_an_account_left_does_not_undo_a_newer_report() -> None:
    for newer in (State.DEPLOYING, State.DEPLOY_FAILED, State.CONNECTED, State.PARKED):
        record = advance(AccountRecord(key=KEY), told(newer, sent=20, done=20))
        assert advance(record, told(State.EXCLUDED, sent=10, done=10)).state is newer
