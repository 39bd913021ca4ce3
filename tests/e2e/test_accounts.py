"""An account is born on AWS: what becomes of it on Azure, once, however often and in whatever company it comes."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.aws.account_identities import AccountIdentities
from shared.domain.profiles import Plan
from tests.e2e.roll import Roll, now, running, wait_until
from tests.fixtures.read import fixture

NO_ROLE = "ResourceLogicalId:CspmMonitorAwsRole, ResourceStatusReason: Access Denied by a service control policy."

NO_EVENT = "this is no event"
LARGE_NO_EVENT = "ä" * 400_000  # 800 kB; SQS takes up to 1 MiB
CONTROLS = "bell\x07 null\x00 \x1b[31mred\x1b[0m del\x7f next\x85 line\u2028"


@pytest.fixture(scope="module")
def roll(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roll]:
    with running(tmp_path_factory.mktemp("accounts")) as made:
        yield made


@pytest.fixture(scope="module")
def neighbours(roll: Roll) -> list[str]:
    """Two accounts whose events came in one batch with two broken ones."""
    account_ids = [roll.plant_account(f"neighbour-{number}") for number in range(2)]
    roll.deliver(
        "AccountEventsQueue",
        creation_event(account_ids[0], "first-neighbour"),
        NO_EVENT,
        fixture("events/create_account_result.without_account.json"),
        creation_event(account_ids[1], "second-neighbour"),
    )
    roll.deliver("AccountEventsQueue", LARGE_NO_EVENT)
    roll.broken_events += 3
    return account_ids


def creation_event(account_id: str, event_id: str) -> str:
    """The event of an account's creation, as it lies on the queue."""
    event: dict[str, Any] = json.loads(fixture("events/create_account_result.succeeded.json"))
    event |= {"id": event_id, "time": now()}
    event["detail"]["serviceEventDetails"]["createAccountStatus"]["accountId"] = account_id
    return json.dumps(event)


def log_lines(path: Path, message: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("message") == message]


def test_the_neighbours_of_a_broken_event_are_handled(roll: Roll, neighbours: list[str]) -> None:
    for account_id in neighbours:
        roll.wait_for_state(account_id, "connected")
        assert len(roll.puts(account_id)) == 1
        assert len(roll.operations(account_id)) == 1


def test_a_created_account_gets_its_connector_by_one_put_and_the_ledger_tells_each_step(roll: Roll) -> None:
    account_id = roll.create_account("newborn")
    record = roll.wait_for_state(account_id, "connected")
    [connector] = roll.connectors(account_id)
    assert connector["id"].lower() == record.connector_id.lower()
    assert connector["name"] == f"aws-{account_id}"
    assert [offering["offeringType"] for offering in connector["properties"]["offerings"]] == ["CspmMonitorAws"]
    [put] = roll.puts(account_id)
    assert (put.status, put.identity) == (201, "rollcall-functions")
    [operation] = roll.operations(account_id)
    assert operation.identity.endswith(":role/rollcall-account-events")
    instances = roll.client("cloudformation").list_stack_instances(StackSetName="rollcall-member-roles")["Summaries"]
    assert [each["Region"] for each in instances if each["Account"] == account_id] == ["us-east-1"]
    history = roll.history(account_id)
    assert [(entry.step, entry.result) for entry in history] == [
        ("note:deploying", "skipped"),
        ("connect:deployed", "created"),
    ]
    assert history[0].at < history[1].at
    assert {entry.correlation_id for entry in history} == {record.correlation_id}
    assert record.name == "newborn"


def test_an_event_of_most_of_a_mebibyte_is_handled_like_any_other(roll: Roll) -> None:
    account_id = roll.plant_account("large")
    event = json.loads(creation_event(account_id, "a-large-event"))
    event["detail"]["padding"] = "x" * 900_000
    roll.deliver("AccountEventsQueue", json.dumps(event))
    roll.wait_for_state(account_id, "connected")
    assert len(roll.puts(account_id)) == 1


def test_control_characters_in_a_name_go_through_events_queue_and_ledger_unchanged(roll: Roll) -> None:
    account_id = roll.plant_account(CONTROLS)
    event = json.loads(creation_event(account_id, f"an event of {CONTROLS}"))
    event["detail"]["serviceEventDetails"]["createAccountStatus"]["accountName"] = CONTROLS
    roll.deliver("AccountEventsQueue", json.dumps(event))
    record = roll.wait_for_state(account_id, "connected")
    assert record.name == CONTROLS
    assert [entry.result for entry in roll.history(account_id)] == ["skipped", "created"]
    [connector] = roll.connectors(account_id)
    assert connector["name"] == f"aws-{account_id}"


