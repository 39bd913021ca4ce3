"""`rollcall query`: the lab's questions, asked of Resource Graph, or printed for who may read the workspace."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any

import typer

from cli import query_bootstrap
from cli.csv_output import csv_lines
from cli.output import console, progress, words, write_json
from cli.query_files import text_of
from cli.query_output import answer_parts, how_to_run, questions_table, scope_line
from shared.application.ask import Answer, ask
from shared.domain.accounts import is_account_id, is_project_number
from shared.domain.queries import BY_NAME, QUESTIONS, Cloud, Grade, Narrowing, Question, Store, narrowed

_SUBSCRIPTION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def query(  # noqa: PLR0913, PLR0917 - the options of a command
    name: Annotated[str, typer.Argument(metavar="NAME", help="one of the questions; left out, they are listed")] = "",
    account: Annotated[
        str, typer.Option("--account", metavar="ID", help="only this AWS account, project (number) or subscription")
    ] = "",
    provider: Annotated[Cloud | None, typer.Option("--provider", help="only this cloud")] = None,
    severity: Annotated[Grade | None, typer.Option("--severity", help="only what is as grave as this")] = None,
    show: Annotated[bool, typer.Option("--show", help="print the query and ask nobody")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="comma-separated cells, for a spreadsheet")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Ask what Defender for Cloud knows about both clouds: resources, recommendations, attack paths, standards.

    It reads, by your own rights, and changes nothing. What Log Analytics answers is only printed, with the command that
    runs it: Rollcall has no rights on a workspace. The texts are docs/queries/*.kql.
    Examples: rollcall query · rollcall query recommendations --severity high · rollcall query attack-paths --csv ·
    rollcall query aws-iam-changes --account 012345678901
    """
    if as_csv and (as_json or show):
        raise typer.BadParameter("leave out --json and --show", param_hint="--csv")
    wanted = _wanted(account, provider, severity)
    if not name:
        if wanted or show or as_csv:
            raise typer.BadParameter("name the question, too", param_hint="NAME")
        _list(as_json)
        return
    question = BY_NAME.get(name)
    if question is None:
        raise typer.BadParameter(f"{name!r} is no question: `rollcall query` lists them", param_hint="NAME")
    for each in wanted.keys() - question.narrowed.keys():
        raise typer.BadParameter(f"the answer of {name} has no {each}", param_hint=f"--{each}")
    if as_csv and question.store is Store.LOGS:
        raise typer.BadParameter("Log Analytics is not asked from here: only the query is printed", param_hint="--csv")
    text = narrowed(text_of(question), question, wanted)
    if show or question.store is Store.LOGS:
        _print(question, text, wanted, as_json)
    else:
        _tell(ask(question, text, query_bootstrap.graph_answers()), as_csv=as_csv, as_json=as_json)


def _wanted(account: str, provider: Cloud | None, severity: Grade | None) -> dict[Narrowing, str]:
    folded = account.lower()
    if account and not (is_account_id(folded) or _SUBSCRIPTION.fullmatch(folded)):
        if not is_project_number(folded):
            wrong = f"{account!r} is no AWS account id, no project's number and no subscription's id"
            raise typer.BadParameter(wrong, param_hint="--account")
        if provider is not Cloud.GCP:  # a slip of the pen is more likely
            wrong = f"{account!r}: an AWS account id has twelve digits; for a project's number say --provider gcp"
            raise typer.BadParameter(wrong, param_hint="--account")
    given = {Narrowing.ACCOUNT: folded, Narrowing.PROVIDER: provider or "", Narrowing.SEVERITY: severity or ""}
    return {each: str(value) for each, value in given.items() if value}


def _list(as_json: bool) -> None:
    if as_json:
        write_json({"queries": [_described(each) for each in QUESTIONS]})
    else:
        console.print(questions_table(console.width))


def _described(question: Question) -> dict[str, Any]:
    return {
        "name": question.name,
        "asks": question.asks,
        "answered_by": question.store,
        "columns": [*question.columns, *question.more],
        "narrowed_by": list(question.narrowed),
        "link": question.link,
    }


def _print(question: Question, text: str, wanted: dict[Narrowing, str], as_json: bool) -> None:
    """The query alone on standard output, so that it can go on from there."""
    run = how_to_run(question, [f"--{each} {value}" for each, value in wanted.items()])
    if as_json:
        write_json(_described(question) | {"query": text, "run": run})
        return
    sys.stdout.write(text)
    progress.print(words(run), soft_wrap=True)


def _tell(answer: Answer, *, as_csv: bool, as_json: bool) -> None:
    question = answer.question
    if as_json:
        about = {"subscriptions": answer.subscriptions, "whole": answer.whole}
        write_json(_described(question) | about | {"rows": [dict(row) for row in answer.rows]})
    elif as_csv:
        columns = (*question.columns, *question.more)
        sys.stdout.writelines(f"{line}\r\n" for line in csv_lines(columns, answer.rows))
    else:
        for part in answer_parts(answer, console.width):
            console.print(part)
    progress.print(words(scope_line(answer)), soft_wrap=True)
