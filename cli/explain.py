"""`rollcall policy explain`: what the policy wants for one account or project, as it is now or as it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from cli import bootstrap, cloud_bootstrap
from cli.explanation import explanation_json, explanation_lines
from cli.identifiers import CloudOption, IdArgument, cloud_of
from cli.output import RefusedError, console, write_json
from shared.application.explain_account import Explanation, explain_account, explained
from shared.application.ports import PolicySource
from shared.application.provider_policy import policy_for
from shared.domain.accounts import Account, AccountState, Provider, is_project_id, is_project_number
from shared.errors import ConfigurationError

_LOOK = {
    Provider.AWS: "see `aws organizations list-accounts`, and whose AWS credentials this shell has; for a "
    "GCP project's number say --provider gcp",
    Provider.GCP: "see `gcloud projects describe ID`, and whose Google credentials this shell has",
}


def explain(  # noqa: PLR0913, PLR0917 - the options of a command
    account: IdArgument,
    provider: CloudOption = None,
    origin: Annotated[
        str | None,
        typer.Option("--policy", metavar="FILE", help="a file, s3:// or a blob's address; default: ROLLCALL_POLICY"),
    ] = None,
    ou: Annotated[
        str | None,
        typer.Option("--ou", metavar="PATH", help="as if it were in this unit or folder: nothing is looked up"),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="with --ou: the account's name, or the project's id")] = "",
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="with --ou: a tag or label; may be repeated")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Show what the policy wants for one account or project now, and why.

    It is looked up with this shell's AWS or Google credentials; with --ou nobody is asked, and what is told counts.
    Examples: rollcall policy explain 012345678901 --policy policy.yaml · rollcall policy explain acme-shop-1 ·
    rollcall policy explain 123456789012 --provider gcp --ou /Shops --name acme-shop-1 --tag env=prod
    """
    cloud = cloud_of(account, provider)
    if ou is None and (name or tag):
        raise typer.BadParameter("--name and --tag need --ou: with it nothing is looked up")
    told = None if ou is None else _told(account, cloud, ou, name, tag or [])
    origin = origin or bootstrap.settings().policy
    if not origin:
        raise ConfigurationError(
            "no policy is named", setting="ROLLCALL_POLICY", remedy="Set ROLLCALL_POLICY, or give --policy FILE."
        )
    found = _found(account, told, cloud, bootstrap.policy_source(origin))
    if as_json:
        write_json(explanation_json(found, origin))
        return
    for line in explanation_lines(found, origin):
        console.print(line, soft_wrap=True, highlight=False)


def _found(text: str, told: Account | None, cloud: Provider, policies: PolicySource) -> Explanation:
    """What follows for the account, as it is told or as it is. Raises RefusedError, ConfigurationError."""
    if told is not None:
        policy = policy_for(policies.current(), cloud)
        return explained(replace(told, is_management=policy.is_organization_connector_s(told.account_id)), policy)
    found = explain_account(text, cloud_bootstrap.directory(cloud, policies), policies, cloud)
    if found is None:
        if cloud is Provider.GCP:
            cloud_bootstrap.refuse_elsewhere(text, policies)
        raise RefusedError(f"the organization has no {cloud.noun} {text}", remedy=_LOOK[cloud])
    return found


def _told(text: str, cloud: Provider, ou: str, name: str, tags: list[str]) -> Account:
    """The account as the options say it is. Raises typer.BadParameter."""
    if not ou.startswith("/"):
        raise typer.BadParameter("a path begins with a slash", param_hint="--ou")
    if cloud is Provider.GCP and not (is_project_number(text) and is_project_id(name)):
        raise typer.BadParameter("a project that is not looked up is named by its number, and by its id as --name")
    pairs = [each.partition("=") for each in tags]
    if not all(key and sign for key, sign, _ in pairs):
        raise typer.BadParameter("a tag is told as KEY=VALUE", param_hint="--tag")
    return Account(
        account_id=text,
        name=name,
        state=AccountState.ACTIVE,
        ou_path="/" + ou.strip("/"),
        tags={key: value for key, _, value in pairs},
        provider=cloud,
    )
