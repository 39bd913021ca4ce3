"""Lists that may be missing as a whole: classic connectors (a retired API), and locks of a connector that is gone."""

from __future__ import annotations

from typing import Any

import pytest

from shared.adapters.defender.subscriptions import ArmSubscriptions
from shared.adapters.defender.surroundings import ArmSurroundings
from shared.domain.prechecks import SubscriptionFacts
from shared.domain.targets import Target
from shared.errors import RollcallError, TransientError
from tests.fakes.answering_azure import PLACE, AnsweringAzure, AnyToken
from tests.fakes.clock import FakeClock

TARGET = Target(subscription_id=PLACE.subscription_id, resource_group="rg", location="westeurope")
BEFORE = (
    {"status": 200, "body": {"state": "Enabled"}},
    {"status": 200, "body": {"value": []}},
    {"status": 200, "body": {"value": []}},
)


def coded(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "m"}}


def inspect(azure: AnsweringAzure, *answers: dict[str, Any]) -> SubscriptionFacts:
    azure.plan(*BEFORE, *answers)
    return ArmSubscriptions(AnyToken(), arm_endpoint=azure.url, clock=FakeClock()).inspect(TARGET, max_age_seconds=0)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, coded("NoRegisteredProviderFound")),
        (400, coded("InvalidApiVersionParameter")),
        (404, coded("InvalidResourceType")),
        (404, {}),
        (405, coded("MethodNotAllowed")),
        (409, coded("Conflict")),
        (410, coded("Gone")),
        (410, {"message": "gone"}),
    ],
)
def test_any_refusal_of_the_retired_api_means_that_there_are_no_classic_connectors(
    answers: AnsweringAzure, status: int, body: Any
) -> None:
    facts = inspect(answers, {"status": status, "body": body})
    assert (facts.state, dict(facts.classic_connectors)) == ("Enabled", {})


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, "<html>not here</html>", TransientError),
        (400, "Bad gateway configuration", TransientError),
        (401, coded("InvalidAuthenticationToken"), TransientError),
        (403, coded("AuthorizationFailed"), TransientError),
        (403, coded("RequestForbidden"), RollcallError),
        (429, coded("TooManyRequests"), TransientError),
        (500, coded("InternalServerError"), TransientError),
    ],
)
def test_what_says_nothing_about_the_api_is_no_answer_about_classic_connectors(
    answers: AnsweringAzure, status: int, body: Any, error: type[RollcallError]
) -> None:
    with pytest.raises(error):
        inspect(answers, {"status": status, "body": body, "headers": {"Retry-After": "0"}})


def classic(account_id: str) -> dict[str, Any]:
    return {"id": f"/classic/{account_id}", "properties": {"authenticationDetails": {"accountId": account_id}}}


def test_classic_connectors_on_every_page_are_found(answers: AnsweringAzure) -> None:
    first = {"value": [classic("012345678901")], "nextLink": f"{answers.url}/next?page=2"}
    pages = ({"status": 200, "body": first}, {"status": 200, "body": {"value": [classic("012345678902")]}})
    assert set(inspect(answers, *pages).classic_connectors) == {"012345678901", "012345678902"}


def test_a_refusal_of_the_second_page_is_an_error_for_there_was_a_first(answers: AnsweringAzure) -> None:
    first = {"value": [classic("012345678901")], "nextLink": f"{answers.url}/next?page=2"}
    with pytest.raises(RollcallError):
        inspect(answers, {"status": 200, "body": first}, {"status": 404, "body": coded("NotFound")})


@pytest.mark.parametrize("code", ["ResourceNotFound", "ResourceGroupNotFound"])
def test_a_connector_that_is_gone_has_no_locks(answers: AnsweringAzure, code: str) -> None:
    answers.plan({"status": 404, "body": coded(code)})
    assert list(ArmSurroundings(AnyToken(), arm_endpoint=answers.url).list_locks(PLACE)) == []


@pytest.mark.parametrize(("status", "body"), [(404, "<html></html>"), (400, coded("BadRequest"))])
def test_other_refusals_are_not_taken_for_an_unlocked_connector(
    answers: AnsweringAzure, status: int, body: Any
) -> None:
    answers.plan({"status": status, "body": body})
    with pytest.raises(RollcallError):
        list(ArmSurroundings(AnyToken(), arm_endpoint=answers.url).list_locks(PLACE))
