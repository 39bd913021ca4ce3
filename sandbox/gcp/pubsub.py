"""A push subscription behind the organization's sink: each log entry is a message, pushed until it is acknowledged.

Source: Pub/Sub "Push subscriptions" (102, 200, 201, 202 and 204 acknowledge, anything else comes again with growing
pauses), "Dead-letter topics" and "Replay and purge messages" (`seek`); the envelope's twins in snake case are from
published examples, and what Google's emulator pushes is compared with ours.
"""

from __future__ import annotations

import base64
import heapq
import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import urllib3

from sandbox.gcp.audit import LogEntry
from sandbox.gcp.hierarchy import now_spelt
from sandbox.gcp.push_signing import PushSigner
from sandbox.journal import Journal, JournalEntry
from sandbox.serving import elapsed_ms

ACKNOWLEDGED = frozenset({102, 200, 201, 202, 204})
_NUMBERS = itertools.count(11223344556677)


@dataclass(frozen=True, kw_only=True)
class PushSettings:
    """Where a subscription pushes to, and how; times in seconds."""

    url: str
    audience: str
    service_account: str
    subscription: str = "projects/mdc-mgmt-proj/subscriptions/rollcall-push"
    first_pause_seconds: float = 10.0
    longest_pause_seconds: float = 600.0
    most_deliveries: int = 5
    """Then the message goes to the dead-letter topic."""
    deadline_seconds: float = 10.0


@dataclass(order=True)
class _Waiting:
    due: float
    number: int
    message: dict[str, Any] = field(compare=False)
    project: str = field(compare=False)
    deliveries: int = field(compare=False, default=0)


class PushSubscription:
    """Pushes in one thread, in the order in which messages are due."""

    def __init__(self, settings: PushSettings, signer: PushSigner, journal: Journal, *, trust: str = "") -> None:
        """`trust` is a file of authorities whose certificates an https endpoint may have."""
        self.settings = settings
        self._signer = signer
        self._journal = journal
        self._http = urllib3.PoolManager(retries=False, ca_certs=trust or None)
        self._queue: list[_Waiting] = []
        self._condition = threading.Condition()
        self._stopped = False
        self._busy = False
        self._acknowledged: list[_Waiting] = []
        self.dead_letters: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> PushSubscription:
        """Starts to push."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stops; what waits is dropped."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()
        self._thread.join(timeout=self.settings.deadline_seconds + 1)

    def publish(self, entry: LogEntry) -> str:
        """Takes a log entry as the sink would send it; returns the message's id."""
        number = next(_NUMBERS)
        published = now_spelt()
        message = {
            "attributes": {"logging.googleapis.com/timestamp": entry["timestamp"]},
            "data": base64.b64encode(json.dumps(entry, separators=(",", ":")).encode()).decode(),
            "messageId": str(number),
            "message_id": str(number),
            "publishTime": published,
            "publish_time": published,
        }
        with self._condition:
            heapq.heappush(self._queue, _Waiting(time.monotonic(), number, message, _project(entry)))
            self._condition.notify_all()
        return str(number)

    def seek(self) -> int:
        """Delivers everything that was acknowledged once more, as after a seek to a time before; returns how many."""
        with self._condition:
            again, self._acknowledged = self._acknowledged, []
            for each in again:
                heapq.heappush(self._queue, _Waiting(time.monotonic(), each.number, each.message, each.project))
            self._condition.notify_all()
        return len(again)

    def wait_until_empty(self, seconds: float) -> bool:
        """Whether everything is acknowledged, or dead, within that time."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._queue and not self._busy, seconds)

    def _run(self) -> None:
        while (waiting := self._next()) is not None:
            waiting.deliveries += 1
            acknowledged = self._push(waiting)
            with self._condition:
                self._busy = False
                if acknowledged:
                    self._acknowledged.append(waiting)
                elif waiting.deliveries >= self.settings.most_deliveries:
                    self.dead_letters.append(waiting.message)
                else:
                    pause = self.settings.first_pause_seconds * 2 ** (waiting.deliveries - 1)
                    waiting.due = time.monotonic() + min(pause, self.settings.longest_pause_seconds)
                    heapq.heappush(self._queue, waiting)
                self._condition.notify_all()

    def _next(self) -> _Waiting | None:
        """The next message that is due; None when it has been stopped."""
        with self._condition:
            while not self._stopped:
                now = time.monotonic()
                if self._queue and self._queue[0].due <= now:
                    self._busy = True
                    return heapq.heappop(self._queue)
                self._condition.wait(self._queue[0].due - now if self._queue else None)
        return None

    def _push(self, waiting: _Waiting) -> bool:
        settings = self.settings
        envelope = {
            "message": waiting.message,
            "subscription": settings.subscription,
            "deliveryAttempt": waiting.deliveries,
        }
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "CloudPubSub-Google",
            "Authorization": f"Bearer {self._signer.sign(settings.audience, settings.service_account)}",
        }
        started, status = time.perf_counter(), 0
        try:
            status = self._http.request(
                "POST",
                settings.url,
                body=json.dumps(envelope).encode(),
                headers=headers,
                timeout=settings.deadline_seconds,
                redirect=False,
            ).status
        except urllib3.exceptions.HTTPError:
            status = 0  # nobody answered: as good as a refusal
        self._journal.record(self._entry(waiting, status, elapsed_ms(started)))
        return status in ACKNOWLEDGED

    def _entry(self, waiting: _Waiting, status: int, duration_ms: float) -> JournalEntry:
        return JournalEntry(
            service="gcp",
            operation="gcp:pubsub.push",
            identity=self.settings.service_account,
            authentication="bearer",
            method="POST",
            path=self.settings.subscription,
            status=status,
            duration_ms=duration_ms,
            detail={
                "resource": waiting.message["messageId"],
                "attempt": waiting.deliveries,
                "project": waiting.project,
            },
        )


def _project(entry: LogEntry) -> str:
    """The id of the project that an entry is about, for the journal."""
    return str(entry.get("resource", {}).get("labels", {}).get("project_id", ""))
