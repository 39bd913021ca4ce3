"""`rollcall offboard ID`: what would go, and with `--confirm` its going: the connector first, the roles after it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import bootstrap, cloud_bootstrap
from cli.halfway import told_halfway
from cli.identifiers import CloudOption, IdArgument, cloud_of
from cli.output import FOUND, RefusedError, console, progress, words, write_json
from shared.application.named import known_as
from shared.application.offboard import OffboardPorts, plan_offboarding, remove_connector, remove_roles
from shared.domain.accounts import Provider, is_project_number
from shared.domain.ledger import AccountKey
from shared.domain.offboarding import OffboardingPlan, RolesFate

FATES = {
    RolesFate.NONE: "no stack instance: there are no roles of ours",
    RolesFate.REMOVE: "the stack instance goes: identity provider and roles",
    RolesFate.KEEP_IN_USE: "the stack instance stays: an identity provider of it is used by others",
    RolesFate.KEEP_CONNECTED: "the stack instance stays: another's connector of the account needs its roles",
    RolesFate.KEEP_UNSEEN: "the stack instance stays: the account cannot be looked into, so somebody else may use "
    "an identity provider of it",
}

_LONGEST_WORD = 40
STAYS = {
    "google": "pool, providers, service accounts and their roles stay: Rollcall deletes none at Google",
    "apis": "APIs that were enabled, and enable-osconfig, stay as they are in the project",
}
"""What a project keeps, whatever is confirmed."""


def offboard(
    account: IdArgument,
    provider: CloudOption = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="do it; left out, only say what would be done")] = False,
    wait_seconds: Annotated[float, typer.Option("--wait", min=1, help="seconds to wait for each step")] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Take one account or project out of Defender for Cloud. Without --confirm nothing is changed.

    Exit code 1 where members, a lock or another's connector is in the way, with --confirm or without.
    What a project has at Google stays: pools, providers, service accounts and enabled APIs are never taken away.
    Examples: rollcall offboard 012345678901 · rollcall offboard acme-shop-1 --provider gcp --confirm
    """
    cloud = cloud_of(account, provider, bootstrap.ledger())
    ports = cloud_bootstrap.offboard_ports(cloud)
    key = AccountKey(provider=cloud, hierarchy_identifier=_identifier(account, cloud, ports))
    with progress.status(f"looking at {account}"):
        plan = plan_offboarding(key, ports)
    if not as_json:
        _show(plan)
    if not confirm:
        _end(plan, {"confirmed": False}, as_json=as_json, last=_unconfirmed(plan))
        if plan.is_refused:
            raise typer.Exit(FOUND)
        return
    _end(plan, {"confirmed": True, **_do(plan, ports, wait_seconds)}, as_json=as_json, last="done")


def _identifier(text: str, cloud: Provider, ports: OffboardPorts) -> str:
    """The account's id or the project's number; a project that is gone is known to the ledger. Raises RefusedError."""
    if cloud is Provider.AWS or is_project_number(text):
        return text
    project = ports.directory.find_account(text, with_tags=False)
    if project is not None:
        return project.account_id
    known = known_as(text, (cloud,), ports.ledger)
    if len(known) != 1:
        cloud_bootstrap.refuse_elsewhere(text, ports.policy)
        raise RefusedError(
            f"neither the organization of the policy nor the ledger knows one project {text}",
            remedy="check the id, or say the project's number with --provider gcp",
        )
    return known[0].key.hierarchy_identifier


def _do(plan: OffboardingPlan, ports: OffboardPorts, wait_seconds: float) -> dict[str, Any]:
    go_on = "run the same command again: it goes on where it ended"
    with (
        told_halfway(lambda: "waiting for its connector to go", go_on),
        progress.status("the Function App deletes the connector"),
    ):
        record = remove_connector(plan, ports, timeout_seconds=wait_seconds)
    progress.print(words(f"{plan.account_id} {record.state}: {record.reason}"))
    if ports.aws is None:
        return {"state": record.state, "roles_removed": False}
    gone = "after its connector went, waiting for its roles to go"
    with told_halfway(lambda: gone, go_on), progress.status("CloudFormation deletes the stack instance"):
        removed = remove_roles(plan, ports, timeout_seconds=wait_seconds)
    return {"state": record.state, "roles_removed": removed}


def _end(plan: OffboardingPlan, done: dict[str, Any], *, as_json: bool, last: str) -> None:
    if as_json:
        write_json(_plan_json(plan) | done)
    else:
        console.print(words(last))


def _unconfirmed(plan: OffboardingPlan) -> str:
    """The last line of a mere look: what --confirm would do."""
    if plan.is_refused:
        return "nothing was changed; --confirm would be refused, too"
    return "nothing was changed" if plan.has_nothing_to_do else "nothing was changed; --confirm does it"


def _show(plan: OffboardingPlan) -> None:
    if plan.key.provider is Provider.GCP:
        _line("project", f"{plan.account_id} {plan.name or '(the organization does not list it)'}")
    for connector in plan.ours:
        _line("stays" if plan.is_refused else "delete", str(connector.connector_id))
    for connector in plan.foreign:
        _line("leave", f"{connector.connector_id}: not ours")
    if in_use := plan.in_use:
        _line("refused", f"{in_use.reason}. {in_use.remedy}")
    for lock in plan.locks:
        _line("locked", f"{lock.lock_id} ({lock.level}): remove it first")
    if plan.key.provider is Provider.AWS:
        refused = plan.is_refused and plan.roles_fate is RolesFate.REMOVE
        _line("roles", "the stack instance stays with its connector" if refused else FATES[plan.roles_fate])
    else:
        for label, stays in STAYS.items():
            _line(label, stays)
    for user in plan.users or ():
        _line("user", f"role {user} trusts an identity provider of it, too")
    for machine in plan.machines:
        _line("machine", f"{machine.name} ({machine.status}) stays: remove the agent on it, then {machine.resource_id}")
    if plan.still_included:
        included = f"the policy still includes the {plan.noun} ({plan.still_included})"
        _line("warning", f"{included}: exclude it, or it comes back")
    if plan.has_nothing_to_do:
        _line("nothing", "there is nothing of ours to remove")


def _line(label: str, text: str) -> None:
    copied = "`" in text or max(map(len, text.split())) > _LONGEST_WORD
    console.print(words(f"{label:<8} {text}"), soft_wrap=copied)  # an id or a command stays whole


def _plan_json(plan: OffboardingPlan) -> dict[str, Any]:
    return {
        "provider": plan.key.provider,
        "hierarchy_identifier": plan.account_id,
        "name": plan.name,
        "connectors": [str(connector.connector_id) for connector in plan.ours],
        "foreign_connectors": [str(connector.connector_id) for connector in plan.foreign],
        "members": plan.members,
        "locks": [vars(lock) for lock in plan.locks],
        "refused": plan.is_refused,
        "roles": plan.roles_fate,
        "provider_users": plan.users,
        "machines": [vars(machine) for machine in plan.machines],
        "still_included": plan.still_included,
    }
