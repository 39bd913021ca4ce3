"""`rollcall status [ID]`: where every account stands, or one account's history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli import bootstrap
from cli.output import RefusedError, console, words, write_json
from shared.application.status import AccountStatus, RollStatus, account_status, roll_status
from shared.domain.accounts import Provider, is_account_id
from shared.domain.ledger import AccountKey, AccountRecord, HistoryEntry, State

ID_WIDTH, STATE_WIDTH, TIME_WIDTH, GAP = 12, 13, 19, 2
LEAST_ROOM = 6  # for reasons; a terminal narrower than that shows no times
STATE_STYLES = {
    State.CONNECTED: "green",
    State.EXCLUDED: "dim",
    State.DEPARTED: "dim",
    State.DEPLOY_FAILED: "red",
    State.PARKED: "red",
    State.DEFERRED: "yellow",
}
ROOM_FOR_REASONS = 120


def status(
    account: Annotated[str | None, typer.Argument(metavar="ID", help="a 12-digit AWS account id")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Show where every account stands, or what happened to one.

    Examples: rollcall status · rollcall status 012345678901 --json
    """
    if account is None:
        _show_all(roll_status(bootstrap.ledger()), as_json=as_json)
        return
    key = account_key(account)
    found = account_status(key, bootstrap.ledger())
    if found is None:
        raise RefusedError(f"nothing is known about {account}", remedy=f"ask for it with `rollcall onboard {account}`")
    _show_one(found, as_json=as_json)


def account_key(text: str) -> AccountKey:
    """The key of an account given on the command line. Raises typer.BadParameter."""
    if not is_account_id(text):
        raise typer.BadParameter(f"{text!r} is no AWS account id: twelve digits, leading zeros included")
    return AccountKey(provider=Provider.AWS, hierarchy_identifier=text)


def record_json(record: AccountRecord) -> dict[str, Any]:
    """An account's line as JSON."""
    flat = asdict(record)
    key = flat.pop("key")
    internal = {
        "scheduled_message_id",
        "scheduled_attempt",
        "scheduled_at",
        "scheduled_slot",
        "claimed_by",
        "claimed_until",
    }
    return {**key, **{name: value for name, value in flat.items() if name not in internal}}


def entry_json(entry: HistoryEntry) -> dict[str, Any]:
    """A line of an account's history as JSON."""
    flat = asdict(entry)
    flat.pop("key")
    return flat


def _show_all(found: RollStatus, *, as_json: bool) -> None:
    if as_json:
        write_json({"totals": found.totals, "accounts": [record_json(record) for record in found.records]})
        return
    console.print(roll_table(found.records, console.width))
    console.print(" · ".join(f"{count} {state}" for state, count in found.totals.items()) or "no accounts yet")


def roll_table(records: Sequence[AccountRecord], width: int) -> Table:
    """A line for each account, in `width` columns; ids and states are never cut."""
    names = min(16, max([4, *(len(record.name) for record in records)]))
    room = width - (ID_WIDTH + names + STATE_WIDTH + 3 * GAP)
    timed = room >= LEAST_ROOM + TIME_WIDTH + GAP
    room -= TIME_WIDTH + GAP if timed else 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("account", no_wrap=True, width=ID_WIDTH)
    table.add_column("name", no_wrap=True, overflow="ellipsis", width=names)
    table.add_column("state", no_wrap=True, width=STATE_WIDTH)
    if timed:
        table.add_column("since (UTC)", no_wrap=True, width=TIME_WIDTH)
    wide = width >= ROOM_FOR_REASONS  # elsewhere one line each: `status ID` has the whole reason
    table.add_column("reason", no_wrap=not wide, overflow="fold" if wide else "ellipsis", width=max(room, 1))
    for record in records:
        table.add_row(
            words(record.key.hierarchy_identifier),
            words(record.name),
            state_text(record.state),
            *([moment(record.state_at)] if timed else []),
            words(record.reason),
        )
    return table


def _show_one(found: AccountStatus, *, as_json: bool) -> None:
    record = found.record
    if as_json:
        history = [entry_json(entry) for entry in found.history]
        write_json(record_json(record) | {"history": history})
        return
    identifier = words(record.key.hierarchy_identifier, style="bold")
    console.print(Text.assemble(identifier, "  ", words(record.name), "  ", words(record.ou_path)))
    console.print(Text.assemble(state_text(record.state), " since ", moment(record.state_at)))
    if record.joined_at:
        console.print(words(f"joined: {moment(record.joined_at)}{waited(record)}"))
    for label, value in (("reason", record.reason), ("remedy", record.remedy), ("connector", record.connector_id)):
        if value:
            console.print(words(f"{label}: {value}"), soft_wrap=label == "connector")
    console.print(history_table(found.history))


def history_table(history: Sequence[HistoryEntry]) -> Table:
    """A line for everything that happened to an account, in the order given."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("time (UTC)", "step", "outcome"):
        table.add_column(column, no_wrap=True)
    table.add_column("reason", overflow="fold")
    for entry in history:
        table.add_row(moment(entry.at), words(entry.step), str(entry.result), words(entry.reason))
    return table


def waited(record: AccountRecord) -> str:
    """How long the account was in the organization when its connector was made."""
    if record.joined_at is None or record.connected_at is None or record.connected_at < record.joined_at:
        return ""
    whole = timedelta(seconds=round((record.connected_at - record.joined_at).total_seconds()))
    return f", its connector came {whole} later"


def state_text(state: State) -> Text:
    """A state in its colour."""
    return Text(str(state), style=STATE_STYLES.get(state, "cyan"))


def moment(at: datetime | None) -> str:
    """A time as people read it, to the second."""
    return at.strftime("%Y-%m-%d %H:%M:%S") if at else "-"
