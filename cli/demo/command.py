"""The command: starts a sandbox, plays the scenario, checks what came of it, and leaves nothing running."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from cli import environment
from cli.output import DONE, FOUND, progress, write_json
from cli.sandbox import DEFAULT_FOLDER, launch, refuse_second, stop, wait_until_ready

SHORTENED = {
    "ROLLCALL_SANDBOX_ACCOUNT_CREATION_SECONDS": "0.5",
    "ROLLCALL_SANDBOX_EVENT_DELAY_SECONDS": "0.2",
    "ROLLCALL_SANDBOX_STACK_INSTANCE_SECONDS": "1.5",
    "ROLLCALL_SANDBOX_SQS_BATCH_WINDOW_SCALE": "0.05",
    "ROLLCALL_SANDBOX_SQS_VISIBILITY_SECONDS": "30",
    "ROLLCALL_SANDBOX_MAX_POLLING_INTERVAL_SECONDS": "0.5",
    "ROLLCALL_SANDBOX_RETRY_FIRST_SECONDS": "2",
    "ROLLCALL_SANDBOX_GCP_OPERATION_SECONDS": "0.5",
    "ROLLCALL_SANDBOX_GCP_PUSH_PAUSE_SECONDS": "2",
    "ROLLCALL_SANDBOX_RETRY_CONTENDED_SECONDS": "2",
}
"""Times that are minutes in the clouds; everything else is as deployed."""


def demo(
    accounts: Annotated[int, typer.Option(min=1, max=500, help="how many new accounts to create")] = 5,
    projects: Annotated[int, typer.Option(min=0, max=100, help="how many new projects to create")] = 3,
    pace_seconds: Annotated[float, typer.Option("--pace", min=0, help="seconds between two new ones")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="leave the sandbox running at the end")] = False,
) -> None:
    """Watch new AWS accounts and GCP projects get their connectors, on a sandbox of all three clouds.

    Examples: rollcall demo · rollcall demo --accounts 30 --projects 10 --json · rollcall demo --keep
    """
    from cli.demo.play import Play

    refuse_second(DEFAULT_FOLDER)
    with progress.status("starting the clouds"):
        process = launch(DEFAULT_FOLDER, keep=keep, **SHORTENED)
    with _stopped_unless_kept(process, keep=keep):
        started = time.monotonic()
        with progress.status("starting the clouds"):
            endpoints = wait_until_ready(process, DEFAULT_FOLDER)
        progress.print(f"[dim]all three clouds up after {time.monotonic() - started:.1f} s[/dim]")
        environment.load_environment(DEFAULT_FOLDER / "operator.env")
        play = Play(endpoints, accounts=accounts, projects=projects, pace_seconds=pace_seconds, quiet=as_json)
        result = play.run()
        if as_json:
            write_json(result)
    if keep:
        progress.print("the sandbox keeps running; end it with `rollcall sandbox down`")
    raise typer.Exit(DONE if result["ok"] else FOUND)


@contextmanager
def _stopped_unless_kept(process: subprocess.Popen[bytes], *, keep: bool) -> Iterator[None]:
    """Stops the sandbox on every way out, Ctrl-C included; on the good way only unless it is to be kept."""
    try:
        yield
    except BaseException:
        process.terminate()  # before a word that may not reach anybody
        progress.print("stopping")
        stop(process)
        raise
    if not keep:
        stop(process)
