"""Every refusal in Google's table, given to google-auth and requests and read by the real adapters."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest
import requests

from shared.adapters.gcp import refusals
from shared.adapters.gcp.client import GoogleClient
from shared.adapters.gcp.errors import failed_compute_operation, failed_operation, read_failure, refusal
from shared.adapters.gcp.setup import PATIENCE_SECONDS, GcpProjectSetup
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError
from tests.fakes.answering_google import IDENTITY, EntraCredential, PlannedAnswers, planned_client
from tests.fakes.clock import FakeClock
from tests.fixtures.read import fixture

CASES: list[dict[str, Any]] = json.loads(fixture("refusals/gcp.json"))
NUMBER = "100000000001"


@pytest.fixture
def answers() -> PlannedAnswers:
    return PlannedAnswers()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(answers: PlannedAnswers, clock: FakeClock) -> GoogleClient:
    return planned_client(answers, clock)


def read(client: GoogleClient) -> object:
    return client.get("serviceusage", f"/v1/projects/{NUMBER}/services/iam.googleapis.com", "read an API")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_an_answer_becomes_the_error_that_the_table_says(
    client: GoogleClient, answers: PlannedAnswers, clock: FakeClock, case: dict[str, Any]
) -> None:
    enabling = case["by"] == "enabling"
    answers.replan("api" if enabling else case["by"], case["status"], case["body"])
    with pytest.raises(RollcallError) as raised:
        GcpProjectSetup(client, clock).enable_services(NUMBER, ["iam.googleapis.com"]) if enabling else read(client)
    error = raised.value
    assert (type(error).__name__, error.key) == (case["class"], case["key"])
    assert error.remedy.endswith(f"Runbook: {case['key']}.")
    assert error.remedy.startswith(case.get("remedy", ""))
    if isinstance(error, TransientError):
        assert (error.lasting(901) is not None) == case.get("patience", False)


def places_of(case: dict[str, Any]) -> set[tuple[int, str]]:
    """The row that decides about a case, the first that matches, with each of its names that do."""
    failure = read_failure(case["status"], json.dumps(case["body"]))
    for number, row in enumerate(refusals.ROWS):
        matching = {pattern for pattern in row.names if any(fnmatchcase(name, pattern) for name in failure.names)}
        if matching and (not row.text or re.search(row.text, failure.message, re.IGNORECASE)):
            return {(number, pattern) for pattern in matching}
    return set()


def test_every_name_of_every_row_of_the_table_decides_about_some_case() -> None:
    places = {(number, name) for number, row in enumerate(refusals.ROWS) for name in row.names}
    assert places == set().union(*(places_of(case) for case in CASES))


def test_reads_are_tried_three_times_and_a_short_wait_is_kept_to(
    client: GoogleClient, answers: PlannedAnswers, clock: FakeClock
) -> None:
    answers.plan("api", 429, {"error": {"code": 429, "message": "slowly"}}, {"Retry-After": "3"})
    answers.plan("api", 503, {"error": {"code": 503, "message": "soon"}})
    answers.plan("api", 200, {"state": "ENABLED"})
    assert read(client) == {"state": "ENABLED"}
    assert clock.slept == [3.0, 1.0]


def test_a_long_wait_is_the_callers(client: GoogleClient, answers: PlannedAnswers, clock: FakeClock) -> None:
    answers.plan("api", 429, {"error": {"code": 429, "message": "slowly"}}, {"Retry-After": "60"})
    with pytest.raises(TransientError) as raised:
        read(client)
    assert raised.value.retry_after_seconds == 60
    assert clock.slept == []


def test_what_changes_something_is_tried_once(client: GoogleClient, answers: PlannedAnswers) -> None:
    answers.plan("api", 503, {"error": {"code": 503, "message": "soon"}})
    with pytest.raises(TransientError):
        client.post("serviceusage", f"/v1/projects/{NUMBER}/services:batchEnable", {}, "enable APIs")
    assert answers.asked("batchEnable") == 1


@pytest.mark.parametrize("who", ["exchange", "impersonation", "api"])
def test_a_network_without_an_answer_is_transient(client: GoogleClient, answers: PlannedAnswers, who: str) -> None:
    answers.replan(who, 200, {})
    answers._planned[who].clear()
    answers.fail(who, requests.ConnectTimeout("no route"))
    with pytest.raises(TransientError) as raised:
        read(client)
    assert raised.value.key == "gcp-no-answer"


@pytest.mark.parametrize("body", ["", "<html>a proxy</html>", [], {}, {"access_token": "without an end"}])
def test_a_token_answer_that_is_none_is_transient(client: GoogleClient, answers: PlannedAnswers, body: Any) -> None:
    answers.replan("exchange", 200, body)
    with pytest.raises(TransientError) as raised:
        read(client)
    assert raised.value.key == "gcp-no-answer"


@pytest.mark.parametrize("body", ["", "<html>a proxy</html>", [], '"text"'])
def test_a_success_that_is_no_object_is_transient(client: GoogleClient, answers: PlannedAnswers, body: Any) -> None:
    answers.plan("api", 200, body)
    with pytest.raises(TransientError) as raised:
        read(client)
    assert raised.value.key == "gcp-no-answer"


def test_a_token_is_kept_and_asked_for_anew_once_google_refuses_it(answers: PlannedAnswers, clock: FakeClock) -> None:
    credential = EntraCredential()
    client = planned_client(answers, clock, credential)
    answers.plan("api", 200, {"state": "ENABLED"})
    read(client)
    read(client)
    assert (answers.asked("/v1/token"), answers.asked(":generateAccessToken")) == (1, 1)
    assert credential.asked == [f"{IDENTITY.resource}/.default"]
    answers.plan("api", 401, {"error": {"code": 401, "message": "stale", "status": "UNAUTHENTICATED"}})
    answers.plan("api", 200, {"state": "ENABLED"})
    answers._planned["api"].popleft()
    assert read(client) == {"state": "ENABLED"}
    assert answers.asked(":generateAccessToken") == 2


def test_the_service_account_is_asked_for_an_hour_of_cloud_platform(
    client: GoogleClient, answers: PlannedAnswers
) -> None:
    answers.plan("api", 200, {})
    read(client)
    asked = next(each for each in answers.requests if str(each.url).endswith(":generateAccessToken"))
    assert asked.url == (
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
        f"{IDENTITY.service_account}:generateAccessToken"
    )
    body = json.loads(asked.body or b"")
    assert (body["lifetime"], body["scope"]) == ("3600s", ["https://www.googleapis.com/auth/cloud-platform"])
    assert asked.headers["Authorization"] == "Bearer federated"


@pytest.mark.parametrize(
    ("number", "kind", "key"),
    [
        (3, PermanentError, "gcp-bad-request"),
        (5, PermanentError, "gcp-not-found"),
        (7, TransientError, "gcp-permission-denied"),
        (8, TransientError, "gcp-throttled"),
        (10, TransientError, "gcp-changed-meanwhile"),
        (13, TransientError, "gcp-server-error"),
        (2, TransientError, "gcp-server-error"),
        (99, TransientError, "gcp-server-error"),
    ],
)
def test_an_operation_s_number_means_what_an_answer_s_status_means(
    number: int, kind: type[RollcallError], key: str
) -> None:
    error = refusal(failed_operation({"code": number, "message": "words"}), "enable APIs")
    assert (type(error), error.key) == (kind, key)
    assert "words" in error.reason


def test_an_operation_of_compute_engine_that_failed_is_told_with_its_words() -> None:
    operation = {
        "httpErrorStatusCode": 403,
        "error": {"errors": [{"code": "PERMISSION_DENIED", "message": "Required permission is missing"}]},
    }
    error = refusal(failed_compute_operation(operation), "set metadata")
    assert (type(error), error.key) == (TransientError, "gcp-permission-denied")
    assert "Required permission is missing" in error.reason


def test_an_operation_that_does_not_end_is_waited_for_a_minute(
    client: GoogleClient, answers: PlannedAnswers, clock: FakeClock
) -> None:
    answers.plan("api", 200, {"name": "operations/acat.p2-1"})
    with pytest.raises(TransientError):
        GcpProjectSetup(client, clock).enable_services(NUMBER, ["iam.googleapis.com"])
    assert PATIENCE_SECONDS <= sum(clock.slept) < PATIENCE_SECONDS + 6


def test_a_listing_that_has_no_end_is_an_error(client: GoogleClient, answers: PlannedAnswers) -> None:
    answers.plan("api", 200, {"nextPageToken": "again"})
    with pytest.raises(TransientError):
        list(client.pages("cloudresourcemanager", "/v3/projects:search", "list"))


def test_a_configuration_error_names_what_has_to_be_mended() -> None:
    error = refusals.TOKEN_REFUSED.error("refused")
    assert isinstance(error, ConfigurationError)
    assert "provider" in error.setting


@pytest.mark.parametrize("text", ["no JSON", '"text"', "[]", '{"error": {"details": "none", "errors": "none"}}'])
def test_an_unknown_envelope_is_read_by_its_code(text: str) -> None:
    assert read_failure(500, text).names == {"500"}
