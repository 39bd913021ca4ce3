"""`rollcall status [ID]`: where every account stands, or one account's history."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli import bootstrap, queue_bootstrap
from cli.output import RefusedError, console, words, write_json
from cli.wording import age, moment, state_text
from shared.application.documents import entry_document, record_document
from shared.application.status import AccountStatus, QueueDepth, RollStatus, Selected, account_status, roll_status
from shared.domain.accounts import Provider, is_account_id
from shared.domain.ledger import AccountKey, AccountRecord, HistoryEntry, State
from shared.errors import TransientError

ID_WIDTH, STATE_WIDTH, TIME_WIDTH, GAP = 12, 13, 19, 2
LEAST_ROOM = 6  # for reasons; a terminal narrower than that shows no times
ROOM_FOR_REASONS = 120


def status(  # noqa: PLR0913, PLR0917 - the options of a command
    account: Annotated[str | None, typer.Argument(metavar="ID", help="a 12-digit AWS account id")] = None,
    provider: Annotated[Provider | None, typer.Option("--provider", help="only accounts of this cloud")] = None,
    state: Annotated[list[State] | None, typer.Option("--state", help="only accounts in it; may be repeated")] = None,
    ou: Annotated[
        str, typer.Option("--ou", metavar="PATH", help="only accounts in this organizational unit and below")
    ] = "",
    watch: Annotated[bool, typer.Option("--watch", help="show it again and again, until Ctrl-C")] = False,
    every: Annotated[float, typer.Option("--every", metavar="SECONDS", min=1, help="how often, with --watch")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Show where every account stands and how deep the queues are, or what happened to one account.

    Examples: rollcall status · rollcall status --state parked --ou /Workloads · rollcall status 012345678901 --json
    """
    if watch and as_json:
        raise typer.BadParameter("one JSON document is not watched: leave out --json or --watch")
    if ou and not ou.startswith("/"):
        raise typer.BadParameter("an organizational unit's path begins with a slash", param_hint="--ou")
    selected = Selected(provider=provider, states=frozenset(state or ()), ou_path=ou)
    key = None if account is None else account_key(account)
    if key is not None and selected != Selected():
        raise typer.BadParameter("--provider, --state and --ou choose among all accounts: leave out the ID")
    if watch:
        _watch(key, selected, every)
    elif as_json:
        write_json(_document(key, selected))
    else:
        for part in _parts(key, selected):
            console.print(part, soft_wrap=isinstance(part, Unbroken))


def _parts(key: AccountKey | None, selected: Selected) -> Iterator[RenderableType]:
    return one_page(_one(key)) if key is not None else all_page(_all(selected), console.width, datetime.now(UTC))


def _document(key: AccountKey | None, selected: Selected) -> dict[str, Any]:
    return _one_json(_one(key)) if key is not None else _all_json(_all(selected))


def _all(selected: Selected) -> RollStatus:
    return roll_status(bootstrap.ledger(), selected, queue_bootstrap.queue_gauges(), queue_bootstrap.sweep_log())


