"""The command `rollcall`."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from cli import bootstrap
from cli.demo.command import demo
from cli.onboard import onboard
from cli.output import DONE, FOUND, WRONG_USAGE, progress
from cli.sandbox import app as sandbox_app
from cli.status import status
from shared.errors import ConfigurationError, RollcallError

app = typer.Typer(
    name="rollcall", no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, help=__doc__
)
app.command()(demo)
app.command()(status)
app.command()(onboard)
app.add_typer(sandbox_app, name="sandbox")


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
    show_version: Annotated[bool, typer.Option("--version", help="print the version and end")] = False,
) -> None:
    """Every new AWS account answers the roll in Microsoft Defender for Cloud."""
    if show_version:
        typer.echo(version("rollcall"))
        raise typer.Exit(DONE)
    _Debug.wanted = debug
    logging.getLogger("azure").setLevel(logging.ERROR)
    if bootstrap.adopt_sandbox():
        progress.print(f"[dim]working on the sandbox of {bootstrap.SANDBOX_ENVIRONMENT.parent}[/dim]")


class _Debug:
    wanted = False


def main() -> None:
    """Runs the command line; our own errors are one line with a remedy."""
    try:
        app(standalone_mode=True)
    except RollcallError as error:
        if _Debug.wanted:
            raise
        progress.print(f"rollcall: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(WRONG_USAGE if isinstance(error, ConfigurationError) else FOUND)


if __name__ == "__main__":
    main()
