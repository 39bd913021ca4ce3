"""How long one request to Azure may take; the SDKs' own 300 s would outlast a claim on an account.

Source: azure-core 1.41.0 `ConnectionConfiguration`.
"""

from __future__ import annotations

from typing import Any

TIMEOUTS: dict[str, Any] = {"connection_timeout": 10.0, "read_timeout": 30.0}
"""Seconds, as keyword arguments of azure-core's clients; a request that takes longer by design says so itself."""
