"""Use cases of `rollcall replay` and `functions/replay_queue`: given-up messages are shown, sent again or discarded.

A queue can be looked through in one way only: its messages are taken, which hides them from others for a while, and
given back. Whoever is killed in between leaves them hidden until that time is over; nothing else is lost. A message
goes back to its queue before it is deleted, so a crash leaves it twice and never not at all; the present state
decides what the second copy does, which is nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial

from shared.application.accept_project_event import ProjectSignal, requests_about
from shared.application.hold import Hold
from shared.application.provider_policy import policy_for
from shared.application.replay_diagnosis import diagnosis_of
from shared.application.replay_ports import GivenUp, GivenUpQueue, ReplayPorts
from shared.application.requests import Cause, Report, correlation_id_for, request_for
from shared.domain.accounts import Provider, unlisted_account
from shared.domain.ledger import AccountRecord, HistoryEntry, State
from shared.domain.replay import Described, Diagnosis, Wanted
from shared.errors import PermanentError, RollcallError, TransientError
from shared.messages.connector_request import (
    MOST_ATTEMPTS,
    Action,
    ConnectorRequest,
    message_id_for,
)

_LONGEST_REASON = 4096


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One message with its account's line and history, oldest first, and whether its cause is gone."""

    message: GivenUp
    record: AccountRecord | None
    history: tuple[HistoryEntry, ...]
    diagnosis: Diagnosis


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of one message; `error` where it is as it was.

    `stays` where it was done, but somebody else had taken or deleted the message meanwhile.
    """

    message: GivenUp
    error: RollcallError | None = None
    stays: bool = False
    dry: bool = False


def browse(wanted: Wanted, ports: ReplayPorts) -> list[GivenUp]:
    """Every message meant, the longest given up first, left where it is. Raises TransientError, ConfigurationError."""
    found = [each for queue in ports.queues for each in _looked_through(queue, wanted, ports)]
    return sorted(found, key=lambda each: (each.since is not None, each.since, each.message_id))


def show(message_id: str, ports: ReplayPorts) -> Shown | None:
    """The message whose id begins so; None where there is none, or more than one. Raises as `browse` does."""
    found = [each for each in browse(Wanted(), ports) if each.message_id.startswith(message_id)]
    if len(found) != 1:
        return None
    message = found[0]
    record = ports.ledger.find(message.key) if message.key else None
    history = tuple(reversed(list(ports.ledger.history(message.key)))) if message.key else ()
    return Shown(message=message, record=record, history=history, diagnosis=diagnosis_of(message, record, ports.policy))


def run(
    wanted: Wanted, ports: ReplayPorts, *, per_second: float, body: bytes | None = None, dry: bool = False
) -> Generator[Done, None, None]:
    """Sends every message meant back to its queue, with a fresh budget; what each came to, one by one.

    A message that is given up again while this goes on is not sent a second time. `body` goes in the place of what
    the message says. With `dry` nothing is sent, but what would fail is told. Raises TransientError,
    ConfigurationError where the queues cannot be worked on at all.
    """
    for queue in ports.queues:
        sent: set[str] = set()
        work = partial(_replayed, queue=queue, ports=ports, body=body, dry=dry)
        for done in _worked_on(queue, wanted, ports, work, but=sent):
            yield done
            if not dry:
                sent.add(_content(done.message))
                ports.clock.sleep(1 / per_second)


def discard(
    wanted: Wanted,
    ports: ReplayPorts,
    *,
    reason: str,
    keep: Callable[[GivenUp], None] | None = None,
    dry: bool = False,
) -> Generator[Done, None, None]:
    """Deletes every message meant, after the account's history was told why; what each came to, one by one.

    `keep` gets each before it is deleted. A message that names no account is deleted only if it was kept. With `dry`
    nothing is kept, told or deleted.
    """
    for queue in ports.queues:
        discarded = partial(_discarded, queue=queue, ports=ports, reason=reason, keep=keep)
        work = partial(_may_go, kept=keep is not None) if dry else discarded
        yield from _worked_on(queue, wanted, ports, work)


def _content(message: GivenUp) -> str:
    """What a message is, whatever id its queue has given it."""
    if message.request is not None:
        return str(message.request.message_id)
    return hashlib.sha256(message.body or b"").hexdigest()


def _looked_through(queue: GivenUpQueue, wanted: Wanted, ports: ReplayPorts) -> list[GivenUp]:
    hold = Hold(queue, ports.hidden_seconds, ports.clock)
    try:
        return [each for page in hold.pages() for each in page if _is_wanted(each, wanted)]
    finally:
        hold.give_back()


def _worked_on(
    queue: GivenUpQueue,
    wanted: Wanted,
    ports: ReplayPorts,
    work: Callable[[GivenUp], Done],
    but: Collection[str] = frozenset(),
) -> Iterator[Done]:
    """Every message meant, while it is hidden from others; what is not meant, or failed, is given back at the end.

    `but` names contents that are left alone.
    """
    hold = Hold(queue, ports.hidden_seconds, ports.clock)
    try:
        for page in hold.pages():
            meant = [each for each in page if _is_wanted(each, wanted)]
            for number, message in enumerate(meant):
                if hold.is_ending():  # it may be somebody else's before we are done
                    hold.return_unworked(meant[number:])
                    break
                if _content(message) in but:
                    continue
                done = work(message)
                if done.error is None and not done.dry:
                    hold.let_go(message)
                yield done
    finally:
        hold.give_back()


def _is_wanted(message: GivenUp, wanted: Wanted) -> bool:
    described = Described(
        message_id=message.message_id,
        names=frozenset({message.account, message.project_id} - {""}),
        provider=message.provider,
        reason_class=message.reason_class,
        since=message.since,
    )
    return wanted.covers(described)


def _replayed(message: GivenUp, *, queue: GivenUpQueue, ports: ReplayPorts, body: bytes | None, dry: bool) -> Done:
    message = message if body is None else queue.reread(message, body)
    if message.push is not None:
        return _read_again(message, message.push, queue, ports, dry=dry)
    if message.body is None or message.fault:
        error = PermanentError(message.fault or "its text cannot be had", remedy=_MEND)
        return Done(message=message, error=error, dry=dry)
    if dry:
        return Done(message=message, dry=True)
    try:
        queue.put(_fresh(message.request, message.body, ports) if message.request is not None else message.body)
        _tell(message, f"replayed by {ports.actor}", ports)
        return Done(message=message, stays=not queue.remove(message.taken))
    except (TransientError, PermanentError) as error:
        return Done(message=message, error=error)


def _read_again(message: GivenUp, push: ProjectSignal, queue: GivenUpQueue, ports: ReplayPorts, *, dry: bool) -> Done:
    """What the push names is looked at as when it came; what it says decides as little as then."""
    try:
        policy = policy_for(ports.policy.current(), Provider.GCP)
        requests = requests_about(push, policy, ports.projects(), ports.clock)
        if dry:
            return Done(message=message, dry=True)
        for each in requests:
            ports.sender.send(each)
        _tell(replace(message, request=requests[-1]), f"its push was read again by {ports.actor}", ports)
        return Done(message=message, stays=not queue.remove(message.taken))
    except RollcallError as error:  # what Google or the policy lacks holds up no other message
        return Done(message=message, error=error, dry=dry)


_MEND = "Export it with `replay show ID --export FILE`, mend it, and give it to `replay run ID --from FILE`."


def _fresh(request: ConnectorRequest, body: bytes, ports: ReplayPorts) -> bytes:
    """The same request with a budget that begins now, as an attempt that no earlier one outdates.

    What a newer writer said beyond what we know stays in it.
    """
    attempt = min(request.attempt + 1, MOST_ATTEMPTS)
    fresh = {"attempt": attempt, "delays": 0, "first_enqueued_at": ports.clock.now().isoformat()}
    return json.dumps(json.loads(body) | fresh, ensure_ascii=False).encode()


def _discarded(
    message: GivenUp,
    *,
    queue: GivenUpQueue,
    ports: ReplayPorts,
    reason: str,
    keep: Callable[[GivenUp], None] | None,
) -> Done:
    may_go = _may_go(message, kept=keep is not None)
    if may_go.error is not None:
        return replace(may_go, dry=False)
    if keep is not None:
        keep(message)
    try:
        was = message.reason or message.fault or message.reason_class
        _tell(message, f"discarded by {ports.actor}: {reason}; it was given up because: {was}", ports)
        removed = queue.remove(message.taken)
        if not removed:
            _tell(message, f"not discarded by {ports.actor}: somebody else had taken or deleted it meanwhile", ports)
        return Done(message=message, stays=not removed)
    except (TransientError, PermanentError) as error:
        return Done(message=message, error=error)


def _may_go(message: GivenUp, *, kept: bool) -> Done:
    error = None if kept or message.key is not None else PermanentError(_NO_HISTORY, remedy=_KEEP)
    return Done(message=message, error=error, dry=True)


_NO_HISTORY = "it names no account, so no history can keep why it was discarded"
_KEEP = "Discard it with `rollcall replay discard --export FILE`: the file keeps it with the reason."


def _tell(message: GivenUp, what: str, ports: ReplayPorts) -> None:
    """Has the account's history say what a person did; only Azure's side writes the ledger."""
    now = ports.clock.now()
    if message.request is not None:
        ports.sender.send(_noted(message.request, message.message_id, what, ports))
    elif message.key is not None and message.key.provider is Provider.AWS:
        account_id = message.key.hierarchy_identifier
        cause = Cause(
            event_id=f"{message.message_id}/{what}",
            source="rollcall replay",
            occurred_at=now,
            correlation_id=correlation_id_for(account_id),
        )
        report = Report(status=State.SEEN, reason=what, at=now)
        ports.sender.send(request_for(unlisted_account(account_id), ports.policy.current(), cause, report))


def _noted(request: ConnectorRequest, message_id: str, what: str, ports: ReplayPorts) -> ConnectorRequest:
    now = ports.clock.now()
    told: dict[
        str, object
    ] = {  # what it says of the account may be old: a note adds to the history and describes nothing
        "name": "",
        "ou_path": "",
        "tags": {},
        "joined_at": None,
        "action": Action.NOTE,
        "status": State.SEEN,
        "reason": what[:_LONGEST_REASON],
        "remedy": "",
        "exclusions": None,
        "source": "rollcall replay",
    }
    return request.model_copy(
        update={
            "message_id": message_id_for(f"{message_id}/{what}", request.key, Action.NOTE, State.SEEN),
            "occurred_at": now,
            "first_enqueued_at": now,
            "attempt": 0,
            "delays": 0,
            "data": request.data.model_copy(update=told),
        }
    )
