"""Which kind of reason stands behind a given-up message, whether it still does, and which messages are meant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, AccountRecord, State
from shared.domain.replay import Described, Evidence, Prospect, Wanted, diagnose, reason_class

KEY = AccountKey(provider=Provider.AWS, hierarchy_identifier="012345678901")
AT = datetime(2026, 3, 1, tzinfo=UTC)
LATER = AT + timedelta(minutes=1)
MESSAGE = Described(
    message_id="5f0c1a2b-1",
    names=frozenset({KEY.hierarchy_identifier}),
    provider=KEY.provider,
    reason_class="other",
    since=AT,
)
OPEN = Evidence(
    fault="",
    was_unreadable=False,
    asks_connector=True,
    record=None,
    given_up_at=AT,
    excluded="",
    policy_changed=False,
)


@pytest.mark.parametrize(
    ("readable", "reason", "remedy", "expected"),
    [
        (False, "", "", "unreadable-message"),
        (False, "x", "Do it. Runbook: scope-locked.", "unreadable-message"),
        (True, "", "", "given-up"),
        (True, "x", "Do it. Runbook: scope-locked.", "scope-locked"),
        (True, "x", "First. Runbook: a-note. Then. Runbook: scope-locked.", "scope-locked"),
        (True, "tried for 72 hours; last: x", "Do it.", "retry-budget-spent"),
        (True, "tried for 72 hours; last: x", "Do it. Runbook: scope-locked.", "scope-locked"),
        (True, "x", "Do it.", "other"),
    ],
)
def test_the_kind_of_reason(readable: bool, reason: str, remedy: str, expected: str) -> None:
    assert reason_class(readable=readable, reason=reason, remedy=remedy) == expected


def record(state: State, at: datetime | None = LATER) -> AccountRecord:
    return AccountRecord(key=KEY, state=state, state_at=at, reason="so it is")


@pytest.mark.parametrize(
    ("evidence", "prospect", "said"),
    [
        (OPEN, Prospect.UNKNOWN, "nothing here tells"),
        (replace(OPEN, fault="half"), Prospect.REMAINS, "half"),
        (replace(OPEN, fault="half", was_unreadable=True), Prospect.REMAINS, "half"),
        (replace(OPEN, was_unreadable=True), Prospect.GONE, "can be read"),
        (replace(OPEN, record=record(State.DEPARTED)), Prospect.MOOT, "departed: so it is"),
        (replace(OPEN, record=record(State.OFFBOARDED)), Prospect.MOOT, "offboarded"),
        (replace(OPEN, record=record(State.CONNECTED)), Prospect.MOOT, "connected"),
        (replace(OPEN, record=record(State.CONNECTED, AT)), Prospect.UNKNOWN, "nothing here tells"),
        (replace(OPEN, record=record(State.PARKED)), Prospect.UNKNOWN, "nothing here tells"),
        (replace(OPEN, record=record(State.DEPARTED), asks_connector=False), Prospect.UNKNOWN, "nothing"),
        (replace(OPEN, excluded="its unit"), Prospect.MOOT, "its unit"),
        (replace(OPEN, excluded="its unit", asks_connector=False), Prospect.UNKNOWN, "nothing"),
        (replace(OPEN, policy_changed=True), Prospect.UNKNOWN, "the policy has changed"),
    ],
)
def test_what_became_of_the_cause(evidence: Evidence, prospect: Prospect, said: str) -> None:
    found = diagnose(evidence)
    assert found.prospect is prospect
    assert said in found.why


@pytest.mark.parametrize(
    ("wanted", "covered"),
    [
        (Wanted(), True),
        (Wanted(message_ids=frozenset({"5f0c1a2b"})), True),
        (Wanted(message_ids=frozenset({"5f0c1a2c"})), False),
        (Wanted(account="012345678901"), True),
        (Wanted(account="012345678902"), False),
        (Wanted(provider=Provider.AWS), True),
        (Wanted(provider=Provider.GCP), False),
        (Wanted(reason_class="other"), True),
        (Wanted(reason_class="given-up"), False),
        (Wanted(older_than=AT), True),
        (Wanted(older_than=AT - timedelta(seconds=1)), False),
        (Wanted(newer_than=AT), True),
        (Wanted(newer_than=LATER), False),
    ],
)
def test_which_messages_are_meant(wanted: Wanted, covered: bool) -> None:
    assert wanted.covers(MESSAGE) is covered


def test_a_message_without_account_or_age_is_of_no_account_and_no_age() -> None:
    for wanted in (Wanted(account="012345678901"), Wanted(provider=Provider.AWS)):
        assert not wanted.covers(replace(MESSAGE, names=frozenset(), provider=None))
    for wanted in (Wanted(older_than=LATER), Wanted(newer_than=AT)):
        assert not wanted.covers(replace(MESSAGE, since=None))
