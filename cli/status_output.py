"""How `rollcall status` shows the roll, and one account or project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.output import words
from cli.wording import age, moment, state_text
from shared.application.status import AccountStatus, RollStatus
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountRecord, HistoryEntry
from shared.domain.links import links_of
from shared.domain.queues import QueueDepth

ID_WIDTH, STATE_WIDTH, TIME_WIDTH, GAP = 12, 13, 19, 2
LEAST_ROOM = 6  # for reasons; a terminal narrower than that shows no times
ROOM_FOR_REASONS = 120
ROWS_AT_ONCE = 500
"""Rows of a table that are laid out together: all of 50,000 would need gigabytes."""
_COLUMNS = {Provider.AWS: ("account", "name"), Provider.GCP: ("project", "id")}


def all_page(found: RollStatus, width: int, now: datetime) -> Iterator[RenderableType]:
    """Every account's and project's line, the totals, and the queues."""
    yield from roll_tables(found.records, width)
    yield from summary(found, now)


def roll_tables(records: Sequence[AccountRecord], width: int) -> Iterator[Table]:
    """A table for each cloud that has any, a part of it at a time; one without lines where there is none."""
    clouds = {record.key.provider for record in records} or {Provider.AWS}
    for provider in sorted(clouds):
        its = [record for record in records if record.key.provider is provider]
        widths = _ids_width(its), _names_width(its)
        for first in range(0, max(len(its), 1), ROWS_AT_ONCE):
            yield roll_table(its[first : first + ROWS_AT_ONCE], width, widths=widths, head=first == 0)


def summary(found: RollStatus, now: datetime) -> Iterator[RenderableType]:
    """The totals, who has been under way for longest, and the queues."""
    by_provider = found.totals_by_provider
    for provider, totals in by_provider.items():
        which = f"{provider.noun}s: " if len(by_provider) > 1 or provider is not Provider.AWS else ""
        yield Text(which + " · ".join(f"{count} {state}" for state, count in totals.items()))
    if not by_provider:
        yield Text("no accounts yet")
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


def _ids_width(records: Sequence[AccountRecord]) -> int:
    return max([ID_WIDTH, *(len(record.key.hierarchy_identifier) for record in records)])


def _names_width(records: Sequence[AccountRecord]) -> int:
    most = 22 if records and records[0].key.provider is Provider.GCP else 16  # a project's id is what people call it by
    return max(4, min(most, max((len(record.name) for record in records), default=4)))


def roll_table(
    records: Sequence[AccountRecord], width: int, *, widths: tuple[int, int] | None = None, head: bool = True
) -> Table:
    """A line for each account of one cloud, in `width` columns; ids and states are never cut.

    `widths` is the room for an id and for a name.
    """
    ids, names = widths or (_ids_width(records), _names_width(records))
    provider = records[0].key.provider if records else Provider.AWS
    room = width - (ids + names + STATE_WIDTH + 3 * GAP)
    timed = room >= LEAST_ROOM + TIME_WIDTH + GAP
    room -= TIME_WIDTH + GAP if timed else 0
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=head)
    table.add_column(_COLUMNS[provider][0], no_wrap=True, width=ids)
    table.add_column(_COLUMNS[provider][1], no_wrap=True, overflow="ellipsis", width=names)
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


def one_page(found: AccountStatus, width: int) -> Iterator[RenderableType]:
    """An account's line and the time line of what happened to it, in `width` columns."""
    record = found.record
    identifier = words(record.key.hierarchy_identifier, style="bold")
    which = Text("" if record.key.provider is Provider.AWS else "project ", style="dim")
    yield Text.assemble(which, identifier, "  ", words(record.name), "  ", words(record.ou_path))
    yield Text.assemble(state_text(record.state), " since ", moment(record.state_at))
    if record.joined_at:
        came = "joined" if record.key.provider is Provider.AWS else "created"
        yield words(f"{came}: {moment(record.joined_at)}{waited(record)}")
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
    yield from history_lines(found.history, width)


_WHOLE = {"connector", "portal", "cloudformation", "project"}


class Unbroken(Text):
    """Text that is copied as a whole: the terminal may fold it, we do not."""


def history_lines(history: Sequence[HistoryEntry], width: int) -> Iterator[RenderableType]:
    """A line for everything that happened to an account, in the order given; in a narrow terminal reasons are below."""
    if width >= ROOM_FOR_REASONS:
        yield _history_table(history)
        return
    for entry in history:
        yield words(f"{moment(entry.at)}  {entry.step}  {entry.result}")
        if what := _why(entry):
            yield Padding(what, (0, 0, 0, 2 * GAP))


def _history_table(history: Sequence[HistoryEntry]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("time (UTC)", "step", "outcome"):
        table.add_column(column, no_wrap=True)
    table.add_column("reason", overflow="fold")
    for entry in history:
        table.add_row(moment(entry.at), words(entry.step), str(entry.result), _why(entry))
    return table


def _why(entry: HistoryEntry) -> Text:
    """Its reason, and below it what there is to do."""
    if not entry.remedy:
        return words(entry.reason)
    return Text.assemble(words(entry.reason), "\n" if entry.reason else "", words(f"→ {entry.remedy}", style="dim"))


def waited(record: AccountRecord) -> str:
    """How long the account was in the organization when its connector was made."""
    if record.joined_at is None or record.connected_at is None or record.connected_at < record.joined_at:
        return ""
    whole = timedelta(seconds=round((record.connected_at - record.joined_at).total_seconds()))
    return f", its connector came {whole} later"
