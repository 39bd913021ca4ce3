"""Automations of Defender for Cloud, and the Logic Apps that they start.

Source: Microsoft.Security/automations 2023-12-01-preview; Microsoft.Logic/workflows/triggers 2019-05-01,
`listCallbackUrl`.
"""

from __future__ import annotations

from typing import Any

from azure.core.credentials import TokenCredential

from shared.adapters.azure.arm import ArmClient
from shared.adapters.azure.errors import reads_azure

AUTOMATIONS_API = "2023-12-01-preview"
LOGIC_API = "2019-05-01"


class ArmAutomations:
    """Automations by resource id."""

    def __init__(self, credential: TokenCredential, *, arm_endpoint: str, trigger: str = "manual") -> None:
        """`trigger` is the name of the Logic App's own trigger."""
        self._arm = ArmClient(credential, arm_endpoint=arm_endpoint)
        self._trigger = trigger

    def find(self, automation_id: str) -> dict[str, Any] | None:
        """The automation; None where there is none."""
        return self._arm.find(automation_id, AUTOMATIONS_API, doing="look for the automation")

    def put(self, automation_id: str, body: dict[str, Any]) -> None:
        """Creates or replaces it."""
        self._arm.put(automation_id, AUTOMATIONS_API, body, doing="write the automation")

    @reads_azure
    def callback_url(self, logic_app_id: str) -> str:
        """The address, with its secret, that starts the Logic App; asked for anew each time, kept nowhere."""
        path = f"{logic_app_id}/triggers/{self._trigger}/listCallbackUrl"
        return str(self._arm.post(path, LOGIC_API, doing="ask for the Logic App's address")["value"])
