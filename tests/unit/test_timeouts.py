"""No call to Azure waits longer than a claim on an account lasts."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.credentials import AccessToken

from shared.adapters.azure.credential_kind import CredentialKind
from shared.adapters.azure.credentials import federated_credential, make_credential
from shared.adapters.clock import SystemClock
from shared.adapters.defender.connectors import PUT_TIMEOUT_SECONDS, DefenderConnectors
from shared.adapters.ledger.pacing import TablePacer
from shared.adapters.ledger.table_ledger import TableLedger
from shared.adapters.resource_graph.snapshot import ResourceGraphSnapshot
from shared.application.onboard_ports import CLAIM_SECONDS
from shared.domain.pacing import WriteRate

TABLES = "https://account.table.core.windows.net"


class Anybody:
    """A credential that nobody asks."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken("-", 0)


def read_timeout(client: Any) -> float:
    """Where azure-core keeps it; there is no public way to ask."""
    return float(client._pipeline._transport.connection_config.read_timeout)


def clients(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setenv("IDENTITY_ENDPOINT", "https://identity.example")
    monkeypatch.setenv("IDENTITY_HEADER", "-")
    who, arm = Anybody(), "https://management.azure.com"
    ledger = TableLedger(who, table_endpoint=TABLES)
    identity: Any = make_credential(CredentialKind.MANAGED_IDENTITY)
    federated: Any = federated_credential(
        tenant_id="t", client_id="c", authority_host="https://login.microsoftonline.com", assertion=lambda: "-"
    )
    pacer = TablePacer(who, table_endpoint=TABLES, rate=WriteRate(), clock=SystemClock())
    tables = [ledger._accounts, ledger._history, pacer._table]
    return [
        *(table._client._client for table in tables),
        DefenderConnectors(who, arm_endpoint=arm)._client("s")._client,
        ResourceGraphSnapshot(who, arm_endpoint=arm, clock=SystemClock())._graph._client,
        identity._inner._credential._client,
        federated._client,
    ]


def test_every_client_gives_up_long_before_a_claim_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {read_timeout(client) for client in clients(monkeypatch)} == {30.0}
    assert PUT_TIMEOUT_SECONDS + 30.0 <= CLAIM_SECONDS
