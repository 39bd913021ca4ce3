"""An https server that gives the answers that a test plans, and our adapters as they speak to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken, TokenCredential
from werkzeug import Request, Response

from sandbox.certificates import Certificates
from sandbox.serving import ConnectionDroppedError, Service
from shared.adapters.azure.credential_kind import CredentialKind
from shared.adapters.azure.credentials import federated_credential, make_credential
from shared.adapters.defender.compliance import ArmCompliance
from shared.adapters.defender.connectors import DefenderConnectors
from shared.adapters.ledger.pacing import TablePacer
from shared.adapters.ledger.parked_bodies import TableParkedBodies
from shared.adapters.ledger.table_ledger import TableLedger
from shared.adapters.policy.blob import BlobPolicyStore
from shared.adapters.queue.storage_queue import StorageRequestQueue
from shared.adapters.resource_graph.snapshot import ResourceGraphSnapshot
from shared.domain.connectors import ConnectorId
from shared.domain.ledger import HistoryEntry, Result
from shared.domain.pacing import WriteRate
from shared.errors import RollcallError
from shared.messages.parked_request import ParkedRequest
from tests.fakes.clock import NOON, FakeClock
from tests.fixtures.read import request

ENTRY = HistoryEntry(
    key=request().key,
    at=NOON,
    step="connect:deployed",
    result=Result.CREATED,
    message_id="m",
    attempt=0,
    correlation_id="c",
)
PLACE = ConnectorId(
    subscription_id="00000000-0000-4000-8000-000000000001", resource_group="rg", name="aws-012345678901"
)


class AnyToken:
    """A credential whose token nobody looks at."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("token", 2**31)


@dataclass
class AnsweringAzure:
    """Gives each request the next planned answer, the last one for ever."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        incoming = Request(environ)
        self.asked.append(f"{incoming.method} {incoming.path}")
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer["status"] == 0:
            raise ConnectionDroppedError
        body, headers = answer["body"], answer.get("headers") or {}
        text = body if isinstance(body, str) else json.dumps(body)
        kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "application/json")
        rest = {name: value for name, value in headers.items() if name.lower() != "content-type"}
        return Response(text, answer["status"], rest, content_type=kind)(environ, start_response)

    def plan(self, *answers: dict[str, Any]) -> None:
        """What is answered from now on."""
        self.answers, self.asked = list(answers), []


def connectors(azure: AnsweringAzure, credential: TokenCredential | None = None) -> DefenderConnectors:
    return DefenderConnectors(credential or AnyToken(), arm_endpoint=azure.url)


def queue(azure: AnsweringAzure) -> StorageRequestQueue:
    return StorageRequestQueue(AnyToken(), queue_endpoint=f"{azure.url}/account")


def ledger(azure: AnsweringAzure) -> TableLedger:
    return TableLedger(AnyToken(), table_endpoint=f"{azure.url}/account")


def bodies(azure: AnsweringAzure) -> TableParkedBodies:
    return TableParkedBodies(AnyToken(), table_endpoint=f"{azure.url}/account")


def put_with(azure: AnsweringAzure, credential: TokenCredential) -> None:
    connectors(azure, credential).put(PLACE, {"location": "centralus"})


CALLS: dict[str, Callable[[AnsweringAzure], object]] = {
    "find": lambda azure: connectors(azure).find(PLACE),
    "put": lambda azure: put_with(azure, AnyToken()),
    "query": lambda azure: ResourceGraphSnapshot(
        AnyToken(), arm_endpoint=azure.url, clock=FakeClock()
    ).find_by_hierarchy("012345678901"),
    "send": lambda azure: queue(azure).send(request()),
    "park": lambda azure: queue(azure).park(ParkedRequest.of(b"{}", reason="r", remedy="m", at=NOON)),
    "ledger find": lambda azure: ledger(azure).find(request().key),
    "ledger claim": lambda azure: ledger(azure).claim(request().key, owner="o", now=NOON, seconds=1),
    "ledger record": lambda azure: ledger(azure).record(ENTRY),
    "ledger list": lambda azure: list(ledger(azure).list_records()),
    "ledger history": lambda azure: list(ledger(azure).history(request().key)),
    "pace": lambda azure: TablePacer(
        AnyToken(), table_endpoint=f"{azure.url}/account", rate=WriteRate(), clock=FakeClock()
    ).reserve("subscription"),
    "assign": lambda azure: ArmCompliance(AnyToken(), arm_endpoint=azure.url).assign(PLACE, "assignment", {}),
    "keep body": lambda azure: bodies(azure).keep("digest", b"bytes"),
    "find body": lambda azure: bodies(azure).find("digest"),
    "policy": lambda azure: BlobPolicyStore(AnyToken(), f"{azure.url}/account/policy/policy.yaml").fetch(None),
    "entra": lambda azure: put_with(
        azure,
        federated_credential(
            tenant_id="tenant", client_id="client", authority_host=azure.url, assertion=lambda: "assertion"
        ),
    ),
    "identity": lambda azure: put_with(azure, make_credential(CredentialKind.MANAGED_IDENTITY, client_id="client")),
    "command-line": lambda azure: put_with(azure, make_credential(CredentialKind.AZURE_CLI)),
}


def refused(azure: AnsweringAzure, call: str) -> RollcallError:
    with pytest.raises(RollcallError) as raised:
        CALLS[call](azure)
    return raised.value


@contextmanager
def answering_azure(folder: Path) -> Iterator[tuple[AnsweringAzure, Path]]:
    """The server, and the bundle of certificates that trusts it."""
    certificates = Certificates(folder)
    azure = AnsweringAzure()
    service = Service(azure, tls=certificates.server_context()).start()
    azure.url = service.url
    try:
        yield azure, certificates.bundle_path
    finally:
        service.stop()
