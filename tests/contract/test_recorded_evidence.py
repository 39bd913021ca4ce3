"""Our readers against events and answers that the real clouds gave; skipped where they are not on this computer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from shared.adapters.aws.account_events import read_account_event
from shared.adapters.aws.events import Ignored
from shared.adapters.aws.stack_events import read_stack_event
from shared.adapters.azure.errors import translate
from shared.application.account_batch import AccountSignal
from shared.application.report_instance import InstanceSignal
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError

MEMBER = "444455556666"


class Answer:
    """A recorded answer as the SDK's transports give it."""

    def __init__(self, recorded: dict[str, Any]) -> None:
        self.status_code = recorded["status"]
        self.reason = "recorded"
        self.headers = recorded.get("headers") or {}
        body = recorded["body"]
        self._text = body if isinstance(body, str) else json.dumps(body)

    def text(self) -> str:
        return self._text


def event(evidence: Path, name: str) -> str:
    return (evidence / "reference" / "events" / f"{name}.json").read_text(encoding="utf-8")


def error_of(recorded: dict[str, Any], kind: type[HttpResponseError] = HttpResponseError) -> HttpResponseError:
    answer: Any = Answer(recorded)
    body = recorded["body"]
    said = body.get("error_description", "") if isinstance(body, dict) else ""
    error = kind(message="said the SDK", response=answer)
    if said:
        error.message = f"Authentication failed: {said}"
    return error


def test_an_account_that_was_really_created_is_found(evidence: Path) -> None:
    found = read_account_event(event(evidence, "CreateAccountResult.SUCCEEDED"))
    assert isinstance(found, AccountSignal)
    assert found.account_id == MEMBER


def test_a_stack_instance_that_really_succeeded_is_found(evidence: Path) -> None:
    found = read_stack_event(event(evidence, "StackInstance.SUCCEEDED"))
    assert isinstance(found, InstanceSignal)
    assert found.account_id == MEMBER


@pytest.mark.parametrize(
    ("name", "departs"),
    [
        ("AccountDepartedOrganization.LEFT.CONSTRUCTED", True),
        ("AccountDepartedOrganization.REMOVED.CONSTRUCTED", True),
        ("AccountJoinedOrganization.CREATED.CONSTRUCTED", False),
        ("CloseAccountResult.SUCCEEDED", False),
        ("ControlTower.CreateManagedAccount", False),
        ("MoveAccount.api", False),
    ],
)
def test_a_published_event_of_an_account_s_life_names_its_account(evidence: Path, name: str, departs: bool) -> None:
    found = read_account_event(event(evidence, name))
    assert isinstance(found, AccountSignal)
    assert (found.account_id, bool(found.departed)) == (MEMBER, departs)


@pytest.mark.parametrize(
    ("name", "failed"),
    [
        ("AcceptHandshake.api.CONSTRUCTED", False),
        ("ControlTower.CreateManagedAccount.FAILED", True),
        ("CreateAccount.api", False),
        ("InviteAccountToOrganization.api", False),
    ],
)
def test_a_published_event_that_asks_nothing_is_ignored_and_not_broken(evidence: Path, name: str, failed: bool) -> None:
    found = read_account_event(event(evidence, name))
    assert isinstance(found, Ignored)
    assert found.failed == failed


@pytest.mark.parametrize(
    "name",
    [
        "StackInstance.PENDING.docs",
        "StackSetOperation.FAILED",
        "StackSetOperation.QUEUED",
        "StackSetOperation.RUNNING",
        "StackSetOperation.SUCCEEDED",
    ],
)
def test_a_stack_event_that_ends_no_instance_is_ignored(evidence: Path, name: str) -> None:
    assert isinstance(read_stack_event(event(evidence, name)), Ignored)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("arm-404-resourcegroupnotfound", ConfigurationError),
        ("arm-401-expiredtoken", TransientError),
        ("arm-401-expiredtoken-2", TransientError),
        ("arm-403-authorizationfailed-get", TransientError),
        ("arm-403-authorizationfailed-rolewrite", TransientError),
        ("arm-403-requestdisallowedbypolicy", PermanentError),
        ("arm-409-missingsubscriptionregistration-2", ConfigurationError),
        ("arm-409-scopelocked-delete", PermanentError),
        ("arm-412-preconditionfailed-bare-envelope", TransientError),
        ("arm-429-resourcerequeststhrottled", TransientError),
        ("arm-429-resourcerequeststhrottled-report", TransientError),
        ("arm-429-toomanyrequests", TransientError),
        ("security-settings-put-400-arm-envelope", PermanentError),
        ("queue-metadata-get-404-queuenotfound", ConfigurationError),
        ("entra-token-assertion-400-aadsts70021", TransientError),
        ("entra-token-assertion-401-aadsts700213", TransientError),
        ("entra-token-assertion-401-aadsts7002137", TransientError),
    ],
)
def test_a_recorded_failure_is_told_apart(evidence: Path, name: str, kind: type[RollcallError]) -> None:
    path = evidence / "reference" / "recordings" / f"{name}.json"
    recorded = json.loads(path.read_text(encoding="utf-8"))["response"]
    entra = ClientAuthenticationError if name.startswith("entra") else HttpResponseError
    assert type(translate(error_of(recorded, entra), "do it")) is kind


@pytest.mark.parametrize("name", ["put_aws_no_identity_provider", "put_gcp_auth_problem"])
def test_a_connector_that_is_not_ready_yet_is_tried_again(evidence: Path, name: str) -> None:
    recorded = json.loads((evidence / "reference" / "data" / "arm-responses.json").read_text(encoding="utf-8"))
    answer = recorded[name]["response"]
    error = translate(error_of({"status": answer["status"], "headers": {}, "body": answer["body"]}), "PUT it")
    assert isinstance(error, TransientError)
    assert answer["body"]["errorCorrelation"] in error.reason
