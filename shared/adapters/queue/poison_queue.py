"""`onboarding-poison` for whoever replays: looked through, given back, put back on `onboarding`, deleted.

The service peeks at 32 messages at most and pages none, so they are taken and given back. Source: Queue service REST
API, Get Messages, Update Message, Delete Message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError

from shared.adapters.azure.errors import translated
from shared.adapters.gcp.project_events import Ignored, read_push
from shared.adapters.queue.storage_queue import ONBOARDING, put_message, queue_client
from shared.application.accept_project_event import ProjectSignal
from shared.application.ports import ParkedBodies
from shared.application.refusals import UNREADABLE_PUSH
from shared.application.replay_ports import GivenUp, Taken
from shared.domain.replay import UNREADABLE, reason_class
from shared.errors import PermanentError
from shared.messages.poison import PoisonMessage

PAGE = 32
_TAKEN_BY_ANOTHER = {"MessageNotFound", "PopReceiptMismatch"}


class StoragePoisonQueue:
    """The poison queue of one queue."""

    def __init__(
        self, credential: TokenCredential, *, queue_endpoint: str, bodies: ParkedBodies, name: str = ONBOARDING
    ) -> None:
        """`queue_endpoint` is the account's queue address, https; `bodies` has what was too large to be parked."""
        self.name = f"{name}-poison"
        self._requests = queue_client(credential, queue_endpoint, name)
        self._poison = queue_client(credential, queue_endpoint, self.name)
        self._bodies = bodies

    def take(self, seconds: int) -> Sequence[Taken]:
        """At most 32 messages."""
        with translated(f"look through {self.name}"):
            pages = self._poison.receive_messages(messages_per_page=PAGE, max_messages=PAGE, visibility_timeout=seconds)
            return [
                Taken(
                    message_id=str(each.id),
                    text=str(each.content),
                    receipt=str(each.pop_receipt),
                    put_at=each.inserted_on,
                    expires_at=each.expires_on,
                )
                for each in pages
            ]

    def give_back(self, taken: Taken) -> None:
        """Ends the time for which it is hidden."""
        with translated(f"give a message back to {self.name}"):
            try:
                self._poison.update_message(taken.message_id, taken.receipt, visibility_timeout=0)
            except HttpResponseError as error:
                if not _is_anothers(error):
                    raise

    def remove(self, taken: Taken) -> bool:
        """Deletes it by its receipt."""
        with translated(f"delete a message of {self.name}"):
            try:
                self._poison.delete_message(taken.message_id, taken.receipt)
            except HttpResponseError as error:
                if not _is_anothers(error):
                    raise
                return False
            return True

    def put(self, body: bytes) -> None:
        """Puts it on the queue as the trigger expects it."""
        put_message(self._requests, body.decode("utf-8", "surrogatepass"))

    def read(self, taken: Taken) -> GivenUp:
        """Both forms: parked with a reason, and as the host moved it."""
        found = PoisonMessage.read(taken.text)
        if found.digest:
            found = found.judged(self._bodies.find(found.digest))
        return given_up(self.name, taken, found)

    def reread(self, found: GivenUp, body: bytes) -> GivenUp:
        """The same message, saying something else."""
        again = given_up(self.name, found.taken, PoisonMessage.read(found.taken.text).judged(body))
        return replace(again, reason_class=found.reason_class, key=again.key or found.key)


def given_up(queue: str, taken: Taken, found: PoisonMessage) -> GivenUp:
    """What people see of a message of `queue`."""
    request = found.request
    push, fault = _as_push(found) if request is None and found.parked else (None, found.fault)
    readable = request is not None or push is not None or _was_push(found)
    kind = reason_class(readable=readable, reason=found.reason, remedy=found.remedy)
    return GivenUp(
        queue=queue,
        taken=taken,
        body=found.body,
        reason_class=kind,
        reason=found.reason or fault or _BARE,
        remedy=found.remedy or (_MEND if kind == UNREADABLE else _SEE_LOG),
        key=request.key if request else None,  # a guess could put a note into a stranger's history
        asks=f"{request.data.action}:{request.data.status}" if request else f"push:{push.method}" if push else "",
        request=request,
        push=push,
        fault=fault,
        since=found.parked_at or taken.put_at,
        parked=found.parked,
    )


def _as_push(found: PoisonMessage) -> tuple[ProjectSignal | None, str]:
    """What was parked as a push of GCP's audit log, or why it is none."""
    if found.body is None:
        return None, found.fault
    try:
        said = read_push(found.body)
    except PermanentError as error:
        return None, error.reason if _was_push(found) else found.fault
    return (None, said.reason) if isinstance(said, Ignored) else (said, "")


def _was_push(found: PoisonMessage) -> bool:
    """Whether it came as a push, for all that can be made of it."""
    return found.remedy.endswith(f"Runbook: {UNREADABLE_PUSH.key}.")


_BARE = "the host gave it up after five tries"
_SEE_LOG = "Look for its message id in the Function App's log; replay it when the cause is removed."
_MEND = "Export it, mend it and put it back, or discard it with a reason."


def _is_anothers(error: HttpResponseError) -> bool:
    """Whether the message is gone, or was taken by somebody else since."""
    code = getattr(error, "error_code", None)
    return getattr(code, "value", code) in _TAKEN_BY_ANOTHER