def test_the_connector_comes_after_provider_and_role_are_in_the_account(roll: Roll) -> None:
    account_id = roll.create_account("orderly")
    roll.wait_for_state(account_id, "connected")
    assert all(put.status < 400 for put in roll.puts(account_id))
    identities: AccountIdentities | None = roll.sandbox.aws.inspect_account(account_id)
    assert identities is not None
    assert "CspmMonitorAws" in {role.arn.rpartition("/")[2] for role in identities.roles}
    assert len(identities.oidc_providers) == 1


def test_an_account_deep_in_a_unit_gets_the_profile_of_that_unit(roll: Roll) -> None:
    unit = roll.make_unit("Workloads", "Production", "Payments")
    account_id = roll.plant_account("deep", parent_id=unit)
    roll.ask_onboarding(account_id)
    record = roll.wait_for_state(account_id, "connected")
    assert record.ou_path == "/Workloads/Production/Payments"
    [connector] = roll.connectors(account_id)
    offerings = {offering["offeringType"] for offering in connector["properties"]["offerings"]}
    assert offerings == set(Plan)


def test_accounts_that_take_no_part_end_excluded_with_the_reason(roll: Roll) -> None:
    accounts = {
        roll.plant_account("quarantined", parent_id=roll.make_unit("Quarantine", "Lab")): "OU path /Quarantine",
        roll.plant_account("exempt", tags={"defender": "exempt"}): "defender",
        roll.sandbox.aws.management_account_id: "management account",
    }
    for account_id in accounts:
        roll.ask_onboarding(account_id)
    for account_id, reason in accounts.items():
        assert reason in roll.wait_for_state(account_id, "excluded").reason
        assert roll.operations(account_id) == []
        assert roll.puts(account_id) == []


def test_an_account_that_is_closed_already_is_departed_and_gets_nothing(roll: Roll) -> None:
    account_id = roll.plant_account("suspended", state="SUSPENDED")
    roll.ask_onboarding(account_id)
    assert roll.wait_for_state(account_id, "departed").reason == "the account is SUSPENDED"
    assert roll.operations(account_id) == []
    assert roll.puts(account_id) == []


def test_a_failing_stack_instance_ends_with_the_words_of_aws_and_no_connector(roll: Roll) -> None:
    roll.seed(stack_failures=[{"account": "doomed", "reason": NO_ROLE}])
    account_id = roll.create_account("doomed")
    record = roll.wait_for_state(account_id, "deploy_failed")
    assert NO_ROLE in record.reason
    roll.wait_until_drained()
    assert roll.puts(account_id) == []
    assert roll.connectors(account_id) == []
    assert len(roll.operations(account_id)) == 1


def test_an_account_whose_roles_failed_is_connected_once_the_cause_is_gone_and_somebody_asks(roll: Roll) -> None:
    roll.seed(stack_failures=[{"account": "mended", "reason": NO_ROLE}])
    account_id = roll.create_account("mended")
    roll.wait_for_state(account_id, "deploy_failed")
    roll.sandbox.aws.mend_stack_instances("mended")
    time.sleep(1)  # events tell whole seconds, and one of the second of the failed try is taken to have led to it
    roll.ask_onboarding(account_id)
    roll.wait_for_state(account_id, "connected")
    assert len(roll.operations(account_id)) == 2
    assert len(roll.puts(account_id)) == 1


def test_the_same_event_three_times_at_once_is_one_operation_and_one_put(roll: Roll) -> None:
    account_id = roll.plant_account("thrice")
    roll.deliver("AccountEventsQueue", *[creation_event(account_id, "event-of-thrice")] * 3)
    roll.wait_for_state(account_id, "connected")
    roll.wait_until_drained()
    assert len(roll.operations(account_id)) == 1
    assert len(roll.puts(account_id)) == 1
    assert len(roll.connectors(account_id)) == 1


def test_the_same_event_again_and_again_leaves_everything_unchanged(roll: Roll) -> None:
    account_id = roll.plant_account("again")
    event = creation_event(account_id, "event-of-again")
    roll.deliver("AccountEventsQueue", event)
    before = roll.wait_for_state(account_id, "connected")
    [connector] = roll.connectors(account_id)
    for _ in range(2):
        roll.deliver("AccountEventsQueue", event)
        roll.wait_until_drained()
    wait_until(lambda: roll.history(account_id)[-1].result == "unchanged", "the replay is in the history")
    after = roll.record(account_id)
    assert after is not None
    assert (after.state, after.connector_id) == ("connected", before.connector_id)
    assert roll.connectors(account_id) == [connector]
    assert len(roll.operations(account_id)) == 1
    assert len(roll.puts(account_id)) == 1


