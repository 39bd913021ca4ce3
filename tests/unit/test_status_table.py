"""`rollcall status` on terminals of any width: ids and states are never cut."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console, Group
from rich.text import Text

from cli.status import status
from cli.status_output import all_page, one_page, roll_table, summary, swept, waited
from cli.wording import age
from shared.application.ports import Ledger
from shared.application.status import AccountStatus, RollStatus, Selected, roll_status
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, AccountRecord, HistoryEntry, Result, State
from shared.domain.links import links_of
from shared.domain.queues import QueueDepth
from shared.domain.sweeps import Sweep
from shared.errors import TransientError
from tests.fakes.clock import NOON
from tests.fakes.ledger import FakeLedger, FakeSweepLog


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_ids_and_states_are_whole_and_no_line_is_too_long(width: int) -> None:
    screen = Console(width=width, file=io.StringIO())
    key = AccountKey(provider=Provider.AWS, hierarchy_identifier="012345678901")
    record = AccountRecord(
        key=key, name="a-name-of-many-words", state=State.DEPLOY_FAILED, state_at=NOON, reason="because " * 30
    )
    with screen.capture() as captured:
        screen.print(roll_table([record], width))
    shown = captured.get()
    assert "012345678901" in shown
    assert "deploy_failed" in shown
    assert max(len(line) for line in shown.splitlines()) <= width


def test_how_long_an_account_waited_is_said_where_it_is_known() -> None:
    key = AccountKey(provider=Provider.AWS, hierarchy_identifier="012345678901")
    joined = AccountRecord(key=key, joined_at=NOON)
    assert waited(joined) == ""
    assert waited(replace(joined, connected_at=NOON + timedelta(seconds=150.4))) == ", its connector came 0:02:30 later"
    assert waited(replace(joined, connected_at=NOON - timedelta(days=1))) == ""  # it came back since


KEYS = [AccountKey(provider=Provider.AWS, hierarchy_identifier=f"{number:012d}") for number in range(4)]


def ledger_of(*records: AccountRecord) -> Ledger:
    class Listed(FakeLedger):
        def list_records(self, between: tuple[AccountKey, AccountKey] | None = None) -> Iterator[AccountRecord]:
            return iter(records)

    return Listed()


RECORDS = (
    AccountRecord(key=KEYS[2], state=State.CONNECTED, state_at=NOON, ou_path="/Workloads/Prod"),
    AccountRecord(key=KEYS[0], state=State.DEFERRED, state_at=NOON - timedelta(hours=3), ou_path="/Workloads"),
    AccountRecord(key=KEYS[1], state=State.DEPLOYING, state_at=NOON - timedelta(hours=2), ou_path="/WorkloadsOld"),
    AccountRecord(key=KEYS[3], state=State.PARKED, state_at=NOON - timedelta(days=9), ou_path="/"),
)


def test_totals_and_the_account_that_has_been_on_its_way_for_longest() -> None:
    found = roll_status(ledger_of(*RECORDS))
    assert [record.key for record in found.records] == KEYS
    assert found.totals == {State.DEPLOYING: 1, State.DEFERRED: 1, State.CONNECTED: 1, State.PARKED: 1}
    assert found.longest_under_way == RECORDS[1]
    assert roll_status(ledger_of(RECORDS[0], RECORDS[3])).longest_under_way is None


@pytest.mark.parametrize(
    ("selected", "numbers"),
    [
        (Selected(), [0, 1, 2, 3]),
        (Selected(provider=Provider.GCP), []),
        (Selected(states=frozenset({State.PARKED, State.DEFERRED})), [0, 3]),
        (Selected(ou_path="/Workloads"), [0, 2]),
        (Selected(ou_path="/Workloads/"), [0, 2]),
        (Selected(ou_path="/"), [0, 1, 2, 3]),
        (Selected(ou_path="/Workloads", states=frozenset({State.CONNECTED})), [2]),
    ],
)
def test_which_accounts_are_meant(selected: Selected, numbers: list[int]) -> None:
    found = roll_status(ledger_of(*RECORDS), selected)
    assert [record.key for record in found.records] == [KEYS[number] for number in numbers]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0m 0s"), (61, "1m 1s"), (3600, "1h 0m"), (90061, "1d 1h"), (-5, "0m 0s")]
)
def test_an_age_has_two_units(seconds: int, text: str) -> None:
    assert age(NOON - timedelta(seconds=seconds), NOON) == text
    assert age(None, NOON) == "-"


@pytest.mark.parametrize("width", [60, 80, 160])
def test_both_pages_fit_the_terminal(width: int) -> None:
    screen = Console(width=width, file=io.StringIO())
    depths = (
        QueueDepth(name="onboarding", waiting=3, oldest_at=NOON),
        QueueDepth(name="onboarding-poison", waiting=1, given_up=True),
        QueueDepth(name="account-events-dead-letters", problem="no right to look " * 9),
    )
    entry = HistoryEntry(
        key=KEYS[0],
        at=NOON,
        step="connect:deployed",
        result=Result.DEFERRED,
        message_id="m",
        attempt=0,
        correlation_id="c",
        reason="because " * 20,
        remedy="do it",
    )
    with screen.capture() as captured:
        screen.print(Group(*all_page(RollStatus(records=RECORDS, queues=depths), width, NOON)))
        screen.print(
            Group(*one_page(AccountStatus(record=replace(RECORDS[0], correlation_id="c-1"), history=(entry,)), width))
        )
    shown = captured.get()
    for said in ("onboarding-poison", "longest under way: 000000000000, deferred for 3h 0m", "→ do it", "c-1"):
        assert said in shown
    assert max(len(line) for line in shown.splitlines()) <= width


def test_links_lead_to_the_connector_and_the_stack_sets() -> None:
    assert links_of(replace(RECORDS[0], connector_id="/subscriptions/s/x"))["portal"].endswith(
        "#resource/subscriptions/s/x"
    )
    assert links_of(RECORDS[0]).keys() == {"cloudformation"}
    project = AccountKey(provider=Provider.GCP, hierarchy_identifier="123")
    assert links_of(AccountRecord(key=project)) == {}


def test_a_table_in_parts_is_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown() -> str:
        screen = Console(width=80, file=io.StringIO())
        with screen.capture() as captured:
            for part in all_page(RollStatus(records=RECORDS), 80, NOON):
                screen.print(part)
        return captured.get()

    whole = shown()
    monkeypatch.setattr("cli.status_output.ROWS_AT_ONCE", 3)
    assert shown() == whole
    assert whole.count("account ") == 1


def test_what_is_copied_is_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(width=40, file=io.StringIO())
    connected = replace(RECORDS[0], connector_id="/subscriptions/s/" + "x" * 90)
    monkeypatch.setattr("cli.status.console", screen)
    monkeypatch.setattr("cli.status.bootstrap.ledger", FakeLedger)
    monkeypatch.setattr("cli.status.known_key", lambda *_: connected.key)
    monkeypatch.setattr("cli.status.account_status", lambda *_: AccountStatus(record=connected, history=()))
    with screen.capture() as captured:
        status(KEYS[2].hierarchy_identifier)
    lines = captured.get().splitlines()
    assert f"connector: {connected.connector_id}" in lines
    assert f"portal: {links_of(connected)['portal']}" in lines


def test_the_last_sweep_is_told_and_one_that_is_overdue_or_unread_is_red() -> None:
    sweep = Sweep(name="rewrap_poison", at=NOON - timedelta(hours=3), seen=7, failed=0)
    found = roll_status(ledger_of(), sweeps=FakeSweepLog(sweep, replace(sweep, name="other", failed=2)))
    assert swept(found, NOON) == (
        "last sweep: rewrap_poison 3h 0m ago, 7 looked at; other 3h 0m ago, 7 looked at, 2 failed"
    )
    assert swept(roll_status(ledger_of(), sweeps=FakeSweepLog()), NOON) == "last sweep: none yet"
    broken = FakeSweepLog()
    broken.failures.plan("list_last", TransientError("TableNotFound"))
    unread = roll_status(ledger_of(*RECORDS), sweeps=broken)
    assert (swept(unread, NOON), len(unread.records)) == ("last sweep: cannot be told: TableNotFound", 4)
    late = RollStatus(records=(), sweeps=(replace(sweep, at=NOON - timedelta(days=3)),))
    styles = [str(part.style) for part in summary(late, NOON) if isinstance(part, Text)]
    assert "red" in styles
    assert "red" not in [str(part.style) for part in summary(found, NOON) if isinstance(part, Text)]


@pytest.mark.parametrize("terminal", [True, False])
def test_watching_shows_it_again_and_tells_a_moment_without_an_answer(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    screen = Console(width=80, height=30, file=io.StringIO(), force_terminal=terminal)
    first, last = RollStatus(records=RECORDS), RollStatus(records=RECORDS[:1])
    answers: Iterator[RollStatus | TransientError] = iter([first, TransientError("no answer"), last])

    def looked(_: Selected) -> RollStatus:
        found = next(answers, None)
        if found is None:
            raise KeyboardInterrupt
        if isinstance(found, TransientError):
            raise found
        return found

    slept: list[float] = []
    monkeypatch.setattr("cli.status.console", screen)
    monkeypatch.setattr("cli.status._all", looked)
    monkeypatch.setattr("cli.status.time.sleep", slept.append)
    status(watch=True, every=7.0)
    shown = screen.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert slept == [7.0, 7.0, 7.0]
    for said in ("1 parked", "no answer", "every 7 s; Ctrl-C ends it"):
        assert said in shown
    assert ("\x1b[" in shown) is terminal
