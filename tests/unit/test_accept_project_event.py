"""An entry about a project becomes one request, of what the project is now; in whatever order entries come."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.gcp.project_events import read_push
from shared.application.accept_project_event import (
    MOST_KEPT_BYTES,
    SETTLES,
    Accepted,
    ProjectSignal,
    accept_project_event,
    park_push,
)
from shared.application.refusals import UNREADABLE_PUSH
from shared.application.requests import correlation_id_for
from shared.domain.accounts import AccountState
from shared.domain.ledger import Result, State
from shared.domain.matching import Matcher
from shared.domain.policy import Deletions, Mode, OrganizationConnector, Policy
from shared.errors import ConfigurationError, Patience, PermanentError, TransientError
from shared.messages.connector_request import Action, ConnectorRequest
from shared.messages.parked_request import ParkedRequest
from shared.messages.poison import PoisonMessage
from tests.fakes.gcp_intake import NUMBER, ORGANIZATION, PROJECT_ID, GcpSide, project, pushed
from tests.fixtures.read import fixture

MANAGEMENT = "200000000009"
ENTRIES = (
    *("create.v1", "create.v3", "create.v3_first", "create.v3_last", "undelete.v1", "undelete.v3"),
    *("move.v3", "delete.v1", "delete.v3"),
)


@pytest.fixture
def gcp(policy: Policy) -> GcpSide:
    return GcpSide(policy)


def accept(gcp: GcpSide, name: str) -> Accepted:
    body = pushed(name)
    found = read_push(body)
    assert isinstance(found, ProjectSignal)
    return accept_project_event(found, body, gcp.ports)


def sent(gcp: GcpSide) -> ConnectorRequest:
    [request] = gcp.queue.requests
    return request


def asked(requests: Sequence[ConnectorRequest]) -> set[tuple[Action, State]]:
    return {(each.data.action, each.data.status) for each in requests}


def settle(gcp: GcpSide) -> None:
    """Entries are of two minutes ago; a quarter of an hour later what cannot be seen is not there."""
    gcp.clock.advance(SETTLES.total_seconds())


@pytest.mark.parametrize("name", ENTRIES)
def test_a_project_that_takes_part_is_asked_a_connector_for_whatever_the_entry_says(gcp: GcpSide, name: str) -> None:
    accepted = accept(gcp, name)
    assert accepted.outcome.result is Result.CREATED
    request = sent(gcp)
    assert accepted.request == request
    data = request.data
    assert (data.provider, data.hierarchy_identifier, data.name) == ("gcp", NUMBER, PROJECT_ID)
    assert (data.action, data.status) == (Action.CONNECT, State.DEPLOYED)
    assert (data.organization, data.ou_path, data.tags) == (ORGANIZATION, "/Workloads/Prod", {"team": "payments"})
    assert (request.occurred_at, request.first_enqueued_at) == (gcp.clock.now(), gcp.clock.now())
    assert request.policy_hash == gcp.source.policy.content_hash


@pytest.mark.parametrize("name", ENTRIES)
def test_a_project_that_is_to_be_deleted_has_departed_whatever_the_entry_says(gcp: GcpSide, name: str) -> None:
    gcp.projects.put(project(state=AccountState.DELETE_REQUESTED))
    assert accept(gcp, name).outcome.result is Result.SKIPPED
    data = sent(gcp).data
    assert (data.action, data.status) == (Action.NOTE, State.DEPARTED)
    assert "DELETE_REQUESTED" in data.reason
    assert data.remedy.endswith("Runbook: project-deleted.")


def test_a_connector_is_taken_away_only_where_the_policy_says_so(gcp: GcpSide) -> None:
    gcp.projects.put(project(state=AccountState.DELETE_REQUESTED))
    gcp.change(deletions=Deletions(departed_accounts=True))
    accept(gcp, "delete.v3")
    gcp.projects.put(project())
    gcp.change(exclusions=Matcher(account_ids=frozenset({NUMBER})))
    accept(gcp, "move.v3")
    gcp.change(deletions=Deletions(excluded_accounts=True))
    accept(gcp, "move.v3")
    assert [(each.data.action, each.data.status) for each in gcp.queue.requests] == [
        (Action.DISCONNECT, State.DEPARTED),
        (Action.NOTE, State.EXCLUDED),
        (Action.DISCONNECT, State.EXCLUDED),
    ]


@pytest.mark.parametrize("excluded", [True, False])
def test_the_organization_connector_is_told_first_whom_to_leave_alone(gcp: GcpSide, excluded: bool) -> None:
    gcp.change(
        mode=Mode.MEMBER,
        organization_connector=OrganizationConnector(
            name="gcp-organization", management_account=MANAGEMENT, management_id="mdc-mgmt-proj-200000000001"
        ),
        exclusions=Matcher(ou_paths=("/Workloads",) if excluded else ()),
    )
    accept(gcp, "move.v3")
    told, about = gcp.queue.requests
    assert (told.data.hierarchy_identifier, told.data.action, told.data.status) == (MANAGEMENT, "note", State.SEEN)
    one, nobody = frozenset({NUMBER}), frozenset[str]()
    assert told.data.told.excluded == (one if excluded else nobody)
    assert told.data.told.included == (nobody if excluded else one)
    assert (about.data.hierarchy_identifier, about.data.status) == (
        NUMBER,
        State.EXCLUDED if excluded else State.DEPLOYED,
    )
    accept(gcp, "move.v3")
    assert [each.message_id for each in gcp.queue.requests[2:]] == [told.message_id, about.message_id]


@pytest.mark.parametrize("state", [AccountState.DELETE_REQUESTED, None])
def test_nothing_is_told_of_a_project_that_is_going(gcp: GcpSide, state: AccountState | None) -> None:
    connector = OrganizationConnector(name="gcp-organization", management_account=MANAGEMENT)
    gcp.change(mode=Mode.MEMBER, organization_connector=connector)
    gcp.projects.projects.clear()
    if state is not None:
        gcp.projects.put(project(state=state))
    settle(gcp)
    accept(gcp, "delete.v3")
    assert sent(gcp).data.status is State.DEPARTED


def test_an_excluded_project_is_noted_with_its_reason(gcp: GcpSide) -> None:
    gcp.change(exclusions=Matcher(account_ids=frozenset({NUMBER})))
    accept(gcp, "create.v1")
    assert sent(gcp).data.reason.startswith("excluded by ")


def test_the_same_entry_makes_the_same_message_and_another_one_another(gcp: GcpSide) -> None:
    for name in ENTRIES * 2:
        accept(gcp, name)
    ids = [each.message_id for each in gcp.queue.requests]
    assert ids[: len(ENTRIES)] == ids[len(ENTRIES) :]
    assert len(set(ids)) == len(ENTRIES)
    assert len({each.correlation_id for each in gcp.queue.requests}) == 1


def test_the_message_is_one_project_s_and_one_method_s(gcp: GcpSide) -> None:
    """The insert id alone is unique within one log only."""
    body = pushed("create.v1")
    found = read_push(body)
    assert isinstance(found, ProjectSignal)
    others = [project(f"10000000004{number}", name=f"acme-app-{number}") for number in (3, 4)]
    for each in others:
        gcp.projects.put(each)
        named = ProjectSignal(**vars(found) | {"project": each.account_id, "number": each.account_id})
        accept_project_event(named, body, gcp.ports)
    assert len({each.message_id for each in gcp.queue.requests}) == len(others)


def test_what_follows_a_project_is_not_what_follows_an_account_with_the_same_digits(gcp: GcpSide) -> None:
    accept(gcp, "create.v1")
    assert sent(gcp).correlation_id != correlation_id_for(NUMBER)


@pytest.mark.parametrize("state", [AccountState.ACTIVE, AccountState.DELETE_REQUESTED])
def test_the_order_of_entries_does_not_matter(policy: Policy, state: AccountState) -> None:
    """Whatever comes last asks for what the project is, as all the others do."""
    for order in itertools.permutations(("create.v1", "delete.v3", "undelete.v3", "move.v3")):
        gcp = GcpSide(policy)
        gcp.projects.put(project(state=state))
        for name in order:
            accept(gcp, name)
        expected = State.DEPLOYED if state is AccountState.ACTIVE else State.DEPARTED
        assert {status for _, status in asked(gcp.queue.requests)} == {expected}


def test_a_life_in_order_ends_as_it_should(gcp: GcpSide) -> None:
    steps = [("create.v1", AccountState.ACTIVE), ("delete.v3", AccountState.DELETE_REQUESTED)]
    for name, state in [*steps, ("undelete.v3", AccountState.ACTIVE)]:
        gcp.projects.put(project(state=state))
        accept(gcp, name)
        gcp.clock.advance(60)
    assert [each.data.status for each in gcp.queue.requests] == [State.DEPLOYED, State.DEPARTED, State.DEPLOYED]
    moments = [each.occurred_at for each in gcp.queue.requests]
    assert moments == sorted(set(moments))


@pytest.mark.parametrize("name", ENTRIES)
def test_a_project_that_is_not_seen_yet_comes_again(gcp: GcpSide, name: str) -> None:
    gcp.projects.projects.clear()
    with pytest.raises(TransientError) as error:
        accept(gcp, name)
    assert error.value.key == "project-not-visible"
    assert not (gcp.queue.sent or gcp.queue.parked)
    gcp.projects.put(project())
    accept(gcp, name)
    assert sent(gcp).data.action is Action.CONNECT


@pytest.mark.parametrize("name", ["delete.v3", "move.v3"])
def test_a_project_that_was_taken_away_and_stays_out_of_sight_has_departed(gcp: GcpSide, name: str) -> None:
    gcp.projects.projects.clear()
    settle(gcp)
    accept(gcp, name)
    data = sent(gcp).data
    assert (data.provider, data.hierarchy_identifier) == ("gcp", NUMBER)
    assert (data.action, data.status) == (Action.NOTE, State.DEPARTED)
    assert data.remedy.endswith("Runbook: project-departed.")
    assert f"`rollcall offboard {NUMBER} --provider gcp --confirm`" in data.remedy
    gcp.change(deletions=Deletions(departed_accounts=True))
    accept(gcp, name)
    assert gcp.queue.requests[-1].data.action is Action.DISCONNECT


@pytest.mark.parametrize("name", ["create.v1", "create.v3", "undelete.v3", "delete.v1"])
def test_of_another_that_stays_out_of_sight_a_person_is_told(gcp: GcpSide, name: str) -> None:
    """`delete.v1` does not tell the number, under which alone the ledger knows a project."""
    gcp.projects.projects.clear()
    settle(gcp)
    accepted = accept(gcp, name)
    assert (accepted.outcome.result, accepted.outcome.key) == (Result.PARKED, "project-not-visible")
    assert gcp.queue.sent == []
    [parked] = gcp.queue.parked
    assert parked.remedy.endswith("Runbook: project-not-visible.")
    assert NUMBER in parked.reason or PROJECT_ID in parked.reason


def test_a_state_that_nobody_knows_yet_is_waited_for_and_then_told(gcp: GcpSide) -> None:
    gcp.projects.put(project(state=AccountState.UNKNOWN))
    with pytest.raises(TransientError):
        accept(gcp, "create.v1")
    settle(gcp)
    assert accept(gcp, "create.v1").outcome.result is Result.PARKED
    assert gcp.queue.sent == []


def test_without_a_word_about_gcp_in_the_policy_nothing_is_asked(gcp: GcpSide, policy: Policy) -> None:
    gcp.source.policy = policy
    assert accept(gcp, "create.v1").outcome.result is Result.SKIPPED
    assert gcp.untouched


FAILURES: dict[str, Callable[[GcpSide, Any], None]] = {
    "the policy": lambda gcp, error: gcp.source.failures.plan("current", error),
    "the project": lambda gcp, error: gcp.projects.failures.plan("find", error),
    "the queue": lambda gcp, error: gcp.queue.failures.plan("send", error),
}


@pytest.mark.parametrize("where", FAILURES)
@pytest.mark.parametrize("error", [TransientError("busy"), ConfigurationError("denied", setting="x")])
def test_a_failure_leaves_the_entry_to_come_again(gcp: GcpSide, where: str, error: Exception) -> None:
    FAILURES[where](gcp, error)
    with pytest.raises(type(error)):
        accept(gcp, "create.v1")
    assert not (gcp.queue.sent or gcp.queue.parked)
    accept(gcp, "create.v1")
    assert sent(gcp).data.action is Action.CONNECT


def test_what_passes_as_a_rule_is_a_wrong_deployment_where_it_lasts(gcp: GcpSide) -> None:
    denied = TransientError("denied", patience=Patience(seconds=900, setting="ROLLCALL_GCP__AUDIENCE"))
    gcp.projects.failures.plan("find", denied, denied)
    with pytest.raises(TransientError):
        accept(gcp, "create.v1")
    settle(gcp)
    with pytest.raises(ConfigurationError, match="denied"):
        accept(gcp, "create.v1")


def test_a_project_that_fits_into_no_message_is_parked(gcp: GcpSide) -> None:
    gcp.projects.put(project(ou_path="/" + "x" * 3000))
    accepted = accept(gcp, "create.v3")
    assert (accepted.outcome.result, accepted.outcome.key) == (Result.PARKED, "account-unsendable")


def test_the_crash_after_the_message_was_put_makes_the_same_message_again(gcp: GcpSide) -> None:
    """Google pushes again what was not answered."""
    accept(gcp, "create.v1")
    gcp.clock.advance(timedelta(days=3).total_seconds())
    accept(gcp, "create.v1")
    first, second = gcp.queue.requests
    assert (first.message_id, first.data) == (second.message_id, second.data)


ERROR = UNREADABLE_PUSH.error("it is broken")


@pytest.mark.parametrize("size", [0, 1, 40_000, MOST_KEPT_BYTES, MOST_KEPT_BYTES + 1, 3_000_000])
def test_a_push_of_any_size_is_parked_with_its_reason(gcp: GcpSide, size: int) -> None:
    assert isinstance(ERROR, PermanentError)
    body = bytes(number % 251 for number in range(size))
    park_push(body, ERROR, gcp.ports)
    [parked] = gcp.queue.parked
    assert parked.fits
    kept = gcp.bodies.find(parked.raw_sha256) if parked.raw_sha256 else PoisonMessage.read(parked.to_json()).body
    assert kept == body[:MOST_KEPT_BYTES]
    assert ("the first 65536 are kept" in parked.reason) is (size > MOST_KEPT_BYTES)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("room", ["", " " * 50_000])
def test_what_reads_like_a_request_of_ours_cannot_be_replayed(gcp: GcpSide, encoding: str, room: str) -> None:
    """Whoever may publish to the topic can have Pub/Sub push bare bodies."""
    assert isinstance(ERROR, PermanentError)
    forged = (fixture("messages/connector-request-1.disconnect.json") + room).encode(encoding)
    park_push(forged[:MOST_KEPT_BYTES], ERROR, gcp.ports)
    [text] = gcp.queue.parked_texts
    found = PoisonMessage.read(text)
    if digest := ParkedRequest.from_json(text).raw_sha256:
        found = found.judged(gcp.bodies.find(digest))
    assert found.request is None
    assert found.body


def _remedy_of_departed(gcp: GcpSide) -> str:
    gcp.projects.projects.clear()
    settle(gcp)
    accept(gcp, "delete.v3")
    return sent(gcp).data.remedy


def _remedy_of_deleted(gcp: GcpSide) -> str:
    gcp.projects.put(project(state=AccountState.DELETE_REQUESTED))
    accept(gcp, "delete.v3")
    return sent(gcp).data.remedy


def _remedy_of_unseen(gcp: GcpSide) -> str:
    gcp.projects.projects.clear()
    settle(gcp)
    accept(gcp, "create.v3")
    return gcp.queue.parked[0].remedy


def _remedy_of_unreadable(gcp: GcpSide) -> str:
    with pytest.raises(PermanentError) as error:
        read_push(b"{}")
    park_push(b"{}", error.value, gcp.ports)
    return gcp.queue.parked[0].remedy


PRODUCED: dict[str, Callable[[GcpSide], str]] = {
    "project-deleted": _remedy_of_deleted,
    "project-departed": _remedy_of_departed,
    "project-not-visible": _remedy_of_unseen,
    "unreadable-push": _remedy_of_unreadable,
}


@pytest.mark.parametrize("key", PRODUCED)
def test_every_kind_of_trouble_is_told_under_its_key(gcp: GcpSide, key: str) -> None:
    assert PRODUCED[key](gcp).endswith(f"Runbook: {key}.")
