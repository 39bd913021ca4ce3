"""The command `rollcall`."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from cli import environment
from cli.commands import COMMANDS, Commands
from cli.halfway import exit_code_of
from cli.output import DONE, WRONG_USAGE, RefusedError, ToldError, errors, progress, words, write_json
from shared.errors import RollcallError

app = typer.Typer(
    name="rollcall", cls=Commands, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("rollcall"))
        raise typer.Exit(DONE)


@app.callback()
def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="say nothing on the way: only results and errors")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and end")
    ] = False,
) -> None:
    """Every new AWS account and GCP project answers the roll in Microsoft Defender for Cloud.

    Examples: rollcall demo · rollcall status · rollcall --quiet replay run --all --class given-up
    """
    _Debug.wanted = debug
    progress.quiet = quiet
    logging.getLogger("azure").setLevel(logging.ERROR)
    named = COMMANDS.get(context.invoked_subcommand or "")
    if named is not None and named.works_on_a_deployment:
        environment.announce_sandbox()


class _Debug:
    wanted = False


def main() -> None:
    """Runs the command line; every refusal is one line with a remedy, and one JSON document under `--json`."""
    try:
        app()
    except SystemExit as end:
        if end.code == WRONG_USAGE:
            _refuse("wrong usage, explained on standard error", "see --help", WRONG_USAGE)
        raise
    except ToldError as told:
        sys.exit(told.exit_code)
    except RefusedError as error:
        errors.print(words(f"rollcall: {_one_line(error)}"), soft_wrap=True)
        _refuse(error.reason, error.remedy, error.exit_code)
    except RollcallError as error:
        if _Debug.wanted:
            raise
        errors.print(words(f"rollcall: {_one_line(error)}", style="red"), soft_wrap=True)
        _refuse(error.reason, error.remedy, exit_code_of(error))


def _one_line(error: Exception) -> str:
    """Services break the lines of what they refuse."""
    return " ".join(str(error).split())


def _refuse(reason: str, remedy: str, exit_code: int) -> NoReturn:
    if "--json" in sys.argv:
        write_json({"error": {"reason": reason, "remedy": remedy}})
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
