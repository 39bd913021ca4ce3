"""`rollcall backfill`: every account of the organization is brought on its way, as the daily comparison does it."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli import bootstrap
from cli.output import FOUND, RefusedError, console, progress, words, write_json
from cli.plan import selection_of
from shared.application.reconcile import Looked, Reconciliation, Run, reconcile
from shared.domain.reconciliation import Signal

SAID = {
    Signal.ACCOUNT_EVENT: "asked for by event",
    Signal.CONNECT_REQUEST: "asked for a connector",
    Signal.NOTE: "noted without a connector",
    Signal.WAITS: "waiting",
}


def backfill(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be sent, and send nothing")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="accounts without a connector to ask for, at most")
    ] = None,
    ou: Annotated[
        str | None, typer.Option("--ou", metavar="PATH", help="accounts in this organizational unit and below only")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Ask for every account that is not yet as the policy wants it; the deployment does the rest.

    It only sends messages, so it may be stopped at any time: run it again, and what is done is not done again.
    Examples: rollcall backfill --dry-run · rollcall backfill --ou /Workloads/Dev --limit 20
    """
    selection = selection_of([], ou or "")
    run = Run(
        name=str(uuid.uuid4()),
        source="rollcall backfill",
        selection=selection,
        limit=limit,
        connected=bootstrap.connected_accounts() if limit is not None else frozenset(),
        dry=dry_run,
    )
    found = _followed(run)
    if not found.accounts and not found.left and ou:
        raise RefusedError(f"no such account in {ou}", remedy="see the unit's path in AWS Organizations")
    if as_json:
        write_json(_json(found, dry=dry_run))
    else:
        _show(found, dry=dry_run)
    if found.failed:
        raise typer.Exit(FOUND)


def _followed(run: Run) -> Reconciliation:
    """The run, with a bar on standard error where that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done = 0
    with Progress(*columns, console=progress, transient=True, disable=not progress.is_terminal) as bar:
        task = bar.add_task("reading the organization", total=None)

        def tell(looked: Looked, total: int) -> None:
            nonlocal done
            done += 1
            bar.update(task, description="looking at accounts", completed=done, total=total)

        try:
            return reconcile(run, bootstrap.reconcile_ports(), tell=tell)
        except KeyboardInterrupt as stop:
            raise RefusedError(
                f"stopped after {done} account(s)", remedy="run it again: what is done is not done again"
            ) from stop


def _json(found: Reconciliation, *, dry: bool) -> dict[str, Any]:
    return {
        "dry_run": dry,
        "totals": found.totals,
        "left": found.left,
        "failed": [_account_json(looked) for looked in found.failed],
        "accounts": [_account_json(looked) for looked in found.accounts if not looked.failed],
    }


def _account_json(looked: Looked) -> dict[str, Any]:
    return {"hierarchy_identifier": looked.account_id, "signal": looked.signal, "reason": looked.reason}


def _show(found: Reconciliation, *, dry: bool) -> None:
    for looked in found.accounts:
        if looked.failed or dry:
            label = "failed" if looked.failed else SAID[looked.signal]
            console.print(words(f"{looked.account_id}  {label}: {looked.reason}"), soft_wrap=True, highlight=False)
    totals = " · ".join(f"{count} {SAID[signal]}" for signal, count in found.totals.items() if count)
    console.print(words(("would be: " if dry else "") + (totals or "no accounts")), highlight=False)
    if found.left:
        progress.print(words(f"{found.left} were not looked at: the limit is reached; run it again"))
    if not dry:
        progress.print(words("follow them with `rollcall status`", style="dim"))
