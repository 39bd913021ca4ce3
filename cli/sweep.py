"""`rollcall sweep`: the daily roll call now, and what it found."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli import queue_bootstrap
from cli.halfway import told_halfway
from cli.output import FOUND, RefusedError, console, progress, words, write_json
from shared.application.documents import sweep_document
from shared.application.plan_sweep import ask_for_sweep
from shared.application.sweep_store import SweepStore, find_latest
from shared.domain.sweep.findings import Area, Severity, SweepFinding
from shared.domain.sweep.paid_plans import PlanUse
from shared.domain.sweep.report import OTHER, Standing, SweepReport, Tracked

POLL_SECONDS = 1.0
SEVERITY_STYLES = {Severity.HIGH: "red", Severity.MEDIUM: "yellow", Severity.LOW: ""}
KIND_WIDTH, STANDING_WIDTH, SEVERITY_WIDTH, ACCOUNT_WIDTH, GAP = 25, 8, 8, 12, 2
FIXED_WIDTH = KIND_WIDTH + STANDING_WIDTH + SEVERITY_WIDTH + ACCOUNT_WIDTH + 3 * GAP
ROOM_FOR_ABOUT = 80
ROOM_FOR_REASONS = 120
TYPES_TOLD = 8


def sweep(
    last: Annotated[bool, typer.Option("--last", help="show what the last sweep found, and begin none")] = False,
    minutes: Annotated[float, typer.Option("--minutes", min=0.1, help="how long to wait for its end")] = 60.0,
    advice: Annotated[bool, typer.Option("--advice", help="show each piece of advice, not only how many")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Compare everything with the policy and with Defender's own word: the daily sweep, now.

    The Function App does the work; this waits for it. Stopped, it goes on without you: see it with --last.
    It asks again for what is missing or differs and, where the policy says so, deletes orphaned Arc machines.
    Ends with 1 where something was found besides advice, or not everything could be looked at.
    Examples: rollcall sweep · rollcall sweep --last --advice · rollcall sweep --last --json
    """
    report = _last() if last else _swept(minutes)
    if as_json:
        write_json(sweep_document(report))
    else:
        shown = [each for each in report.findings if advice or each.finding.area is not Area.ADVICE]
        for part in findings_lines(shown, console.width):
            console.print(part)
        for line in summary(report):
            console.print(words(line))
    if not report.complete or any(each.finding.area is not Area.ADVICE for each in report.open):
        raise typer.Exit(FOUND)


def _last() -> SweepReport:
    report, _ = find_latest(queue_bootstrap.sweep_documents())
    if report is None:
        raise RefusedError("there was no sweep yet", remedy="run `rollcall sweep`")
    return report


def _swept(minutes: float) -> SweepReport:
    """Asks for a sweep and waits for its report."""
    documents = queue_bootstrap.sweep_documents()
    message = ask_for_sweep(queue_bootstrap.slice_queue(), queue_bootstrap.clock())
    with told_halfway(lambda: f"waiting: sweep {message.run} goes on", "see its end with `rollcall sweep --last`"):
        return _awaited(SweepStore(documents, message.run), minutes)


def _awaited(store: SweepStore, minutes: float) -> SweepReport:
    deadline = time.monotonic() + minutes * 60
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=progress, transient=True, disable=not progress.is_terminal) as bar:
        task = bar.add_task("waiting for the plan", total=None)
        while (report := store.find_report()) is None:
            if time.monotonic() > deadline:
                raise RefusedError(
                    f"sweep {store.run} has not come to its end within {minutes:g} minutes",
                    remedy="look at the log of `sweep_slice` and at the queue `sweep`; --last shows its end",
                )
            if (facts := store.find_facts()) is not None:
                bar.update(task, description="looking", total=facts.slices, completed=len(store.ended()))
            time.sleep(POLL_SECONDS)
    return report


