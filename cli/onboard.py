"""`rollcall onboard ID`: asks for one account's connector, by the door through which events come."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import bootstrap
from cli.output import FOUND, RefusedError, console, progress, words, write_json
from cli.status import account_key
from cli.wording import state_text
from shared.application.documents import record_document
from shared.application.request_onboarding import AdoptPorts, adopt, request_onboarding, wait_until_settled
from shared.domain.ledger import AccountRecord, State


def onboard(
    account: Annotated[str, typer.Argument(metavar="ID", help="a 12-digit AWS account id")],
    wait_seconds: Annotated[
        float, typer.Option("--wait", min=0, help="seconds to wait for the end; 0 returns at once")
    ] = 300.0,
    adopt_theirs: Annotated[
        bool, typer.Option("--adopt", help="take over the account's connector that somebody else made")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Bring one account to the state that the policy asks for, and wait for the end.

    The account takes the same path as a new one, so doing it twice changes nothing.
    With --adopt a connector that is not ours gets our tag first; the merge keeps what the policy does not say.
    Examples: rollcall onboard 012345678901 · rollcall onboard 012345678901 --adopt
    """
    key = account_key(account)
    if adopt_theirs:
        ports = AdoptPorts(snapshot=bootstrap.snapshot(), connectors=bootstrap.connectors())
        adopted = adopt(key, bootstrap.policy(), ports)
        progress.print(words(f"adopted {adopted.connector_id}" if adopted else "no connector of another's to adopt"))
    before = bootstrap.ledger().find(key)
    event_id = request_onboarding(key, bootstrap.event_bus())
    if wait_seconds == 0:
        _say_requested(account, event_id, as_json=as_json)
        return
    with progress.status(f"waiting for {account}"):
        record = wait_until_settled(key, before, bootstrap.wait_ports(), timeout_seconds=wait_seconds)
    if record is None:
        raise RefusedError(
            f"{account} did not settle within {wait_seconds:g} s",
            remedy=f"see `rollcall status {account}`"
            if bootstrap.ledger().find(key)
            else "nothing is known about it yet: see whether the organization lists it, then `event_failed` in the log "
            "of the function account-events",
        )
    if as_json:
        write_json({"event_id": event_id, **record_document(record)})
    else:
        show_end(record)
    if record.state not in {State.CONNECTED, State.EXCLUDED, State.DEPARTED}:
        raise typer.Exit(FOUND)


def show_end(record: AccountRecord) -> None:
    """Where the account ended: its connector, or the reason why it has none."""
    console.print(state_text(record.state), words(record.connector_id or record.reason), soft_wrap=True)
    if record.remedy and not record.connector_id:
        console.print(words(f"remedy: {record.remedy}"))


def _say_requested(account: str, event_id: str, *, as_json: bool) -> None:
    if as_json:
        write_json({"event_id": event_id, "hierarchy_identifier": account})
    else:
        console.print(words(f"requested as event {event_id}"))
