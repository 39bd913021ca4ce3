"""Whom an id on the command line means.

Twelve digits may be an AWS account's id and the number of a GCP project: `--provider` decides, and where nobody says
it, what the ledger knows.
"""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import WRONG_USAGE, RefusedError
from shared.application.named import is_projects_too, known_as
from shared.application.ports import Ledger
from shared.domain.accounts import Provider, is_account_id, is_project_number, providers_of
from shared.domain.ledger import AccountKey

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="a 12-digit AWS account id, or a GCP project's id or number")
]
CloudOption = Annotated[
    Provider | None, typer.Option("--provider", help="whose the ID is; left out, twelve digits are an AWS account's")
]
_TWELVE = "an AWS account id has twelve digits, leading zeros included"
_SAY_WHICH = "say --provider gcp for the project, --provider aws for the account"
NOUN = {each: f"{each.upper()} {each.noun}" for each in Provider}


def clouds_of(text: str, provider: Provider | None) -> tuple[Provider, ...]:
    """The clouds where `text` may name an account or a project.

    Raises typer.BadParameter where there is none, and for a number that only a project can have unless it is said to be
    one: a slip of the pen is more likely.
    """
    if provider is None and is_project_number(text) and not is_account_id(text):
        raise typer.BadParameter(f"{text!r}: {_TWELVE}; for a GCP project's number say --provider gcp")
    found = tuple(each for each in providers_of(text) if provider in {None, each})
    if not found:
        form = {
            Provider.AWS: "no AWS account id: twelve digits, leading zeros included",
            Provider.GCP: "neither the number nor the id of a GCP project",
            None: f"neither an AWS account nor a GCP project: {_TWELVE}",
        }[provider]
        raise typer.BadParameter(f"{text!r} is {form}")
    return found


def cloud_of(text: str, provider: Provider | None, ledger: Ledger | None = None) -> Provider:
    """The cloud of an id that something is to be done about.

    A number that nobody says more about is an AWS account's, unless `ledger` knows a project by it. Raises
    typer.BadParameter, RefusedError.
    """
    found = clouds_of(text, provider)
    if ledger is not None and is_projects_too(text, provider, ledger):
        raise RefusedError(
            f"{text} is the number of a GCP project, and may be the id of an AWS account",
            remedy=_SAY_WHICH,
            exit_code=WRONG_USAGE,
        )
    return found[0]


def known_key(text: str, provider: Provider | None, ledger: Ledger) -> AccountKey:
    """The one account or project of the ledger that is named. Raises typer.BadParameter, RefusedError."""
    found = known_as(text, clouds_of(text, provider), ledger)
    if not found:
        for_project = " --provider gcp" if provider is Provider.GCP else ""
        raise RefusedError(
            f"nothing is known about {text}", remedy=f"ask for it with `rollcall onboard {text}{for_project}`"
        )
    if len(found) > 1:
        both = " and ".join(f"{NOUN[each.key.provider]} {each.key.hierarchy_identifier}" for each in found)
        raise RefusedError(f"{text} is {both}", remedy=_SAY_WHICH, exit_code=WRONG_USAGE)
    return found[0].key
