"""What people see: text from outside is shown as it is, and obeyed by nobody."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import onboard as onboard_command
from cli import status_output
from cli.demo.trace import Step, Trace
from cli.demo.view import connector_table, walk_table
from cli.main import app
from cli.output import words
from cli.replay_output import messages_table
from shared.application.replay_ports import GivenUp, Taken
from shared.application.status import AccountStatus, RollStatus
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, AccountRecord, HistoryEntry, Result, State
from shared.domain.queues import QueueDepth
from tests.fakes.clock import NOON
from tests.fixtures.read import ACCOUNT_ID

KEY = AccountKey(provider=Provider.AWS, hierarchy_identifier=ACCOUNT_ID)
HOSTILE = "[/red] [link=https://example.org]x\x1b[2J\u202e\nstate: connected"
SHOWN = "[/red] [link=https://example.org]x\\x1b[2J\\u202e\\nstate: connected"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    printed = io.StringIO()
    monkeypatch.setattr(onboard_command, "console", Console(file=printed, width=400))
    return printed


def hostile_record() -> AccountRecord:
    return AccountRecord(key=KEY, state=State.PARKED, name=HOSTILE, ou_path=HOSTILE, reason=HOSTILE, remedy=HOSTILE)


@pytest.mark.parametrize("text", ["[bold]", "a[/x]b", "\x07\x1b]0;title\x07", "\u200f", "\r", "plain – ünïcode"])
def test_words_keep_markup_as_text_and_let_no_control_character_through(text: str) -> None:
    shown = words(text).plain
    assert shown.isprintable()
    assert shown == text or not text.isprintable()


def test_our_own_lines_are_kept_where_they_are_wanted() -> None:
    assert words("one\ntwo\x1b", lines=True).plain == "one\ntwo\\x1b"


def test_every_view_of_the_ledger_shows_hostile_text_as_text(screen: io.StringIO) -> None:
    entry = HistoryEntry(
        key=KEY,
        at=datetime(2026, 6, 1, tzinfo=UTC),
        step=HOSTILE,
        result=Result.PARKED,
        message_id="m",
        attempt=0,
        correlation_id="c",
        reason=HOSTILE,
    )
    depth = QueueDepth(name=HOSTILE, problem=HOSTILE)
    now = datetime(2026, 6, 2, tzinfo=UTC)
    wide = Console(file=screen, width=400)
    wide.print(*status_output.all_page(RollStatus(records=(hostile_record(),), queues=(depth,)), 400, now))
    wide.print(*status_output.one_page(AccountStatus(record=hostile_record(), history=(entry,)), 200))
    assert "\x1b" not in screen.getvalue()
    assert screen.getvalue().count(SHOWN) >= 7


def test_the_end_that_onboard_waited_for_is_shown_as_text(screen: io.StringIO) -> None:
    onboard_command.show_end(hostile_record())
    assert SHOWN in screen.getvalue()


def test_connectors_of_resource_manager_are_shown_as_text(screen: io.StringIO) -> None:
    properties = {"hierarchyIdentifier": ACCOUNT_ID, "offerings": []}
    table = connector_table([{"name": HOSTILE, "location": "[/]", "properties": properties}], lambda _: HOSTILE)
    Console(file=screen, width=400).print(table)
    assert SHOWN in screen.getvalue()


def walked(provider: Provider, name: str, place: str, state: State) -> Trace:
    key, born = AccountKey(provider=provider, hierarchy_identifier="100000000042"), datetime(2026, 6, 1, tzinfo=UTC)
    record = AccountRecord(key=key, state=state, name=name, ou_path=place)
    steps = {step: born + timedelta(seconds=90 + number) for number, step in enumerate(Step)}
    return Trace(name=name, key=key, started_at=born, steps=steps, record=record)


def test_the_demo_s_table_tells_everything_within_80_columns() -> None:
    printed = io.StringIO()
    account = walked(Provider.AWS, "broken-crm", "/Workloads/Production", State.DEPLOY_FAILED)
    project = walked(Provider.GCP, "sys-26051990481700000000000001", "/Shops/North", State.CONNECTED)
    Console(file=printed, width=80).print(walk_table([account, project], 80))
    headings, first, second = printed.getvalue().splitlines()
    assert headings.split() == ["name", "place", "event", "deploy", "roles", "queue", "connect", "state"]
    assert first.split()[:3] + first.split()[-2:] == ["aws", "broken-crm", "…/Production", "95.0s", "deploy_failed"]
    assert second.split()[:3] + second.split()[-2:] == ["gcp", "sys-26051990…", "/Shops/North", "95.0s", "connected"]
    assert max(map(len, (headings, first, second))) <= 80


def test_in_a_narrow_terminal_the_demo_s_table_keeps_seconds_and_states_whole() -> None:
    printed = io.StringIO()
    project = walked(Provider.GCP, "sys-26051990481700000000000001", "/Shops/North", State.DEPLOY_FAILED)
    Console(file=printed, width=60).print(walk_table([project], 60))
    headings, row = printed.getvalue().splitlines()
    assert headings.split() == ["name", "event", "deploy", "roles", "queue", "connect", "state"]
    assert row.split() == ["gcp", "sys-2605…", "91.0s", "92.0s", "93.0s", "94.0s", "95.0s", "deploy_failed"]


def test_the_commands_are_told_in_whole_sentences() -> None:
    _, commands = CliRunner().invoke(app, ["--help"]).output.split("Commands:")
    assert "status" in commands
    assert "..." not in commands


def test_hostile_names_and_places_are_text_in_the_demo_s_table() -> None:
    printed = io.StringIO()
    Console(file=printed, width=400).print(walk_table([walked(Provider.GCP, HOSTILE, HOSTILE, State.EXCLUDED)], 400))
    assert "\x1b" not in printed.getvalue()
    assert "[/red] [link" in printed.getvalue()


@pytest.mark.parametrize("width", [60, 80, 140])
def test_given_up_messages_are_told_whole_in_any_terminal(width: int) -> None:
    taken = Taken(message_id="5f0c1a2b-0000", text="", receipt="")
    message = GivenUp(
        queue="onboarding-poison",
        taken=taken,
        body=None,
        reason_class="duplicate-connector",
        reason="because " * 20,
        key=AccountKey(provider=Provider.AWS, hierarchy_identifier="012345678901"),
    )
    screen = io.StringIO()
    Console(file=screen, width=width).print(messages_table([message], width, NOON))
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    for word in ("5f0c1a2b", "012345678901", "duplicate-connector"):
        assert any(word in line for line in lines)
    assert ("because" in screen.getvalue()) is (width >= 80)
    assert "…" not in lines[0]
