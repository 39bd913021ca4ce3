"""`rollcall status [ID]`: where every account stands, or one account's history."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live

from cli import bootstrap, queue_bootstrap
from cli.identifiers import known_key
from cli.output import RefusedError, console, words, write_json
from cli.status_output import Unbroken, all_page, one_page, roll_tables, summary
from shared.application.documents import entry_document, record_document
from shared.application.status import AccountStatus, RollStatus, Selected, account_status, roll_status
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, State
from shared.domain.links import links_of
from shared.errors import TransientError


def status(  # noqa: PLR0913, PLR0917 - the options of a command
    account: Annotated[
        str | None, typer.Argument(metavar="ID", help="a 12-digit AWS account id, or a GCP project's id or number")
    ] = None,
    provider: Annotated[Provider | None, typer.Option("--provider", help="only accounts of this cloud")] = None,
    state: Annotated[list[State] | None, typer.Option("--state", help="only accounts in it; may be repeated")] = None,
    ou: Annotated[
        str, typer.Option("--ou", metavar="PATH", help="only what is in this organizational unit, or folder, and below")
    ] = "",
    watch: Annotated[bool, typer.Option("--watch", help="show it again and again, until Ctrl-C")] = False,
    every: Annotated[float, typer.Option("--every", metavar="SECONDS", min=1, help="how often, with --watch")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Show where every account and project stands and how deep the queues are, or what happened to one of them.

    Examples: rollcall status · rollcall status --state parked --ou /Workloads · rollcall status 012345678901 --json ·
    rollcall status acme-shop-1
    """
    if watch and as_json:
        raise typer.BadParameter("one JSON document is not watched: leave out --json or --watch")
    if ou and not ou.startswith("/"):
        raise typer.BadParameter("an organizational unit's path begins with a slash", param_hint="--ou")
    selected = Selected(provider=provider, states=frozenset(state or ()), ou_path=ou)
    if account is not None and (state or ou):
        raise typer.BadParameter("--state and --ou choose among all accounts: leave out the ID")
    key = None if account is None else known_key(account, provider, bootstrap.ledger())
    if watch:
        _watch(key, selected, every)
    elif as_json:
        write_json(_document(key, selected))
    else:
        for part in _parts(key, selected):
            console.print(part, soft_wrap=isinstance(part, Unbroken))


def _parts(key: AccountKey | None, selected: Selected) -> Iterator[RenderableType]:
    width = console.width
    return one_page(_one(key), width) if key is not None else all_page(_all(selected), width, datetime.now(UTC))


def _document(key: AccountKey | None, selected: Selected) -> dict[str, Any]:
    return _one_json(_one(key)) if key is not None else _all_json(_all(selected))


def _all(selected: Selected) -> RollStatus:
    return roll_status(bootstrap.ledger(), selected, queue_bootstrap.queue_gauges(), queue_bootstrap.sweep_log())


def _one(key: AccountKey) -> AccountStatus:
    found = account_status(key, bootstrap.ledger())
    if found is None:
        identifier = key.hierarchy_identifier
        raise RefusedError(
            f"nothing is known about {identifier}", remedy="it was there a moment ago: see the deployment's ledger"
        )
    return found


def _watch(key: AccountKey | None, selected: Selected, every: float) -> None:
    """On a terminal in the same place, else one after the other; a moment without an answer is told and passes."""
    with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False, transient=False) as live:
        while True:
            try:
                page: RenderableType = Group(*_first_screen(key, selected))
            except TransientError as error:
                page = words(str(error), style="red")
            stamp = words(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, every {every:g} s; Ctrl-C ends it", style="dim")
            if console.is_terminal:
                live.update(Group(page, stamp), refresh=True)
            else:
                console.print(page, stamp)
            time.sleep(every)


def _first_screen(key: AccountKey | None, selected: Selected) -> Iterator[RenderableType]:
    """What of it fits a terminal: totals and queues always, accounts as far as there is room."""
    if key is not None:
        one = _one(key)
        newest = replace(one, history=one.history[-max(console.height - ROOM_ABOVE, 1) :])
        yield from one_page(newest, console.width)
        return
    found = _all(selected)
    room = max(console.height - len(found.queues) - ROOM_BELOW, 1)
    yield from roll_tables(found.records[:room], console.width)
    if left := len(found.records) - room if len(found.records) > room else 0:
        yield words(f"… and {left} more", style="dim")
    yield from summary(found, datetime.now(UTC))


ROOM_BELOW = 10
"""Lines of a screen that are no accounts and no queues."""
ROOM_ABOVE = 16
"""Lines of a screen that say how an account stands, some of them folded."""


def _all_json(found: RollStatus) -> dict[str, Any]:
    longest = found.longest_under_way
    return {
        "totals": found.totals,
        "totals_by_provider": found.totals_by_provider,
        "longest_under_way": record_document(longest) if longest else None,
        "queues": [asdict(depth) for depth in found.queues],
        "sweeps": [asdict(sweep) for sweep in found.sweeps],
        "sweeps_unread": found.sweeps_unread,
        "accounts": [record_document(record) for record in found.records],
    }


def _one_json(found: AccountStatus) -> dict[str, Any]:
    links = {"links": links_of(found.record)}
    return record_document(found.record) | links | {"history": [entry_document(entry) for entry in found.history]}
