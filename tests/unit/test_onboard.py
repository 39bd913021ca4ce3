"""One request becomes one connector, or a reason why not."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.application.onboard import onboard
from shared.application.onboard_ports import CLAIM_SECONDS
from shared.domain.connectors import ConnectorId, connector_id_for, desired_body, to_create
from shared.domain.ledger import AccountRecord, HistoryEntry, Result, State
from shared.domain.pacing import WriteRate
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError
from shared.messages.connector_request import ConnectorRequest
from tests.fakes.clock import NOON
from tests.fixtures.read import ACCOUNT_ID, loaded, request
from tests.unit.conftest import AzureSide

KEY = request().key


def place(azure: AzureSide) -> ConnectorId:
    return connector_id_for(ACCOUNT_ID, azure.policy.target)


def wanted(azure: AzureSide) -> dict[str, object]:
    policy = azure.policy
    return to_create(desired_body(ACCOUNT_ID, policy.default_profile, policy.target, policy.organization))


def row(azure: AzureSide) -> AccountRecord:
    found = azure.ledger.find(KEY)
    assert found is not None
    return found


def test_a_request_makes_a_connector_as_the_policy_asks(azure: AzureSide) -> None:
    outcome = onboard(request(), azure.ports)
    assert (outcome.result, outcome.connector_id) == (Result.CREATED, str(place(azure)))
    assert azure.connectors.puts == [(place(azure), wanted(azure))]
    assert (row(azure).state, row(azure).connector_id) == (State.CONNECTED, str(place(azure)))
    assert row(azure).claimed_by == ""
    [entry] = azure.ledger.history(KEY)
    assert (entry.result, entry.step, entry.attempt) == (Result.CREATED, "connect:deployed", 0)


def test_a_new_connector_is_made_without_a_look_at_all_others(azure: AzureSide) -> None:
    assert onboard(request(), azure.ports).result is Result.CREATED
    assert azure.snapshot.listed == 0


def test_a_repeated_request_leaves_the_connector_unchanged(azure: AzureSide) -> None:
    onboard(request(), azure.ports)
    outcome = onboard(request(), azure.ports)
    assert outcome.result is Result.UNCHANGED
    assert len(azure.connectors.puts) == 1


def test_another_process_with_an_old_snapshot_puts_nothing(azure: AzureSide) -> None:
    onboard(request(), azure.ports)
    other = AzureSide(azure.policy, ledger=azure.ledger, connectors=azure.connectors, clock=azure.clock)
    for found in azure.connectors.everything():
        other.snapshot._seen.pop(str(found.connector_id).lower())
    outcome = onboard(request(), other.ports)
    assert outcome.result is Result.UNCHANGED
    assert len(azure.connectors.puts) == 1
    assert other.snapshot.find_by_hierarchy(ACCOUNT_ID)


def test_a_drifted_connector_is_updated_and_keeps_what_is_not_ours(azure: AzureSide) -> None:
    azure.connectors.plant(place(azure), loaded("connectors/aws.drifted.json"))
    azure.snapshot.refresh()
    outcome = onboard(request(), azure.ports)
    assert outcome.result is Result.UPDATED
    [(_, body)] = azure.connectors.puts
    assert "systemData" not in body
    assert body["tags"] == {"rollcall": "o-exampleorg1", "owner": "secops"}
    assert onboard(request(), azure.ports).result is Result.UNCHANGED


def test_a_connector_of_ours_in_another_place_is_kept_where_it_stands(azure: AzureSide) -> None:
    elsewhere = replace(place(azure), resource_group="rg-older", name="legacy")
    azure.connectors.plant(elsewhere, loaded("connectors/aws.drifted.json"))
    azure.snapshot.refresh()
    outcome = onboard(request(), azure.ports)
    assert (outcome.result, outcome.connector_id) == (Result.UPDATED, str(elsewhere))
    assert azure.connectors.find(place(azure)) is None


def test_a_gcp_project_whose_number_is_our_account_id_is_no_rival(azure: AzureSide) -> None:
    other = loaded("connectors/aws.drifted.json")
    other["properties"] |= {"environmentName": "GCP"}
    azure.connectors.plant(replace(place(azure), name="gcp-project"), other | {"tags": {}})
    azure.snapshot.refresh()
    assert onboard(request(), azure.ports).result is Result.CREATED


def test_the_case_of_our_tag_s_name_does_not_matter(azure: AzureSide) -> None:
    body = loaded("connectors/aws.drifted.json")
    azure.connectors.plant(place(azure), body | {"tags": {"Rollcall": "o-exampleorg1"}})
    azure.snapshot.refresh()
    assert onboard(request(), azure.ports).result is Result.UPDATED
    assert azure.connectors.puts[-1][1]["tags"] == {"Rollcall": "o-exampleorg1"}
    assert onboard(request(), azure.ports).result is Result.UNCHANGED


@pytest.mark.parametrize("tags", [{}, None, {"rollcall": "o-somebodyelse"}])
@pytest.mark.parametrize("seen", [True, False])
def test_another_s_connector_is_refused_with_its_id(azure: AzureSide, tags: dict[str, str] | None, seen: bool) -> None:
    azure.connectors.plant(place(azure), loaded("connectors/aws.drifted.json") | {"tags": tags})
    if seen:
        azure.snapshot.refresh()
    outcome = onboard(request(), azure.ports)
    assert outcome.result is Result.PARKED
    [parked] = azure.queue.parked
    assert str(place(azure)) in parked.reason
    assert parked.remedy
    assert ConnectorRequest.model_validate(parked.original) == request()
    assert not azure.connectors.puts
    assert (row(azure).state, row(azure).claimed_by) == (State.PARKED, "")


def test_an_account_that_the_policy_excludes_gets_nothing(azure: AzureSide) -> None:
    outcome = onboard(request(data={"ou_path": "/Sandbox"}), azure.ports)
    assert outcome.result is Result.SKIPPED
    assert not azure.connectors.puts
    assert (row(azure).state, row(azure).reason) == (State.EXCLUDED, "excluded by OU path /Sandbox")


def test_our_policy_wins_over_the_sender_s_and_the_skew_is_logged(
    azure: AzureSide, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        onboard(request(data={"ou_path": "/Workloads/Dev"}), azure.ports)
    assert "policy_skew" in caplog.messages
    [(_, body)] = azure.connectors.puts
    assert len(body["properties"]["offerings"]) == 1
    caplog.clear()
    onboard(request(policy_hash=azure.policy.content_hash), azure.ports)
    assert "policy_skew" not in caplog.messages


def test_a_request_about_another_organization_is_parked(azure: AzureSide) -> None:
    outcome = onboard(request(data={"organization": "o-somebodyelse"}), azure.ports)
    assert outcome.result is Result.PARKED
    assert not azure.connectors.puts


def test_a_note_is_only_remembered(azure: AzureSide) -> None:
    outcome = onboard(request("connector-request-1.note"), azure.ports)
    assert outcome.result is Result.SKIPPED
    assert (row(azure).state, row(azure).reason) == (State.DEPLOY_FAILED, "ResourceLimitExceeded")
    assert row(azure).state_at == request("connector-request-1.note").occurred_at
    assert not azure.connectors.puts


def test_a_note_that_arrives_after_the_connector_changes_nothing(azure: AzureSide) -> None:
    onboard(request(), azure.ports)
    onboard(request("connector-request-1.note", data={"status": "deploying"}), azure.ports)
    assert row(azure).state is State.CONNECTED


def test_a_disconnect_of_a_cloud_that_the_policy_says_nothing_about_is_parked(azure: AzureSide) -> None:
    assert onboard(request("connector-request-1.disconnect"), azure.ports).result is Result.PARKED


def test_a_gcp_project_that_the_policy_says_nothing_about_is_parked_and_gets_no_aws_connector(azure: AzureSide) -> None:
    outcome = onboard(request(data={"provider": "gcp"}), azure.ports)
    assert (outcome.result, outcome.key) == (Result.PARKED, "gcp-not-in-policy")
    assert azure.queue.parked[0].remedy
    assert not azure.connectors.puts
    record = azure.ledger.find(request(data={"provider": "gcp"}).key)
    assert record is not None
    assert record.state is State.PARKED


def test_a_note_about_a_gcp_project_is_remembered(azure: AzureSide) -> None:
    noted = request("connector-request-1.note", data={"provider": "gcp"})
    assert onboard(noted, azure.ports).result is Result.SKIPPED


@pytest.mark.parametrize(
    ("fake", "method"),
    [("ledger", "find"), ("ledger", "claim"), ("snapshot", "find_by_hierarchy"), ("connectors", "find"),
     ("connectors", "put"), ("pacer", "reserve")],
)  # fmt: skip
def test_whatever_may_pass_is_deferred_with_a_later_copy(azure: AzureSide, fake: str, method: str) -> None:
    getattr(azure, fake).failures.plan(method, TransientError("throttled"))
    outcome = onboard(request(attempt=5, delays=3), azure.ports)
    assert (outcome.result, outcome.reason) == (Result.DEFERRED, "throttled")
    [sent] = azure.queue.sent
    assert sent.request == request(attempt=6, delays=4)
    assert sent.delay_seconds == 240
    assert row(azure).state is State.DEFERRED
    assert "throttled; next attempt at 2026-11-20T12:04:00Z" in row(azure).reason
    assert row(azure).claimed_by == ""
    assert onboard(sent.request, azure.ports).result is Result.CREATED


@pytest.mark.parametrize("error", [TransientError("roles", remedy="Wait."), PermanentError("no", remedy="Wait.")])
def test_what_the_sender_knows_of_a_person_s_part_is_told_with_every_refusal(
    azure: AzureSide, error: RollcallError
) -> None:
    azure.connectors.failures.plan("put", error)
    sent = request()
    noted = sent.model_copy(update={"data": sent.data.model_copy(update={"remedy": "Add a client id."})})
    onboard(noted, azure.ports)
    assert row(azure).remedy == "Add a client id. Wait."
    azure.clock.advance(60)
    onboard(noted.next_attempt(failed=True), azure.ports)
    assert (row(azure).state, row(azure).remedy) == (State.CONNECTED, "")
    assert "Add a client id. Wait." in {entry.remedy for entry in azure.ledger.history(KEY)}


def test_a_service_s_own_delay_is_kept_to(azure: AzureSide) -> None:
    azure.connectors.failures.plan("put", TransientError("throttled", retry_after_seconds=17))
    onboard(request(), azure.ports)
    assert azure.queue.sent[0].delay_seconds == 17


def test_a_leftover_of_a_deferred_request_is_dropped(azure: AzureSide) -> None:
    azure.connectors.failures.plan("put", TransientError("not ready"))
    onboard(request(), azure.ports)
    outcome = onboard(request(), azure.ports)
    assert outcome.result is Result.SKIPPED
    assert len(azure.queue.sent) == 1
    assert not azure.connectors.puts


def test_a_request_replayed_after_its_end_is_looked_at_again(azure: AzureSide) -> None:
    azure.connectors.failures.plan("put", TransientError("not ready"), PermanentError("refused", remedy="mend"))
    onboard(request(), azure.ports)
    assert onboard(request(attempt=1), azure.ports).result is Result.PARKED
    azure.clock.advance(60)
    assert onboard(request(), azure.ports).result is Result.CREATED


def test_a_request_is_parked_when_its_budget_is_spent(azure: AzureSide) -> None:
    azure.clock.advance(48 * 3600)
    azure.connectors.failures.plan("put", TransientError("identity provider is missing", remedy="Look at the stack."))
    outcome = onboard(request(), azure.ports)
    assert outcome.result is Result.PARKED
    [parked] = azure.queue.parked
    assert parked.reason == "tried for 48 hours; last: identity provider is missing"
    assert parked.remedy == "Look at the stack."
    assert not azure.queue.sent


def test_a_permanent_refusal_is_parked_with_reason_and_remedy(azure: AzureSide) -> None:
    azure.connectors.failures.plan("put", PermanentError("another connector exists", remedy="Remove it."))
    outcome = onboard(request(), azure.ports)
    assert outcome.result is Result.PARKED
    assert (row(azure).state, row(azure).reason, row(azure).remedy) == (
        State.PARKED,
        "another connector exists",
        "Remove it.",
    )
    assert row(azure).claimed_by == ""


@pytest.mark.parametrize(("fake", "method"), [("source", "current"), ("connectors", "put"), ("ledger", "find")])
def test_a_wrong_deployment_is_raised(azure: AzureSide, fake: str, method: str) -> None:
    getattr(azure, fake).failures.plan(method, ConfigurationError("forbidden", setting="a role"))
    with pytest.raises(ConfigurationError):
        onboard(request(), azure.ports)
    assert not azure.queue.sent
    assert not azure.queue.parked


def test_a_copy_that_cannot_be_put_leaves_the_message_to_the_queue(azure: AzureSide) -> None:
    azure.connectors.failures.plan("put", TransientError("throttled"))
    azure.queue.failures.plan("send", TransientError("the queue does not answer"))
    with pytest.raises(TransientError, match="does not answer"):
        onboard(request(), azure.ports)


@pytest.mark.parametrize("first", [TransientError("throttled"), PermanentError("refused")])
def test_a_ledger_that_fails_after_the_message_moved_makes_no_second_copy(
    azure: AzureSide, first: RollcallError
) -> None:
    azure.connectors.failures.plan("put", first)
    azure.ledger.failures.plan("record", TransientError("the table does not answer"))
    outcome = onboard(request(), azure.ports)
    assert outcome.result in {Result.DEFERRED, Result.PARKED}
    assert len(azure.queue.sent) + len(azure.queue.parked) == 1


def test_a_ledger_that_refuses_the_line_of_a_deferral_does_not_double_the_request(azure: AzureSide) -> None:
    azure.connectors.failures.plan("put", TransientError("throttled"))
    azure.ledger.failures.plan("record", PermanentError("the row was deleted meanwhile"))
    assert onboard(request(), azure.ports).result is Result.DEFERRED
    assert (len(azure.queue.sent), len(azure.queue.parked)) == (1, 0)


def test_a_ledger_that_fails_after_the_put_is_brought_up_to_date_later(azure: AzureSide) -> None:
    azure.ledger.failures.plan("record", TransientError("the table does not answer"))
    assert onboard(request(), azure.ports).result is Result.DEFERRED
    assert onboard(azure.queue.requests[0], azure.ports).result is Result.UNCHANGED
    assert row(azure).state is State.CONNECTED
    assert len(azure.connectors.puts) == 1


def test_an_account_that_another_worker_holds_is_left_to_it(azure: AzureSide) -> None:
    assert azure.ledger.claim(KEY, owner="another", now=NOON, seconds=CLAIM_SECONDS, connecting=True)
    outcome = onboard(request(), azure.ports)
    assert outcome.result is Result.DEFERRED
    assert azure.queue.sent[0].delay_seconds == 30
    assert (row(azure).claimed_by, row(azure).state) == ("another", State.CONNECTING)
    azure.clock.advance(CLAIM_SECONDS)
    assert onboard(azure.queue.requests[0], azure.ports).result is Result.CREATED


def test_two_deliveries_at_the_same_moment_make_one_put(azure: AzureSide) -> None:
    """The second delivery arrives while the first is inside its PUT."""
    inner: list[Result] = []
    put = azure.connectors.put

    def delivered_again(connector_id: ConnectorId, body: dict[str, object]) -> object:
        inner.append(onboard(request(), azure.ports).result)
        return put(connector_id, body)

    slow = type("Slow", (), {"find": azure.connectors.find, "put": staticmethod(delivered_again)})()
    outcome = onboard(request(), replace(azure.ports, connectors=slow))
    assert (outcome.result, inner) == (Result.CREATED, [Result.DEFERRED])
    assert len(azure.connectors.puts) == 1
    assert row(azure).state is State.CONNECTED
    azure.clock.advance(30)
    assert onboard(azure.queue.requests[0], azure.ports).result is Result.UNCHANGED


def test_a_contended_copy_that_reports_late_leaves_a_connected_account_connected(azure: AzureSide) -> None:
    """The winner ends between the loser's refused claim and the loser's own line."""
    send = azure.queue.send

    def winner_ends(again: ConnectorRequest, *, delay_seconds: float = 0.0) -> None:
        send(again, delay_seconds=delay_seconds)
        azure.clock.advance(1)
        ended = HistoryEntry(
            key=KEY,
            at=azure.clock.now(),
            step="connect:deployed",
            result=Result.CREATED,
            state=State.CONNECTED,
            message_id="winner",
            attempt=0,
            correlation_id="c",
        )
        azure.ledger.record(ended, release="another")
        azure.clock.advance(1)

    azure.ledger.claim(KEY, owner="another", now=NOON, seconds=CLAIM_SECONDS, connecting=True)
    queue = type("Queue", (), {"send": staticmethod(winner_ends), "park": azure.queue.park})()
    assert onboard(request(), replace(azure.ports, queue=queue)).result is Result.DEFERRED
    assert row(azure).state is State.CONNECTED


def test_a_slot_that_is_near_is_waited_for(azure: AzureSide) -> None:
    azure.pacer.plan(20)
    assert onboard(request(), azure.ports).result is Result.CREATED
    assert azure.clock.slept == [20]


def test_waiting_for_others_does_not_lengthen_the_next_delay(azure: AzureSide) -> None:
    one = request()
    for _ in range(6):
        azure.ledger.claim(KEY, owner="another", now=azure.clock.now(), seconds=CLAIM_SECONDS, connecting=True)
        assert onboard(one, azure.ports).result is Result.DEFERRED
        one = azure.queue.requests[-1]
        azure.clock.advance(CLAIM_SECONDS)
    azure.pacer.plan(21)
    onboard(one, azure.ports)
    one = azure.queue.requests[-1]
    azure.clock.advance(21)
    azure.connectors.failures.plan("put", TransientError("not ready"))
    onboard(one, azure.ports)
    assert (one.attempt, azure.queue.sent[-1].delay_seconds) == (7, 30)
    assert azure.queue.requests[-1] == request(attempt=8, delays=1)


def test_waiting_for_a_slot_ends_with_the_budget(azure: AzureSide) -> None:
    azure.clock.advance(48 * 3600)
    azure.pacer.plan(21)
    assert onboard(request(), azure.ports).result is Result.PARKED
    assert azure.queue.parked[0].reason.startswith("tried for 48 hours; last: the subscription's write budget")
    assert (azure.queue.sent, row(azure).state, row(azure).claimed_by) == ([], State.PARKED, "")


def test_waiting_for_another_worker_ends_with_the_budget_and_leaves_the_state_to_that_worker(azure: AzureSide) -> None:
    azure.clock.advance(48 * 3600)
    azure.ledger.claim(KEY, owner="another", now=azure.clock.now(), seconds=CLAIM_SECONDS, connecting=True)
    assert onboard(request(), azure.ports).result is Result.PARKED
    assert azure.queue.parked[0].reason == "tried for 48 hours; last: another worker holds this account"
    assert (azure.queue.sent, row(azure).state, row(azure).claimed_by) == ([], State.CONNECTING, "another")


@pytest.mark.parametrize(("late", "result"), [(20, Result.CREATED), (21, Result.DEFERRED)])
def test_a_kept_slot_that_passed_unused_is_taken_anew(azure: AzureSide, late: float, result: Result) -> None:
    azure.pacer.plan(60)
    onboard(request(), azure.ports)
    azure.clock.advance(60 + late)
    azure.pacer.plan(60)
    assert onboard(azure.queue.requests[0], azure.ports).result is result


def test_copies_that_come_due_during_an_outage_are_not_all_written_at_once(azure: AzureSide) -> None:
    ports = azure.ports
    for number in range(100):
        azure.pacer.plan(21 + number)
        onboard(request(data={"hierarchy_identifier": f"{number:012d}"}), ports)
    copies = azure.queue.requests
    azure.clock.advance(3600)
    now, results = azure.clock.now(), []
    for copy in copies:
        results.append(onboard(copy, ports).result)
        azure.clock.advance((now - azure.clock.now()).total_seconds())  # the others did not wait for it
    assert results.count(Result.CREATED) == WriteRate().burst + len(azure.clock.slept) == 40
    assert results.count(Result.DEFERRED) == 60


def test_a_slot_that_is_far_defers_the_request(azure: AzureSide) -> None:
    azure.pacer.plan(21)
    outcome = onboard(request(), azure.ports)
    assert outcome.result is Result.DEFERRED
    assert azure.queue.sent[0].delay_seconds == 21
    assert row(azure).claimed_by == ""
    assert azure.clock.slept == []


def test_a_burst_of_any_size_gets_all_its_connectors_at_the_rate_of_the_subscription(azure: AzureSide) -> None:
    """Fifty workers take 200 requests at once, then each copy when it is due: none waits for another."""
    waiting = [(NOON, request(data={"hierarchy_identifier": f"{number:012d}"})) for number in range(200)]
    quick = replace(azure.ports, clock=azure.clock)
    while waiting and azure.clock.now() - NOON < timedelta(hours=2):
        due, one = min(waiting, key=lambda entry: entry[0])
        waiting.remove((due, one))
        azure.clock.advance(max((due - azure.clock.now()).total_seconds(), 0))
        now = azure.clock.now()
        azure.queue.sent.clear()
        onboard(one, quick)
        azure.clock.advance((now - azure.clock.now()).total_seconds())  # the other workers did not wait for it
        waiting += [(now + timedelta(seconds=sent.delay_seconds), sent.request) for sent in azure.queue.sent]
    assert len(azure.connectors.puts) == 200


def test_a_new_connector_tells_how_long_its_account_waited_for_it(azure: AzureSide) -> None:
    azure.clock.advance(60)
    outcome = onboard(request(), azure.ports)
    assert outcome.seconds_since_joined == 240  # the request says that it joined at 11:57
    assert outcome.log_fields()["seconds_since_joined"] == 240
    record = row(azure)
    assert (record.joined_at, record.connected_at) == (NOON - timedelta(minutes=3), azure.clock.now())
    azure.clock.advance(60)
    again = onboard(request(message_id="00000000-0000-4000-8000-00000000aaaa"), azure.ports)
    assert (again.result, again.seconds_since_joined) == (Result.UNCHANGED, None)
    assert "seconds_since_joined" not in again.log_fields()
    assert row(azure).connected_at == record.connected_at
