"""`rollcall template build|lint|publish`: the CloudFormation template with Defender's roles."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.output import FOUND, WRONG_USAGE, RefusedError, ToldError, console, progress, words, write_json
from cli.template_files import OWN, counted, finding_json, finding_line, known_of, linted, read_template_file, tenant_of
from cli.template_publish import publish
from shared.domain.template_findings import LintReport

app = typer.Typer(no_args_is_help=True, help="The CloudFormation template with the roles that Defender takes.")
app.command()(publish)
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="ours, or one that the portal made: YAML or JSON")]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document on standard output")]


@app.command()
def build(
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="write it there")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write Rollcall's own template: default access, every profile's roles, each group under a condition.

    Examples: rollcall template build > roles.yaml · rollcall template build --output roles.yaml
    """
    content = read_template_file(OWN)
    digest = hashlib.sha256(content).hexdigest()
    if output is not None:
        try:
            output.write_bytes(content)
        except OSError as error:
            raise RefusedError(
                f"cannot write {output}: {error.strerror}", remedy="name another file", exit_code=WRONG_USAGE
            ) from error
    if as_json:
        written = {"output": str(output)} if output is not None else {"template": content.decode()}
        write_json({"hash": digest, **written})
    elif output is None:
        sys.stdout.write(content.decode())
    else:
        console.print(words(f"{output}: sha256 {digest}"), soft_wrap=True, highlight=False)


@app.command()
def lint(
    file: FileArgument,
    profile: Annotated[str, typer.Option("--profile", metavar="NAME", help="built in, or of the policy")],
    policy: Annotated[str | None, typer.Option("--policy", metavar="FILE", help="a policy with the profile")] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="ID", help="the Entra tenant; default: the policy's")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a template lacks for a profile, or has that nobody documents, each with its line.

    Without a tenant the roles only have to agree about whose Defender they admit. Exit code 1 where there are findings.

    Example: rollcall template lint portal.json --profile recommended --policy policy.yaml
    """
    known = known_of(policy)
    chosen, whose = known.profile(profile), tenant_of(tenant, known.tenant)
    content = read_template_file(file)
    report = linted(file, content, chosen, whose)
    if as_json:
        write_json(_report_json(file, content, profile, report))
    else:
        _show(file, profile, report)
        if not whose:
            progress.print("rollcall: no tenant to compare with; give --tenant or --policy")
    if report.findings:
        raise ToldError(FOUND)


def _show(file: Path, profile: str, report: LintReport) -> None:
    for finding in report.findings:
        console.print(finding_line(file, finding), soft_wrap=True, highlight=False)
    console.print(
        words(f"{file}: {counted(report)} for profile {profile}, {report.access} access"),
        soft_wrap=True,
        highlight=False,
    )


def _report_json(file: Path, content: bytes, profile: str, report: LintReport) -> dict[str, object]:
    return {
        "file": str(file),
        "hash": hashlib.sha256(content).hexdigest(),
        "profile": profile,
        "access": report.access,
        "ok": not report.findings,
        "findings": [finding_json(each) for each in report.findings],
    }
