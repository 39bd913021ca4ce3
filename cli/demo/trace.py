"""How far each account is: the steps of its path with their times, from the clouds' journal and the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.domain.ledger import AccountRecord, HistoryEntry, Result, State

SETTLED = frozenset({State.CONNECTED, State.EXCLUDED, State.DEPLOY_FAILED, State.PARKED, State.DEPARTED})


class Step(StrEnum):
    """The path of a new account."""

    CREATED = "created"
    EVENT = "event"
    STACK_SET = "stack_set"
    INSTANCE = "instance"
    QUEUE = "queue"
    CONNECTOR = "connector"


@dataclass(kw_only=True)
class Trace:
    """One account's walk. `steps` holds the first time of each step (UTC)."""

    name: str
    account_id: str
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
        """The account as `--json` shows it."""
        record = self.record
        return {
            "account_id": self.account_id,
            "name": self.name,
            "state": str(record.state) if record else None,
            "reason": record.reason if record else "",
            "connector_id": record.connector_id if record else "",
            "steps": {str(step): at.isoformat() for step, at in sorted(self.steps.items(), key=lambda item: item[1])},
        }


class Traces:
    """The walks of all accounts, fed with what the clouds journal."""

    def __init__(self) -> None:
        """Starts with nobody."""
        self.by_account: dict[str, Trace] = {}
        self.stack_set_operations = 0
        self.connector_puts: dict[str, int] = {}
        self._steps: dict[str, dict[Step, datetime]] = {}

    def add(self, trace: Trace) -> None:
        """Follows an account."""
        earlier = self._steps.setdefault(trace.account_id, {})
        earlier |= trace.steps
        trace.steps = earlier
        self.by_account[trace.account_id] = trace

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
                account_id = entry["path"].partition("?")[0].rpartition("/aws-")[2]
                self.connector_puts[account_id] = self.connector_puts.get(account_id, 0) + 1
                self._mark_account(account_id, Step.CONNECTOR, entry)

    def _mark(self, step: Step, entry: dict[str, Any]) -> None:
        for account_id in entry["detail"].get("accounts", ()):
            self._mark_account(account_id, step, entry)

    def _mark_account(self, account_id: str, step: Step, entry: dict[str, Any]) -> None:
        # The journal may know an account before anybody has asked AWS for its id.
        self._steps.setdefault(account_id, {}).setdefault(step, datetime.fromisoformat(entry["time"]))
