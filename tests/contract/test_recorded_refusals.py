"""Answers recorded from the real clouds go through the real adapters, and each becomes what we say it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.errors import TransientError
from tests.fakes.answering_azure import PLACE, AnsweringAzure, connectors, refused

REFUSALS = {
    "arc-machine-get-404": ("put", "PermanentError", "resource-missing"),
    "arm-401-expiredtoken": ("find", "TransientError", "token-expired"),
    "arm-401-expiredtoken-2": ("find", "TransientError", "token-expired"),
    "arm-403-authorizationfailed-get": ("find", "TransientError", "authorization-failed"),
    "arm-403-authorizationfailed-rolewrite": ("put", "TransientError", "authorization-failed"),
    "arm-403-requestdisallowedbypolicy": ("put", "PermanentError", "policy-denied"),
    "arm-404-2024-fullheaders": ("put", "PermanentError", "resource-missing"),
    "arm-404-parentresourcenotfound": ("put", "PermanentError", "resource-missing"),
    "arm-404-resourcegroupnotfound": ("put", "ConfigurationError", "resource-group-missing"),
    "arm-409-missingsubscriptionregistration-2": ("query", "ConfigurationError", "subscription-not-registered"),
    "arm-409-scopelocked-delete": ("put", "PermanentError", "scope-locked"),
    "arm-412-preconditionfailed-bare-envelope": ("put", "TransientError", "changed-meanwhile"),
    "arm-412-storagenotprovisioned": ("put", "PermanentError", "bad-request"),
    "arm-429-appservice-lock-envelope": ("put", "TransientError", "operation-in-progress"),
    "arm-429-resourcerequeststhrottled": ("put", "TransientError", "throttled"),
    "arm-429-resourcerequeststhrottled-report": ("put", "TransientError", "throttled"),
    "arm-429-toomanyrequests": ("put", "TransientError", "throttled"),
    "appservice-msi-token-400-2017": ("identity", "TransientError", "managed-identity-unavailable"),
    "entra-token-assertion-400-aadsts70021": ("entra", "TransientError", "federation-not-found"),
    "entra-token-assertion-401-aadsts700213": ("entra", "TransientError", "federation-not-found"),
    "entra-token-assertion-401-aadsts7002137": ("entra", "TransientError", "federation-not-found"),
    "queue-create-409-exists": ("send", "PermanentError", "conflict"),
    "queue-list-400-invalidauth": ("send", "ConfigurationError", "token-refused"),
    "queue-message-post-400-invalidxml": ("send", "PermanentError", "bad-request"),
    "queue-metadata-get-404-queuenotfound": ("send", "ConfigurationError", "storage-missing"),
    "rbac-roleassignment-put-400-unmatchedprincipaltype": ("put", "PermanentError", "bad-request"),
    "rbac-roleassignment-put-409-exists": ("put", "PermanentError", "conflict"),
    "security-settings-put-400-arm-envelope": ("put", "PermanentError", "bad-request"),
}
NOT_OURS = {
    "imds-token-400-missing-resource": "the metadata service of virtual machines; a Function App has another",
    "gcp-403-service-disabled": "Google's: test_gcp_recordings.py",
    "gcp-404-sink-not-found": "Google's: test_gcp_recordings.py",
    "gcp-409-already-exists": "Google's: test_gcp_recordings.py",
    "gcp-iam-workloadidentitypool-409-soft-deleted": "Google's: test_gcp_recordings.py",
}
WAITS = {"arm-429-resourcerequeststhrottled": 324, "arm-429-resourcerequeststhrottled-report": 372}
SUCCESSES = ("security-connector-get-200", "security-connector-put-create-201")


def recorded(evidence: Path, name: str) -> dict[str, Any]:
    response = json.loads((evidence / "reference" / "recordings" / f"{name}.json").read_text())["response"]
    found = {key: value for key, value in (response["headers"] or {}).items() if key != "content-length"}
    return {"status": response["status"], "headers": found, "body": response["body"]}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_recorded_refusal_is_read_as_we_say(evidence: Path, answers: AnsweringAzure, name: str) -> None:
    call, kind, key = REFUSALS[name]
    answers.plan(recorded(evidence, name))
    error = refused(answers, call)
    assert (type(error).__name__, error.key) == (kind, key)
    if isinstance(error, TransientError):
        assert error.retry_after_seconds == WAITS.get(name)


def test_the_policy_of_a_recorded_denial_is_named(evidence: Path, answers: AnsweringAzure) -> None:
    answers.plan(recorded(evidence, "arm-403-requestdisallowedbypolicy"))
    assert "Azure Policy Sample-PolicyDefinition," in refused(answers, "put").remedy


def test_no_recorded_refusal_is_left_out(evidence: Path) -> None:
    files = (evidence / "reference" / "recordings").glob("*.json")
    refusals = {
        file.stem for file in files if (json.loads(file.read_text()).get("response") or {}).get("status", 0) > 399
    }
    assert refusals == REFUSALS.keys() | NOT_OURS.keys()


@pytest.mark.parametrize(
    ("name", "key"),
    [("put_aws_no_identity_provider", "identity-provider-missing"), ("put_gcp_auth_problem", "gcp-authentication")],
)
def test_what_the_connectors_provider_was_recorded_to_refuse_is_read(
    evidence: Path, answers: AnsweringAzure, name: str, key: str
) -> None:
    response = json.loads((evidence / "reference" / "data" / "arm-responses.json").read_text())[name]["response"]
    answers.plan(response)
    error = refused(answers, "put")
    assert (type(error), error.key) == (TransientError, key)
    assert response["body"]["errorCorrelation"] in error.reason


@pytest.mark.parametrize("name", SUCCESSES)
def test_a_recorded_connector_is_read_whole(evidence: Path, answers: AnsweringAzure, name: str) -> None:
    answer = recorded(evidence, name)
    answers.plan(answer)
    adapter = connectors(answers)
    found = adapter.find(PLACE) if answer["status"] == 200 else adapter.put(PLACE, {"location": "centralus"})
    assert found is not None
    assert found.body == answer["body"]
