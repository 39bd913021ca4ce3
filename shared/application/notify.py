"""Telling people of a sweep: a message for each receiver when a report is made, and what becomes of it.

A receiver is told all that came and went since it was told last, so that what it missed comes with the next sweep.
Nothing of it touches the sweep: the report is made before. A receiver that cannot be told is a finding of the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from shared.application.ports import Clock, Ledger, PolicySource
from shared.application.sweep_ports import Documents, SliceSender, SweepPorts
from shared.application.sweep_store import SweepStore
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, AccountRecord
from shared.domain.notice import (
    Change,
    Delivery,
    Failing,
    Notice,
    changes_between,
    later,
    notice_of,
    undelivered,
)
from shared.domain.policy import Notification
from shared.domain.retry import RetrySchedule
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.report import SweepReport
from shared.errors import RollcallError, TransientError
from shared.messages.faults import faults_of
from shared.messages.sweep_documents import DELIVERY
from shared.messages.sweep_notice import SweepNotice

logger = logging.getLogger(__name__)

MOST_TRIES = 6
"""After so many the next sweep is waited for: with the delays below, a quarter of an hour."""
DELAYS = RetrySchedule(first_seconds=30.0, longest_seconds=3600.0)


class Notifier(Protocol):
    """A receiver."""

    def tell(self, notice: Notice) -> None:
        """Sends it. Raises TransientError, PermanentError, ConfigurationError."""


class Receivers(Protocol):
    """Those that there are."""

    def find(self, receiver: Notification) -> Notifier:
        """The one that the policy means, as its settings are now. Nothing of it is checked yet."""


class Outcome(StrEnum):
    """What became of one try."""

    TOLD = "told"
    NOTHING_NEW = "nothing-new"
    PUT_OFF = "put-off"
    GIVEN_UP = "given-up"
    DROPPED = "dropped"


@dataclass(frozen=True, kw_only=True)
class NotifyPorts:
    """What telling works with."""

    documents: Documents
    ledger: Ledger
    slices: SliceSender
    policy: PolicySource
    receivers: Receivers
    clock: Clock
    delays: RetrySchedule = field(default=DELAYS)


def ask_for_notices(report: SweepReport, receivers: Iterable[Notification], ports: SweepPorts) -> None:
    """Puts a message for each receiver. Raises TransientError, ConfigurationError."""
    for receiver in receivers:
        ports.slices.send_notice(SweepNotice(run=report.run, receiver=receiver.setting, asked_at=ports.clock.now()))


def undelivered_notices(receivers: Iterable[Notification], documents: Documents) -> Iterator[SweepFinding]:
    """A finding for each receiver that could not be told. Raises TransientError, ConfigurationError."""
    for receiver in receivers:
        delivery, _ = find_delivery(documents, receiver.setting)
        if (found := undelivered(receiver.setting, delivery)) is not None:
            yield found


def notify(message: SweepNotice, ports: NotifyPorts) -> Outcome:
    """Tells one receiver of one sweep, or puts it off. Raises TransientError, ConfigurationError of our own storage."""
    receiver = next((each for each in ports.policy.current().notifications if each.setting == message.receiver), None)
    delivery, version = find_delivery(ports.documents, message.receiver)
    report = _report(message.run, ports.documents)
    if receiver is None or report is None or delivery.told >= message.run:
        return _logged(message, Outcome.DROPPED)
    before = _report(delivery.told, ports.documents)
    changes = changes_between(before, report)
    if changes:
        notice = notice_of(report, changes, _records(changes, ports.ledger), since=before.run if before else "")
        try:
            ports.receivers.find(receiver).tell(notice)
        except RollcallError as error:
            return _missed(message, delivery, version, error, ports)
    told = Delivery(told=message.run, told_at=ports.clock.now())
    _put_delivery(ports.documents, message.receiver, told, version)
    facts = {"causes": len(changes), "new": sum(len(each.new) for each in changes)}
    return _logged(message, Outcome.TOLD if changes else Outcome.NOTHING_NEW, facts)


def _report(run: str, documents: Documents) -> SweepReport | None:
    """The report of that run; None where there is none, or another version of ours wrote what cannot be read."""
    try:
        return SweepStore(documents, run).find_report() if run else None
    except ValueError as error:
        logger.warning("run_unreadable", extra={"run": run, "reason": faults_of(error)})
        return None


def _missed(
    message: SweepNotice, delivery: Delivery, version: str, error: RollcallError, ports: NotifyPorts
) -> Outcome:
    """Puts a copy for later where that may help and tries are left; else keeps why, for the next sweep."""
    tries = message.attempt + 1
    if isinstance(error, TransientError) and tries < MOST_TRIES:
        delay = ports.delays.delay(message.attempt, error.retry_after_seconds)
        ports.slices.send_notice(message.model_copy(update={"attempt": tries}), delay_seconds=delay)
        return _logged(message, Outcome.PUT_OFF, {"reason": error.reason, "delay_seconds": delay})
    now = ports.clock.now()
    failing = Failing(run=message.run, at=now, tries=tries, reason=error.reason, remedy=error.remedy)
    _put_delivery(ports.documents, message.receiver, replace(delivery, failing=failing), version)
    return _logged(message, Outcome.GIVEN_UP, {"reason": error.reason, "remedy": error.remedy})


def _logged(message: SweepNotice, outcome: Outcome, more: Mapping[str, object] | None = None) -> Outcome:
    facts = {"run": message.run, "receiver": message.receiver, "attempt": message.attempt, "outcome": str(outcome)}
    level = logging.ERROR if outcome is Outcome.GIVEN_UP else logging.INFO
    logger.log(level, "notice_handled", extra=facts | dict(more or {}))
    return outcome


def _records(changes: Sequence[Change], ledger: Ledger) -> Mapping[AccountKey, AccountRecord]:
    """The ledger's lines of the accounts that are named; without the ledger they have no names."""
    found: dict[AccountKey, AccountRecord] = {}
    try:
        for key in _keys(finding for change in changes for finding in change.examples):
            if (record := ledger.find(key)) is not None:
                found[key] = record
    except TransientError as error:
        logger.warning("notice_without_names", extra={"reason": error.reason})
    return found


def _keys(findings: Iterable[SweepFinding]) -> Iterator[AccountKey]:
    """A finding of a report of before does not say which cloud's its account is."""
    accounts = dict.fromkeys((each.account, each.provider) for each in findings if each.account)
    return (
        AccountKey(provider=provider, hierarchy_identifier=account)
        for account, said in accounts
        for provider in ((said,) if said is not None else Provider)
    )


def find_delivery(documents: Documents, receiver: str) -> tuple[Delivery, str]:
    """How far the receiver is, and the document's version; one that cannot be read begins anew."""
    found = documents.find(_name(receiver))
    if found is None:
        return Delivery(), ""
    try:
        return DELIVERY.validate_json(found.content), found.version
    except ValueError as error:
        logger.warning("delivery_unreadable", extra={"receiver": receiver, "reason": faults_of(error)})
        return Delivery(), found.version


def _put_delivery(documents: Documents, receiver: str, delivery: Delivery, version: str) -> None:
    """Where another message of the same receiver was faster, what is newer of both is kept."""
    while not documents.put(_name(receiver), DELIVERY.dump_json(delivery), over=version):
        other, version = find_delivery(documents, receiver)
        delivery = later(delivery, other)


def _name(receiver: str) -> str:
    return f"notices/{receiver}.json"
