"""The rims: a batch of SQS records, a message of the Storage queue, and what the Function App registers."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import Any

import azure.functions as func
import pytest

import function_app
from functions.queue_entry import LAST_TRY, handle_request
from lambdas.batch import run_batch
from shared.adapters.aws.account_events import read_account_event
from shared.adapters.aws.stack_events import read_stack_event
from shared.application.deploy_accounts import deploy_accounts
from shared.application.report_instance import report_instances
from shared.domain.ledger import Result, State
from shared.domain.policy import Policy
from shared.errors import ConfigurationError, TransientError
from shared.messages.parked_request import MOST_BYTES
from tests.fixtures.read import ACCOUNT_ID, fixture, request
from tests.unit.conftest import AwsSide, AzureSide


def record(name: str, message_id: str) -> dict[str, Any]:
    return {"messageId": message_id, "body": fixture(f"events/{name}.json"), "eventSource": "aws:sqs"}


def failures(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    assert list(answer) == ["batchItemFailures"]
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


def accounts(aws: AwsSide, *records: dict[str, Any]) -> list[str]:
    return failures(run_batch(records, read_account_event, lambda signals: deploy_accounts(signals, aws.deploy)))


def test_a_batch_returns_only_the_records_that_failed(aws: AwsSide) -> None:
    broken = {"messageId": "m4", "body": "{}"}
    failed = accounts(
        aws,
        record("create_account_result.succeeded", "m1"),
        record("create_account_result.failed", "m2"),
        record("move_account", "m3"),
        broken,
        record("onboarding_requested", "m5"),
    )
    assert failed == ["m4"]
    assert len(aws.stack_sets.operations) == 1


def test_every_record_of_an_account_that_failed_comes_back(aws: AwsSide) -> None:
    aws.stack_sets.failures.plan("deploy", TransientError("throttled"))
    both = record("create_account_result.succeeded", "m1"), record("onboarding_requested", "m2")
    assert accounts(aws, *both) == ["m1", "m2"]
    assert accounts(aws, *both) == []


def test_a_batch_of_events_that_ask_nothing_acts_on_nothing(aws: AwsSide) -> None:
    aws.source.failures.plan("current", ConfigurationError("nobody may ask", setting="x"))
    assert accounts(aws, record("move_account.refused", "m1"), record("tag_resource.unit", "m2")) == []


def test_a_wrong_deployment_is_raised_out_of_the_batch_with_one_critical_line(
    aws: AwsSide, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = ConfigurationError("no policy", setting="ROLLCALL_POLICY", key="policy-object-missing")
    aws.source.failures.plan("current", wrong)
    with pytest.raises(ConfigurationError):
        accounts(aws, record("create_account_result.succeeded", "m1"))
    [line] = [line for line in caplog.records if line.name == "lambdas.batch"]
    assert (line.message, line.levelname) == ("batch_failed", "CRITICAL")
    assert (line.__dict__["error_key"], line.__dict__["reason"]) == ("policy-object-missing", "no policy")


def test_each_record_has_one_closing_line_without_its_event(aws: AwsSide, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="lambdas"):
        accounts(
            aws,
            record("create_account_result.succeeded", "m1"),
            record("create_account_result.failed", "m2"),
            {"messageId": "m3", "body": "owner@example.com"},
        )
    lines = {str(line.__dict__["message_id"]): line for line in caplog.records if line.name == "lambdas.batch"}
    assert {key: (line.message, line.levelname) for key, line in lines.items()} == {
        "m1": ("event_handled", "INFO"),
        "m2": ("event_ignored", "WARNING"),
        "m3": ("event_failed", "ERROR"),
    }
    assert lines["m1"].__dict__["outcome"] == "created"
    assert lines["m1"].__dict__["correlation_id"] == aws.queue.requests[0].correlation_id
    assert not any("example.com" in str(line.__dict__) for line in lines.values())


def test_an_instance_event_goes_all_the_way_to_the_queue(aws: AwsSide) -> None:
    accounts(aws, record("create_account_result.succeeded", "m1"))
    aws.stack_sets.finish(ACCOUNT_ID)
    answer = run_batch(
        [record("stack_instance.succeeded", "m1"), record("stack_instance.pending", "m2")],
        read_stack_event,
        lambda signals: report_instances(signals, aws.report),
    )
    assert failures(answer) == []
    assert [sent.data.status for sent in aws.queue.requests] == ["deploying", "deployed"]


def test_what_the_lambda_sends_makes_a_connector_and_its_replay_changes_nothing(aws: AwsSide, azure: AzureSide) -> None:
    accounts(aws, record("create_account_result.succeeded", "m1"))
    aws.stack_sets.finish(ACCOUNT_ID)
    events = [record("stack_instance.succeeded", "m1")]
    run_batch(events, read_stack_event, lambda signals: report_instances(signals, aws.report))
    run_batch(events, read_stack_event, lambda signals: report_instances(signals, aws.report))
    results = [handle_request(sent.text.encode(), 1, azure.ports).result for sent in aws.queue.sent]
    assert results == [Result.SKIPPED, Result.CREATED, Result.UNCHANGED]
    assert len(azure.connectors.puts) == 1


def test_a_request_has_one_closing_line_with_its_facts(azure: AzureSide, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="functions"):
        handle_request(request().to_json().encode(), 2, azure.ports)
    [line] = [line for line in caplog.records if line.name == "functions.queue_entry"]
    facts = line.__dict__
    assert (line.message, line.levelname, facts["outcome"]) == ("request_handled", "INFO", "created")
    assert (facts["hierarchy_identifier"], facts["dequeue_count"], facts["attempt"]) == (ACCOUNT_ID, 2, 0)
    assert facts["connector_id"]


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"{}",
        b'{"schema": "connector-request/9"}',
        b'{"half": "\\ud800"}',
        b'{"a":' * 300 + b"1" + b"}" * 300,
        fixture("messages/connector-request-1.connect.json").replace('"attempt": 0', '"attempt": 2147483648').encode(),
        fixture("messages/connector-request-1.connect.json")
        .replace("2026-11-20T11:59:30Z", "0001-01-01T00:00:00+14:00")
        .encode(),
    ],
    ids=lambda body: str(body[:20]),
)
def test_a_message_that_nobody_can_read_is_parked(
    azure: AzureSide, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = handle_request(body, 1, azure.ports)
    assert outcome.result is Result.PARKED
    [parked] = azure.queue.parked
    assert "not a connector-request/1" in parked.reason
    assert azure.ledger.find(request().key) is None
    [line] = caplog.records
    assert (line.levelname, line.__dict__["error_key"]) == ("ERROR", "unreadable-message")


def test_a_message_with_thousands_of_faults_still_fits_on_the_poison_queue(azure: AzureSide) -> None:
    tags = ",".join(f'"tag-{number}": 1' for number in range(2000))
    handle_request(f'{{"schema": "connector-request/1", "data": {{"tags": {{{tags}}}}}}}'.encode(), 1, azure.ports)
    [parked] = azure.queue.parked
    assert len(parked.reason) < 1100


@pytest.mark.parametrize("body", [os.urandom(MOST_BYTES), b'{"schema": "' + b"x" * (MOST_BYTES - 14) + b'"}'])
def test_a_message_that_fills_the_queue_s_64_kib_is_parked_with_its_reason(azure: AzureSide, body: bytes) -> None:
    assert handle_request(body, 1, azure.ports).result is Result.PARKED
    [parked] = azure.queue.parked
    assert "not a connector-request/1" in parked.reason
    assert azure.bodies.find(parked.raw_sha256 or "") == body
    assert len(azure.queue.parked_texts[0].encode()) <= MOST_BYTES


def test_a_message_that_cannot_be_kept_apart_stays_on_its_queue(
    azure: AzureSide, caplog: pytest.LogCaptureFixture
) -> None:
    azure.bodies.failures.plan("keep", TransientError("no answer"))
    with pytest.raises(TransientError):
        handle_request(os.urandom(MOST_BYTES), 1, azure.ports)
    assert azure.queue.parked == []
    [line] = caplog.records
    assert (line.message, line.levelname) == ("request_failed", "CRITICAL")
    assert "not a connector-request/1" in line.__dict__["reason"]


def test_a_readable_request_that_leaves_no_room_for_a_reason_is_kept_apart(azure: AzureSide) -> None:
    large = request(data={"organization": "o-elsewhere00", "tags": {"note": "x" * 48_300}})
    assert handle_request(large.to_json().encode(), 1, azure.ports).result is Result.PARKED
    [parked] = azure.queue.parked
    assert "o-elsewhere00" in parked.reason
    assert azure.bodies.find(parked.raw_sha256 or "") == large.to_json().encode()


def test_what_has_to_be_tried_again_is_raised_with_a_line(azure: AzureSide, caplog: pytest.LogCaptureFixture) -> None:
    azure.source.failures.plan("current", ConfigurationError("no policy", setting="ROLLCALL_POLICY"))
    with pytest.raises(ConfigurationError):
        handle_request(request().to_json().encode(), 1, azure.ports)
    assert [line.levelname for line in caplog.records] == ["CRITICAL"]


def wrong_deployment() -> ConfigurationError:
    return ConfigurationError("no such group", setting="target", remedy="Make it.", key="resource-group-missing")


def test_a_wrong_deployment_is_parked_with_its_reason_on_the_last_try(
    azure: AzureSide, caplog: pytest.LogCaptureFixture
) -> None:
    azure.connectors.failures.plan("put", *[wrong_deployment() for _ in range(LAST_TRY)])
    for dequeue_count in range(1, LAST_TRY):
        with pytest.raises(ConfigurationError):
            handle_request(request().to_json().encode(), dequeue_count, azure.ports)
        assert azure.queue.parked == []
    outcome = handle_request(request().to_json().encode(), LAST_TRY, azure.ports)
    assert (outcome.result, outcome.key) == (Result.PARKED, "resource-group-missing")
    [parked] = azure.queue.parked
    assert (parked.reason, parked.remedy) == ("given up after the queue's own tries; last: no such group", "Make it.")
    assert parked.original == request().model_dump(mode="json", by_alias=True)
    record = azure.ledger.find(request().key)
    assert record is not None
    assert (record.state, record.reason, record.claimed_by) == (State.PARKED, parked.reason, "")
    lines = [line.message for line in caplog.records if line.levelname == "CRITICAL"]
    assert lines == ["request_failed"] * LAST_TRY


def test_a_copy_that_cannot_be_put_is_parked_on_the_last_try(azure: AzureSide) -> None:
    azure.connectors.failures.plan("put", TransientError("throttled"))
    azure.queue.failures.plan("send", TransientError("the queue does not answer"))
    assert handle_request(request().to_json().encode(), LAST_TRY, azure.ports).result is Result.PARKED
    assert "the queue does not answer" in azure.queue.parked[0].reason


def test_what_cannot_even_be_parked_is_left_to_the_host(azure: AzureSide) -> None:
    azure.source.failures.plan("current", wrong_deployment())
    azure.queue.failures.plan("park", TransientError("the queue does not answer"))
    with pytest.raises(TransientError, match="does not answer"):
        handle_request(request().to_json().encode(), LAST_TRY, azure.ports)


def test_an_unknown_exception_is_left_to_the_host_on_the_last_try_too(azure: AzureSide) -> None:
    class Broken:
        def current(self) -> Policy:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        handle_request(request().to_json().encode(), LAST_TRY, replace(azure.ports, policy=Broken()))
    assert azure.queue.parked == []


def test_the_function_app_registers_its_triggers() -> None:
    bindings = {
        str(function.get_function_name()): [found.get_dict_repr() for found in function.get_bindings()]
        for function in function_app.app.get_functions()
    }
    assert bindings.keys() == {
        *("create_connector", "doctor", "gcp_project_events", "health_sweep"),
        *("replay_queue", "report", "rewrap_poison", "sweep_slice"),
    }
    for name, route, methods in (
        ("replay_queue", "replay/{identifier?}", ["GET", "POST"]),
        ("report", "report", ["GET"]),
        ("doctor", "doctor", ["GET"]),
        ("gcp_project_events", "gcp/project-events", ["POST"]),
    ):
        [http] = [found for found in bindings[name] if found["type"] == "httpTrigger"]
        assert [str(each) for each in http["methods"]] == methods
        assert http["authLevel"] is func.AuthLevel.ANONYMOUS  # a key would be a secret; the token is verified in code
        assert http["route"] == route
    [timer] = bindings["rewrap_poison"]
    assert (str(timer["type"]), timer["schedule"]) == ("timerTrigger", "0 30 4 * * *")
    [daily] = bindings["health_sweep"]
    assert (daily["schedule"], daily["runOnStartup"]) == ("%ROLLCALL_SWEEP__SCHEDULE%", False)
    [slices] = bindings["sweep_slice"]
    assert (slices["queueName"], slices["connection"]) == ("sweep", "ROLLCALL_QUEUE")
    [binding] = bindings["create_connector"]
    assert (str(binding["type"]), binding["queueName"], binding["connection"]) == (
        "queueTrigger",
        "onboarding",
        "ROLLCALL_QUEUE",
    )
    assert isinstance(function_app.app, func.FunctionApp)
