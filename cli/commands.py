"""Every command of `rollcall`, and the module that it is loaded from once it is named: no other is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from cli.output import RefusedError


@dataclass(frozen=True)
class Listed:
    """A command as the help lists it. `attribute` of `module` is its function, or the Typer application of a group.

    One that works on a deployment takes the sandbox of this folder for it where the shell names none.
    """

    module: str
    attribute: str
    told: str
    works_on_a_deployment: bool = field(default=True, kw_only=True)


COMMANDS: Mapping[str, Listed] = {
    "demo": Listed(
        "cli.demo.command",
        "demo",
        "Watch new accounts and projects get connectors, simulated.",
        works_on_a_deployment=False,
    ),
    "doctor": Listed("cli.doctor", "doctor", "Check every prerequisite, as whoever needs it; --fix mends."),
    "status": Listed("cli.status", "status", "Show where every account and project stands, or one of them."),
    "onboard": Listed("cli.onboard", "onboard", "Bring one account or project to what the policy asks for."),
    "offboard": Listed("cli.offboard", "offboard", "Take one account or project out; --confirm does it."),
    "plan": Listed("cli.plan", "plan", "Show what the policy would change; nothing is written."),
    "backfill": Listed("cli.backfill", "backfill", "Ask for every account that is not yet as the policy wants it."),
    "sweep": Listed("cli.sweep", "sweep", "Compare everything with policy and Defender: the daily sweep."),
    "report": Listed("cli.report", "report", "Show everything on one page: coverage, times, findings, …"),
    "query": Listed("cli.query", "query", "Ask what Defender knows: recommendations, attack paths, …"),
    "replay": Listed("cli.replay", "app", "See why messages were given up; send them again or discard."),
    "subscription": Listed("cli.subscription", "app", "Show and switch on Defender's plans of the subscription."),
    "sandbox": Listed(
        "cli.sandbox", "app", "Start and stop both clouds, simulated on this computer.", works_on_a_deployment=False
    ),
    "policy": Listed("cli.policy", "app", "Check, explain and publish the policy.", works_on_a_deployment=False),
    "template": Listed(
        "cli.template", "app", "Check, build and roll out the template of the roles.", works_on_a_deployment=False
    ),
}


class _Loaded(Mapping[str, Any]):
    """Typer's commands by their names, each made when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        listed = COMMANDS[name]
        made = getattr(import_module(listed.module), listed.attribute)
        holder = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
        if isinstance(made, typer.Typer):
            holder.add_typer(made, name=name)
        else:
            holder.command(name)(made)
        return typer.main.get_group(holder).commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Stoppable(TyperGroup):
    """Commands of which one that does not see to Ctrl-C itself ends as every refusal does."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that is named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise RefusedError("stopped", remedy="run it again: what is done is not done twice") from None


class Commands(Stoppable):
    """All of `COMMANDS`; to list them loads none."""

    def __init__(self, **settings: Any) -> None:
        """As Typer makes a group."""
        super().__init__(**settings)
        self.commands = _Loaded()  # type: ignore[assignment]  # nobody adds to it

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Typer's signature
        """Their names, in the order of the help."""
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Typer's signature
        """Writes their part of the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, listed.told) for name, listed in COMMANDS.items()])
