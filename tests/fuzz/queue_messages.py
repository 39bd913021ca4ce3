"""What comes off Azure's queues: requests, probes, slices and notices, and what lies on the poison queue."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from functions.queue_entry import handle_request
from functions.slice_entry import handle_message
from shared.adapters.policy.problems import parse_policy
from shared.application.documents import message_document
from shared.application.replay import browse, run
from shared.application.replay_ports import ReplayPorts
from shared.application.rewrap import RewrapPorts, rewrap
from shared.domain.ledger import Result
from shared.domain.policy import Policy
from shared.domain.replay import Wanted
from shared.errors import RollcallError
from shared.messages.parked_request import MOST_BYTES, ParkedRequest
from shared.messages.probe import probe_json
from shared.messages.sweep_notice import SweepNotice
from shared.messages.sweep_slice import SweepSlice
from tests.fakes.clock import NOON
from tests.fakes.gcp import FakeProjects
from tests.fakes.ledger import FakeSweepLog
from tests.fakes.notices import Told
from tests.fakes.queues import FakeGivenUpQueue
from tests.fakes.sweep import SweepWorld
from tests.fixtures.read import account, fixture, request
from tests.fuzz.campaign import Base, Case
from tests.fuzz.watch import Watch, WrongError, checked_refusal, told_too_much
from tests.unit.conftest import AzureSide

MESSAGES = Path(__file__).parents[1] / "fixtures" / "messages"
RUN = "20261120T120000Z-00000000"
MOST_PARKED_REASON = 3000


class QueueMessages:
    """Surface: messages of Storage queues, as the host hands them over, and as the poison queue has them."""

    name = "queue-messages"

    @cached_property
    def bases(self) -> Sequence[Base]:
        """Every golden message, and those of the sweep."""
        files = {path.stem: path.read_bytes() for path in sorted(MESSAGES.glob("*.json"))}
        asked = SweepSlice(run=RUN, slice=0, asked_at=NOON).to_json().encode()
        later = SweepSlice(run=RUN, slice=1, asked_at=NOON).to_json().encode()
        notice = SweepNotice(run=RUN, receiver="ROLLCALL_NOTIFY_TEAMS", asked_at=NOON).to_json().encode()
        probe = probe_json("account_events").encode()
        named = files | {"sweep-slice.plan": asked, "sweep-slice": later, "sweep-notice": notice, "probe": probe}
        return [Base(name, content, content) for name, content in named.items()]

    @cached_property
    def _policy(self) -> Policy:
        return parse_policy(fixture("policies/full.yaml").encode(), "full.yaml")

    def take(self, case: Case, watch: Watch) -> str:
        """The message in the function that it is for, one in eight in another."""
        kind = "sweep" if case.base.startswith("sweep") else "poison" if case.base.startswith("parked") else "request"
        if case.choice % 8 == 7:
            kind = ("request", "sweep", "poison")[case.choice // 8 % 3]
        tries = case.choice // 64 % 6 + 1
        if kind == "sweep":
            return self._swept(case.content, tries, watch)
        return self._requested(case.content, tries) if kind == "request" else self._given_up(case)

    def _requested(self, body: bytes, tries: int) -> str:
        side = AzureSide(self._policy)
        outcome = handle_request(body, tries, side.ports)
        if outcome.result is Result.PARKED:
            _check_parked(side)
        elif outcome.result is Result.DEFERRED and not side.queue.sent:
            raise WrongError("deferred, and no copy was sent")
        if told := told_too_much(outcome.reason):
            raise WrongError(f"an outcome tells {told}")
        return f"request {outcome.result} {outcome.key}".strip()

    def _swept(self, body: bytes, tries: int, watch: Watch) -> str:
        world = SweepWorld(self._policy)
        world.add(account("111111111111"))
        told = Told(world)
        try:
            handle_message(body, tries, world.ports, lambda: told.ports)
        except RollcallError as error:
            return f"sweep {checked_refusal(error)}"
        return f"sweep {watch.records[-1].getMessage() if watch.records else 'silent'}"

    def _given_up(self, case: Case) -> str:
        """The message between two good ones: looked at, sent back, and what the host moved is parked."""
        text = case.content.decode("utf-8", "replace")
        if case.choice // 512 % 2:
            text = base64.b64encode(case.content).decode()
        side = AzureSide(self._policy)
        first, last = (
            base64.b64encode(
                request(message_id=f"{number:08d}-0000-0000-0000-0000000000aa").to_json().encode()
            ).decode()
            for number in (1, 2)
        )
        poison = FakeGivenUpQueue(side.clock, first, text, last)
        ports = ReplayPorts(
            queues=(poison,),
            sender=side.queue,
            ledger=side.ledger,
            policy=side.source,
            clock=side.clock,
            actor="somebody",
            projects=FakeProjects,
        )
        found = browse(Wanted(), ports)
        if len(found) != 3:
            raise WrongError("a message is not seen")
        json.dumps([message_document(each) for each in found], default=str)
        if case.choice // 1024 % 2:
            return f"poison replayed {_replayed(poison, ports)}"
        done = rewrap(
            RewrapPorts(
                poison=poison,
                queue=side.queue,
                parking=side.ports.parking,
                ledger=side.ledger,
                sweeps=FakeSweepLog(),
                clock=side.clock,
            )
        )
        _check_parked(side)
        if done.parked + len(poison.messages) != 3 or done.failed:
            raise WrongError("a message is neither parked nor where it was")
        return f"poison rewrapped {done.parked}"


def _replayed(poison: FakeGivenUpQueue, ports: ReplayPorts) -> str:
    done = list(run(Wanted(), ports, per_second=1000.0))
    gone = 3 - len(poison.messages)
    if len(done) != 3 or gone > len(poison.put_bodies) + len(ports.sender.sent):  # type: ignore[attr-defined] # the fake's
        raise WrongError("a message is gone and was not sent back")
    if len(poison.put_bodies) < 2:
        raise WrongError("a neighbour was not sent back")
    return str(sum(each.error is not None for each in done))


def _check_parked(side: AzureSide) -> None:
    """What was parked says why, fits on the queue and can be read again."""
    if not side.queue.parked_texts:
        raise WrongError("parked, and nothing is on the poison queue")
    for text in side.queue.parked_texts:
        parked: Any = ParkedRequest.from_json(text)
        if len(text.encode()) > MOST_BYTES:
            raise WrongError("what is parked does not fit on the queue")
        if not parked.reason or len(parked.reason) > MOST_PARKED_REASON:
            raise WrongError("the reason of what is parked is empty or endless")
        if told := told_too_much(f"{parked.reason} {parked.remedy}"):
            raise WrongError(f"the reason of what is parked tells {told}")
        if parked.raw_sha256 and parked.raw_sha256 not in side.bodies.kept:
            raise WrongError("what is kept apart is not kept")
