"""Nobody holds a secret: every request of ours to Azure carries a token, every one to AWS a role's signature."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.queue import QueueServiceClient

from sandbox.azure.directory import FUNCTIONS, OPERATOR, QUEUE_SENDER
from sandbox.cloud import QUEUE_SENDER_FUNCTIONS
from sandbox.journal import JournalEntry
from tests.e2e.roll import Roll, running, wait_until

AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # public
LAMBDAS = {f"rollcall-{name}" for name in QUEUE_SENDER_FUNCTIONS}


@pytest.fixture(scope="module")
def roll(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roll]:
    with running(tmp_path_factory.mktemp("secrets")) as made:
        account_id = made.create_account("trusting")
        made.wait_for_state(account_id, "connected")
        made.put_event("rollcall.reconcile", "Reconciliation Requested", {})
        wait_until(
            lambda: len(made.history(made.sandbox.aws.management_account_id)) > 0, "the comparison sent its note"
        )
        made.wait_until_drained()
        yield made


def without_token(entries: Iterable[JournalEntry]) -> list[JournalEntry]:
    """The requests to storage and Resource Manager that came with anything but a bearer token."""
    services = {"queue", "table", "blob", "arm"}
    return [entry for entry in entries if entry.service in services and entry.authentication != "bearer"]


def test_every_request_of_lambdas_and_functions_to_azure_carries_a_bearer_token(roll: Roll) -> None:
    entries = roll.journal.entries()
    assert without_token(entries) == []
    callers = {(entry.identity, entry.service) for entry in entries if entry.authentication == "bearer"}
    assert callers >= {
        (QUEUE_SENDER, "queue"),
        *((FUNCTIONS, service) for service in ("queue", "table", "blob", "arm")),
    }
    assert {identity for identity, _ in callers} <= {QUEUE_SENDER, FUNCTIONS, OPERATOR}


def test_the_lambdas_get_their_token_for_an_assertion_of_their_role(roll: Roll) -> None:
    tokens = [entry for entry in roll.journal.entries(service="entra") if entry.operation == "entra:GetToken"]
    subjects = {entry.detail["subject"] for entry in tokens if entry.status == 200}
    assert {subject.rpartition("/")[2] for subject in subjects} == LAMBDAS


def test_the_lambdas_put_on_the_queue_and_do_nothing_else_there(roll: Roll) -> None:
    asked = {entry.operation for entry in roll.journal.entries() if entry.identity == QUEUE_SENDER}
    assert asked - {"entra:GetToken"} == {"queue:PutMessage"}


def test_no_request_of_a_lambda_to_aws_is_denied_or_unsigned(roll: Roll) -> None:
    ours = [entry for entry in roll.journal.entries() if ":role/rollcall-" in entry.identity]
    assert {entry.identity.rpartition("/")[2] for entry in ours} == LAMBDAS
    assert [entry for entry in ours if entry.authentication != "sigv4" or entry.status == 403] == []


def test_a_shared_key_would_be_seen(roll: Roll) -> None:
    since = len(roll.journal)
    credential = AzureNamedKeyCredential("devstoreaccount1", AZURITE_KEY)
    with QueueServiceClient(roll.sandbox.azure.queue_url, credential=credential) as service:
        assert {queue.name for queue in service.list_queues()} >= {"onboarding"}
    [accused] = without_token(roll.journal.entries(since=since))
    assert accused.authentication == "shared-key"
