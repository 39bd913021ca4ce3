"""Many accounts at once: a policy for them, the events that tell of them, and who is connected."""

from __future__ import annotations

import json
import uuid
from typing import Any

import yaml

from sandbox.deployment import ARTEFACT_BUCKET
from sandbox.policy_upload import publish_policy
from tests.e2e.roll import Roll
from tests.fixtures.read import fixture

DEAD_LETTERS = ("AccountEventsDeadLetterQueue", "StackEventsDeadLetterQueue")
ENTRIES = 10  # PutEvents takes no more at once


def connected(roll: Roll) -> set[str]:
    """The accounts that the ledger calls connected."""
    return {record.key.hierarchy_identifier for record in roll.ledger.list_records() if record.state == "connected"}


def publish_two_profiles(roll: Roll, **rest: Any) -> None:
    """Accounts below /Workloads/Production get more than the others, without tags; `rest` are further fields."""
    settings = roll.sandbox.settings
    policy = {
        "version": 1,
        "organization": roll.organization,
        "tenant": settings.tenant_id,
        "target": {
            "subscription": settings.subscription_id,
            "resource_group": settings.resource_group,
            "location": "westeurope",
        },
        "rules": [{"match": {"ou_paths": ["/Workloads/Production"]}, "profile": "recommended"}],
        **rest,
    }
    content = yaml.safe_dump(policy).encode()
    publish_policy(content, roll.sandbox.azure)
    roll.client("s3").put_object(Bucket=ARTEFACT_BUCKET, Key="policy.yaml", Body=content)


def told(account_id: str) -> list[dict[str, Any]]:
    """The two events that AWS sends about one created account, as entries for PutEvents."""
    created = json.loads(fixture("events/create_account_result.succeeded.json"))
    created["detail"]["serviceEventDetails"]["createAccountStatus"]["accountId"] = account_id
    joined = json.loads(fixture("events/account_joined.created.json"))
    joined["detail"]["serviceEventDetails"]["accountId"] = account_id
    for event in (created, joined):
        event["detail"]["eventID"] = str(uuid.uuid4())
    return [
        {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}
        for event in (created, joined)
    ]


def put(roll: Roll, entries: list[dict[str, Any]]) -> None:
    """Puts them on the bus `default`."""
    events = roll.client("events")
    for first in range(0, len(entries), ENTRIES):
        assert events.put_events(Entries=entries[first : first + ENTRIES])["FailedEntryCount"] == 0
