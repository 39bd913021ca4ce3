"""How `rollcall report` shows the report: every part of the page, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cli.output import words
from cli.status_output import queues_table
from cli.sweep import SEVERITY_STYLES
from cli.wording import moment
from shared.adapters.report.shown import duration, percent
from shared.domain.report.accounts import Group, Unit, group_of
from shared.domain.report.findings import FindingLine
from shared.domain.report.roll import RollReport
from shared.domain.report.runs import RunSummary, StatesOfDay
from shared.domain.report.times import Waited
from shared.domain.sweep.findings import Severity

AT_ONCE = 500
"""Lines of a table that are laid out together: all of ten thousand would need gigabytes."""
ROOM_FOR_REASONS = 140
Cell = str | Text


def report_parts(report: RollReport, width: int) -> Iterator[RenderableType]:
    """The report, part by part."""
    yield from _head(report)
    yield from _titled("Coverage by unit and folder", _coverage(report.coverage))
    yield from _titled("From creation to connected", _times(report), _worst(report.worst))
    yield from _titled("States over the last 30 days", _days(report.days))
    yield from _titled("Connector health", _health(report), _causes(report))
    yield from _titled("Orphaned machines", _machines(report))
    yield from _titled("Queues", queues_table(report.queues, report.made_at) if report.queues else "none was asked")
    yield from _titled("Last runs", _runs(report), *_unfinished(report))
    yield from _titled("Trials and paid plans", _trials(report), _plans(report))
    yield from _titled("Findings", *(_findings(report.open, width) if report.open else ["none is open"]))


def _titled(title: str, *parts: RenderableType | None) -> Iterator[RenderableType]:
    yield Text(f"\n{title}", style="bold underline")
    yield from (words(part) if isinstance(part, str) else part for part in parts if part is not None)


def _table(columns: Sequence[str], rows: Iterator[Sequence[Cell]], *, numbers: int = 0, head: bool = True) -> Table:
    """A table whose last columns, so many, are numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=head)
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place >= len(columns) - numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else words(cell) for cell in row))
    return table


def _head(report: RollReport) -> Iterator[RenderableType]:
    totals, severities = report.totals, report.severities
    yield Text(f"The roll on {moment(report.made_at)} UTC", style="bold")
    if report.sweep is None:
        yield Text("no sweep yet: nothing is known but what the ledger has", style="red")
    else:
        was = "complete" if report.sweep.complete else "incomplete: what it did not see is not gone"
        style = "" if report.sweep.complete else "red"
        yield Text(f"findings are of the sweep that ended {moment(report.sweep.ended_at)} UTC, {was}", style=style)
    share = percent(totals.connected, totals.expected)
    yield Text(f"covered: {share}, {totals.connected} of {totals.expected} that should be; {totals.left_out} left out")
    if report.unlisted:
        yield Text(f"without a connector and not in the ledger: {report.unlisted}", style="red")
    told = ", ".join(f"{severities[each]} {each}" for each in Severity)
    yield Text(f"open findings besides advice: {told}", style="red" if severities[Severity.HIGH] else "")
    yield Text(f"messages that wait for a person: {report.given_up}", style="red" if report.given_up else "")
    for reason in report.unread:
        yield words(f"could not be asked: {reason}", style="red")


def _coverage(units: Sequence[Unit]) -> RenderableType:
    columns = ("unit", "covered", "connected", "under way", "failed", "left out")
    return _table(columns, (row for unit in units for row in _units(unit, 0)), numbers=5) if units else "no account yet"


def _units(unit: Unit, depth: int) -> Iterator[Sequence[Cell]]:
    total = unit.total
    name = f"{unit.provider.upper()} {unit.name}" if depth == 0 else f"{'  ' * depth}{unit.name}"
    counts = (total.connected, total.under_way, total.failed, total.left_out)
    yield (name, percent(total.connected, total.expected), *map(str, counts))
    for below in unit.units:
        yield from _units(below, depth + 1)


def _times(report: RollReport) -> RenderableType:
    if not report.times[0].count:
        return "no account joined within three days of its connection"
    rows = ((each.provider or "all", str(each.count), duration(each.p50), duration(each.p95)) for each in report.times)
    return _table(("cloud", "new", "p50", "p95"), rows, numbers=3)


