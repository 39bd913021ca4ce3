"""The storage account: real Azurite, and in front of it the https endpoints that check tokens and roles.

In the place of Azurite's queue service, `memory_queues` may stand behind them: the setting `queue_service`.

Azurite itself reads neither the signature of a bearer token nor any role; these endpoints do, then hand
the request on unchanged. Shared-key and SAS requests pass to Azurite, which checks them, and are journalled
as what they are.
"""

from __future__ import annotations

import json
import ssl
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import urllib3
from werkzeug import Response

from sandbox.azure.azurite import ACCOUNT, SERVICES, Azurite, AzuriteError
from sandbox.azure.directory import FUNCTIONS, Identity
from sandbox.azure.entra import STORAGE_AUDIENCES
from sandbox.azure.exchange import Endpoint, Exchange
from sandbox.azure.memory_queues import MemoryQueues
from sandbox.azure.storage_operations import (
    OPERATIONS,
    StorageOperation,
    StorageRequest,
    batched_operations,
)
from sandbox.azure.storage_refusals import API_VERSION, Refusals
from sandbox.azure.tokens import TokenError, Tokens
from sandbox.certificates import Certificates
from sandbox.config import QueueService
from sandbox.faults import Fault, FaultKind, Faults
from sandbox.journal import Journal
from sandbox.serving import HOST, ConnectionDroppedError, Service

QUEUES = ("onboarding", "onboarding-poison", "sweep", "sweep-poison")
TABLES = ("accounts", "history", "pacing", "parked", "sweeps")
CONTAINERS = ("policy", "sweeps")
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection", "te", "upgrade"}


class _RefusedError(Exception):
    pass


class StorageEndpoint:
    """The public endpoint of one storage service."""

    def __init__(self, service: str, *, port: int, trust: ssl.SSLContext, tokens: Tokens) -> None:
        """`port` is Azurite's."""
        self._service = service
        self._directory = tokens.directory
        self._tokens = tokens
        self._refusals = Refusals(service, tokens.directory.tenant_id)
        self._port, self._trust, self._away = port, trust, False
        self._azurite = self._connections()
        self._queues: MemoryQueues | None = None

    def _connections(self) -> urllib3.HTTPSConnectionPool:
        return urllib3.HTTPSConnectionPool(
            "localhost", self._port, maxsize=32, ssl_context=self._trust, timeout=120.0, retries=False
        )

    def answer_from_memory(self) -> None:
        """Has queues of its own from now on instead of Azurite's."""
        self._queues = MemoryQueues(self._refusals.worded)
        for queue in QUEUES:
            self._queues.create(queue)

    def answer(self, exchange: Exchange) -> Response:
        """Checks who asks for what, then lets Azurite answer."""
        if self._away:
            raise ConnectionDroppedError
        operations = self._operations(exchange)
        if not operations:
            return self._refusals.of("UnsupportedHttpVerb")
        try:
            self._admit(exchange, operations)
        except _RefusedError as refused:
            return self._refusals.of(str(refused))
        exchange.admitted()
        return self._forward(exchange) if self._queues is None else self._act(exchange, self._queues)

    def _act(self, exchange: Exchange, queues: MemoryQueues) -> Response:
        if exchange.authentication != "bearer":
            return queues.unsigned()
        response = queues.answer(exchange.operation, _segments(exchange), exchange.request)
        response.headers.setdefault("x-ms-request-id", str(uuid.uuid4()))
        response.headers.setdefault("x-ms-version", API_VERSION)
        if exchange.request.method == "GET":
            response.headers.setdefault("Cache-Control", "no-cache")
        return response

    def faulted(self, _: Exchange, fault: Fault) -> Response:
        """503 or 500 in the storage services' own form."""
        response = self._refusals.of("ServerBusy" if fault.kind is FaultKind.THROTTLE else "InternalError")
        if fault.retry_after is not None:
            response.headers["Retry-After"] = str(fault.retry_after)
        return response

    def _operations(self, exchange: Exchange) -> list[StorageOperation]:
        request = exchange.request
        segments = _segments(exchange)
        if self._service == "table" and segments == ("$batch",):
            operations = batched_operations(request.get_data())
            exchange.operation = "Batch"
            exchange.detail["operations"] = [each.name for each in operations]
            return operations
        parts = StorageRequest(
            method=request.method,
            segments=segments,
            query=request.args.to_dict(),
            conditional="If-Match" in request.headers,
        )
        operation = OPERATIONS[self._service](parts)
        if operation is None:
            return []
        exchange.operation = operation.name
        exchange.detail["resource"] = operation.resource.rpartition("/")[2]
        return [operation]

    def _admit(self, exchange: Exchange, operations: list[StorageOperation]) -> None:
        authorization = exchange.request.headers.get("Authorization", "")
        if authorization.lower().startswith(("sharedkey ", "sharedkeylite ")):
            exchange.authentication, exchange.identity = "shared-key", ACCOUNT
            return
        if "sig" in exchange.request.args:
            exchange.authentication, exchange.identity = "sas", ACCOUNT
            return
        if not authorization:
            raise _RefusedError("NoAuthenticationInformation")
        audiences = (*STORAGE_AUDIENCES, f"https://{ACCOUNT}.{self._service}.core.windows.net")
        try:
            identity = self._tokens.identify(authorization, audiences)
        except TokenError as error:
            exchange.detail["problem"] = error.problem
            unreadable = error.problem == "malformed"  # live answers tell it from a token that is not accepted
            raise _RefusedError("InvalidAuthenticationInfo" + ("" if unreadable else ", token")) from error
        exchange.authentication, exchange.identity = "bearer", identity.name
        if not all(self._permitted(identity, operation) for operation in operations):
            raise _RefusedError("AuthorizationPermissionMismatch")

    def _permitted(self, identity: Identity, operation: StorageOperation) -> bool:
        scope = f"{self._directory.storage_scope}/{operation.resource}"
        return any(
            all(self._directory.allows(identity, each.action, scope, data=each.data) for each in permissions)
            for permissions in operation.alternatives
        )

    def _forward(self, exchange: Exchange) -> Response:
        request = exchange.request
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        try:
            answer = self._azurite.urlopen(
                request.method,
                exchange.raw_path,
                body=request.get_data(),
                headers=headers,
                redirect=False,
                decode_content=False,
            )
        except urllib3.exceptions.HTTPError as error:  # it is being restarted
            raise ConnectionDroppedError from error
        response = Response(answer.data, status=answer.status)
        response.headers.clear()
        for name, value in answer.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                response.headers.add(name, value)
        if self._service == "queue" and request.method == "GET" and answer.status == 200:
            response.headers.setdefault("Cache-Control", "no-cache")  # live answers carry it, Azurite's do not
        return response

    def leave(self) -> None:
        """Drops every request until `come_back`; connections to Azurite end, for which it would wait."""
        self._away = True
        self._azurite.close()

    def come_back(self) -> None:
        """Answers again."""
        self._azurite = self._connections()
        self._away = False


