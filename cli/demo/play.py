"""The demo's acts, one after another, and what has to be true after each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli import bootstrap
from cli.demo.google import SCRIPT_PROJECT, SCRIPTS, SHOPS, GoogleOrganization, NewProject
from cli.demo.scenario import BROKEN_NAME, Clouds, NewAccount, pace
from cli.demo.trace import Step, Trace, Traces
from cli.demo.view import connector_table, heading, walk_table
from cli.output import console, progress, words
from sandbox.endpoints import Endpoints
from shared.application.request_onboarding import request_onboarding
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, State

LOOK_EVERY_SECONDS = 0.25
PATIENCE_SECONDS = 120.0


class Play:
    """One run of the demo on a running sandbox."""

    def __init__(self, endpoints: Endpoints, *, accounts: int, projects: int, pace_seconds: float, quiet: bool) -> None:
        """`quiet` keeps the pictures away from standard output, where JSON goes."""
        self._clouds = Clouds(endpoints)
        self._google = GoogleOrganization(endpoints)
        self._pace = pace_seconds
        self._console = Console(quiet=True) if quiet else console
        self._screen = progress if quiet else console
        self._traces = Traces()
        self._position = 0
        self._management: AccountKey | None = None
        self._names = [f"team-{number:02d}" for number in range(1, accounts + 1)]
        self._projects = [f"shop-{number:02d}" for number in range(1, projects + 1)]

    def run(self) -> dict[str, Any]:
        """Plays all acts; `ok` says whether everything came as it has to."""
        began = datetime.now(UTC)
        existing = self._organizations()
        self._existing_ones(existing)
        self._new_ones()
        replay = self._replay(began)
        connectors = self._closing()
        accounts, projects = self._named(Provider.AWS, self._names), self._named(Provider.GCP, self._projects)
        failed = [trace for trace in self._of(State.DEPLOY_FAILED) if trace.name == BROKEN_NAME]
        scripts = self._named(Provider.GCP, [SCRIPT_PROJECT])
        return {
            "ok": self._all_connected_once(accounts, projects)
            and len(failed) == 1
            and all(trace in self._of(State.EXCLUDED) for trace in scripts)
            and self._script_project_left_alone()
            and bool(replay["unchanged"]),
            "accounts": [trace.as_json() for trace in accounts],
            "projects": [trace.as_json() for trace in projects],
            "existing": [self._traces.by_key[key].as_json() for key in existing],
            "excluded": [trace.as_json() for trace in scripts],
            "failed": [trace.as_json() for trace in failed],
            "replay": replay,
            "connectors": connectors,
            "totals": self._totals(),
        }

    def _all_connected_once(self, accounts: list[Trace], projects: list[Trace]) -> bool:
        """Whether all that were asked for are there, each connected by one PUT."""
        complete = (len(accounts), len(projects)) == (len(self._names), len(self._projects))
        puts = self._traces.connector_puts
        connected = self._of(State.CONNECTED)
        return complete and all(trace in connected and puts.get(trace.key) == 1 for trace in [*accounts, *projects])

    def _organizations(self) -> list[AccountKey]:
        heading(self._console, 1, "An AWS organization and one of Google Cloud, and what was there before")
        units = self._clouds.make_units()
        planted = self._clouds.plant_accounts(units)
        self._clouds.archive_events()
        self._clouds.plant_failure()
        existing = {_key(Provider.AWS, account_id): name for name, account_id in planted.items()}
        if self._projects:
            self._google.make_folders()
            project_id, number = self._google.management_project()
            self._management = _key(Provider.GCP, number)
            existing[self._management] = project_id
        for key, name in existing.items():
            self._traces.add(Trace(name=name, key=key, started_at=datetime.now(UTC)))
        return list(existing)

    def _existing_ones(self, existing: list[AccountKey]) -> None:
        moved = "; the management project is moved" if self._projects else ": the policy decides"
        heading(self._console, 2, f"`rollcall onboard` for each account{moved}")
        self._console.print("Seconds until: event heard, roles asked for, there, queued, connector put.", style="dim")
        if self._projects:
            self._console.print("Projects need no roles: theirs are the management project's.", style="dim")
        for key in existing:
            trace = self._traces.by_key[key]
            trace.started_at = datetime.now(UTC)
            if key.provider is Provider.AWS:
                request_onboarding(key, bootstrap.event_bus())
            else:
                self._google.move_management_project(trace.name)
        self._watch(lambda: self._settled(existing))
        for key in existing:
            record = self._traces.by_key[key].record
            if record is not None:
                ended = record.reason or record.connector_id.rpartition("/")[2]
                self._console.print(words(f"{record.name}: {record.state} · {ended}"))

    def _new_ones(self) -> None:
        accounts, projects = [*self._names], self._folders()
        and_projects = f"; {len(self._projects)} projects and one of a script" if projects else ""
        heading(self._console, 3, f"{len(accounts)} new accounts and one that AWS refuses roles{and_projects}")
        accounts.insert(min(2, len(accounts)), BROKEN_NAME)
        waiting: list[NewAccount | NewProject] = []
        last = 0.0

        def done() -> bool:
            nonlocal last
            if (accounts or projects) and time.monotonic() - last >= self._pace:
                last = time.monotonic()
                if accounts:
                    waiting.append(self._clouds.create_account(accounts.pop(0)))
                if projects:
                    waiting.append(self._google.create_project(*projects.pop(0)))
            self._adopt_ids(waiting)
            ours = [key for key, trace in self._traces.by_key.items() if self._is_new(trace)]
            complete = not accounts and not projects and not waiting
            return complete and self._settled(ours) and self._script_project_left_alone()

        self._watch(done)

    def _script_project_left_alone(self) -> bool:
        """Whether the Organization connector was written again, since it is told whom the policy excludes."""
        return self._management is None or self._traces.connector_puts.get(self._management, 0) > 1

    def _folders(self) -> list[tuple[str, str]]:
        """Each new project with its folder; one that Apps Script makes comes with the others."""
        if not self._projects:
            return []
        found = [(project_id, SHOPS[number % len(SHOPS)]) for number, project_id in enumerate(self._projects)]
        return [*found[:1], (SCRIPT_PROJECT, SCRIPTS), *found[1:]]

    def _adopt_ids(self, waiting: list[NewAccount | NewProject]) -> None:
        for each in [*waiting]:
            if isinstance(each, NewAccount):
                provider, name, found = Provider.AWS, each.name, self._clouds.account_id(each)
            else:
                provider, name, found = Provider.GCP, each.project_id, self._google.project_number(each)
            if found is not None:
                trace = Trace(name=name, key=_key(provider, found), started_at=each.asked_at)
                trace.steps[Step.CREATED] = each.asked_at
                self._traces.add(trace)
                waiting.remove(each)

    def _replay(self, began: datetime) -> dict[str, Any]:
        heading(self._console, 4, "The same events once more: nothing may change")
        before = self._totals()
        connected = [
            *(trace for trace in self._of(State.CONNECTED) if trace.name in self._names),
            *(trace for trace in self._of(State.CONNECTED) if trace.key.provider is Provider.GCP),
        ]
        seen = {trace.key: trace.unchanged for trace in connected}
        self._clouds.replay_events(began)
        if self._projects:
            self._google.replay_entries()
        self._watch(lambda: all(trace.unchanged > seen[trace.key] for trace in connected))
        after = self._totals()
        self._console.print(f"every event came again, and {len(connected)} connectors stayed `unchanged`; totals:")
        for name, value in after.items():
            self._console.print(Text(f"  {name.replace('_', ' ')}: {before[name]} → {value}"))
        return {"unchanged": before == after, "before": before, "after": after}

    def _closing(self) -> list[dict[str, Any]]:
        heading(self._console, 5, "Where those ended that have no connector, and why")
        for trace in [*self._of(State.DEPLOY_FAILED), *self._named(Provider.GCP, [SCRIPT_PROJECT])]:
            record = trace.record
            if record is not None:
                self._console.print(words(f"{record.key.hierarchy_identifier} {trace.name}: {record.state}"))
                remedy = f"\nremedy: {record.remedy}" if record.remedy else ""
                self._console.print(words(f"reason: {record.reason}{remedy}", lines=True))
        heading(self._console, 6, "The connectors, as Resource Manager has them")
        connectors = self._clouds.connectors()
        self._console.print(connector_table(connectors, self._name_of))
        self._console.print()
        totals = self._totals()
        self._console.print(
            Text(
                f"{totals['accounts_connected']} accounts, {totals['projects_connected']} projects connected · "
                f"{totals['stack_set_operations']} stack set operations · {totals['connector_puts']} connector puts",
                style="bold",
            )
        )
        return connectors

    def _name_of(self, connector: dict[str, Any]) -> str:
        number = connector["properties"]["hierarchyIdentifier"]
        provider = Provider(connector["properties"]["environmentName"].lower())
        trace = self._traces.by_key.get(_key(provider, number))
        return trace.name if trace else number

    def _watch(self, done: Callable[[], bool]) -> None:
        """Looks at journal and ledger until `done`, showing accounts and projects meanwhile."""
        deadline = time.monotonic() + PATIENCE_SECONDS + (len(self._names) + len(self._projects)) * self._pace
        with Live(console=self._screen, refresh_per_second=4, transient=False) as live:
            last = time.monotonic()
            while True:
                finished = done()
                self._look()
                live.update(walk_table(self._traces.by_key.values(), self._screen.width))
                if finished or time.monotonic() > deadline:
                    break
                last = pace(last, LOOK_EVERY_SECONDS)
        if not self._screen.is_terminal:
            self._screen.print()

    def _look(self) -> None:
        entries, self._position = self._clouds.journal(self._position)
        self._traces.feed(entries)
        for record in bootstrap.ledger().list_records():
            trace = self._traces.by_key.get(record.key)
            if trace is not None and trace.record != record:
                trace.learn(record, bootstrap.ledger().history(record.key))

    def _settled(self, keys: Iterable[AccountKey]) -> bool:
        return all(self._traces.by_key[key].settled for key in keys)

    def _is_new(self, trace: Trace) -> bool:
        return trace.name in {*self._names, BROKEN_NAME, *self._projects, SCRIPT_PROJECT}

    def _named(self, provider: Provider, names: list[str]) -> list[Trace]:
        traces = self._traces.by_key.values()
        return [trace for trace in traces if trace.key.provider is provider and trace.name in names]

    def _of(self, state: State) -> list[Trace]:
        return [trace for trace in self._traces.by_key.values() if trace.record and trace.record.state is state]

    def _totals(self) -> dict[str, int]:
        connected = [trace.key.provider for trace in self._of(State.CONNECTED)]
        return {
            "accounts_connected": connected.count(Provider.AWS),
            "projects_connected": connected.count(Provider.GCP),
            "stack_set_operations": self._traces.stack_set_operations,
            "connector_puts": sum(self._traces.connector_puts.values()),
        }


def _key(provider: Provider, number: str) -> AccountKey:
    return AccountKey(provider=provider, hierarchy_identifier=number)
