"""ƒ doctor and the Lambda functions' own answer: who is told, and what."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest

from functions.doctor import doctor
from functions.doctor_entry import answer
from functions.queue_entry import handle_request
from lambdas import doctor as of_lambda
from lambdas.account_events import handler as account_events
from lambdas.reconcile_accounts import handler as reconcile_accounts
from lambdas.stack_events import handler as stack_events
from shared.application.doctor.examine import Question
from shared.application.doctor.lambdas import LambdaSide
from shared.domain.doctor.azure_checks import PLANS, QUEUES
from shared.domain.doctor.catalogue import CHECKS
from shared.domain.doctor.verdicts import State
from shared.domain.ledger import Result
from shared.domain.policy import Policy
from shared.errors import ConfigurationError, TransientError
from shared.messages.doctor_findings import read_findings
from shared.messages.doctor_request import REQUEST
from shared.messages.probe import probe_json
from tests.fakes.aws import FakePolicySource
from tests.unit.conftest import AzureSide
from tests.unit.test_doctor_sides import FakeFunction
from tests.unit.test_report_http import Knows

ASKED = [
    Question(checks=(PLANS,), ask=lambda: [PLANS.wrong("off", subject="s")], checked_as="me"),
    Question(checks=(QUEUES,), ask=lambda: [QUEUES.ok("there")], checked_as="me"),
]


def request(method: str = "GET", **params: str) -> func.HttpRequest:
    return func.HttpRequest(method=method, url="https://app/api/doctor", params=params, headers={}, body=b"")


def test_an_operator_is_told_what_was_found_and_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="functions"):
        found = answer(request(), ASKED, "object-id")
    assert (found.status_code, found.mimetype) == (200, "application/json")
    assert dict(found.headers)["Cache-Control"] == "no-store"
    told = list(read_findings(found.get_body(), CHECKS))
    assert [(each.check, each.state, each.checked_as) for each in told] == [
        (PLANS, State.WRONG, "me"),
        (QUEUES, State.OK, "me"),
    ]
    [line] = caplog.records
    assert (line.message, line.__dict__["caller"], line.__dict__["wrong"]) == ("doctor_asked", "object-id", 1)


def test_only_what_is_asked_for_is_looked_at() -> None:
    found = answer(request(only="storage-queues"), ASKED, "object-id")
    assert [each.check for each in read_findings(found.get_body(), CHECKS)] == [QUEUES]
    assert answer(request(only="no-such"), ASKED, "object-id").status_code == 400


def test_it_can_only_be_asked() -> None:
    [trigger] = [each for each in doctor._function.get_bindings() if each.type == "httpTrigger"]
    assert [str(each.value) for each in trigger.methods] == ["GET"]
    assert trigger.auth_level is func.AuthLevel.ANONYMOUS  # the caller is verified in code


@pytest.mark.parametrize(
    ("error", "status"),
    [(TransientError("no keys"), 503), (ConfigurationError("no setting", setting="x", remedy="Set it."), 500)],
)
def test_what_cannot_be_asked_at_all_is_answered_with_its_reason(
    error: Exception, status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr("functions.bootstrap.operator_verifier", Knows)
    monkeypatch.setattr("functions.doctor_bootstrap.questions", fails)
    context = SimpleNamespace(trace_context=SimpleNamespace(trace_parent=""))
    found = doctor(request(), context)
    assert found.status_code == status
    assert json.loads(found.get_body())["error"]["reason"] == str(error.args[0])
    assert [line.message for line in caplog.records] == ["doctor_failed"]


def test_nobody_is_told_anything_where_nobody_is_an_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.bootstrap.operator_verifier", lambda: None)
    monkeypatch.setattr("functions.doctor_bootstrap.questions", lambda: pytest.fail("nobody may ask"))
    context = SimpleNamespace(trace_context=SimpleNamespace(trace_parent=""))
    found = doctor(request(), context)
    assert (found.status_code, found.get_body()) == (401, b"")


@pytest.mark.parametrize("module", [account_events, stack_events, reconcile_accounts], ids=lambda each: each.__name__)
def test_each_function_answers_for_itself_when_it_is_asked(
    module: Any, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def side(function: str) -> LambdaSide:
        own = FakeFunction()
        return LambdaSide(function=function, identity=own, queue=own, policy=FakePolicySource(policy))

    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "rollcall-some")
    monkeypatch.setattr("lambdas.bootstrap.doctor_side", side)
    monkeypatch.setattr("lambdas.bootstrap.logger", lambda: None)  # Powertools' would keep our lines from other tests
    told = list(read_findings(json.dumps(module.handler(dict(REQUEST), None)).encode(), CHECKS))
    assert {each.subject for each in told} == {"rollcall-some"}
    assert {each.state for each in told} == {State.OK}


@pytest.mark.parametrize("event", [{"Records": []}, {"rollcall": "doctor", "more": 1}, {"rollcall": "sweep"}, {}])
def test_nothing_else_is_taken_for_that_question(event: dict[str, Any]) -> None:
    assert not of_lambda.is_asked(event)


def test_a_probe_is_forgotten_and_leaves_nothing(azure: AzureSide, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="functions"):
        outcome = handle_request(probe_json("rollcall-stack-events").encode(), 1, azure.ports)
    assert outcome.result is Result.SKIPPED
    assert [line.message for line in caplog.records] == ["probe_received"]
    assert not list(azure.ledger.list_records())
    assert not azure.queue.parked
