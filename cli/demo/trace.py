"""How far each account and project is: its steps with their times, from the clouds' journal and the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, AccountRecord, HistoryEntry, Result, State

SETTLED = frozenset({State.CONNECTED, State.EXCLUDED, State.DEPLOY_FAILED, State.PARKED, State.DEPARTED})


class Step(StrEnum):
    """The path of a new account; a project's leads from its event to the queue at once."""

    CREATED = "created"
    EVENT = "event"
    STACK_SET = "stack_set"
    INSTANCE = "instance"
    QUEUE = "queue"
    CONNECTOR = "connector"


@dataclass(kw_only=True)
class Trace:
    """One account's or project's walk. `steps` holds the first time of each step (UTC)."""

    name: str
    key: AccountKey
    started_at: datetime
    steps: dict[Step, datetime] = field(default_factory=dict)
    record: AccountRecord | None = None
    unchanged: int = 0

    @property
    def settled(self) -> bool:
        """Whether it reached an end."""
        return self.record is not None and self.record.state in SETTLED

    def seconds(self, step: Step) -> float | None:
        """Seconds from the beginning to a step; None where it was not reached."""
        at = self.steps.get(step)
        return (at - self.started_at).total_seconds() if at else None

    def learn(self, record: AccountRecord, history: Iterable[HistoryEntry]) -> None:
        """Takes in what the ledger says of the account."""
        self.record = record
        entries = list(history)
        self.unchanged = sum(entry.result is Result.UNCHANGED for entry in entries)
        sent = [entry.sent_at for entry in entries if entry.step.startswith("connect:") and entry.sent_at]
        if sent:
            self.steps[Step.QUEUE] = min(sent)

    def as_json(self) -> dict[str, Any]:
        """The account or project as `--json` shows it."""
        record = self.record
        return {
            "provider": str(self.key.provider),
            "account_id": self.key.hierarchy_identifier,
            "name": self.name,
            "place": record.ou_path if record else "",
            "state": str(record.state) if record else None,
            "reason": record.reason if record else "",
            "connector_id": record.connector_id if record else "",
            "steps": {str(step): at.isoformat() for step, at in sorted(self.steps.items(), key=lambda item: item[1])},
        }


class Traces:
    """The walks of all accounts and projects, fed with what the clouds journal."""

    def __init__(self) -> None:
        """Starts with nobody."""
        self.by_key: dict[AccountKey, Trace] = {}
        self.stack_set_operations = 0
        self.connector_puts: dict[AccountKey, int] = {}
        self._steps: dict[AccountKey, dict[Step, datetime]] = {}
        self._pushed: dict[str, datetime] = {}

    def add(self, trace: Trace) -> None:
        """Follows an account or project."""
        earlier = self._steps.setdefault(trace.key, {})
        earlier |= trace.steps
        trace.steps = earlier
        self.by_key[trace.key] = trace
        if trace.key.provider is Provider.GCP and trace.name in self._pushed:
            earlier.setdefault(Step.EVENT, self._pushed[trace.name])

    def feed(self, entries: Iterable[dict[str, Any]]) -> None:
        """Takes in requests of the journal, in their order."""
        for entry in entries:
            if entry["status"] >= 400:  # noqa: PLR2004 - a refused request is no step
                continue
            operation = entry["operation"]
            if operation in {"cloudformation:CreateStackInstances", "cloudformation:UpdateStackInstances"}:
                self.stack_set_operations += 1
                self._mark(Step.STACK_SET, entry)
            elif operation == "events:DeliverToTarget":
                stack = entry["detail"].get("source") == "aws.cloudformation"
                self._mark(Step.INSTANCE if stack else Step.EVENT, entry)
            elif entry["service"] == "arm" and entry["method"] == "PUT" and "/securityConnectors/" in entry["path"]:
                properties = entry["body"]["properties"]
                provider, number = Provider(properties["environmentName"].lower()), properties["hierarchyIdentifier"]
                key = AccountKey(provider=provider, hierarchy_identifier=number)
                self.connector_puts[key] = self.connector_puts.get(key, 0) + 1
                self._mark_key(key, Step.CONNECTOR, entry)
            elif operation == "gcp:pubsub.push" and entry["status"]:
                self._mark_project(str(entry["detail"]["project"]), entry)

    def _mark(self, step: Step, entry: dict[str, Any]) -> None:
        for account_id in entry["detail"].get("accounts", ()):
            self._mark_key(AccountKey(provider=Provider.AWS, hierarchy_identifier=account_id), step, entry)

    def _mark_key(self, key: AccountKey, step: Step, entry: dict[str, Any]) -> None:
        # The journal may know an account before anybody has asked for its id.
        self._steps.setdefault(key, {}).setdefault(step, datetime.fromisoformat(entry["time"]))

    def _mark_project(self, project_id: str, entry: dict[str, Any]) -> None:
        """A push was sent, and answered now; it names the project by its id."""
        sent = datetime.fromisoformat(entry["time"]) - timedelta(milliseconds=entry["duration_ms"])
        at = self._pushed.setdefault(project_id, sent)
        for trace in self.by_key.values():
            if (trace.key.provider, trace.name) == (Provider.GCP, project_id):
                trace.steps.setdefault(Step.EVENT, at)
