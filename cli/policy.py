"""`rollcall policy check|schema|explain|publish`: the policy file before it is used, and what it means."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from cli import bootstrap, environment
from cli.explain import explain
from cli.output import FOUND, WRONG_USAGE, RefusedError, ToldError, console, progress, words, write_json
from shared.adapters.policy.limits import MOST_BYTES
from shared.adapters.policy.problems import CheckedPolicy, check_policy
from shared.adapters.policy.schema import rendered_schema
from shared.adapters.policy.source import read_bounded
from shared.adapters.policy.yaml_tree import Problem
from shared.application.ports import PolicyDestination
from shared.application.publish_policy import Publication, Published, PublishReport, publish_policy
from shared.application.refuse_mode_switch import find_mode_switch
from shared.domain.policy import Policy
from shared.errors import ConfigurationError, RollcallError

app = typer.Typer(no_args_is_help=True, help="Check, explain and publish the policy.")
FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="the policy file; - reads standard input")]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document on standard output")]

_DESTINATION = re.compile(r"s3://[^/]+/.+|https://[^/]+/.+/.+")
_STYLES = {
    Publication.WRITTEN: "green",
    Publication.WOULD_WRITE: "yellow",
    Publication.FAILED: "red",
    Publication.NOT_TRIED: "red",
}


@app.callback()
def _group(context: typer.Context) -> None:
    if context.invoked_subcommand in {"explain", "publish"}:
        environment.announce_sandbox()


@app.command()
def check(file: FileArgument, as_json: JsonOption = False) -> None:
    """Say what is wrong with a policy file, each with its line.

    Exit code 0 where it can be used, warnings or not; 2 where it cannot.

    Example: rollcall policy check policy.yaml
    """
    content = read_policy_file(file)
    checked = check_policy(content)
    if as_json:
        write_json(_check_json(file, content, checked))
    else:
        show_problems(file, checked)
        console.print(words(_summary(file, content, checked)), soft_wrap=True, highlight=False)
    if checked.errors:
        raise ToldError(WRONG_USAGE)


@app.command()
def schema(
    _as_json: Annotated[bool, typer.Option("--json", help="changes nothing: the schema is a JSON document")] = False,
) -> None:
    """Print the JSON Schema of policy files, for editors.

    Example: rollcall policy schema > policy.schema.json, and in the first line of the policy:
    # yaml-language-server: $schema=policy.schema.json
    """
    sys.stdout.write(rendered_schema())


app.command()(explain)


@app.command()
def publish(
    file: FileArgument,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="URL", help="s3:// or a blob's https address, in the place of the settings"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be written")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a policy, then write it to both places it is read from.

    The same bytes go to ROLLCALL_PUBLISH__S3 and ROLLCALL_PUBLISH__BLOB. AWS's side comes first: it makes roles,
    which have to be there before Azure's side asks for connectors that name them. Refused while there are
    connectors of ours of another mode than the policy's.

    Example: rollcall policy publish policy.yaml --dry-run
    """
    content = read_policy_file(file)
    checked = check_policy(content)
    if checked.errors:
        if as_json:
            write_json(_check_json(file, content, checked))
        else:
            show_problems(file, checked)
            console.print(words(f"{file}: not published"), style="red", highlight=False)
        raise ToldError(WRONG_USAGE)
    destinations = _destinations(to)
    if checked.policy is not None:
        _refuse_mode_switch(checked.policy)
    report = publish_policy(content, destinations, dry_run=dry_run)
    if as_json:
        write_json(_report_json(report, dry_run=dry_run))
    else:
        show_problems(file, checked)
        _show_report(report)
    alone = None if to else _only_side()
    if alone:
        progress.print(words(f"rollcall: {alone}"), soft_wrap=True)
    if report.failed or alone:
        raise ToldError(FOUND)


def _refuse_mode_switch(policy: Policy) -> None:
    """Raises RefusedError where connectors of another mode are there; where they cannot be read, that is said."""
    try:
        found = find_mode_switch(policy, bootstrap.snapshot())
    except RollcallError as error:
        told = (
            f"rollcall: whether connectors of another mode than {policy.mode} exist was not looked at: {error.reason}"
        )
        progress.print(words(told), soft_wrap=True)
        return
    if found is not None:
        raise RefusedError(found.reason, remedy=found.remedy)


