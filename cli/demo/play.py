"""The demo's acts, one after another, and what has to be true after each."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli import bootstrap
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

    def __init__(self, endpoints: Endpoints, *, accounts: int, pace_seconds: float, quiet: bool) -> None:
        """`quiet` keeps the pictures away from standard output, where JSON goes."""
        self._clouds = Clouds(endpoints)
        self._accounts = accounts
        self._pace = pace_seconds
        self._console = Console(quiet=True) if quiet else console
        self._screen = progress if quiet else console
        self._traces = Traces()
        self._position = 0
        self._names = [f"team-{number:02d}" for number in range(1, accounts + 1)]

    def run(self) -> dict[str, Any]:
        """Plays all acts; `ok` says whether everything came as it has to."""
        began = datetime.now(UTC)
        existing = self._organization()
        self._existing_accounts(existing)
        self._new_accounts()
        replay = self._replay(began)
        connectors = self._closing()
        wanted = {trace.account_id for trace in self._traces.by_account.values() if trace.name in self._names}
        connected = {trace.account_id for trace in self._of(State.CONNECTED)}
        failed = [trace for trace in self._of(State.DEPLOY_FAILED) if trace.name == BROKEN_NAME]
        once = all(self._traces.connector_puts.get(account_id) == 1 for account_id in connected)
        return {
            "ok": wanted <= connected and len(failed) == 1 and once and bool(replay["unchanged"]),
            "accounts": [trace.as_json() for trace in self._traces.by_account.values() if trace.name in self._names],
            "existing": [self._traces.by_account[account_id].as_json() for account_id in existing.values()],
            "failed": [trace.as_json() for trace in failed],
            "replay": replay,
            "connectors": connectors,
            "totals": self._totals(),
        }

    def _organization(self) -> dict[str, str]:
        heading(self._console, 1, "An AWS organization: nested units, three accounts that were there before")
        units = self._clouds.make_units()
        existing = self._clouds.plant_accounts(units)
        self._clouds.archive_events()
        self._clouds.plant_failure()
        for name, account_id in existing.items():
            self._traces.add(Trace(name=name, account_id=account_id, started_at=datetime.now(UTC)))
        return existing

    def _existing_accounts(self, existing: dict[str, str]) -> None:
        heading(self._console, 2, "`rollcall onboard` for each of them: the policy decides")
        self._console.print("Seconds until: event heard, roles asked for, there, queued, connector put.", style="dim")
        for account_id in existing.values():
            self._traces.by_account[account_id].started_at = datetime.now(UTC)
            request_onboarding(_key(account_id), bootstrap.event_bus())
        self._watch(lambda: self._settled(existing.values()))
        for account_id in existing.values():
            record = self._traces.by_account[account_id].record
            if record is not None:
                ended = record.reason or record.connector_id.rpartition("/")[2]
                self._console.print(words(f"{record.name}: {record.state} · {ended}"))

    def _new_accounts(self) -> None:
        heading(self._console, 3, f"{self._accounts} new accounts, and one whose roles AWS will refuse")
        names = [*self._names]
        names.insert(min(2, len(names)), BROKEN_NAME)
        waiting: list[NewAccount] = []
        last = 0.0

        def done() -> bool:
            nonlocal last
            if names and time.monotonic() - last >= self._pace:
                last = time.monotonic()
                waiting.append(self._clouds.create_account(names.pop(0)))
            self._adopt_ids(waiting)
            ours = [trace.account_id for trace in self._traces.by_account.values() if self._is_new(trace)]
            return not names and not waiting and self._settled(ours)

        self._watch(done)

    def _adopt_ids(self, waiting: list[NewAccount]) -> None:
        for account in [*waiting]:
            account_id = self._clouds.account_id(account)
            if account_id is not None:
                trace = Trace(name=account.name, account_id=account_id, started_at=account.asked_at)
                trace.steps[Step.CREATED] = account.asked_at
                self._traces.add(trace)
                waiting.remove(account)

    def _replay(self, began: datetime) -> dict[str, Any]:
        heading(self._console, 4, "The same events once more: nothing may change")
        before = self._totals()
        connected = [trace for trace in self._of(State.CONNECTED) if trace.name in self._names]
        seen = {trace.account_id: trace.unchanged for trace in connected}
        self._clouds.replay_events(began)
        self._watch(lambda: all(trace.unchanged > seen[trace.account_id] for trace in connected))
        after = self._totals()
        self._console.print(f"{len(connected)} replayed events answered `unchanged`; totals before and after:")
        for name, value in after.items():
            self._console.print(Text(f"  {name.replace('_', ' ')}: {before[name]} → {value}"))
        return {"unchanged": before == after, "before": before, "after": after}

    def _closing(self) -> list[dict[str, Any]]:
        heading(self._console, 5, "Where the account that cannot work ended, and why")
        for trace in self._of(State.DEPLOY_FAILED):
            record = trace.record
            if record is not None:
                self._console.print(words(f"{trace.account_id} {trace.name}: {record.state}"))
                self._console.print(words(f"reason: {record.reason}\nremedy: {record.remedy}", lines=True))
        heading(self._console, 6, "The connectors, as Resource Manager has them")
        connectors = self._clouds.connectors()
        self._console.print(connector_table(connectors))
        self._console.print()
        totals = " · ".join(f"{value} {name.replace('_', ' ')}" for name, value in self._totals().items())
        self._console.print(Text(totals, style="bold"))
        return connectors

    def _watch(self, done: Callable[[], bool]) -> None:
        """Looks at journal and ledger until `done`, showing the accounts meanwhile."""
        deadline = time.monotonic() + PATIENCE_SECONDS + self._accounts * self._pace
        with Live(console=self._screen, refresh_per_second=4, transient=False) as live:
            last = time.monotonic()
            while True:
                finished = done()
                self._look()
                live.update(walk_table(self._traces.by_account.values()))
                if finished or time.monotonic() > deadline:
                    break
                last = pace(last, LOOK_EVERY_SECONDS)
        if not self._screen.is_terminal:
            self._screen.print()

    def _look(self) -> None:
        entries, self._position = self._clouds.journal(self._position)
        self._traces.feed(entries)
        for record in bootstrap.ledger().list_records():
            trace = self._traces.by_account.get(record.key.hierarchy_identifier)
            if trace is not None and trace.record != record:
                trace.learn(record, bootstrap.ledger().history(record.key))

    def _settled(self, account_ids: Any) -> bool:
        return all(self._traces.by_account[account_id].settled for account_id in account_ids)

    def _is_new(self, trace: Trace) -> bool:
        return trace.name in self._names or trace.name == BROKEN_NAME

    def _of(self, state: State) -> list[Trace]:
        return [trace for trace in self._traces.by_account.values() if trace.record and trace.record.state is state]

    def _totals(self) -> dict[str, int]:
        return {
            "accounts_connected": len(self._of(State.CONNECTED)),
            "stack_set_operations": self._traces.stack_set_operations,
            "connector_puts": sum(self._traces.connector_puts.values()),
        }


def _key(account_id: str) -> AccountKey:
    return AccountKey(provider=Provider.AWS, hierarchy_identifier=account_id)
