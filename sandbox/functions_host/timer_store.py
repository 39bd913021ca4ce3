"""What the timer trigger remembers in the host's own storage: who may run it, and when it ran last.

Source: the WebJobs SDK's StorageScheduleMonitor (status blobs) and SingletonManager (listener locks).
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobLeaseClient, BlobServiceClient

_CONTAINER = "azure-webjobs-hosts"
_CONFLICT = 409
_PRECONDITION_FAILED = 412
LEASE_SECONDS = 60
_log = logging.getLogger("functions_host.timer")


@dataclass(frozen=True)
class ScheduleStatus:
    """When a timer ran last (None: never), when it is due next, and when this was written."""

    last: datetime | None
    next: datetime
    last_updated: datetime

    def as_json(self) -> dict[str, str]:
        """The status blob, as the host writes it and as a function sees it."""
        return {
            "Last": self.last.isoformat() if self.last else "0001-01-01T00:00:00+00:00",
            "Next": self.next.isoformat(),
            "LastUpdated": self.last_updated.isoformat(),
        }


class TimerStore:
    """The lock and the status of one timer function; `host_id` is the same for every host of one app."""

    def __init__(self, service: BlobServiceClient, host_id: str, function: str) -> None:
        self._container = service.get_container_client(_CONTAINER)
        self._status = self._container.get_blob_client(f"timers/{host_id}/Host.Functions.{function}/status")
        self._lock = self._container.get_blob_client(f"locks/{host_id}/Host.Functions.{function}.Listener")
        self._lease: BlobLeaseClient | None = None

    def acquire(self) -> bool:
        """Takes the lock for `LEASE_SECONDS`; false while another host has it."""
        self._ensure_lock_blob(self._lock)
        lease = BlobLeaseClient(self._lock)
        try:
            lease.acquire(lease_duration=LEASE_SECONDS)
        except HttpResponseError as error:
            if error.status_code != _CONFLICT:
                raise
            return False
        self._lease = lease
        return True

    def renew(self) -> bool:
        """Keeps the lock; false where it was lost."""
        if self._lease is None:
            return False
        try:
            self._lease.renew()
        except HttpResponseError as error:
            if error.status_code not in {_CONFLICT, _PRECONDITION_FAILED}:
                raise
            self._lease = None
            return False
        return True

    def release(self) -> None:
        """Gives the lock back."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def read(self) -> ScheduleStatus | None:
        """The status; None where the timer was never watched before."""
        try:
            document = json.loads(self._status.download_blob().readall())
        except ResourceNotFoundError:
            return None
        last = datetime.fromisoformat(document["Last"])
        return ScheduleStatus(
            last=None if last.year == 1 else last,
            next=datetime.fromisoformat(document["Next"]),
            last_updated=datetime.fromisoformat(document["LastUpdated"]),
        )

    def write(self, status: ScheduleStatus) -> None:
        """Records the status."""
        self._status.upload_blob(json.dumps(status.as_json()).encode(), overwrite=True)

    def _ensure_lock_blob(self, blob: BlobClient) -> None:
        try:
            if not self._container.exists():
                self._container.create_container()
            if not blob.exists():
                blob.upload_blob(b"", overwrite=False)
        except ResourceExistsError:
            _log.debug("another host made the lock first")