def _segments(exchange: Exchange) -> tuple[str, ...]:
    """The parts of the path that follow the account's name."""
    path = exchange.raw_path.partition("?")[0]
    return tuple(part for part in path.split("/")[2:] if part)


class Storage:
    """One storage account, `devstoreaccount1`, with its three services."""

    def __init__(  # noqa: PLR0913 - the parts of a service are given by name, once
        self,
        journal: Journal,
        certificates: Certificates,
        folder: Path,
        tokens: Tokens,
        faults: Faults | None = None,
        *,
        queue_service: QueueService = "azurite",
        keeps_data: bool = False,
    ) -> None:
        """`faults` are asked about every request that is admitted; with `keeps_data` it can be restarted."""
        self._queue_service = queue_service
        self._journal = journal
        self._certificates = certificates
        self._tokens = tokens
        self._faults = faults or Faults()
        self._azurite = Azurite(certificates, folder, keeps_data=keeps_data)
        self._endpoints: list[StorageEndpoint] = []
        self._services: dict[str, Service] = {}

    def start(self) -> Storage:
        """Starts Azurite and the endpoints, and makes what the deployment makes in the account.

        Raises:
            AzuriteError: Azurite does not start.
        """
        self._azurite.start()
        trust = self._certificates.client_context()
        self._deploy(trust)
        for name in SERVICES:
            endpoint = StorageEndpoint(name, port=self._azurite.ports[name], trust=trust, tokens=self._tokens)
            if name == "queue" and self._queue_service == "memory":
                endpoint.answer_from_memory()
            self._endpoints.append(endpoint)
            application = Endpoint(name, self._journal, endpoint.answer, faults=self._faults, faulted=endpoint.faulted)
            self._services[name] = Service(application, tls=self._certificates.server_context()).start()
        return self

    def stop(self) -> None:
        """Ends the endpoints and Azurite."""
        while self._services:
            self._services.popitem()[1].stop()
        self._azurite.stop()

    def restart(self, away_seconds: float = 0.0) -> None:
        """Takes the account away for a while and brings it back with all that was in it.

        Meanwhile connections break off. Raises AzuriteError where data live in memory.
        """
        if not self._azurite.keeps_data:
            raise AzuriteError("what is in memory would be lost: set storage_keeps_data")
        for endpoint in self._endpoints:
            endpoint.leave()
        self._azurite.leave()
        time.sleep(away_seconds)
        self._azurite.start()
        for endpoint in self._endpoints:
            endpoint.come_back()

    def url(self, service: str) -> str:
        """The public endpoint of `blob`, `queue` or `table`, with the account in its path.

        By address, not by name: azure-data-tables takes `localhost` for the Cosmos DB emulator.
        """
        return f"https://{HOST}:{self._services[service].port}/{ACCOUNT}"

    def _deploy(self, trust: ssl.SSLContext) -> None:
        for queue in QUEUES:
            self._create("queue", "PUT", queue, trust)
        for table in TABLES:
            self._create("table", "POST", "Tables", trust, json.dumps({"TableName": table}).encode())
        for container in CONTAINERS:
            self._create("blob", "PUT", f"{container}?restype=container", trust)

    def _create(self, service: str, method: str, path: str, trust: ssl.SSLContext, body: bytes = b"") -> None:
        token = self._tokens.mint(self._tokens.directory.get(FUNCTIONS), STORAGE_AUDIENCES[0])
        headers = {
            "Authorization": f"Bearer {token}",
            "x-ms-version": API_VERSION,
            "x-ms-date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "Accept": "application/json",
            "Content-Type": "application/json" if body else "application/octet-stream",
        }
        with urllib3.PoolManager(ssl_context=trust, timeout=30.0) as http:
            url = f"https://localhost:{self._azurite.ports[service]}/{ACCOUNT}/{path}"
            answer = http.request(method, url, body=body, headers=headers)
        if answer.status not in {201, 204}:
            raise RuntimeError(f"{service} {path}: {answer.status} {answer.data[:500]!r}")
