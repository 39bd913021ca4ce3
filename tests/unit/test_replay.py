"""Given-up messages: looked at without a trace, sent back before they are deleted, never lost."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.application.onboard import onboard
from shared.application.replay import browse, discard, run, show
from shared.application.replay_ports import GivenUp, ReplayPorts, Taken
from shared.domain.ledger import State
from shared.domain.policy import Policy
from shared.domain.replay import Prospect, Wanted
from shared.errors import ConfigurationError, TransientError
from shared.messages.connector_request import Action, ConnectorRequest
from shared.messages.parked_request import ParkedRequest
from tests.fakes.aws import FakePolicySource
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.gcp import FakeProjects
from tests.fakes.ledger import FakeLedger
from tests.fakes.queues import FakeGivenUpQueue, FakeRequestQueue
from tests.fixtures.read import request
from tests.unit.conftest import AzureSide

SOON = 1000.0


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def parked(number: int, remedy: str = "Do it. Runbook: scope-locked.") -> str:
    asked = request(
        attempt=7,
        delays=5,
        data={"hierarchy_identifier": f"{number:012d}"},
        message_id=f"{number:08d}-0000-0000-0000-0000000000aa",
    )
    body = asked.to_json().encode()
    return encoded(ParkedRequest.of(body, reason="why", remedy=remedy, at=NOON - timedelta(hours=2)).to_json())


class World:
    """Ten parked requests and one that nobody can read."""

    def __init__(self, policy: Policy) -> None:
        self.clock = FakeClock()
        self.queue = FakeGivenUpQueue(self.clock, *(parked(number) for number in range(10)), "broken")
        self.sender = FakeRequestQueue()
        self.ledger = FakeLedger()
        self.google = FakeProjects()
        self.source = FakePolicySource(policy)
        self.ports = ReplayPorts(
            queues=(self.queue,),
            sender=self.sender,
            ledger=self.ledger,
            policy=self.source,
            clock=self.clock,
            actor="somebody",
            projects=lambda: self.google,
        )

    @property
    def sent_back(self) -> list[ConnectorRequest]:
        return [ConnectorRequest.from_json(body) for body in self.queue.put_bodies]


@pytest.fixture
def world(policy: Policy) -> World:
    return World(policy)


def test_a_look_leaves_everything_as_it_was(world: World) -> None:
    found = browse(Wanted(), world.ports)
    assert len(found) == len(world.queue.visible) == 11
    assert {each.reason_class for each in found} == {"scope-locked", "unreadable-message"}
    assert found[0].since is None  # of unknown age: first
    assert len(browse(Wanted(account=f"{3:012d}"), world.ports)) == 1
    assert world.sender.sent == []


def test_a_look_that_fails_gives_back_what_it_took(world: World) -> None:
    taken = world.queue.take

    def broken(seconds: int) -> object:
        if world.queue.receipts >= 8:
            raise TransientError("busy")
        return taken(seconds)

    world.queue.take = broken  # type: ignore[method-assign, assignment]  # fails on its third page
    with pytest.raises(TransientError):
        browse(Wanted(), world.ports)
    assert len(world.queue.visible) == 11


def test_a_look_that_outlasts_its_time_sees_each_message_once(world: World) -> None:
    read = world.queue.read

    def slow(taken: object) -> GivenUp:
        world.clock.advance(70)
        return read(taken)  # type: ignore[arg-type]

    world.queue.read = slow  # type: ignore[method-assign]
    assert len(browse(Wanted(), world.ports)) == 11
    assert len(world.queue.visible) == 11


def test_a_replay_goes_back_first_is_told_and_is_deleted_then(world: World) -> None:
    done = list(run(Wanted(account=f"{4:012d}"), world.ports, per_second=SOON))
    assert [(each.error, each.stays) for each in done] == [(None, False)]
    [again] = world.sent_back
    was = request(attempt=7, delays=5)
    assert again.data == was.data.model_copy(update={"hierarchy_identifier": f"{4:012d}"})
    assert str(again.message_id) == "00000004-0000-0000-0000-0000000000aa"
    assert (again.attempt, again.delays, again.occurred_at) == (8, 0, was.occurred_at)
    assert again.first_enqueued_at == NOON
    [note] = world.sender.requests
    assert (note.data.action, note.data.status, note.data.reason) == (Action.NOTE, State.SEEN, "replayed by somebody")
    assert (note.key, note.message_id != again.message_id) == (again.key, True)
    assert "message-4" not in world.queue.messages
    assert len(world.queue.visible) == 10


def test_a_replay_keeps_its_pace(world: World) -> None:
    list(run(Wanted(), world.ports, per_second=4))
    assert world.clock.slept == [0.25] * 11


@pytest.mark.parametrize("step", ["send", "put", "remove"])
def test_what_fails_in_between_stays_and_the_others_go_on(world: World, step: str) -> None:
    failures = world.sender.failures if step == "send" else world.queue.failures
    failures.plan(step, TransientError("busy"))
    done = list(run(Wanted(reason_class="scope-locked"), world.ports, per_second=SOON))
    assert [each.error is not None for each in done] == [True] + [False] * 9
    assert len(world.queue.messages) == 2
    assert len(world.queue.visible) == 2
    assert len(world.sent_back) == (9 if step == "put" else 10)
    again = list(run(Wanted(reason_class="scope-locked"), world.ports, per_second=SOON))
    assert [each.error for each in again] == [None]
    assert {each.data.hierarchy_identifier for each in world.sent_back} == {f"{number:012d}" for number in range(10)}


def test_what_is_given_up_again_meanwhile_is_not_sent_a_second_time(world: World) -> None:
    put = world.queue.put

    def put_and_park_again(body: bytes) -> None:
        put(body)
        text = encoded(ParkedRequest.of(body, reason="why", remedy="", at=world.clock.now()).to_json())
        world.queue.messages[f"again-{len(world.queue.put_bodies)}"] = text

    world.queue.put = put_and_park_again  # type: ignore[method-assign]
    done = list(run(Wanted(), world.ports, per_second=SOON))
    assert len(done) == 11
    assert len(world.sent_back) == 10
    assert len(world.queue.visible) == 11  # ten that were given up again, and the one that nobody can read


def test_a_slow_pace_never_works_on_what_may_be_somebody_elses(world: World) -> None:
    held: list[bool] = []
    put = world.queue.put

    def watched(body: bytes) -> None:
        held.append(len(world.queue.visible) <= len(world.queue.messages) - 1)
        put(body)

    world.queue.put = watched  # type: ignore[method-assign]
    world.queue.page = 32
    done = list(run(Wanted(reason_class="scope-locked"), world.ports, per_second=0.05))  # 200 s for the page
    assert [(each.error, each.stays) for each in done] == [(None, False)] * 10
    assert held == [True] * 10
    assert len(world.sent_back) == 10


def test_a_message_that_was_discarded_by_another_meanwhile_is_not_sent(world: World) -> None:
    world.queue.page = 32
    done = run(Wanted(reason_class="scope-locked"), world.ports, per_second=0.05)
    next(done)
    world.clock.advance(121)  # our time is over: somebody else works on the queue
    assert all(each.error is None for each in discard(Wanted(account=f"{1:012d}"), world.ports, reason="sold"))
    rest = list(done)
    assert len(rest) == 8
    assert f"{1:012d}" not in {each.data.hierarchy_identifier for each in world.sent_back}


def test_a_dry_run_says_what_would_fail_and_does_nothing(world: World) -> None:
    done = list(run(Wanted(), world.ports, per_second=1, dry=True))
    assert [each.error is None for each in done] == [True] * 10 + [False]
    done = list(discard(Wanted(), world.ports, reason="sold", dry=True))
    assert [each.error is None for each in done] == [True] * 10 + [False]
    assert (world.queue.put_bodies, world.sender.sent, world.clock.slept) == ([], [], [])
    assert len(world.queue.visible) == 11


def test_what_a_newer_writer_said_stays_in_the_message(world: World) -> None:
    body = json.loads(request().to_json()) | {"later": 1}
    body["data"]["later"] = [2]
    world.queue.messages = {"message-x": encoded(json.dumps(body))}
    list(run(Wanted(), world.ports, per_second=SOON))
    [sent] = [json.loads(each) for each in world.queue.put_bodies]
    assert (sent["later"], sent["data"]["later"], sent["attempt"]) == (1, [2], 1)


def test_a_note_about_a_message_describes_no_account(world: World) -> None:
    list(discard(Wanted(account=f"{5:012d}"), world.ports, reason="old"))
    [note] = world.sender.requests
    assert (note.data.name, note.data.ou_path, note.data.tags, note.data.joined_at) == ("", "", {}, None)


def test_a_discard_that_came_too_late_says_so(world: World) -> None:
    world.queue.page = 32
    remove = world.queue.remove

    def late(taken: Taken) -> bool:
        world.clock.advance(121)
        world.queue.take(3600)
        return remove(taken)

    world.queue.remove = late  # type: ignore[method-assign]
    [done] = discard(Wanted(account=f"{5:012d}"), world.ports, reason="old")
    assert done.stays
    assert [note.data.reason.split(" by ")[0] for note in world.sender.requests] == ["discarded", "not discarded"]


def test_a_wrong_deployment_ends_it_and_nothing_is_lost(world: World) -> None:
    world.queue.failures.plan("put", ConfigurationError("no right", setting="role"))
    with pytest.raises(ConfigurationError):
        list(run(Wanted(), world.ports, per_second=SOON))
    assert len(world.queue.visible) == 11


def test_a_run_that_is_abandoned_gives_back_what_it_did_not_do(world: World) -> None:
    done = run(Wanted(), world.ports, per_second=SOON)
    next(done)
    done.close()
    assert len(world.queue.visible) == len(world.queue.messages) == 10


def test_a_message_that_somebody_else_took_is_sent_and_lies_there_still(world: World) -> None:
    put = world.queue.put

    def slow(body: bytes) -> None:
        put(body)
        world.clock.advance(121)
        world.queue.take(3600)

    world.queue.put = slow  # type: ignore[method-assign]
    [done, *_] = list(run(Wanted(account=f"{0:012d}"), world.ports, per_second=SOON))
    assert (done.error, done.stays) == (None, True)
    assert "message-0" in world.queue.messages


def test_what_cannot_be_read_goes_back_only_when_it_is_mended(world: World) -> None:
    wanted = Wanted(message_ids=frozenset({"message-10"}))
    [refused] = run(wanted, world.ports, per_second=SOON)
    assert refused.error is not None
    assert "--export" in refused.error.remedy
    [still] = run(wanted, world.ports, per_second=SOON, body=b"{}")
    assert still.error is not None
    [done] = run(wanted, world.ports, per_second=SOON, body=request().to_json().encode())
    assert done.error is None
    assert [each.data for each in world.sent_back] == [request().data]
    assert "message-10" not in world.queue.messages


def test_a_discarded_message_leaves_its_reason(world: World) -> None:
    [done] = discard(Wanted(account=f"{5:012d}"), world.ports, reason="it was sold")
    assert done.error is None
    [note] = world.sender.requests
    assert note.data.reason == "discarded by somebody: it was sold; it was given up because: why"
    assert world.queue.put_bodies == []
    assert "message-5" not in world.queue.messages


@pytest.mark.parametrize("step", ["send", "remove"])
def test_a_discard_that_fails_leaves_the_message(world: World, step: str) -> None:
    failures = world.sender.failures if step == "send" else world.queue.failures
    failures.plan(step, TransientError("busy"))
    [done] = discard(Wanted(account=f"{5:012d}"), world.ports, reason="it was sold")
    assert done.error is not None
    assert len(world.queue.visible) == 11


def test_what_names_no_account_is_discarded_only_if_it_is_kept(world: World) -> None:
    wanted = Wanted(message_ids=frozenset({"message-10"}))
    [refused] = discard(wanted, world.ports, reason="noise")
    assert refused.error is not None
    assert "message-10" in world.queue.visible
    kept: list[GivenUp] = []
    [done] = discard(wanted, world.ports, reason="noise", keep=kept.append)
    assert done.error is None
    assert [each.body for each in kept] == [b"broken"]
    assert world.sender.sent == []


def test_a_file_that_cannot_be_written_keeps_the_message(world: World) -> None:
    def full(_: GivenUp) -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        list(discard(Wanted(), world.ports, reason="noise", keep=full))
    assert len(world.queue.visible) == 11


def test_a_message_is_shown_with_what_became_of_it(world: World, policy: Policy) -> None:
    found = show("message-3", world.ports)
    assert found is not None
    assert found.diagnosis.prospect is Prospect.UNKNOWN
    assert (found.record, found.history) == (None, ())
    assert show("message-", world.ports) is None  # more than one
    assert show("message-7777", world.ports) is None


def test_a_replayed_request_is_worked_on_although_its_budget_was_spent(azure: AzureSide, policy: Policy) -> None:
    """The whole way: parked for its age, replayed, connected; a second copy changes nothing."""
    old = request(first_enqueued_at=NOON - timedelta(days=30), attempt=40, delays=40)
    azure.connectors.failures.plan("find", TransientError("busy"))
    assert onboard(old, azure.ports).result == "parked"
    world = World(policy)
    world.queue = FakeGivenUpQueue(azure.clock, encoded(azure.queue.parked_texts[0]))
    ports = replace(world.ports, queues=(world.queue,), ledger=azure.ledger, clock=azure.clock)
    azure.clock.advance(60)
    [done] = run(Wanted(), ports, per_second=SOON)
    assert done.error is None
    [again] = world.sent_back
    assert onboard(again, azure.ports).result == "created"
    assert onboard(again, azure.ports).result == "unchanged"
    record = azure.ledger.find(again.key)
    assert record is not None
    assert record.state is State.CONNECTED
