"""`rollcall report`: how the roll stands, in the terminal, as a page, or as typed data."""

from __future__ import annotations

import os
import tempfile
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from cli import queue_bootstrap
from cli.output import RefusedError, console, progress, words, write_json
from cli.report_output import report_parts
from shared.application.report import make_report
from shared.domain.report.roll import RollReport
from shared.errors import PermanentError
from shared.messages.roll_report import read_report, report_document


def report(
    opened: Annotated[bool, typer.Option("--open", help="make the page and open it in the browser")] = False,
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="write the page to this file")] = None,
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="ask this Function App; else ROLLCALL_REPORT__URL, if set")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Show coverage, times, states of 30 days, health, findings, machines, queues, runs and trials.

    Where a Function App is named, it makes the report and is asked with your token; else it is made here, of what
    you may read. The page needs nothing else: it can be kept, and opened without a network.
    Examples: rollcall report · rollcall report --open · rollcall report --output roll.html · rollcall report --json
    """
    if url and not url.startswith(("https://", "http://127.0.0.1:")):
        raise typer.BadParameter("a token goes over https only", param_hint="--url")
    source = _Source(url)
    if opened or output is not None:
        path = output if output is not None else Path(tempfile.mkdtemp(prefix="rollcall-")) / "report.html"
        keep(path, source.page())
        progress.print(words(f"the report is in {path}"), soft_wrap=True)
        if opened and not webbrowser.open(path.resolve().as_uri()):
            raise RefusedError("no browser could be opened", remedy=f"open {path}")
    if as_json:
        write_json(report_document(source.report()))
    elif not opened and output is None:
        for part in report_parts(source.report(), console.width):
            console.print(part)


class _Source:
    """The report from the Function App, or made here; made once."""

    def __init__(self, url: str) -> None:
        self._remote = queue_bootstrap.remote_report(url)
        self._made: RollReport | None = None

    def page(self) -> bytes:
        """The page."""
        if self._remote is not None:
            return self._remote.page()
        return queue_bootstrap.page_of(self.report())

    def report(self) -> RollReport:
        """The typed data."""
        if self._made is None and self._remote is not None:
            self._made = _understood(self._remote.data())
        elif self._made is None:
            self._made = make_report(queue_bootstrap.report_ports())
        return self._made


def _understood(content: bytes) -> RollReport:
    try:
        return read_report(content)
    except ValueError as error:
        raise PermanentError(
            "the Function App's report cannot be read", remedy="Use the command line of its own version."
        ) from error


def keep(path: Path, content: bytes) -> None:
    """Writes it for nobody else to read; a file that is there is whole until it is replaced."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".report-")  # only its owner may read it
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError as error:
        raise RefusedError(f"{path} cannot be written: {error.strerror}", remedy="name another file") from error
