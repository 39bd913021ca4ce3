"""Every refusal in AWS's table, given to the real clients and read by the real adapters."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from shared.adapters.aws import refusals
from shared.adapters.aws.account_retries import SqsAccountRetries
from shared.adapters.aws.organization import AwsOrganization
from shared.adapters.aws.policy_store import S3PolicyStore
from shared.adapters.aws.stack_sets import CloudFormationStackSets
from shared.adapters.aws.web_identity import web_identity_assertion
from shared.domain.instance_failures import FAILURES, UNKNOWN, diagnose_instance
from shared.domain.readiness import Attempt, Retry
from shared.domain.stack_sets import Deployment, Removal
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError
from tests.fakes.clock import NOON, FakeClock
from tests.fixtures.read import fixture

CASES: list[dict[str, Any]] = json.loads(fixture("refusals/aws.json"))
INSTANCES: list[dict[str, str]] = json.loads(fixture("refusals/instances.json"))
ROOTS = {"Roots": [{"Id": "r-ab12", "Name": "Root"}]}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    yield lambda service: boto3.Session().client(service, region_name="us-east-1")  # type: ignore[call-overload] # any service


def refuse(found: Any, method: str, case: dict[str, Any]) -> Any:
    stub = Stubber(found)
    stub.add_client_error(method, case["code"], case["message"], http_status_code=case["status"])
    stub.activate()
    return found


def deploy(client: Callable[[str], Any], case: dict[str, Any]) -> None:
    organizations = client("organizations")
    roots = Stubber(organizations)
    roots.add_response("list_roots", ROOTS)
    roots.activate()
    cloudformation = refuse(client("cloudformation"), "create_stack_instances", case)
    stack_sets = CloudFormationStackSets(cloudformation, organizations, name="roles", region="us-east-1")
    stack_sets.deploy(Deployment(operation_id="op", account_ids=("012345678901",), parameters={}, update=False))


def remove(client: Callable[[str], Any], code: str, account_ids: tuple[str, ...] = ("012345678901",)) -> None:
    organizations = client("organizations")
    roots = Stubber(organizations)
    roots.add_response("list_roots", ROOTS)
    roots.activate()
    case = {"code": code, "message": "no", "status": 404}
    cloudformation = refuse(client("cloudformation"), "delete_stack_instances", case)
    stack_sets = CloudFormationStackSets(cloudformation, organizations, name="roles", region="us-east-1")
    stack_sets.remove(Removal(operation_id="op", account_ids=account_ids))


@pytest.mark.parametrize("code", ["StackInstanceNotFoundException", "OperationIdAlreadyExistsException"])
def test_to_remove_what_is_gone_or_going_is_no_error(client: Callable[[str], Any], code: str) -> None:
    remove(client, code)


def test_that_one_of_many_instances_is_gone_is_an_error_so_that_each_is_removed_alone(
    client: Callable[[str], Any],
) -> None:
    with pytest.raises(PermanentError):
        remove(client, "StackInstanceNotFoundException", ("012345678901", "012345678902"))


def test_to_remove_from_a_stack_set_that_does_not_exist_is_one(client: Callable[[str], Any]) -> None:
    with pytest.raises(ConfigurationError):
        remove(client, "StackSetNotFoundException")


OPERATIONS: dict[str, Callable[[Callable[[str], Any], dict[str, Any]], object]] = {
    "deploy": deploy,
    "find_account": lambda client, case: AwsOrganization(
        refuse(client("organizations"), "describe_account", case), FakeClock()
    ).find_account("012345678901", with_tags=False),
    "read_policy": lambda client, case: S3PolicyStore(
        refuse(client("s3"), "get_object", case), "s3://bucket/policy.yaml"
    ).fetch(None),
    "ask_again": lambda client, case: SqsAccountRetries(
        refuse(client("sqs"), "send_message", case), FakeClock(), queue_url="https://sqs.us-east-1.amazonaws.com/1/q"
    ).ask_again("012345678901", Retry(attempt=Attempt(number=2, first_at=NOON), due_at=NOON, since=NOON)),
    "token": lambda client, case: web_identity_assertion(refuse(client("sts"), "get_web_identity_token", case))(),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_an_error_code_becomes_the_error_that_the_table_says(
    client: Callable[[str], Any], case: dict[str, Any]
) -> None:
    with pytest.raises(RollcallError) as raised:
        OPERATIONS[case["operation"]](client, case)
    error = raised.value
    assert (type(error).__name__, error.key) == (case["class"], case["key"])
    assert error.remedy.endswith(f"Runbook: {case['key']}.")
    assert case["message"] in error.reason
    if isinstance(error, TransientError):
        assert (error.lasting(901) is not None) == case.get("patience", False)


def place_of(case: dict[str, Any]) -> tuple[int, str] | None:
    """The row, and the code in it, that decides about a case: the first that matches."""
    for number, row in enumerate(refusals.ROWS):
        if row.text and not re.search(row.text, case["message"], re.IGNORECASE):
            continue
        for code in row.codes:
            if fnmatchcase(case["code"], code):
                return number, code
    return None


def test_every_code_of_every_row_of_the_table_decides_about_some_case() -> None:
    places = {(number, code) for number, row in enumerate(refusals.ROWS) for code in row.codes}
    found = {place_of(case): case for case in CASES}
    assert places - found.keys() == set()
    for place, case in found.items():
        if place is not None:
            assert refusals.ROWS[place[0]].diagnosis.key == case["key"]


def test_without_credentials_the_deployment_is_wrong(
    client: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ConfigurationError) as raised:
        AwsOrganization(client("organizations"), FakeClock()).find_account("012345678901", with_tags=False)
    assert raised.value.key == "aws-credentials"


@pytest.mark.parametrize("case", INSTANCES, ids=lambda case: case["key"])
def test_a_failed_instance_s_sentence_says_what_to_do(case: dict[str, str]) -> None:
    found = diagnose_instance(case["reason"])
    assert found.key == case["key"]
    assert "rollcall onboard" in found.remedy


def test_every_kind_of_failed_instance_is_produced_by_some_case() -> None:
    assert {failure.key for failure in FAILURES} == {case["key"] for case in INSTANCES}
    assert diagnose_instance("words of tomorrow") is UNKNOWN
