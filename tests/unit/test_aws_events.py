"""EventBridge events: the account that they name, or why they ask nothing of us."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.adapters.aws.account_events import read_account_event
from shared.adapters.aws.events import Ignored
from shared.adapters.aws.stack_events import read_stack_event
from shared.application.account_batch import AccountSignal
from shared.application.report_instance import InstanceSignal
from shared.application.requests import correlation_id_for
from shared.domain.readiness import Attempt
from shared.errors import PermanentError
from tests.fixtures.read import ACCOUNT_ID, fixture, loaded


def event(name: str) -> str:
    return fixture(f"events/{name}.json")


@pytest.mark.parametrize("name", ["create_account_result.succeeded", "onboarding_requested"])
def test_an_account_event_names_its_account_and_its_cause(name: str) -> None:
    found = read_account_event(event(name))
    assert isinstance(found, AccountSignal)
    assert found.account_id == ACCOUNT_ID
    whole = loaded(f"events/{name}.json")
    assert (found.cause.event_id, found.cause.source) == (whole["id"], whole["source"])
    assert found.cause.occurred_at == datetime.fromisoformat(whole["time"])
    assert found.cause.occurred_at.tzinfo is not None


def test_the_correlation_id_is_the_account_s_and_not_the_event_s() -> None:
    created = read_account_event(event("create_account_result.succeeded"))
    ended = read_stack_event(event("stack_instance.succeeded"))
    assert isinstance(created, AccountSignal)
    assert isinstance(ended, InstanceSignal)
    assert created.cause.correlation_id == ended.cause.correlation_id == correlation_id_for(ACCOUNT_ID)
    assert correlation_id_for("012345678902") != correlation_id_for(ACCOUNT_ID)


def test_an_account_that_could_not_be_created_is_ignored_with_aws_s_reason() -> None:
    found = read_account_event(event("create_account_result.failed"))
    assert found == Ignored(reason="the account was not created: EMAIL_ALREADY_EXISTS", failed=True)


def test_an_event_of_no_kind_of_ours_is_ignored_by_name() -> None:
    whole = loaded("events/move_account.json")
    whole["detail"]["eventName"] = "InviteAccountToOrganization"
    found = read_account_event(json.dumps(whole))
    assert isinstance(found, Ignored)
    assert not found.failed
    assert "InviteAccountToOrganization" in found.reason


def test_somebody_else_s_event_of_the_same_name_is_ignored() -> None:
    foreign = loaded("events/create_account_result.succeeded.json") | {"source": "somebody.else"}
    assert isinstance(read_account_event(json.dumps(foreign)), Ignored)


def test_a_created_account_without_an_id_is_broken() -> None:
    with pytest.raises(PermanentError, match="names no account"):
        read_account_event(event("create_account_result.without_account"))


@pytest.mark.parametrize("detail", [{}, {"accountId": 123456789012}, {"accountId": "12345"}, {"accountId": None}])
def test_our_own_event_without_a_proper_account_id_is_broken(detail: dict[str, Any]) -> None:
    own = loaded("events/onboarding_requested.json") | {"detail": detail}
    with pytest.raises(PermanentError, match="names no account"):
        read_account_event(json.dumps(own))


@pytest.mark.parametrize("body", ["", "no json", "[]", "{}", '{"id": "x"}', "null"])
@pytest.mark.parametrize("read", [read_account_event, read_stack_event])
def test_what_is_no_event_is_broken_and_says_so(read: Any, body: str) -> None:
    with pytest.raises(PermanentError, match="not an EventBridge event") as refused:
        read(body)
    assert refused.value.remedy


def test_an_error_about_a_broken_event_does_not_quote_it() -> None:
    secret = loaded("events/onboarding_requested.json") | {"time": "owner@example.com"}
    with pytest.raises(PermanentError) as refused:
        read_account_event(json.dumps(secret))
    assert "example.com" not in str(refused.value)


@pytest.mark.parametrize("status", [None, [], "SUCCEEDED"])
def test_a_result_without_its_status_is_broken(status: Any) -> None:
    whole = loaded("events/create_account_result.succeeded.json")
    whole["detail"]["serviceEventDetails"] = {"createAccountStatus": status}
    with pytest.raises(PermanentError, match="createAccountStatus"):
        read_account_event(json.dumps(whole))


def test_an_instance_that_succeeded_is_reported() -> None:
    found = read_stack_event(event("stack_instance.succeeded"))
    assert isinstance(found, InstanceSignal)
    assert (found.account_id, found.reason) == (ACCOUNT_ID, "")
    assert found.cause.occurred_at == datetime(2026, 11, 20, 12, 1, tzinfo=UTC)


def test_an_instance_that_failed_is_reported_with_aws_s_reason() -> None:
    found = read_stack_event(event("stack_instance.failed"))
    assert isinstance(found, InstanceSignal)
    assert "stacksets-exec-0000" in found.reason


@pytest.mark.parametrize("name", ["stack_instance.pending", "stack_set_operation.succeeded"])
def test_work_on_an_instance_that_has_not_ended_is_ignored(name: str) -> None:
    assert isinstance(read_stack_event(event(name)), Ignored)


def test_a_deletion_that_ended_is_told_apart_from_a_deployment() -> None:
    gone, made = read_stack_event(event("stack_instance.deleted")), read_stack_event(event("stack_instance.succeeded"))
    assert isinstance(gone, InstanceSignal)
    assert isinstance(made, InstanceSignal)
    assert (gone.account_id, gone.deletion, made.deletion) == (ACCOUNT_ID, True, False)


def test_looking_for_drift_is_ignored() -> None:
    whole = loaded("events/stack_instance.succeeded.json")
    whole["detail"]["action"] = "DETECT_DRIFT"
    assert isinstance(read_stack_event(json.dumps(whole)), Ignored)


def test_a_failed_instance_that_never_had_a_stack_names_no_account() -> None:
    with pytest.raises(PermanentError, match="names no account"):
        read_stack_event(event("stack_instance.failed_without_stack"))


@pytest.mark.parametrize(
    ("name", "said"),
    [("skipped_suspended", "This account is suspended."), ("failed_import", "could not be imported")],
)
def test_an_instance_that_was_left_out_or_not_imported_is_reported_with_a_reason(name: str, said: str) -> None:
    found = read_stack_event(event(f"stack_instance.{name}"))
    assert isinstance(found, InstanceSignal)
    assert found.account_id == ACCOUNT_ID
    assert said in found.reason


def test_a_suspended_account_s_instance_without_a_stack_names_nobody_and_is_no_dead_letter() -> None:
    found = read_stack_event(event("stack_instance.skipped_suspended_without_stack"))
    assert isinstance(found, Ignored)
    assert (found.failed, "suspended" in found.reason) == (True, True)


@pytest.mark.parametrize("word", ["FAILED", "STOPPED", "SUCCEEDED"])
def test_an_operation_is_told_of_with_its_id_and_status(word: str) -> None:
    whole = loaded(f"events/stack_set_operation.{word.lower()}.json")
    found = read_stack_event(json.dumps(whole))
    assert isinstance(found, Ignored)
    assert f"operation {whole['detail']['stack-set-operation-id']} of the StackSet is {word};" in found.reason
    assert found.failed is (word != "SUCCEEDED")


def test_our_own_event_says_which_attempt_it_asks_for() -> None:
    found = read_account_event(event("onboarding_requested.again"))
    assert isinstance(found, AccountSignal)
    assert found.retry is not None
    assert found.attempt == Attempt(number=3, first_at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
    assert found.retry.due_at == found.cause.occurred_at == datetime(2026, 11, 20, 12, 3, tzinfo=UTC)
    assert found.asked_at == found.retry.since < found.cause.occurred_at
    first = read_account_event(event("onboarding_requested"))
    assert isinstance(first, AccountSignal)
    assert (first.retry, first.attempt, first.asked_at) == (None, None, first.cause.occurred_at)


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": 0},
        {"attempt": None},
        {"attempt": "soon"},
        {"firstTriedAt": "owner@example.com"},
        {"failedSince": "2026-11-20T12:01:05"},
    ],
)
def test_our_own_event_with_an_attempt_that_is_none_is_broken(changes: dict[str, Any]) -> None:
    whole = loaded("events/onboarding_requested.again.json")
    whole["detail"] |= changes
    with pytest.raises(PermanentError, match="asks for no proper attempt") as refused:
        read_account_event(json.dumps(whole))
    assert "example.com" not in str(refused.value)


def test_a_missing_reason_is_no_reason() -> None:
    whole = loaded("events/stack_instance.failed.json")
    whole["detail"]["status-details"]["status-reason"] = None
    found = read_stack_event(json.dumps(whole))
    assert isinstance(found, InstanceSignal)
    assert found.reason == ""
