"""Every refusal in Azure's table, sent over https to the real adapters and read by them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.adapters.azure import refusals
from shared.adapters.defender.connectors import DefenderConnectors
from shared.domain.connectors import ConnectorId, connector_id_for, desired_body, to_create
from shared.domain.profiles import FOUNDATIONAL
from shared.domain.targets import Target
from shared.errors import ConfigurationError, TransientError
from tests.contract.conftest import FixedCredential
from tests.fakes.answering_azure import PLACE, AnsweringAzure, AnyToken, connectors, refused
from tests.fakes.azure_world import World
from tests.fixtures.read import fixture

CASES: list[dict[str, Any]] = json.loads(fixture("refusals/azure.json"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_an_answer_becomes_the_error_that_the_table_says(answers: AnsweringAzure, case: dict[str, Any]) -> None:
    answers.plan(case)
    error = refused(answers, case["call"])
    assert (type(error).__name__, error.key) == (case["class"], case["key"])
    assert error.remedy.endswith(f"Runbook: {case['key']}.")
    assert case.get("says", "") in f"{error.reason} {error.remedy}"
    if isinstance(error, TransientError):
        assert error.retry_after_seconds == case.get("retry_after_seconds")
        assert (error.lasting(901) is not None) == case.get("patience", False)
        assert error.lasting(900) is None


def test_a_policy_s_name_reaches_the_remedy(answers: AnsweringAzure) -> None:
    answers.plan(next(case for case in CASES if case["key"] == "policy-denied"))
    assert "Azure Policy deny-all-connectors," in refused(answers, "put").remedy


def test_every_row_of_the_table_is_produced_by_some_case() -> None:
    found = set()
    for case in CASES:
        body = case["body"] if isinstance(case["body"], dict) else {}
        fields = body.get("error", body)
        fields = {name.lower(): value for name, value in fields.items()} if isinstance(fields, dict) else {}
        code = fields.get("code") or (case.get("headers") or {}).get("x-ms-error-code") or ""
        message = fields.get("message") or fields.get("errormessage") or ""
        if case["call"] in {"find", "put", "query", "send"} and case["status"]:
            lowered = code.lower(), message.lower()
            found.add(next(row for row in refusals.ROWS if row.matches(case["status"], *lowered)))
    assert [row for row in refusals.ROWS if row not in found] == []


NOT_REGISTERED = {
    "status": 409,
    "body": {
        "error": {
            "code": "MissingSubscriptionRegistration",
            "message": "The subscription is not registered to use namespace 'Microsoft.Security'.",
        }
    },
}
REGISTER = f"POST /subscriptions/{PLACE.subscription_id}/providers/Microsoft.Security/register"


def test_a_subscription_is_registered_once_and_never_polled(answers: AnsweringAzure) -> None:
    adapter = connectors(answers)
    answers.plan(NOT_REGISTERED, {"status": 200, "body": {"registrationState": "Registering"}}, NOT_REGISTERED)
    for _ in range(3):
        with pytest.raises(TransientError) as raised:
            adapter.put(PLACE, {"location": "centralus"})
        assert raised.value.key == "subscription-not-registered"
        assert raised.value.retry_after_seconds == 30
    assert [asked for asked in answers.asked if asked == REGISTER] == [REGISTER]
    assert len(answers.asked) == 4


def test_a_registration_has_a_quarter_of_an_hour_however_old_the_request_is(answers: AnsweringAzure) -> None:
    now = [0.0]
    adapter = DefenderConnectors(AnyToken(), arm_endpoint=answers.url, monotonic=lambda: now[0])
    answers.plan(NOT_REGISTERED, {"status": 200, "body": {"registrationState": "Registering"}}, NOT_REGISTERED)
    for seconds in (0, 900):
        now[0] = seconds
        with pytest.raises(TransientError) as raised:
            adapter.put(PLACE, {"location": "centralus"})
        assert raised.value.lasting(7 * 24 * 3600) is None
    now[0] = 901
    with pytest.raises(ConfigurationError) as lasting:
        adapter.put(PLACE, {"location": "centralus"})
    assert (lasting.value.key, lasting.value.setting) == ("subscription-not-registered", "the subscription")


def test_a_read_registers_too_and_another_subscription_has_its_own(answers: AnsweringAzure) -> None:
    adapter = connectors(answers)
    other = ConnectorId(subscription_id="00000000-0000-4000-8000-000000000002", resource_group="rg", name="x")
    for place in (PLACE, other):
        answers.plan(NOT_REGISTERED, {"status": 200, "body": {}})
        with pytest.raises(TransientError):
            adapter.find(place)
        assert answers.asked[1].startswith(f"POST /subscriptions/{place.subscription_id}/")


def test_an_identity_that_may_not_register_is_told_which_action_it_lacks(answers: AnsweringAzure) -> None:
    adapter = connectors(answers)
    message = "does not have authorization to perform action 'Microsoft.Security/register/action'"
    denied = {"status": 403, "body": {"error": {"code": "AuthorizationFailed", "message": message}}}
    answers.plan(NOT_REGISTERED, denied)
    with pytest.raises(TransientError, match="Microsoft.Security/register/action") as raised:
        adapter.put(PLACE, {"location": "centralus"})
    assert raised.value.key == "authorization-failed"
    answers.plan(NOT_REGISTERED, {"status": 200, "body": {}})
    with pytest.raises(TransientError):
        adapter.put(PLACE, {"location": "centralus"})
    assert answers.asked[1] == REGISTER


@pytest.mark.parametrize(
    "body", ['{"error": null}', '{"error": "words"}', '{"error": {"code": {"a": 1}, "message": []}}', "\ufeff{}"]
)
def test_a_form_that_nobody_knows_is_still_an_error_of_ours(answers: AnsweringAzure, body: str) -> None:
    answers.plan({"status": 418, "body": body})
    assert refused(answers, "put").key == "bad-request"


def test_on_the_simulated_resource_manager_the_registration_is_all_that_was_missing(
    azure_ports: World, account_id: str
) -> None:
    cloud = azure_ports.azure
    [subscription] = cloud.resources.subscriptions()
    azure_ports.prepare(account_id)
    subscription.registered.discard("microsoft.security")
    [group] = cloud.resources.resource_groups(subscription.id)
    target = Target(subscription_id=subscription.id, resource_group=group.name, location="centralus")
    body = to_create(desired_body(account_id, FOUNDATIONAL, target, "o-exampleorg1"))
    adapter = DefenderConnectors(FixedCredential(azure_ports), arm_endpoint=cloud.arm_url)
    with pytest.raises(TransientError) as raised:
        adapter.put(connector_id_for(account_id, target), body)
    assert raised.value.key == "subscription-not-registered"
    assert adapter.put(connector_id_for(account_id, target), body).hierarchy_identifier == account_id