def findings_table(findings: Sequence[Tracked], width: int) -> Table:
    """A line for each finding, the gravest first; in a narrow terminal its reason is a line of its own."""
    wide = width >= ROOM_FOR_REASONS
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, size in (
        ("severity", SEVERITY_WIDTH),
        ("is", STANDING_WIDTH),
        ("kind", KIND_WIDTH),
        ("account", ACCOUNT_WIDTH),
    ):
        table.add_column(name, no_wrap=True, width=size)
    told = width >= ROOM_FOR_ABOUT
    if told:
        table.add_column(
            "about", no_wrap=True, overflow="ellipsis", max_width=None if wide else min(20, width - FIXED_WIDTH - GAP)
        )
    if wide:
        table.add_column("reason", overflow="fold")
    for each in findings:
        finding = each.finding
        style = "dim" if each.standing is Standing.RESOLVED else SEVERITY_STYLES[finding.severity]
        cells: list[RenderableType] = [
            str(finding.severity),
            str(each.standing),
            words(finding.key),
            words(finding.account or "-"),
        ]
        cells += [*([words(_about(finding))] if told else []), *([words(finding.reason)] if wide else [])]
        table.add_row(*cells, style=style)
    return table


def findings_lines(findings: Sequence[Tracked], width: int) -> Iterator[RenderableType]:
    """The table, or in a narrow terminal each finding with its reason below."""
    if not findings:
        return
    if width >= ROOM_FOR_REASONS:
        yield findings_table(findings, width)
        return
    for number, each in enumerate(findings):
        line = findings_table([each], width)
        line.show_header = number == 0
        yield line
        about = _about(each.finding) if width < ROOM_FOR_ABOUT else ""
        reason = f"{about}: {each.finding.reason}" if about else each.finding.reason
        yield Padding(words(reason), (0, 0, 0, SEVERITY_WIDTH + GAP))


def _about(finding: SweepFinding) -> str:
    """The end of a subject's id, where it says more than the account; that it is a project's number."""
    if finding.subject == f"projects/{finding.account}":
        return "project"
    name = finding.subject.partition("#")[0].rpartition("/")[2]
    return "" if name == finding.account else name


def _discovered(counted: Mapping[str, int]) -> str:
    """The most frequent types of resources, and how many resources of how many other types there are."""
    named = [(name, count) for name, count in counted.items() if name != OTHER]
    told = [f"{count} {name}" for name, count in named[:TYPES_TOLD]]
    rest = sum(counted.values()) - sum(count for _, count in named[:TYPES_TOLD])
    return " · ".join([*told, *([f"{rest} of other types"] if rest else [])])


def summary(report: SweepReport) -> list[str]:
    """What it came to, in a few lines."""
    counted = " · ".join(f"{count} {severity}" for severity, count in report.totals.items() if count)
    looked = " · ".join(f"{count} {name}" for name, count in sorted(report.looked.items()))
    seconds = (report.ended_at - report.started_at).total_seconds()
    lines = [f"{counted or 'nothing found'}; looked at {looked or 'nothing'} in {seconds:.0f} s"]
    advised = Counter(each.finding.key for each in report.open if each.finding.area is Area.ADVICE)
    if advised:
        told = " · ".join(f"{count} {key}" for key, count in sorted(advised.items()))
        lines.append(f"advice, in full with --advice: {told}")
    if report.discovered:
        lines.append(f"discovered: {_discovered(report.discovered)}")
    if report.plans:
        lines.append(f"paid plans: {' · '.join(_used(word, use) for word, use in report.plans.items())}")
    if report.asked:
        named = [f"{each} {report.names.get(each, '')}".rstrip() for each in report.asked]
        lines.append(f"asked for again: {', '.join(named)}")
    if report.deleted:
        lines.append(f"Arc machines deleted: {', '.join(each.rpartition('/')[2] for each in report.deleted)}")
    if report.open:
        lines.append("what to do: under each kind in docs/runbook.md, and with --json")
    if report.stopped_because:
        machine = report.stopped_at.rpartition("/")[2]
        lines.append(f"deletion of Arc machines ended at {machine or 'the first'}: {report.stopped_because}")
    reasons = dict.fromkeys(gap.reason for gap in report.gaps if not gap.told)
    lines += [f"not looked at: {reason}" for reason in list(reasons)[:5]]
    if not report.complete:
        lines.append("the sweep is incomplete: what it did not see is not gone")
    return lines


def _used(word: str, use: PlanUse) -> str:
    return f"{word} on {use.connectors} connector(s), {use.billed} past the trial"
