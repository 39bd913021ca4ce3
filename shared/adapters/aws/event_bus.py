"""Our own events on the management account's default bus. Source: EventBridge API, PutEvents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from shared.adapters.aws.errors import translated
from shared.adapters.aws.events import ONBOARD_REQUESTED, OWN_SOURCE
from shared.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_events.client import EventBridgeClient


class AwsEventBus:
    """Puts events under our own source; AWS keeps `aws.*` for itself."""

    def __init__(self, events: EventBridgeClient) -> None:
        """Works on the bus `default` of the management account, us-east-1."""
        self._events = events

    def request_onboarding(self, account_id: str) -> str:
        """Asks for an account; returns the event's id."""
        with translated(f"ask for account {account_id}"):
            answer = self._events.put_events(
                Entries=[
                    {
                        "Source": OWN_SOURCE,
                        "DetailType": ONBOARD_REQUESTED,
                        "Detail": json.dumps({"accountId": account_id}),
                    }
                ]
            )
            entry = answer["Entries"][0]
        if "EventId" not in entry:
            raise TransientError(f"EventBridge did not take the request: {entry.get('ErrorMessage', '')}")
        return entry["EventId"]
