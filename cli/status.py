"""`rollcall status [ID]`: where every account stands, or one account's history."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli import bootstrap
from cli.output import RefusedError, console, write_json
from shared.application.status import AccountStatus, RollStatus, account_status, roll_status
from shared.domain.accounts import Provider, is_account_id
from shared.domain.ledger import AccountKey, AccountRecord, HistoryEntry, State

STATE_STYLES = {
    State.CONNECTED: "green",
    State.EXCLUDED: "dim",
    State.DEPLOY_FAILED: "red",
    State.PARKED: "red",
    State.DEFERRED: "yellow",
}


def status(
    account: Annotated[str | None, typer.Argument(metavar="[ID]", help="a 12-digit AWS account id")] = None,
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
    internal = {"scheduled_message_id", "scheduled_attempt", "claimed_by", "claimed_until"}
    return {**key, **{name: value for name, value in flat.items() if name not in internal}}


def _entry_json(entry: HistoryEntry) -> dict[str, Any]:
    flat = asdict(entry)
    flat.pop("key")
    return flat


def _show_all(found: RollStatus, *, as_json: bool) -> None:
    if as_json:
        write_json({"totals": found.totals, "accounts": [record_json(record) for record in found.records]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("account", "name", "state", "since (UTC)", "reason"):
        table.add_column(column, overflow="fold" if column == "reason" else "ellipsis")
    for record in found.records:
        table.add_row(
            record.key.hierarchy_identifier,
            Text(record.name),
            state_text(record.state),
            moment(record.state_at),
            Text(record.reason),
        )
    console.print(table)
    console.print(" · ".join(f"{count} {state}" for state, count in found.totals.items()) or "no accounts yet")


def _show_one(found: AccountStatus, *, as_json: bool) -> None:
    record = found.record
    if as_json:
        history = [_entry_json(entry) for entry in found.history]
        write_json(record_json(record) | {"history": history})
        return
    console.print(Text.assemble((record.key.hierarchy_identifier, "bold"), "  ", record.name, "  ", record.ou_path))
    console.print(Text.assemble(state_text(record.state), " since ", moment(record.state_at)))
    for label, value in (("reason", record.reason), ("remedy", record.remedy), ("connector", record.connector_id)):
        if value:
            console.print(Text(f"{label}: {value}"), soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("time (UTC)", "step", "outcome", "reason"):
        table.add_column(column, overflow="fold")
    for entry in found.history:
        table.add_row(moment(entry.at), entry.step, str(entry.result), Text(entry.reason))
    console.print(table)


def state_text(state: State) -> Text:
    """A state in its colour."""
    return Text(str(state), style=STATE_STYLES.get(state, "cyan"))


def moment(at: datetime | None) -> str:
    """A time as people read it, to the second."""
    return at.strftime("%Y-%m-%d %H:%M:%S") if at else "-"
