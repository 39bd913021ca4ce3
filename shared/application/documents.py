"""Accounts and given-up messages as JSON, the same on the command line and over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.application.replay import Done, Shown
    from shared.application.replay_ports import GivenUp
    from shared.domain.ledger import AccountRecord, HistoryEntry
    from shared.domain.sweep.report import SweepReport


def message_document(message: GivenUp) -> dict[str, Any]:
    """A message without its text."""
    return {
        "message_id": message.message_id,
        "queue": message.queue,
        "account": message.account or None,
        "provider": message.provider,
        "project_id": message.project_id or None,
        "asks": message.asks,
        "reason_class": message.reason_class,
        "reason": message.reason,
        "remedy": message.remedy,
        "fault": message.fault,
        "given_up_at": message.since,
        "expires_at": None if message.never_expires else message.taken.expires_at,
    }


def shown_document(found: Shown) -> dict[str, Any]:
    """A message with its text, its account and what became of its cause."""
    body = found.message.body
    return message_document(found.message) | {
        "body": None if body is None else body.decode("utf-8", "backslashreplace"),
        "diagnosis": {"cause": found.diagnosis.prospect, "why": found.diagnosis.why},
        "account_status": record_document(found.record) if found.record else None,
        "history": [entry_document(entry) for entry in found.history],
    }


def done_document(done: Done) -> dict[str, Any]:
    """What became of a message."""
    error = done.error
    return message_document(done.message) | {
        "stays": done.stays,
        "error": None if error is None else {"reason": error.reason, "remedy": error.remedy},
    }


def results_document(done: Sequence[Done], *, dry: bool) -> dict[str, Any]:
    """What became of all."""
    failed = sum(each.error is not None for each in done)
    return {
        "dry_run": dry,
        "done": len(done) - failed,
        "failed": failed,
        "messages": [done_document(each) for each in done],
    }


def sweep_document(report: SweepReport) -> dict[str, Any]:
    """A sweep's report; each finding with its identity."""
    findings = [{"identity": each.finding.identity, **asdict(each)} for each in report.findings]
    return asdict(report) | {"totals": report.totals, "findings": findings}


_INTERNAL = {
    "scheduled_message_id",
    "scheduled_attempt",
    "scheduled_at",
    "scheduled_slot",
    "claimed_by",
    "claimed_until",
}


def record_document(record: AccountRecord) -> dict[str, Any]:
    """An account's line."""
    flat = asdict(record)
    key = flat.pop("key")
    return {**key, **{name: value for name, value in flat.items() if name not in _INTERNAL}}


def entry_document(entry: HistoryEntry) -> dict[str, Any]:
    """A line of an account's history."""
    flat = asdict(entry)
    flat.pop("key")
    return flat
