"""EventBridge: whole events, delivered to queues whose policy lets the rule in and to buses, else accounted for.

moto's own delivery has no `account`, sends to disabled and schedule-only rules, and asks no queue policy.
A delivery that a planted fault disturbs is tried again, in a thread of its own, as EventBridge does for a day;
one whose answer was lost therefore comes twice.
"""

from __future__ import annotations

import copy
import json
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jsonpath_ng.ext.parser import parse as parse_path
from moto.core.utils import unix_time
from moto.events.models import Rule, events_backends
from moto.events.utils import EventTemplateParser
from moto.sqs.models import Queue, sqs_backends
from moto.utilities.arns import parse_arn

from sandbox.aws import event_buses, queue_policies
from sandbox.aws.active import REGION, active
from sandbox.aws.named_accounts import accounts_of_event
from sandbox.aws.patching import Patch
from sandbox.faults import FaultKind, Faults, RequestFacts
from sandbox.journal import Journal, JournalEntry
from sandbox.serving import ConnectionDroppedError

_moto_send_to_targets = Rule.send_to_targets
_OPERATION = "DeliverToTarget"
_RETRY_SECONDS = 0.5
_KEYS = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")


def iso_time(moment: datetime | float | str | None = None) -> str:
    """A time as EventBridge writes it: UTC, whole seconds, `Z`."""
    if isinstance(moment, str) and not moment.replace(".", "", 1).isdigit():
        return moment
    if moment is None:
        moment = datetime.now(UTC)
    elif not isinstance(moment, datetime):
        moment = datetime.fromtimestamp(float(moment), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def emit(account_id: str, event: dict[str, Any], *, region: str = REGION) -> None:
    """Puts an event of an AWS service on the account's default bus.

    `event` has `detail-type`, `source`, `resources` and `detail`; the envelope is filled in here.
    """
    envelope = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "account": account_id,
        "time": iso_time(),
        "region": region,
        "resources": [],
    } | event
    for rule in list(events_backends[account_id][region].event_buses["default"].rules.values()):
        rule.send_to_targets(copy.deepcopy(envelope) | {"ingestion-time": unix_time()})  # type: ignore[arg-type]  # our own dict


def _input_of(target: dict[str, Any], event: dict[str, Any]) -> str:
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        matches = parse_path(target["InputPath"]).find(event)
        return json.dumps(matches[0].value if matches else None)
    transformer = target.get("InputTransformer")
    if transformer:
        parsed = EventTemplateParser.parse(
            input_template=transformer["InputTemplate"],
            input_paths_map=transformer.get("InputPathsMap", {}),
            event=event,  # type: ignore[arg-type]  # moto's TypedDict of the same shape
        )
        return json.dumps(parsed)
    keys = (*_KEYS, "replay-name") if "replay-name" in event else _KEYS
    return json.dumps({key: event[key] for key in keys})


def _find_queue(arn: str) -> Queue | None:
    parsed = parse_arn(arn)
    return sqs_backends[parsed.account][parsed.region].queues.get(parsed.resource_id)


def _send(rule: Rule, arn: str, body: str, group_id: str | None) -> str | None:
    """Sends to one queue; the reason where that was refused."""
    queue = _find_queue(arn)
    if queue is None:
        return "the queue does not exist"
    refused = queue_policies.refusal(queue, rule_arn=rule.arn, rule_account=rule.account_id)
    if refused is None:
        backend = sqs_backends[queue.account_id][queue.region]
        backend.send_message(queue_name=queue.name, message_body=body, group_id=group_id)
    return refused


@dataclass(frozen=True, kw_only=True)
class _Delivery:
    """One event for one target."""

    rule: Rule
    target: dict[str, Any]
    event: dict[str, Any]
    journal: Journal
    faults: Faults

    def once(self) -> bool:
        """One try; False where it has to be repeated."""
        detail: dict[str, Any] = {
            "event_id": self.event["id"],
            "detail_type": self.event["detail-type"],
            "source": self.event["source"],
            "reason": None,
            "accounts": accounts_of_event(self.event),
        }
        status = 0
        try:
            status = self._attempt(detail)
        except ConnectionDroppedError:
            detail["reason"] = "the connection broke off"
        self.journal.record(
            JournalEntry(
                service="events",
                operation=f"events:{_OPERATION}",
                identity=self.rule.arn,
                authentication="none",
                method="POST",
                path=self.target["Arn"],
                status=status,
                duration_ms=0.0,
                detail=detail,
            )
        )
        return status in {200, 403}

    def _attempt(self, detail: dict[str, Any]) -> int:
        queue = self.target["Arn"].rpartition(":")[2]
        facts = RequestFacts(service="events", operation=_OPERATION, identity=self.rule.arn, resource=queue)
        encounter = self.faults.meet(facts)
        if encounter.fault is not None:
            detail["fault"] = str(encounter.fault.kind)
        refusal = encounter.before()
        if refusal is not None:
            detail["reason"] = "the target did not take it"
            return 429 if refusal.kind is FaultKind.THROTTLE else 500
        status = self._send(detail)
        detail["effect"] = status
        spoilt = encounter.after()
        del detail["effect"]
        if spoilt is not None:
            detail["reason"] = "the target's answer cannot be read"
            return 502
        return status

    def _send(self, detail: dict[str, Any]) -> int:
        """Sends, or puts what was refused on the target's dead-letter queue."""
        body = _input_of(self.target, self.event)
        if event_buses.is_bus(self.target["Arn"]):
            refused = event_buses.forward(self.rule, self.target, self.event)
        else:
            group_id = self.target.get("SqsParameters", {}).get("MessageGroupId")
            refused = _send(self.rule, self.target["Arn"], body, group_id)
        dead_letters = self.target.get("DeadLetterConfig", {}).get("Arn")
        if refused is not None and dead_letters:
            _send(self.rule, dead_letters, body, None)
        detail["reason"] = refused
        return 200 if refused is None else 403

    def until_done(self) -> None:
        """Repeats until it is done; what is still undone when the process ends never happens."""
        while not self.once():
            time.sleep(_RETRY_SECONDS)


def _deliver(rule: Rule, target: dict[str, Any], event: dict[str, Any]) -> None:
    sandbox = active()
    delivery = _Delivery(rule=rule, target=target, event=event, journal=sandbox.journal, faults=sandbox.faults)
    if not sandbox.faults.any_for("events"):
        delivery.once()
        return
    threading.Thread(target=delivery.until_done, name="events-delivery", daemon=True).start()


def _send_to_targets(self: Rule, original_event: dict[str, Any], transform_input: bool = True) -> None:
    if self.state == "DISABLED" or not self.event_pattern.get_pattern():
        return
    event = original_event | {"time": iso_time(original_event["time"])}
    if not self.event_pattern.matches_event(event):  # type: ignore[arg-type]  # moto's TypedDict of the same shape
        return
    elsewhere = []
    for target in list(self.targets):
        if parse_arn(target["Arn"]).service == "sqs" or event_buses.is_bus(target["Arn"]):
            _deliver(self, target, event)
        else:
            elsewhere.append(target)
    if elsewhere:
        rest = copy.copy(self)
        rest.targets = elsewhere
        _moto_send_to_targets(rest, original_event, transform_input)  # type: ignore[arg-type]  # the same event


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    yield Patch(Rule, "send_to_targets", _send_to_targets)
