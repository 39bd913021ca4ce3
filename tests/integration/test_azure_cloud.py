"""Entra, managed identities and storage of the sandbox, spoken to with Microsoft's own SDKs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core import MatchConditions
from azure.core.credentials import AccessToken, AzureNamedKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.data.tables import TableClient, UpdateMode
from azure.identity import ClientAssertionCredential, CredentialUnavailableError, ManagedIdentityCredential
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient, QueueServiceClient, TextBase64EncodePolicy
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.azure.azurite import AzuriteError, installed
from sandbox.azure.directory import FUNCTIONS, OPERATOR, QUEUE_SENDER
from sandbox.azure.storage import Storage
from sandbox.journal import Journal
from tests.fakes.azure_world import SENDER_ROLE, Issuer, World, start_world

pytestmark = pytest.mark.skipif(not installed(), reason="Azurite is not installed: run `make setup`")
STORAGE = "https://storage.azure.com/.default"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # Azurite's, public


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = start_world(tmp_path_factory.mktemp("azure"))
    yield world
    world.azure.stop()


@pytest.fixture(scope="module")
def issuer(world: World) -> Iterator[Issuer]:
    issuer = Issuer(world.certificates)
    world.azure.directory.trust(QUEUE_SENDER, issuer=issuer.url, subjects=(SENDER_ROLE,))
    yield issuer
    issuer.stop()


@pytest.fixture(autouse=True)
def _trusted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(world.certificates.bundle_path))


class Fixed:
    """A credential with a token minted for a named identity."""

    def __init__(self, world: World, name: str) -> None:
        self._world, self._name = world, name

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        audience = scopes[0].removesuffix("/.default")
        return AccessToken(self._world.azure.mint(self._name, audience), int(time.time()) + 600)


def assertion_credential(world: World, assertion: str) -> ClientAssertionCredential:
    return ClientAssertionCredential(
        world.azure.directory.tenant_id,
        world.azure.directory.get(QUEUE_SENDER).client_id,
        lambda: assertion,
        authority=world.azure.authority_url,
        disable_instance_discovery=True,
        retry_total=0,
    )


def sender(world: World, credential: Any, queue: str = "onboarding") -> QueueClient:
    policy = TextBase64EncodePolicy()
    return QueueClient(world.azure.queue_url, queue, credential=credential, message_encode_policy=policy, retry_total=0)


def refusal(credential: ClientAssertionCredential) -> str:
    with pytest.raises(ClientAuthenticationError) as caught:
        credential.get_token(STORAGE)
    return str(caught.value)


def test_an_aws_role_sends_to_the_queue_without_a_secret(world: World, issuer: Issuer) -> None:
    before = len(world.journal)
    sent = sender(world, assertion_credential(world, issuer.token())).send_message("hello", time_to_live=-1)
    assert sent.id
    entries = world.journal.entries(since=before)
    assert [(each.operation, each.identity, each.authentication, each.status) for each in entries] == [
        ("entra:GetToken", QUEUE_SENDER, "bearer", 200),
        ("queue:PutMessage", QUEUE_SENDER, "bearer", 201),
    ]
    assert entries[0].detail["subject"] == SENDER_ROLE


def test_the_sender_may_neither_read_the_queue_nor_write_to_another(world: World, issuer: Issuer) -> None:
    credential = assertion_credential(world, issuer.token())
    for forbidden in (
        sender(world, credential).receive_message,
        sender(world, credential).peek_messages,
        lambda: sender(world, credential, "onboarding-poison").send_message("no"),
    ):
        with pytest.raises(HttpResponseError) as caught:
            forbidden()
        assert caught.value.status_code == 403
        assert caught.value.error_code == "AuthorizationPermissionMismatch"  # type: ignore[attr-defined]  # set by the storage SDK


def test_assertions_are_refused_by_issuer_subject_audience_time_and_signature(world: World, issuer: Issuer) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())
    refusals = {
        "AADSTS700211": issuer.token(iss="https://localhost:1"),
        "AADSTS700213": issuer.token(sub=SENDER_ROLE.upper()),
        "AADSTS700212": issuer.token(aud="api://another"),
        "AADSTS700024": issuer.token(iat=now - 900, exp=now - 600),
        "AADSTS7000274": issuer.token(key=stranger),
        "AADSTS50027": "not a token",
    }
    for code, assertion in refusals.items():
        assert f"{code}: " in refusal(assertion_credential(world, assertion))


def test_entra_refuses_secrets_unknown_applications_tenants_and_resources(world: World, issuer: Issuer) -> None:
    client_id = world.azure.directory.get(QUEUE_SENDER).client_id
    tenant = world.azure.directory.tenant_id
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "scope": STORAGE,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": issuer.token(),
    }

    def codes(where: str = tenant, **changes: str) -> tuple[int, Any]:
        url = f"{world.azure.authority_url}/{where}/oauth2/v2.0/token"
        answer = requests.post(url, data=form | changes, timeout=10)
        return answer.status_code, answer.json().get("error_codes")

    assert codes() == (200, None)
    assert codes(client_secret="x") == (401, [7000215])
    assert codes(client_id="another") == (400, [700016])
    assert codes("another") == (400, [90002])
    assert codes(scope="https://another/.default") == (400, [500011])
    assert codes(grant_type="password") == (400, [70003])


def managed_identity(
    world: World, monkeypatch: pytest.MonkeyPatch, host: str, client_id: str | None = None
) -> ManagedIdentityCredential:
    monkeypatch.setenv("IDENTITY_ENDPOINT", world.azure.identity_endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", world.azure.identity_headers[host])
    return ManagedIdentityCredential(client_id=client_id)


def test_the_functions_identity_works_the_queue_and_the_tables(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client_id = world.azure.directory.get(FUNCTIONS).client_id
    credential = managed_identity(world, monkeypatch, "functions", client_id)
    queue = QueueClient(world.azure.queue_url, "onboarding-poison", credential=credential)
    queue.send_message("one")
    message = queue.receive_message(visibility_timeout=30)
    assert message is not None
    queue.update_message(message, content="two", visibility_timeout=0)
    assert [each.content for each in queue.peek_messages()] == ["two"]
    queue.clear_messages()
    assert queue.get_queue_properties().approximate_message_count == 0

    table = TableClient(world.azure.table_url, "accounts", credential=credential)
    entity = {"PartitionKey": "aws", "RowKey": "012345678901", "state": "seen"}
    etag = table.create_entity(entity)["etag"]
    table.upsert_entity(entity | {"state": "deployed"}, mode=UpdateMode.MERGE)
    with pytest.raises(HttpResponseError) as caught:
        table.update_entity(entity, etag=etag, match_condition=MatchConditions.IfNotModified)
    assert caught.value.status_code == 412
    table.submit_transaction([("upsert", entity | {"RowKey": "1"}), ("delete", entity | {"RowKey": "012345678901"})])
    assert [each["RowKey"] for each in table.query_entities("PartitionKey eq 'aws'")] == ["1"]
    operations = {each.operation for each in world.journal.entries(service="table")}
    assert operations >= {
        "table:InsertEntity",
        "table:InsertOrMergeEntity",
        "table:MergeEntity",
        "table:Batch",
        "table:QueryEntities",
    }
    assert all(each.authentication == "bearer" for each in world.journal.entries(service="table"))
    [batch] = world.journal.entries(operation="table:Batch")
    assert batch.detail["operations"] == ["InsertOrMergeEntity", "DeleteEntity"]


def test_the_operator_reads_the_tables_but_does_not_write_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    credential = managed_identity(world, monkeypatch, "operator")
    table = TableClient(world.azure.table_url, "history", credential=credential, retry_total=0)
    assert list(table.list_entities()) == []
    row = {"PartitionKey": "a", "RowKey": "b"}
    for forbidden in (
        lambda: table.create_entity(row),
        lambda: table.submit_transaction([("create", row)]),
    ):
        with pytest.raises(HttpResponseError) as caught:
            forbidden()
        assert caught.value.status_code == 403


def test_a_host_gets_no_token_of_an_identity_that_it_does_not_have(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for client_id in (None, world.azure.directory.get(OPERATOR).client_id):
        with pytest.raises((ClientAuthenticationError, CredentialUnavailableError)):
            managed_identity(world, monkeypatch, "functions", client_id).get_token(STORAGE)
    answer = requests.get(world.azure.identity_endpoint, headers={"X-IDENTITY-HEADER": "guess"}, timeout=10)
    assert answer.status_code == 401


def test_blobs_are_read_and_written_by_identity(world: World) -> None:
    container = BlobServiceClient(world.azure.blob_url, credential=Fixed(world, FUNCTIONS)).get_container_client(
        "policy"
    )
    container.upload_blob("policy.yaml", b"version: 1\n" * 1000)
    assert [each.name for each in container.list_blobs()] == ["policy.yaml"]
    reader = BlobServiceClient(world.azure.blob_url, credential=Fixed(world, OPERATOR), retry_total=0)
    blob = reader.get_blob_client("policy", "policy.yaml")
    assert blob.download_blob().readall().startswith(b"version: 1")
    blob.upload_blob(b"version: 1\n", overwrite=True)  # operators publish the policy, and write nothing else
    container.get_blob_client("policy.yaml").delete_blob()
    owner = BlobServiceClient(world.azure.blob_url, credential=Fixed(world, FUNCTIONS))
    owner.create_container("elsewhere").upload_blob("policy.yaml", b"version: 1\n")
    elsewhere = reader.get_blob_client("elsewhere", "policy.yaml")
    assert elsewhere.download_blob().readall() == b"version: 1\n"
    with pytest.raises(HttpResponseError) as caught:
        elsewhere.delete_blob()
    assert caught.value.status_code == 403


def test_a_shared_key_still_works_and_the_journal_tells(world: World) -> None:
    before = len(world.journal)
    credential = AzureNamedKeyCredential("devstoreaccount1", KEY)
    service = QueueServiceClient(world.azure.queue_url, credential=credential)
    assert {each.name for each in service.list_queues()} >= {"onboarding", "onboarding-poison"}
    entry = world.journal.entries(since=before)[-1]
    assert (entry.operation, entry.authentication, entry.identity) == (
        "queue:ListQueues",
        "shared-key",
        "devstoreaccount1",
    )


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "NoAuthenticationInformation"),
        ("Bearer rubbish", "InvalidAuthenticationInfo"),
        ("wrong audience", "InvalidAuthenticationInfo"),
    ],
)
def test_storage_refuses_requests_without_a_good_token(world: World, authorization: str | None, code: str) -> None:
    if authorization == "wrong audience":
        authorization = f"Bearer {world.azure.mint(FUNCTIONS, 'https://management.azure.com')}"
    headers = {"Authorization": authorization} if authorization else {}
    url = f"{world.azure.queue_url}/onboarding?comp=metadata"
    answer = requests.get(url, headers=headers, timeout=10)
    status = 400 if authorization == "Bearer rubbish" else 401
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (status, code)
    assert ("authorization_uri=" in answer.headers.get("WWW-Authenticate", "")) == (status == 401)


def test_a_storage_account_that_is_restarted_has_all_that_was_in_it(tmp_path: Path, world: World) -> None:
    tokens = world.azure.tokens
    storage = Storage(Journal(), world.certificates, tmp_path, tokens, keeps_data=True).start()
    try:
        with QueueClient(storage.url("queue"), "onboarding", credential=Fixed(world, OPERATOR), retry_total=0) as queue:
            queue.send_message("there before")
            storage.restart()
            assert [each.content for each in queue.peek_messages()] == ["there before"]
    finally:
        storage.stop()


def test_a_storage_account_in_memory_is_not_restarted(world: World) -> None:
    with pytest.raises(AzuriteError, match="storage_keeps_data"):
        world.azure.storage.restart()
    with QueueClient(world.azure.queue_url, "onboarding", credential=Fixed(world, OPERATOR)) as queue:
        assert queue.get_queue_properties().name == "onboarding"


def test_azurite_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from sandbox.azure.azurite import Azurite; from sandbox.certificates import Certificates\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "azurite = Azurite(Certificates(folder), folder).start()\n"
        "print(azurite._process.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout as stdout:
        child = int(stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    status = Path(f"/proc/{child}/stat")
    while status.exists() and " Z " not in status.read_text():
        assert time.monotonic() < deadline, "Azurite outlived the process that started it"
        time.sleep(0.05)
