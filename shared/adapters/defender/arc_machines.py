"""Arc machines one by one, for whoever deletes them. Source: Microsoft.HybridCompute/machines 2024-07-10."""

from __future__ import annotations

import json
import re

from azure.core.credentials import TokenCredential

from shared.adapters.azure.arm import ArmClient
from shared.adapters.azure.errors import reads_azure
from shared.adapters.resource_graph.swept import machine_of
from shared.domain.sweep.machines import ArcMachine
from shared.errors import PermanentError

API_VERSION = "2024-07-10"
_ID = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourcegroups/[^/?#]+/providers/microsoft\.hybridcompute/machines/[^/?#]+",
    re.IGNORECASE,
)


class ArmMachines:
    """Reads and deletes; nothing else."""

    def __init__(self, credential: TokenCredential, *, arm_endpoint: str) -> None:
        """Speaks with the Resource Manager at `arm_endpoint`."""
        self._arm = ArmClient(credential, arm_endpoint=arm_endpoint)

    @reads_azure
    def find(self, machine_id: str) -> tuple[ArcMachine, bytes] | None:
        """The machine as it is now, and its whole body as JSON."""
        body = self._arm.find(_checked(machine_id), API_VERSION, doing=f"read {machine_id}")
        return None if body is None else (machine_of(body), json.dumps(body, indent=1).encode())

    def delete(self, machine_id: str) -> None:
        """Deletes the resource; the agent on the machine stays."""
        self._arm.delete(_checked(machine_id), API_VERSION, doing=f"delete {machine_id}")


def _checked(machine_id: str) -> str:
    if not _ID.fullmatch(machine_id):
        raise PermanentError(f"not the id of an Arc machine: {machine_id}")
    return machine_id
