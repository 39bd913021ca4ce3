"""Our own events on the management account's default bus. Source: EventBridge API, PutEvents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.adapters.aws.errors import reads_aws, translated
from shared.adapters.aws.own_events import ONBOARD_REQUESTED, OWN_SOURCE, RECONCILE_REQUESTED, RECONCILE_SOURCE
from shared.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_events.client import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef


class AwsEventBus:
    """Puts events under our own source; AWS keeps `aws.*` for itself."""

    def __init__(self, events: EventBridgeClient) -> None:
        """Works on the bus `default` of the management account, us-east-1."""
        self._events = events

    def request_onboarding(self, account_id: str) -> str:
        """Asks for an account; returns the event's id."""
        return self._put([_onboarding(account_id)], f"ask for account {account_id}")[0]

    def request_accounts(self, account_ids: Sequence[str]) -> None:
        """Asks for up to ten accounts, each in an event of its own. All of them, or an error: then ask again."""
        self._put([_onboarding(each) for each in account_ids], f"ask for {len(account_ids)} account(s)")

    def request_part(self, run: str, after: str) -> None:
        """Asks for the part of a run that begins after that account id."""
        detail = json.dumps({"run": run, "after": after})
        entry = _entry(RECONCILE_SOURCE, RECONCILE_REQUESTED, detail)
        self._put([entry], f"ask for the next part of run {run}")

    @reads_aws
    def _put(self, entries: list[PutEventsRequestEntryTypeDef], doing: str) -> list[str]:
        """The ids of the events; EventBridge may take some and leave others."""
        with translated(doing):
            answers = self._events.put_events(Entries=entries)["Entries"]
        left = [answer.get("ErrorMessage", "") for answer in answers if "EventId" not in answer]
        if left or len(answers) < len(entries):
            raise TransientError(f"EventBridge did not take every request: {'; '.join(left)}".rstrip(": "))
        return [answer["EventId"] for answer in answers]


def _onboarding(account_id: str) -> PutEventsRequestEntryTypeDef:
    return _entry(OWN_SOURCE, ONBOARD_REQUESTED, json.dumps({"accountId": account_id}))


def _entry(source: str, kind: str, detail: str) -> PutEventsRequestEntryTypeDef:
    return {"Source": source, "DetailType": kind, "Detail": detail}
