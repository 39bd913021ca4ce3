"""Every simulated service words a planted fault in its own way, and journals it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError
from botocore.parsers import ResponseParserError

from sandbox.azure.directory import QUEUE_SENDER
from sandbox.faults import Fault, FaultKind
from shared.adapters.aws.stack_sets import CloudFormationStackSets
from shared.errors import TransientError
from tests.fakes.aws_world import AwsWorld
from tests.fakes.azure_world import SENDER_ROLE, Issuer, World, start_world


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsWorld]:
    world = AwsWorld(tmp_path_factory.mktemp("aws"))
    world.cloud.start()
    world.cloud.prepare_organization()
    world.client("s3").create_bucket(Bucket="policies")
    world.client("sqs").create_queue(QueueName="events")
    yield world
    world.cloud.stop()


def ask(world: AwsWorld, service: str) -> Any:
    operation, parameters = OPERATIONS[service]
    return getattr(world.client(service), operation)(**parameters)


OPERATIONS: dict[str, tuple[str, dict[str, str]]] = {
    "cloudformation": ("list_stack_sets", {}),
    "events": ("list_rules", {}),
    "iam": ("list_roles", {}),
    "lambda": ("list_functions", {}),
    "organizations": ("list_roots", {}),
    "s3": ("list_objects_v2", {"Bucket": "policies"}),
    "sqs": ("get_queue_url", {"QueueName": "events"}),
    "sts": ("get_caller_identity", {}),
}
AWS = {
    "cloudformation": ("Throttling", 400, "InternalFailure"),
    "events": ("ThrottlingException", 400, "InternalException"),
    "iam": ("Throttling", 400, "InternalFailure"),
    "lambda": ("TooManyRequestsException", 429, "ServiceException"),
    "organizations": ("TooManyRequestsException", 400, "InternalFailure"),
    "s3": ("SlowDown", 503, "InternalError"),
    "sqs": ("RequestThrottled", 400, "InternalFailure"),
    "sts": ("Throttling", 400, "InternalFailure"),
}


@pytest.mark.parametrize("service", AWS)
def test_aws_throttles_and_fails_in_the_words_of_each_service(aws: AwsWorld, service: str) -> None:
    throttled, status, failed = AWS[service]
    for kind, code, expected in ((FaultKind.THROTTLE, throttled, status), (FaultKind.ERROR, failed, 500)):
        aws.cloud.faults.plant(Fault(service=service, kind=kind))
        with pytest.raises(ClientError) as refused:
            ask(aws, service)
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == expected
        entry = aws.journal.entries(service=service)[-1]
        assert (entry.status, entry.detail["fault"]) == (expected, str(kind))
    assert ask(aws, service)["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.TIMEOUT, FaultKind.REPLY_LOST])
def test_aws_drops_connections_with_or_without_the_effect(aws: AwsWorld, kind: FaultKind) -> None:
    sqs = aws.client("sqs")
    name = f"queue-of-{kind}".replace("_", "-")
    aws.cloud.faults.plant(Fault(service="sqs", operation="CreateQueue", kind=kind, seconds=0.05))
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        sqs.create_queue(QueueName=name)
    entry = aws.journal.entries(operation="sqs:CreateQueue")[-1]
    made = any(url.endswith(name) for url in sqs.list_queues()["QueueUrls"])
    assert entry.status == 0
    assert made is (kind is FaultKind.REPLY_LOST)
    assert entry.detail == {"fault": str(kind)} | ({"effect": 200} if made else {})


def test_aws_answers_with_a_page_of_a_proxy_or_nothing(aws: AwsWorld) -> None:
    aws.cloud.faults.plant(Fault(service="sts", kind=FaultKind.WRONG_CONTENT_TYPE))
    with pytest.raises(ResponseParserError):
        ask(aws, "sts")
    aws.cloud.faults.plant(Fault(service="sqs", kind=FaultKind.EMPTY_BODY))
    assert "QueueUrl" not in ask(aws, "sqs")


@pytest.mark.parametrize("kind", [FaultKind.WRONG_CONTENT_TYPE, FaultKind.EMPTY_BODY])
def test_an_answer_of_aws_that_cannot_be_read_is_a_transient_error(aws: AwsWorld, kind: FaultKind) -> None:
    stack_sets = CloudFormationStackSets(
        aws.client("cloudformation"), aws.client("organizations"), name="roles", region="us-east-1"
    )
    aws.cloud.faults.plant(Fault(service="cloudformation", kind=kind))
    with pytest.raises(TransientError, match="cannot be read"):
        stack_sets.stack_set_id()


def test_a_denied_request_meets_no_fault_and_a_fault_keeps_to_its_identity(aws: AwsWorld) -> None:
    aws.cloud.faults.plant(Fault(service="sts", kind=FaultKind.ERROR, identity="*:role/nobody"))
    assert ask(aws, "sts")["Account"] == aws.cloud.management_account_id
    aws.cloud.faults.clear()


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = start_world(tmp_path_factory.mktemp("azure"))
    yield world
    world.azure.stop()


class Asked:
    """Plain HTTP requests, one to each service of Azure."""

    def __init__(self, world: World, issuer: Issuer) -> None:
        self.azure = world.azure
        self.issuer = issuer
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = str(world.certificates.bundle_path)

    def __call__(self, service: str) -> requests.Response:
        azure = self.azure
        if service == "entra":
            form = {
                "grant_type": "client_credentials",
                "client_id": azure.directory.get(QUEUE_SENDER).client_id,
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": self.issuer.token(),
                "scope": "https://storage.azure.com/.default",
            }
            url = f"{azure.authority_url}/{azure.directory.tenant_id}/oauth2/v2.0/token"
            return self.http.post(url, data=form, timeout=10)
        if service == "monitor":
            headers = {"Authorization": f"Bearer {azure.mint('rollcall-functions', 'https://monitor.azure.com/')}"}
            return self.http.post(f"{azure.monitor_url}v2.1/track", json=[], headers=headers, timeout=10)
        if service == "managed-identity":
            header = {"X-IDENTITY-HEADER": azure.identity_headers["operator"]}
            parameters = {"api-version": "2019-08-01", "resource": "https://management.azure.com"}
            return self.http.get(azure.identity_endpoint, params=parameters, headers=header, timeout=10)
        if service == "arm":
            url, audience = f"{azure.arm_url}/subscriptions?api-version=2022-12-01", "https://management.azure.com"
        elif service == "graph":
            url = f"{azure.arm_url}/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
            audience = "https://management.azure.com"
        else:
            paths = {"queue": "?comp=list", "table": "/accounts()", "blob": "?comp=list"}
            url, audience = f"{azure.storage.url(service)}{paths[service]}", "https://storage.azure.com"
        headers = {
            "Authorization": f"Bearer {azure.mint('rollcall-functions', audience)}",
            "x-ms-version": "2024-11-04",
        }
        headers["Accept"] = "application/json"
        if service == "graph":
            return self.http.post(url, json={"query": "resources | limit 1"}, headers=headers, timeout=10)
        return self.http.get(url, headers=headers, timeout=10)


@pytest.fixture(scope="module")
def asked(azure: World) -> Iterator[Asked]:
    issuer = Issuer(azure.certificates)
    azure.azure.directory.trust(QUEUE_SENDER, issuer=issuer.url, subjects=(SENDER_ROLE,))
    yield Asked(azure, issuer)
    issuer.stop()


AZURE = {
    "arm": (429, "ResourceRequestsThrottled", 500, "InternalServerError"),
    "graph": (429, "RateLimiting", 500, "InternalServerError"),
    "entra": (429, "AADSTS90055", 503, "AADSTS90033"),
    "managed-identity": (429, "Too many requests", 500, "unexpected error"),
    "monitor": (429, "Too many requests", 500, "Internal server error"),
    "queue": (503, "<Code>ServerBusy</Code>", 500, "<Code>InternalError</Code>"),
    "blob": (503, "<Code>ServerBusy</Code>", 500, "<Code>InternalError</Code>"),
    "table": (503, '"code": "ServerBusy"', 500, '"code": "InternalError"'),
}


@pytest.mark.parametrize("service", AZURE)
def test_azure_throttles_and_fails_in_the_words_of_each_service(azure: World, asked: Asked, service: str) -> None:
    busy, busy_words, broken, broken_words = AZURE[service]
    name = "arm" if service == "graph" else service
    azure.azure.faults.plant(Fault(service=name, kind=FaultKind.THROTTLE, retry_after=7))
    throttled = asked(service)
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (busy, "7")
    assert busy_words in throttled.text
    azure.azure.faults.plant(Fault(service=name, kind=FaultKind.ERROR))
    failed = asked(service)
    assert failed.status_code == broken
    assert broken_words in failed.text
    entries = azure.journal.entries(service=name)[-2:]
    assert [(entry.status, entry.detail["fault"]) for entry in entries] == [(busy, "throttle"), (broken, "error")]
    assert asked(service).status_code == 200


@pytest.mark.parametrize("service", AZURE)
def test_azure_drops_and_spoils_answers(azure: World, asked: Asked, service: str) -> None:
    name = "arm" if service == "graph" else service
    for kind in (FaultKind.TIMEOUT, FaultKind.RESET, FaultKind.REPLY_LOST):
        azure.azure.faults.plant(Fault(service=name, kind=kind, seconds=0.05))
        with pytest.raises(requests.ConnectionError):
            asked(service)
        entry = azure.journal.entries(service=name)[-1]
        assert (entry.status, entry.detail["fault"]) == (0, str(kind))
        assert ("effect" in entry.detail) is (kind is FaultKind.REPLY_LOST)
    azure.azure.faults.plant(Fault(service=name, kind=FaultKind.EMPTY_BODY))
    assert asked(service).content == b""
    azure.azure.faults.plant(Fault(service=name, kind=FaultKind.WRONG_CONTENT_TYPE))
    spoilt = asked(service)
    assert spoilt.headers["Content-Type"].startswith("text/html")
    assert spoilt.text.startswith("<!DOCTYPE html>")


def test_a_request_that_is_refused_anyway_meets_no_fault(azure: World, asked: Asked) -> None:
    identifier = azure.azure.faults.plant(Fault(service="arm", kind=FaultKind.ERROR))
    url = f"{azure.azure.arm_url}/subscriptions?api-version=2022-12-01"
    assert asked.http.get(url, headers={"Authorization": "Bearer forged"}, timeout=10).status_code == 401
    [planted] = [each for each in azure.azure.faults.planted() if each["id"] == identifier]
    assert planted["struck"] == 0
    azure.azure.faults.clear()
    assert json.dumps(azure.azure.faults.planted()) == "[]"