def _one(key: AccountKey) -> AccountStatus:
    found = account_status(key, bootstrap.ledger())
    if found is None:
        identifier = key.hierarchy_identifier
        raise RefusedError(
            f"nothing is known about {identifier}", remedy=f"ask for it with `rollcall onboard {identifier}`"
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


def account_key(text: str) -> AccountKey:
    """The key of an account given on the command line. Raises typer.BadParameter."""
    if not is_account_id(text):
        raise typer.BadParameter(f"{text!r} is no AWS account id: twelve digits, leading zeros included")
    return AccountKey(provider=Provider.AWS, hierarchy_identifier=text)


def _first_screen(key: AccountKey | None, selected: Selected) -> Iterator[RenderableType]:
    """What of it fits a terminal: totals and queues always, accounts as far as there is room."""
    if key is not None:
        one = _one(key)
        newest = replace(one, history=one.history[-max(console.height - ROOM_ABOVE, 1) :])
        yield from one_page(newest)
        return
    found = _all(selected)
    room = max(console.height - len(found.queues) - ROOM_BELOW, 1)
    yield roll_table(found.records[:room], console.width)
    if left := len(found.records) - room if len(found.records) > room else 0:
        yield words(f"… and {left} more", style="dim")
    yield from summary(found, datetime.now(UTC))


ROOM_BELOW = 8
"""Lines of a screen that are no accounts and no queues."""
ROOM_ABOVE = 16
"""Lines of a screen that say how an account stands, some of them folded."""
ROWS_AT_ONCE = 500
"""Rows of a table that are laid out together: all of 50,000 would need gigabytes."""


def _all_json(found: RollStatus) -> dict[str, Any]:
    longest = found.longest_under_way
    return {
        "totals": found.totals,
        "longest_under_way": record_document(longest) if longest else None,
        "queues": [asdict(depth) for depth in found.queues],
        "sweeps": [asdict(sweep) for sweep in found.sweeps],
        "sweeps_unread": found.sweeps_unread,
        "accounts": [record_document(record) for record in found.records],
    }


def all_page(found: RollStatus, width: int, now: datetime) -> Iterator[RenderableType]:
    """Every account's line, a part of the table at a time, the totals, and the queues."""
    names = _names_width(found.records)
    for first in range(0, max(len(found.records), 1), ROWS_AT_ONCE):
        yield roll_table(found.records[first : first + ROWS_AT_ONCE], width, names=names, head=first == 0)
    yield from summary(found, now)


def summary(found: RollStatus, now: datetime) -> Iterator[RenderableType]:
    """The totals, who has been under way for longest, and the queues."""
    yield Text(" · ".join(f"{count} {state}" for state, count in found.totals.items()) or "no accounts yet")
    if longest := found.longest_under_way:
        who = f"{longest.key.hierarchy_identifier} {longest.name}".strip()
        yield words(f"longest under way: {who}, {longest.state} for {age(longest.state_at, now)}")
    yield words(swept(found, now), style="red" if found.sweeps_unread or _is_overdue(found, now) else "")
    if found.queues:
        yield Text("")
        yield queues_table(found.queues, now)


def swept(found: RollStatus, now: datetime) -> str:
    """When everything was swept last, in a line."""
    if found.sweeps_unread:
        return f"last sweep: cannot be told: {found.sweeps_unread}"
    each = [
        f"{sweep.name} {age(sweep.at, now)} ago, {sweep.seen} looked at"
        + (f", {sweep.failed} failed" if sweep.failed else "")
        for sweep in found.sweeps
    ]
    return f"last sweep: {'; '.join(each) or 'none yet'}"


def _is_overdue(found: RollStatus, now: datetime) -> bool:
    return any(now - sweep.at > timedelta(days=2) for sweep in found.sweeps)


def queues_table(queues: Sequence[QueueDepth], now: datetime) -> Table:
    """A line for each queue; those that wait for a person are red where they hold something."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("queue", no_wrap=True)
    table.add_column("messages", no_wrap=True, justify="right")
    table.add_column("first waits for", overflow="fold")
    for depth in queues:
        alarming = depth.given_up and depth.waiting
        table.add_row(
            words(depth.name),
            "-" if depth.waiting is None else str(depth.waiting),
            words(depth.problem) if depth.problem else age(depth.oldest_at, now),
            style="red" if alarming or depth.problem else "",
        )
    return table


def _names_width(records: Sequence[AccountRecord]) -> int:
    return max(4, min(16, max((len(record.name) for record in records), default=4)))


def roll_table(records: Sequence[AccountRecord], width: int, *, names: int | None = None, head: bool = True) -> Table:
    """A line for each account, in `width` columns; ids and states are never cut. `names` is the room for a name."""
    names = _names_width(records) if names is None else names
    room = width - (ID_WIDTH + names + STATE_WIDTH + 3 * GAP)
    timed = room >= LEAST_ROOM + TIME_WIDTH + GAP
    room -= TIME_WIDTH + GAP if timed else 0
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=head)
    table.add_column("account", no_wrap=True, width=ID_WIDTH)
    table.add_column("name", no_wrap=True, overflow="ellipsis", width=names)
    table.add_column("state", no_wrap=True, width=STATE_WIDTH)
    if timed:
        table.add_column("since (UTC)", no_wrap=True, width=TIME_WIDTH)
    room = min(room, max([LEAST_ROOM, *(len(words(record.reason)) for record in records)]))  # into a file: no padding
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


def _one_json(found: AccountStatus) -> dict[str, Any]:
    links = {"links": links_of(found.record)}
    return record_document(found.record) | links | {"history": [entry_document(entry) for entry in found.history]}


def one_page(found: AccountStatus) -> Iterator[RenderableType]:
    """An account's line and the time line of what happened to it."""
    record = found.record
    identifier = words(record.key.hierarchy_identifier, style="bold")
    yield Text.assemble(identifier, "  ", words(record.name), "  ", words(record.ou_path))
    yield Text.assemble(state_text(record.state), " since ", moment(record.state_at))
    if record.joined_at:
        yield words(f"joined: {moment(record.joined_at)}{waited(record)}")
    told = {
        "reason": record.reason,
        "remedy": record.remedy,
        "correlation id": record.correlation_id,
        "connector": record.connector_id,
        **links_of(record),
    }
    for label, value in told.items():
        if value:
            line = words(f"{label}: {value}")
            yield Unbroken(line.plain) if label in _WHOLE else line
    yield history_table(found.history)


_WHOLE = {"connector", "portal", "cloudformation"}


class Unbroken(Text):
    """Text that is copied as a whole: the terminal may fold it, we do not."""


def links_of(record: AccountRecord) -> dict[str, str]:
    """Where people look at the connector, and at the StackSet on AWS's side."""
    links = {}
    if record.connector_id:
        links["portal"] = f"https://portal.azure.com/#resource{record.connector_id}"
    if record.key.provider is Provider.AWS:
        links["cloudformation"] = (
            f"https://{STACK_SET_REGION}.console.aws.amazon.com/cloudformation/home"
            f"?region={STACK_SET_REGION}#/stacksets"
        )
    return links


STACK_SET_REGION = "us-east-1"


def history_table(history: Sequence[HistoryEntry]) -> Table:
    """A line for everything that happened to an account, in the order given."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("time (UTC)", "step", "outcome"):
        table.add_column(column, no_wrap=True)
    table.add_column("reason", overflow="fold")
    for entry in history:
        what = words(entry.reason)
        if entry.remedy:
            what = Text.assemble(what, "\n" if entry.reason else "", words(f"→ {entry.remedy}", style="dim"))
        table.add_row(moment(entry.at), words(entry.step), str(entry.result), what)
    return table


def waited(record: AccountRecord) -> str:
    """How long the account was in the organization when its connector was made."""
    if record.joined_at is None or record.connected_at is None or record.connected_at < record.joined_at:
        return ""
    whole = timedelta(seconds=round((record.connected_at - record.joined_at).total_seconds()))
    return f", its connector came {whole} later"