def read_policy_file(file: str) -> bytes:
    """The bytes of FILE or, for `-`, of standard input, never more than a policy may have. Raises RefusedError."""
    try:
        content = sys.stdin.buffer.read(MOST_BYTES + 1) if file == "-" else read_bounded(Path(file))
    except OSError as error:
        raise RefusedError(
            f"cannot read {file}: {error.strerror}", remedy="name a policy file, or -", exit_code=WRONG_USAGE
        ) from error
    if len(content) > MOST_BYTES:
        raise RefusedError(
            f"{file} is larger than {MOST_BYTES // 1024} KiB, which no policy is",
            remedy="see whether it is the right file",
            exit_code=WRONG_USAGE,
        )
    return content


def show_problems(file: str, checked: CheckedPolicy) -> None:
    """One line for each problem, in the form that editors and CI know."""
    for problem in checked.problems:
        place = f"{file}:{problem.line}:{problem.column}: "
        word = words(f"{_severity(problem)}: ", style="bold red" if problem.is_error else "bold yellow")
        line = Text.assemble(words(place, style="bold"), word, words(problem.message))
        console.print(line, soft_wrap=True, highlight=False)


def _severity(problem: Problem) -> str:
    return "error" if problem.is_error else "warning"


def _counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _summary(file: str, content: bytes, checked: CheckedPolicy) -> str:
    errors = len(checked.errors)
    counts = f"{_counted(errors, 'error')}, {_counted(len(checked.problems) - errors, 'warning')}"
    return f"{file}: {counts}" if errors else f"{file}: {counts}, sha256 {hashlib.sha256(content).hexdigest()}"


def _check_json(file: str, content: bytes, checked: CheckedPolicy) -> dict[str, object]:
    errors = len(checked.errors)
    return {
        "file": file,
        "ok": not errors,
        "errors": errors,
        "warnings": len(checked.problems) - errors,
        "problems": [
            {"line": each.line, "column": each.column, "severity": _severity(each), "message": each.message}
            for each in checked.problems
        ],
        "hash": hashlib.sha256(content).hexdigest(),
    }


def _destinations(asked: list[str] | None) -> list[PolicyDestination]:
    """AWS's side first, each once."""
    settings = bootstrap.settings().publish
    urls = asked or [url for url in (settings.s3, settings.blob) if url]
    if not urls:
        raise ConfigurationError(
            "no destination is named",
            setting="ROLLCALL_PUBLISH__S3, ROLLCALL_PUBLISH__BLOB",
            remedy="Set both, or give --to URL for each.",
        )
    for url in urls:
        if not _DESTINATION.fullmatch(url):
            raise RefusedError(
                f"{url} is no destination",
                remedy="give s3://BUCKET/KEY or https://ACCOUNT.blob.core.windows.net/CONTAINER/BLOB",
                exit_code=WRONG_USAGE,
            )
    ordered = sorted(dict.fromkeys(urls), key=lambda url: not url.startswith("s3://"))
    return [bootstrap.policy_destination(url) for url in ordered]


def _only_side() -> str | None:
    """What is missing where the settings name one of the two sides only."""
    publish = bootstrap.settings().publish
    if publish.s3 and publish.blob:
        return None
    missing = ("ROLLCALL_PUBLISH__S3", "AWS's") if not publish.s3 else ("ROLLCALL_PUBLISH__BLOB", "Azure's")
    return (
        f"{missing[0]} is not set: {missing[1]} side keeps the policy that it has; set it, or name every place by --to"
    )


def _show_report(report: PublishReport) -> None:
    for each in report.destinations:
        outcome = Text(f"{each.outcome:12}", style=_STYLES.get(each.outcome, "dim"))
        reason = words(f"\n{'':12} {each.error}" if each.error else "", lines=True)
        console.print(Text.assemble(outcome, " ", words(each.url), reason), soft_wrap=True, highlight=False)
    console.print(words(f"sha256 {report.content_hash}"), soft_wrap=True, highlight=False)
    if report.failed:
        state = "The two sides differ now" if report.sides_differ else "Nothing was written"
        console.print(f"{state}: remove the cause, then run it again.", style="red", highlight=False)


def _report_json(report: PublishReport, *, dry_run: bool) -> dict[str, object]:
    return {
        "hash": report.content_hash,
        "dry_run": dry_run,
        "sides_differ": report.sides_differ,
        "destinations": [_destination_json(each) for each in report.destinations],
    }


def _destination_json(published: Published) -> dict[str, str | None]:
    error = published.error
    return {
        "url": published.url,
        "outcome": str(published.outcome),
        "before": published.before or None,
        "reason": error.reason if error else None,
        "remedy": error.remedy if error else None,
    }