def test_a_burst_of_accounts_is_a_few_operations_and_one_put_for_each(roll: Roll) -> None:
    requests = [roll.ask_for_account(f"burst-{number:02d}") for number in range(12)]
    account_ids = [roll.wait_for_account(request) for request in requests]
    for account_id in account_ids:
        roll.wait_for_state(account_id, "connected")
    operations = roll.operations(*account_ids)
    assert 1 <= len(operations) <= 4
    named = [account for entry in operations for account in entry.detail["accounts"]]
    assert sorted(named) == sorted(account_ids)
    assert [len(roll.puts(account_id)) for account_id in account_ids] == [1] * 12


def test_an_event_kind_that_nobody_knows_is_ignored(roll: Roll) -> None:
    since = len(roll.journal)
    event_id = roll.put_event("rollcall", "Account Praised", {"accountId": "999999999999"})

    def delivered_and_handled() -> bool:
        entries = roll.journal.entries(since=since)
        places = [number for number, entry in enumerate(entries) if entry.detail.get("event_id") == event_id]
        later = entries[places[0] :] if places else []
        return any(entry.detail.get("function") == "rollcall-account-events" for entry in later)

    wait_until(delivered_and_handled, "the event went through the function")
    roll.wait_until_drained()
    log = roll.sandbox.lambdas.log_of("rollcall-account-events")
    assert any("Account Praised" in line["reason"] for line in log_lines(log, "event_ignored"))
    assert roll.record("999999999999") is None


def test_an_account_that_could_not_be_created_does_no_harm(roll: Roll) -> None:
    roll.create_account("original")
    request = roll.ask_for_account("twin", email="original@accounts.example")
    organizations = roll.client("organizations")

    def failed() -> bool:
        answer = organizations.describe_create_account_status(CreateAccountRequestId=request)
        return bool(answer["CreateAccountStatus"]["State"] == "FAILED")

    log = roll.sandbox.lambdas.log_of("rollcall-account-events")
    wait_until(failed, "the creation failed")
    wait_until(
        lambda: any("EMAIL_ALREADY_EXISTS" in line["reason"] for line in log_lines(log, "event_ignored")),
        "the failed creation's event was read",
    )
    roll.wait_until_drained()
    assert "twin" not in {record.name for record in roll.ledger.list_records()}


def test_a_repeated_stack_instance_event_leaves_the_connector_unchanged(roll: Roll) -> None:
    account_id = roll.create_account("instanced")
    roll.wait_for_state(account_id, "connected")
    event = json.loads(fixture("events/stack_instance.succeeded.json"))
    stack_id = event["detail"]["stack-id"].split(":")
    event["detail"]["stack-id"] = ":".join([*stack_id[:4], account_id, *stack_id[5:]])
    roll.deliver("StackEventsQueue", *[json.dumps(event)] * 3)
    roll.wait_until_drained()
    wait_until(lambda: roll.history(account_id)[-1].result == "unchanged", "the repetition is in the history")
    assert len(roll.puts(account_id)) == 1
    assert len(roll.operations(account_id)) == 1


def test_every_connector_body_conforms_to_the_published_api(roll: Roll, evidence: Path) -> None:
    account_id = roll.plant_account("conforming", parent_id=roll.make_unit("Workloads", "Production"))
    roll.ask_onboarding(account_id)
    roll.wait_for_state(account_id, "connected")
    spec = importlib.util.spec_from_file_location("check_arm_body", evidence / "tools" / "check_arm_body.py")
    assert spec is not None
    assert spec.loader is not None
    checker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checker)

    def problems(body: Any) -> list[str]:
        found: list[str] = checker.problems(
            body, file="securityConnectors", version="2024-08-01-preview", definition="SecurityConnector"
        )
        return found

    bodies = [entry.body for entry in roll.journal.entries(operation="arm:PutSecurityConnector")]
    assert bodies
    for body in bodies:  # `subPlan` is sent as text: see connector_api
        assert [each for each in problems(body) if "subPlan" not in each] == []
    assert '"subPlan": "P2"' in json.dumps(bodies)
    assert problems(bodies[0] | {"surprise": 1})  # the checker itself can fail


def test_broken_events_end_in_the_dead_letter_queue_and_nothing_else_does(roll: Roll, neighbours: list[str]) -> None:
    broken = fixture("events/create_account_result.without_account.json")
    wait_until(lambda: roll.messages_on("AccountEventsDeadLetterQueue") == 3, "the broken events are dead letters")
    url = roll.outputs["AccountEventsDeadLetterQueueUrl"]
    received = roll.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    assert {message["Body"] for message in received["Messages"]} == {NO_EVENT, LARGE_NO_EVENT, broken}
    roll.wait_until_drained()
    assert roll.messages_on("StackEventsDeadLetterQueue") == 0
