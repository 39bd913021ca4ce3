"""The timer trigger: one host of the app runs each function when its schedule says so.

Source: Microsoft Learn, "Timer trigger for Azure Functions" (past due, runOnStartup, useMonitor, singleton),
and the WebJobs SDK's TimerListener.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import UTC, datetime, timedelta

from azure.core.exceptions import AzureError
from azure.functions.meta import Datum
from azure.functions.timer import TimerRequestConverter

from sandbox.functions_host.indexing import HostedFunction
from sandbox.functions_host.invocation import FunctionTimeoutError, Invoker
from sandbox.functions_host.schedule import Schedule
from sandbox.functions_host.timer_store import LEASE_SECONDS, ScheduleStatus, TimerStore

_SHORTEST_MONITORED = timedelta(minutes=1)
_log = logging.getLogger("functions_host.timer")


def trigger_value(status: ScheduleStatus | None, *, past_due: bool) -> object:
    """The `azure.functions.TimerRequest` that the worker hands to a function."""
    document = {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": status.as_json() if status else None,
        "IsPastDue": past_due,
    }
    return TimerRequestConverter.decode(Datum(json.dumps(document), "json"), trigger_metadata=None)


class TimerListener:
    """Runs one timer function while this host has its lock."""

    def __init__(self, function: HostedFunction, store: TimerStore, invoker: Invoker) -> None:
        self._function = function
        self._store = store
        self._invoker = invoker
        self._schedule = Schedule(str(function.trigger["schedule"]))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, name=f"timer-{function.name}", daemon=True)
        self._status: ScheduleStatus | None = None
        self._renewed = 0.0

    def start(self) -> None:
        """Begins to compete for the lock."""
        self._thread.start()

    def stop(self, drain_seconds: float) -> None:
        """Gives a running function so long to end, and frees the lock for other hosts."""
        self._stopping.set()
        self._thread.join(timeout=drain_seconds)

    def _monitored(self) -> bool:
        """Schedules shorter than a minute are never monitored, whatever useMonitor says."""
        first = self._schedule.next_after(datetime.now(UTC))
        wanted = self._function.trigger.get("useMonitor")
        return wanted is not False and self._schedule.next_after(first) - first >= _SHORTEST_MONITORED

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._store.acquire():
                    self._renewed = time.monotonic()
                    self._own()
                    self._store.release()
            except (AzureError, ValueError) as error:  # the status itself may not be readable just now
                extra = {"function": self._function.name, "error": str(error)}
                _log.error("host storage not reached", extra=extra)  # noqa: TRY400 - no traceback needed
            self._stopping.wait(LEASE_SECONDS / 4)

    def _own(self) -> None:
        """Runs the function on its schedule until the lock is lost or the host stops."""
        monitored = self._monitored()
        now = datetime.now(UTC)
        self._status = self._store.read() if monitored else None
        since = (self._status.last or self._status.last_updated) if self._status else now
        past_due = self._schedule.next_after(since) <= now
        if past_due or self._function.trigger.get("runOnStartup"):
            self._run(monitored, past_due=past_due)
        elif monitored and self._status is None:
            self._record(None)
        while self._sleep_until(self._schedule.next_after(datetime.now(UTC))):
            self._run(monitored, past_due=False)

    def _sleep_until(self, due: datetime) -> bool:
        """True once it is due; false where the host stops or has lost the lock."""
        while (left := (due - datetime.now(UTC)).total_seconds()) > 0:
            if self._stopping.wait(min(left, LEASE_SECONDS / 2)):
                return False
            if time.monotonic() - self._renewed >= LEASE_SECONDS / 2 - 1:
                if not self._store.renew():
                    return False
                self._renewed = time.monotonic()
        return True

    def _record(self, last: datetime | None) -> None:
        now = datetime.now(UTC)
        self._status = ScheduleStatus(last=last, next=self._schedule.next_after(now), last_updated=now)
        self._store.write(self._status)

    def _run(self, monitored: bool, *, past_due: bool) -> None:
        """Runs the function; what it raises is logged and otherwise lost, as timers have it."""
        started = datetime.now(UTC)
        keeping = threading.Event()
        keeper = threading.Thread(target=self._keep_lock, args=(keeping,), daemon=True)
        keeper.start()
        try:
            self._invoker.run(self._function, trigger_value(self._status, past_due=past_due), past_due=past_due)
        except FunctionTimeoutError:
            return
        finally:
            keeping.set()
            keeper.join()
        if monitored:
            self._record(started)

    def _keep_lock(self, ended: threading.Event) -> None:
        while not ended.wait(LEASE_SECONDS / 2):
            try:
                self._store.renew()
            except AzureError as error:
                extra = {"function": self._function.name, "error": str(error)}
                _log.warning("lock not renewed", extra=extra)
