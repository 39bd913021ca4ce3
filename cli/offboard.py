"""`rollcall offboard ID`: what would go, and with `--confirm` its going: the connector first, the roles after it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import bootstrap
from cli.output import console, progress, words, write_json
from cli.status import account_key
from shared.application.offboard import OffboardPorts, plan_offboarding, remove_connector, remove_roles
from shared.domain.offboarding import OffboardingPlan, RolesFate

FATES = {
    RolesFate.NONE: "no stack instance: there are no roles of ours",
    RolesFate.REMOVE: "the stack instance goes: identity provider and roles",
    RolesFate.KEEP_IN_USE: "the stack instance stays: an identity provider of it is used by others",
    RolesFate.KEEP_CONNECTED: "the stack instance stays: another's connector of the account needs its roles",
    RolesFate.KEEP_UNSEEN: "the stack instance stays: the account cannot be looked into, so somebody else may use "
    "an identity provider of it",
}


def offboard(
    account: Annotated[str, typer.Argument(metavar="ID", help="a 12-digit AWS account id")],
    confirm: Annotated[bool, typer.Option("--confirm", help="do it; left out, only say what would be done")] = False,
    wait_seconds: Annotated[float, typer.Option("--wait", min=1, help="seconds to wait for each step")] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Take one account out of Defender for Cloud. Without --confirm nothing is changed.

    Examples: rollcall offboard 012345678901 · rollcall offboard 012345678901 --confirm
    """
    key, ports = account_key(account), bootstrap.offboard_ports()
    with progress.status(f"looking at {account}"):
        plan = plan_offboarding(key, ports)
    if not as_json:
        _show(plan)
    if not confirm:
        _end(plan, {"confirmed": False}, as_json=as_json, last="nothing was changed; --confirm does it")
        return
    _end(plan, {"confirmed": True, **_do(plan, ports, wait_seconds)}, as_json=as_json, last="done")


def _do(plan: OffboardingPlan, ports: OffboardPorts, wait_seconds: float) -> dict[str, Any]:
    with progress.status("the Function App deletes the connector"):
        record = remove_connector(plan, ports, timeout_seconds=wait_seconds)
    progress.print(words(f"{plan.account_id} {record.state}: {record.reason}"))
    with progress.status("CloudFormation deletes the stack instance"):
        removed = remove_roles(plan, ports, timeout_seconds=wait_seconds)
    return {"state": record.state, "roles_removed": removed}


def _end(plan: OffboardingPlan, done: dict[str, Any], *, as_json: bool, last: str) -> None:
    if as_json:
        write_json(_plan_json(plan) | done)
    else:
        console.print(words(last))


def _show(plan: OffboardingPlan) -> None:
    for connector in plan.ours:
        _line("delete", str(connector.connector_id))
    for connector in plan.foreign:
        _line("leave", f"{connector.connector_id}: not ours")
    if in_use := plan.in_use:
        _line("refused", f"{in_use.reason}. {in_use.remedy}")
    for lock in plan.locks:
        _line("locked", f"{lock.lock_id} ({lock.level}): remove it first")
    _line("roles", FATES[plan.roles_fate])
    for user in plan.users or ():
        _line("user", f"role {user} trusts an identity provider of it, too")
    for machine in plan.machines:
        _line("machine", f"{machine.name} ({machine.status}) stays: remove the agent on it, then {machine.resource_id}")
    if plan.still_included:
        _line("warning", f"the policy still includes the account ({plan.still_included}): exclude it, or it comes back")
    if plan.has_nothing_to_do:
        _line("nothing", "there is nothing of ours to remove")


def _line(label: str, text: str) -> None:
    console.print(words(f"{label:<8} {text}"), soft_wrap=True)


def _plan_json(plan: OffboardingPlan) -> dict[str, Any]:
    return {
        "hierarchy_identifier": plan.account_id,
        "connectors": [str(connector.connector_id) for connector in plan.ours],
        "foreign_connectors": [str(connector.connector_id) for connector in plan.foreign],
        "members": plan.members,
        "locks": [vars(lock) for lock in plan.locks],
        "roles": plan.roles_fate,
        "provider_users": plan.users,
        "machines": [vars(machine) for machine in plan.machines],
        "still_included": plan.still_included,
    }
