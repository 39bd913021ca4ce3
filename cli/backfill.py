"""`rollcall backfill`: every account or project of an organization is brought on its way, as the daily look does it."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli import bootstrap, cloud_bootstrap
from cli.halfway import told_halfway
from cli.output import FOUND, RefusedError, console, progress, words, write_json
from cli.plan import selection_of
from shared.application.backfill_projects import backfill_projects
from shared.application.reconcile import Looked, Reconciliation, Run, reconcile
from shared.domain.accounts import Provider
from shared.domain.reconciliation import Signal

SAID = {
    Signal.ACCOUNT_EVENT: "asked for by event",
    Signal.CONNECT_REQUEST: "asked for a connector",
    Signal.NOTE: "noted without a connector",
    Signal.WAITS: "waiting",
}

_SEE_PATH = {
    Provider.AWS: "see the unit's path in AWS Organizations",
    Provider.GCP: "see the folders' display names in Resource Manager; below the organization itself it is /",
}


def backfill(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be sent, and send nothing")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="accounts without a connector to ask for, at most")
    ] = None,
    ou: Annotated[
        str | None,
        typer.Option("--ou", metavar="PATH", help="only what is in this organizational unit, or folder, and below"),
    ] = None,
    provider: Annotated[
        Provider, typer.Option("--provider", help="accounts of AWS, or projects of GCP")
    ] = Provider.AWS,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Ask for every account that is not yet as the policy wants it; the deployment does the rest.

    It only sends messages, so it may be stopped at any time: run it again, and what is done is not done again.
    Projects are listed with this shell's Google credentials; about those that take no part only a note is sent.
    Examples: rollcall backfill --dry-run · rollcall backfill --ou /Workloads/Dev --limit 20 ·
    rollcall backfill --provider gcp
    """
    selection = selection_of([], ou or "")
    run = Run(
        name=str(uuid.uuid4()),
        source="rollcall backfill",
        selection=selection,
        limit=limit,
        connected=bootstrap.connected_accounts(provider) if limit is not None else frozenset(),
        dry=dry_run,
    )
    found = _followed(run, provider)
    if not found.accounts and not found.left and ou:
        raise RefusedError(f"no such {provider.noun} in {ou}", remedy=_SEE_PATH[provider])
    if as_json:
        write_json(_json(found, provider, dry=dry_run))
    else:
        _show(found, provider, dry=dry_run)
    if found.failed:
        raise typer.Exit(FOUND)


def _followed(run: Run, provider: Provider) -> Reconciliation:
    """The run, with a bar on standard error where that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done = 0
    with Progress(*columns, console=progress, transient=True, disable=not progress.is_terminal) as bar:
        task = bar.add_task("reading the organization", total=None)

        def tell(looked: Looked, total: int) -> None:
            nonlocal done
            done += 1
            bar.update(task, description=f"looking at {provider.noun}s", completed=done, total=total)

        with told_halfway(
            lambda: f"after {done} {provider.noun}(s)" if done else "", "run it again: what is done is not done again"
        ):
            if provider is Provider.GCP:
                return backfill_projects(run, cloud_bootstrap.backfill_ports(), tell=tell)
            return reconcile(run, bootstrap.reconcile_ports(), tell=tell)


def _json(found: Reconciliation, provider: Provider, *, dry: bool) -> dict[str, Any]:
    return {
        "dry_run": dry,
        "totals": found.totals,
        "left": found.left,
        "failed": [_account_json(looked, provider) for looked in found.failed],
        "accounts": [_account_json(looked, provider) for looked in found.accounts if not looked.failed],
    }


def _account_json(looked: Looked, provider: Provider) -> dict[str, Any]:
    return {
        "provider": provider,
        "hierarchy_identifier": looked.account_id,
        "name": looked.name,
        "signal": looked.signal,
        "reason": looked.reason,
    }


def _show(found: Reconciliation, provider: Provider, *, dry: bool) -> None:
    for looked in found.accounts:
        if looked.failed or dry:
            label = "failed" if looked.failed else SAID[looked.signal]
            who = "  ".join(filter(None, (looked.account_id, looked.name)))
            console.print(words(f"{who}  {label}: {looked.reason}"), soft_wrap=True, highlight=False)
    totals = " · ".join(f"{count} {SAID[signal]}" for signal, count in found.totals.items() if count)
    console.print(words(("would be: " if dry else "") + (totals or f"no {provider.noun}s")), highlight=False)
    if found.left:
        progress.print(words(f"{found.left} were not looked at: the limit is reached; run it again"))
    if not dry:
        progress.print(words("follow them with `rollcall status`", style="dim"))
