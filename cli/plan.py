"""`rollcall plan`: what the policy would change about every connector, before anything does it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from cli import cloud_bootstrap
from cli.identifiers import clouds_of
from cli.output import FOUND, RefusedError, console, progress, words, write_json
from shared.application.plan import Preview, PreviewWarning
from shared.application.plan import plan as plan_roll
from shared.application.selection import Selection
from shared.domain.accounts import Provider
from shared.domain.preview import NEEDS_NOTHING, Action, Change, PlannedAccount
from shared.domain.standing import DUPLICATE

INDENT = 4
STYLES = {
    Action.CREATE: "green",
    Action.CHANGE: "yellow",
    Action.REMOVE: "red",
    Action.REFUSED: "red",
    Action.EXCLUDED: "dim",
    Action.UNCHANGED: "dim",
}
HEADINGS = {Provider.AWS: "AWS accounts", Provider.GCP: "GCP projects"}
_ACTION_WIDTH = max(len(action) for action in Action)


def plan(  # noqa: PLR0913, PLR0917 - each is an option of the command
    policy: Annotated[
        str | None, typer.Option("--policy", metavar="FILE", help="a policy instead of the one in ROLLCALL_POLICY")
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option("--account", metavar="ID", help="this account or project only; may be repeated"),
    ] = None,
    ou: Annotated[
        str | None,
        typer.Option("--ou", metavar="PATH", help="what is in this organizational unit, or folder, and below only"),
    ] = None,
    provider: Annotated[
        Provider | None, typer.Option("--provider", help="this cloud only; left out, every one of the policy")
    ] = None,
    owner: Annotated[
        bool | None,
        typer.Option(
            "--owner/--no-owner",
            help="whether the Function App's identity may assign roles; left out: as the ledger last heard, else yes",
        ),
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="list accounts that need nothing, too")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Show what the policy would change, account by account and project by project; nothing is written.

    Projects are shown where the policy has a section `gcp`, with this shell's Google credentials. Exit code 1 where
    one would be refused.
    Examples: rollcall plan --policy new.yaml · rollcall plan --ou /Workloads --json · rollcall plan --provider gcp
    """
    selection = selection_of(account or [], ou or "")
    found = _previews(selection, policy, provider, owner)
    _refuse_strangers(found, selection)
    if as_json:
        write_json(plan_json(found))
    else:
        show_all_clouds(found, show_all=show_all, everybody=selection == Selection())
    if any(each.totals[Action.REFUSED] for each in found):
        raise typer.Exit(FOUND)


def _previews(selection: Selection, policy: str | None, provider: Provider | None, owner: bool | None) -> list[Preview]:
    """A plan of each cloud that is meant; who is named by twelve digits is looked for in both."""
    named = [clouds_of(text, provider) for text in selection.account_ids]
    clouds = [each for each in Provider if provider in {None, each} and (not named or each in set().union(*named))]
    found: list[Preview] = []
    for ports in cloud_bootstrap.plan_ports(policy, provider, clouds):
        with progress.status(f"reading the {ports.provider.noun}s of the organization, and the tenant"):
            found.append(plan_roll(selection, ports, may_assign_roles=owner))
    return found


def selection_of(account_ids: list[str], ou_path: str) -> Selection:
    """What the options --account and --ou mean. Raises BadParameter."""
    if ou_path and not ou_path.startswith("/"):
        raise typer.BadParameter(f"{ou_path!r} is no path of an organizational unit: it begins with a slash")
    return Selection(account_ids=frozenset(account_ids), ou_path=ou_path)


def _refuse_strangers(found: Sequence[Preview], selection: Selection) -> None:
    """Refuses a selection that means nobody: a slip of the pen would look like a plan without changes."""
    accounts = [account for each in found for account in each.accounts]
    if not accounts and selection.ou_path and not selection.account_ids:
        raise RefusedError(
            f"nobody is in {selection.ou_path}",
            remedy="see the path in AWS Organizations, or the folders' display names in Resource Manager",
        )
    strangers = selection.account_ids - {account.hierarchy_identifier for account in accounts}
    strangers -= {account.name for account in accounts if account.provider is Provider.GCP}
    if strangers:
        raise RefusedError(
            f"the organization does not list {', '.join(sorted(strangers))}"
            + (f" in {selection.ou_path}" if selection.ou_path else ""),
            remedy="check the id, or wait where it is new",
        )