def _worst(worst: Sequence[Waited]) -> RenderableType | None:
    rows = ((each.account, each.name, moment(each.connected_at), duration(each.seconds)) for each in worst)
    return _table(("took longest", "name", "connected (UTC)", "took"), rows, numbers=1) if worst else None


def _days(days: Sequence[StatesOfDay]) -> RenderableType:
    counted = [day for day in days if day.states is not None]
    if not counted:
        return "no sweep has counted yet"
    rows = ((str(day.day), *(str(_of_group(day, group)) for group in Group)) for day in counted)
    return _table(("day", *(str(group).replace("_", " ") for group in Group)), rows, numbers=len(Group))


def _of_group(day: StatesOfDay, group: Group) -> int:
    states = (day.states or {}).values()
    return sum(count for each in states for state, count in each.items() if group_of(state) is group)


def _health(report: RollReport) -> RenderableType:
    rows = (
        (each.provider, *map(str, (each.connected, each.no_issue, each.unhealthy, each.unknown)))
        for each in report.health
    )
    columns = ("cloud", "connected", "no issue", "unhealthy", "no report")
    return _table(columns, rows, numbers=4) if report.health else "no account is connected yet"


def _causes(report: RollReport) -> RenderableType | None:
    rows = ((each.cause, each.key, str(each.total), str(each.findings)) for each in report.causes)
    return _table(("cause", "kind", "accounts", "findings"), rows, numbers=2) if report.causes else None


def _machines(report: RollReport) -> RenderableType:
    rows = (
        (
            each.subject.partition("#")[0].rpartition("/")[2],
            each.account,
            each.evidence.get("instance", "-"),
            each.evidence.get("status_since", "-")[:10],
            "beyond doubt" if each.evidence.get("beyond_doubt") == "yes" else "in doubt: stays",
        )
        for each in report.orphans
    )
    columns = ("machine", "account", "instance", "silent since", "may be deleted")
    return _table(columns, rows) if report.orphans else "no Arc machine has lost its instance"


def _runs(report: RollReport) -> RenderableType:
    rows: Iterator[Sequence[Cell]] = (
        (
            moment(each.started_at),
            _was(each),
            ", ".join(f"{count} {name}" for name, count in each.looked.items()),
            *(str(each.open.get(severity, 0)) for severity in Severity),
        )
        for each in report.runs
    )
    return _table(("sweep began (UTC)", "was", "looked at", *map(str, Severity)), rows, numbers=3)


def _was(run: RunSummary) -> Text:
    return Text("complete") if run.complete else Text("incomplete", style="red")


def _unfinished(report: RollReport) -> Iterator[RenderableType]:
    if report.unfinished:
        yield words(f"without a report, under way or never ended: {', '.join(report.unfinished)}")


def _trials(report: RollReport) -> RenderableType:
    rows = ((each.account, each.name, each.evidence.get("ends_at", "-")[:10]) for each in report.trials)
    return _table(("account", "name", "trial ends"), rows) if report.trials else "no trial ends within a week"


def _plans(report: RollReport) -> RenderableType | None:
    rows = ((word, *map(str, (use.connectors, use.on_trial, use.billed))) for word, use in report.plans.items())
    return _table(("plan", "connectors", "on trial", "billed"), rows, numbers=3) if report.plans else None


def _findings(findings: Sequence[FindingLine], width: int) -> Iterator[RenderableType]:
    """A line for each open finding, the gravest first; in a narrow terminal without its reason."""
    wide = width >= ROOM_FOR_REASONS
    sizes = {"severity": 8, "is": 8, "kind": 22, "account": 12, "name": 20}
    for first in range(0, len(findings), AT_ONCE):
        table = Table(box=None, pad_edge=False, header_style="bold", show_header=first == 0)
        for name, size in sizes.items():
            table.add_column(name, no_wrap=True, width=size, overflow="ellipsis")
        if wide:
            table.add_column("reason", overflow="fold")
        for each in findings[first : first + AT_ONCE]:
            cells = (str(each.severity), str(each.standing), each.key, each.account or "-", each.name)
            told = [*cells, *([each.reason] if wide else [])]
            table.add_row(*(words(cell) for cell in told), style=SEVERITY_STYLES[each.severity])
        yield table
