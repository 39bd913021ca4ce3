"""`rollcall status` on terminals of any width: ids and states are never cut."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from cli.status import roll_table, waited
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, AccountRecord, State
from tests.fakes.clock import NOON


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