def plan_json(found: Sequence[Preview]) -> dict[str, Any]:
    """The whole plan as JSON, accounts that need nothing included; of every cloud that was planned."""
    totals = {action: sum(each.totals[action] for each in found) for action in Action}
    return {
        "policy_hash": found[0].policy_hash if found else "",
        "totals": totals,
        "totals_by_provider": {each.provider: each.totals for each in found},
        "warnings": [_warning_json(warning, each.provider) for each in found for warning in each.warnings],
        "accounts": [_account_json(account) for each in found for account in each.accounts],
    }


def _warning_json(warning: PreviewWarning, provider: Provider) -> dict[str, Any]:
    note = warning.note
    return {"key": note.key, "message": note.message, "provider": provider, "accounts": warning.account_ids}


def _account_json(account: PlannedAccount) -> dict[str, Any]:
    return {
        "provider": account.provider,
        "hierarchy_identifier": account.hierarchy_identifier,
        "name": account.name,
        "ou_path": account.ou_path,
        "action": account.action,
        "reason": account.reason,
        "key": account.key or None,
        "remedy": account.remedy or None,
        "profile": account.profile or None,
        "connector_id": str(account.connector_id) if account.connector_id else None,
        "changes": list(account.changes),
    }


def show_all_clouds(found: Sequence[Preview], *, show_all: bool, everybody: bool) -> None:
    """Each cloud's plan, the clouds named where there is more than AWS; one where nobody is asked about is left out."""
    shown = [each for each in found if everybody or each.accounts]
    for number, preview in enumerate(shown):
        if len(shown) > 1 or preview.provider is not Provider.AWS:
            gap = "\n" if number else ""
            console.print(words(f"{gap}{HEADINGS[preview.provider]}", style="bold", lines=True), highlight=False)
        show(preview, show_all=show_all)


def show(found: Preview, *, show_all: bool) -> None:
    """One cloud's plan for people, those of one action together; those that need nothing only where they are wanted."""
    noun = f"{found.provider.noun}s"
    for action in Action:
        if action in NEEDS_NOTHING and not show_all:
            continue
        for account in found.accounts:
            if account.action is action:
                _show_account(account)
    for warning in found.warnings:
        count = len(warning.account_ids)
        told = f"warning: {warning.note.message} ({count} {noun if count > 1 else noun.removesuffix('s')})"
        console.print(words(told, style="yellow"), highlight=False)
    totals = " · ".join(f"{count} {action}" for action, count in found.totals.items() if count)
    console.print(words(totals or f"no {noun}"), highlight=False)
    if hidden := sum(found.totals[action] for action in NEEDS_NOTHING) if not show_all else 0:
        progress.print(words(f"{hidden} need nothing and are not listed; see them with --all", style="dim"))


def _show_account(account: PlannedAccount) -> None:
    head = Text.assemble(
        words(account.hierarchy_identifier, style="bold"),
        "  ",
        Text(account.action.ljust(_ACTION_WIDTH), style=STYLES.get(account.action, "cyan")),
        "  ",
        words(f"{account.name}  {account.ou_path}".strip()),
    )
    console.print(head, highlight=False)
    foreign = account.key == DUPLICATE  # its id has a line of its own
    _indented(
        words(f"another's connector, which is not ours, has the {account.provider.noun}" if foreign else account.reason)
    )
    if account.remedy:
        _indented(words(account.remedy))
    if account.action is Action.CREATE and (place := account.connector_id):
        _indented(words(f"in {place.subscription_id}/{place.resource_group}"))
    elif account.connector_id and account.action not in {Action.CHANGE, Action.UNCHANGED}:
        console.print(words(" " * INDENT + str(account.connector_id)), soft_wrap=True, highlight=False)
    for change in account.changes:
        _indented(_change_text(change))


def _indented(text: Text) -> None:
    console.print(Padding(text, (0, 0, 0, INDENT), expand=False), highlight=False)


def _change_text(change: Change) -> Text:
    name = change.path.removeprefix("properties.")
    if name.startswith("offerings["):
        offering, _, field = name.removeprefix("offerings[").partition("]")
        if not field:
            return words(f"{offering}: {'added' if change.now is None else 'taken off'}")
        name = f"{offering}{field}"
    return words(f"{name}: {_value(change.now)} → {_value(change.wanted)}")


def _value(value: Any) -> str:
    return "absent" if value is None else json.dumps(value, ensure_ascii=False)
