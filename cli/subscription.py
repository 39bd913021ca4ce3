"""`rollcall subscription show|enable`: Defender's own plans of the subscription that connectors are placed in."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer
from rich.table import Table

from cli import bootstrap
from cli.halfway import told_halfway
from cli.output import WRONG_USAGE, RefusedError, console, progress, words, write_json
from shared.application.subscription_plans import (
    GAP_SECONDS,
    SHORTEST_GAP_SECONDS,
    SubscriptionPorts,
    enable_plans,
    ensure_alert_export,
)
from shared.domain.prechecks import NEEDED_PLANS
from shared.domain.subscription_plans import PLAN_WORDS, AlertExport, SubscriptionPlan

app = typer.Typer(no_args_is_help=True, help="Show and switch on plans of the subscription of the policy's target.")

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Subscription = Annotated[
    str | None, typer.Option("--subscription", metavar="GUID", help="left out: that of the policy's target")
]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON document on standard output")]


@app.command("show")
def show(subscription: Subscription = None, as_json: AsJson = False) -> None:
    """Show which plans are on, and which of them connectors need.

    Example: rollcall subscription show
    """
    subscription_id = _subscription(subscription)
    plans = bootstrap.subscription_ports(GAP_SECONDS).plans.list_plans(subscription_id)
    if as_json:
        write_json({"subscription": subscription_id, "plans": [_plan_json(plan) for plan in plans]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("plan", "state", "sub-plan", "needed by connectors with"):
        table.add_column(column, overflow="fold")
    for plan in plans:
        state = "deprecated" if plan.deprecated else "on" if plan.is_on else "off"
        table.add_row(words(plan.name), state, words(plan.sub_plan), words(_needed_by(plan)))
    console.print(words(f"subscription {subscription_id}"))
    console.print(table)


@app.command("enable")
def enable(
    plans: Annotated[
        str, typer.Option("--plans", metavar="LIST", help=f"of {', '.join(PLAN_WORDS)}, or names of pricings")
    ] = "",
    subscription: Subscription = None,
    gap_seconds: Annotated[
        float, typer.Option("--gap", min=0, help="seconds between two changes; 10 or more")
    ] = GAP_SECONDS,
    export_to: Annotated[
        str | None, typer.Option("--export-to", metavar="ID", help="resource id of a Logic App that gets high alerts")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Switch plans on, one after the other; what is on already is left alone. They are billed by Azure.

    Examples: rollcall subscription enable --plans servers,databases,cspm
    · rollcall subscription enable --export-to /subscriptions/…/providers/Microsoft.Logic/workflows/alerts
    """
    names = [PLAN_WORDS.get(word.strip().lower(), word.strip()) for word in plans.split(",") if word.strip()]
    if not names and export_to is None:
        raise RefusedError("nothing to enable", remedy="give --plans or --export-to", exit_code=WRONG_USAGE)
    subscription_id, ports = _subscription(subscription), bootstrap.subscription_ports(gap_seconds)
    export = _alert_export(export_to, subscription_id) if export_to is not None else None
    if gap_seconds < SHORTEST_GAP_SECONDS:
        progress.print(f"warning: with less than {SHORTEST_GAP_SECONDS:g} seconds between them changes may be refused")
    _refuse_unknown(names, subscription_id, ports)
    done: list[dict[str, Any]] = []
    with told_halfway(lambda: f"after {len(done)} plan(s)" if done else "", "run it again: what is on is left alone"):
        for plan, result in enable_plans(names, subscription_id, ports):
            done.append(_plan_json(plan) | {"result": result})
            progress.print(words(f"{plan.name}: {result}"))
    document: dict[str, Any] = {"subscription": subscription_id, "plans": done}
    if export is not None:
        result = ensure_alert_export(export, bootstrap.automations())
        document["export"] = {"automation": export.automation_id, "result": result}
        progress.print(words(f"{export.automation_id}: {result}"))
    if as_json:
        write_json(document)
    else:
        console.print("done")


def _alert_export(logic_app_id: str, subscription_id: str) -> AlertExport:
    """The automation in the resource group of the policy's target, the only one there that we know."""
    target = bootstrap.policy().target
    if subscription_id.lower() != target.subscription_id.lower():
        raise RefusedError(
            f"no resource group of subscription {subscription_id} is known for the export",
            remedy=f"leave --subscription out, or name that of the policy's target, {target.subscription_id}",
            exit_code=WRONG_USAGE,
        )
    scope = f"/subscriptions/{subscription_id}"
    return AlertExport(
        resource_group_id=f"{scope}/resourceGroups/{target.resource_group}",
        location=target.location,
        scope=scope,
        logic_app_id=logic_app_id,
    )


def _refuse_unknown(names: list[str], subscription_id: str, ports: SubscriptionPorts) -> None:
    """Before anything is written."""
    known = {plan.name: plan for plan in ports.plans.list_plans(subscription_id)}
    unknown = [name for name in names if name not in known or known[name].deprecated]
    if unknown:
        raise RefusedError(
            f"no plan {', '.join(unknown)} (or a deprecated one)",
            remedy=f"choose of {', '.join([*PLAN_WORDS, *(name for name in known if not known[name].deprecated)])}",
            exit_code=WRONG_USAGE,
        )


def _subscription(given: str | None) -> str:
    if given is not None and not _GUID.fullmatch(given):
        raise RefusedError(
            f"{given} is no subscription id",
            remedy="give the GUID that `az account show --query id` says",
            exit_code=WRONG_USAGE,
        )
    return given or bootstrap.policy().target.subscription_id


def _needed_by(plan: SubscriptionPlan) -> str:
    return ", ".join(str(offering) for offering, name in NEEDED_PLANS.items() if name == plan.name)


def _plan_json(plan: SubscriptionPlan) -> dict[str, Any]:
    return {"name": plan.name, "is_on": plan.is_on, "sub_plan": plan.sub_plan, "deprecated": plan.deprecated}
