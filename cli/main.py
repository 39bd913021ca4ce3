"""The command `rollcall`."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import version
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from cli import bootstrap
from cli.backfill import backfill
from cli.demo.command import demo
from cli.doctor import doctor
from cli.halfway import exit_code_of
from cli.offboard import offboard
from cli.onboard import onboard
from cli.output import DONE, WRONG_USAGE, RefusedError, ToldError, errors, progress, words, write_json
from cli.plan import plan
from cli.policy import app as policy_app
from cli.query import query
from cli.replay import app as replay_app
from cli.report import report
from cli.sandbox import app as sandbox_app
from cli.status import status
from cli.subscription import app as subscription_app
from cli.sweep import sweep
from cli.template import app as template_app
from shared.errors import RollcallError


class Commands(TyperGroup):
    """All commands; one that does not see to Ctrl-C itself ends as every refusal does."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that is named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise RefusedError("stopped", remedy="run it again: what is done is not done twice") from None


app = typer.Typer(
    name="rollcall", cls=Commands, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
)
app.command(short_help="Watch new accounts and projects get connectors, simulated.")(demo)
app.command(short_help="Check every prerequisite, as whoever needs it; --fix mends.")(doctor)
app.command(short_help="Show where every account and project stands, or one of them.")(status)
app.command(short_help="Bring one account or project to what the policy asks for.")(onboard)
app.command(short_help="Take one account or project out; --confirm does it.")(offboard)
app.command(short_help="Show what the policy would change; nothing is written.")(plan)
app.command(short_help="Ask for every account that is not yet as the policy wants it.")(backfill)
app.command(short_help="Compare everything with policy and Defender: the daily sweep.")(sweep)
app.command(short_help="Show everything on one page: coverage, times, findings, …")(report)
app.command(short_help="Ask what Defender knows: recommendations, attack paths, …")(query)
app.add_typer(replay_app, name="replay", short_help="See why messages were given up; send them again or discard.")
app.add_typer(
    subscription_app, name="subscription", short_help="Show and switch on Defender's plans of the subscription."
)
app.add_typer(sandbox_app, name="sandbox")
app.add_typer(policy_app, name="policy")
app.add_typer(template_app, name="template", short_help="Check, build and roll out the template of the roles.")

WORK_ON_A_DEPLOYMENT = frozenset(
    {
        "doctor",
        "status",
        "onboard",
        "plan",
        "backfill",
        "offboard",
        "query",
        "replay",
        "report",
        "subscription",
        "sweep",
    }
)
"""Commands that need the settings of one; the others make or end a sandbox."""


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
    if context.invoked_subcommand in WORK_ON_A_DEPLOYMENT:
        bootstrap.announce_sandbox()


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
