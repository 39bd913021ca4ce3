"""How the adapters of this package speak with Azure Table Storage."""

from __future__ import annotations

from typing import Any

from azure.core.credentials import TokenCredential
from azure.data.tables import TableClient

from shared.adapters.azure.bodies import require_object
from shared.adapters.azure.retries import forget_long_waits
from shared.adapters.azure.timeouts import TIMEOUTS


def _looked_at(response: Any) -> None:
    forget_long_waits(response)
    require_object(response)


_OPTIONS: dict[str, Any] = {"retry_total": 3, "raw_response_hook": _looked_at, **TIMEOUTS}


def table(credential: TokenCredential, table_endpoint: str, name: str) -> TableClient:
    """The table by that name; `table_endpoint` is the account's table address, https."""
    return TableClient(table_endpoint, name, credential=credential, **_OPTIONS)
