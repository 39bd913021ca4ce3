"""Given-up messages of ten kinds, as a queue may hold them: parked, bare and broken."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.azure.directory import FUNCTIONS
from shared.adapters.ledger.parked_bodies import TableParkedBodies
from shared.messages.parked_request import ParkedRequest
from tests.e2e.roll import Identity, Roll, wait_until

STACK_SET = "rollcall-member-roles"
MONTHS_AGO = timedelta(days=60)
READABLE = {
    "security-admin-missing": ("AuthorizationFailed", "Grant Security Admin. Runbook: security-admin-missing."),
    "hierarchy-taken": ("another connector has the account", "Remove the other one. Runbook: hierarchy-taken."),
    "retry-budget-spent": ("tried for 72 hours; last: 503", "Remove the cause and replay the request."),
    "other": ("something else", "Ask somebody."),
}
"""Kind of reason → reason and remedy of a request that was parked."""
KINDS = (*READABLE, "given-up", "plain", "no json", "no object", "a field missing", "half, parked")
"""Four parked requests; one that the host moved; plain text that is a request; and four that are none."""
SENDABLE = frozenset({*READABLE, "given-up", "plain"})


def accounts_with_roles(roll: Roll, count: int) -> list[str]:
    """Accounts of the organization where Defender's roles are in place, and nothing has told of them."""
    ids: list[str] = roll.seed(accounts=[{"name": f"given-up-{number}"} for number in range(count)])["accounts"]
    cloudformation, events = roll.client("cloudformation"), roll.client("events")
    rule = cloudformation.describe_stack_resource(StackName="rollcall", LogicalResourceId="StackEventsRule")
    name = rule["StackResourceDetail"]["PhysicalResourceId"].rpartition("/")[2]
    events.disable_rule(Name=name)
    root = roll.client("organizations").list_roots()["Roots"][0]["Id"]
    operation = cloudformation.create_stack_instances(
        StackSetName=STACK_SET,
        DeploymentTargets={"OrganizationalUnitIds": [root], "Accounts": ids, "AccountFilterType": "INTERSECTION"},
        Regions=["us-east-1"],
        OperationPreferences={
            "MaxConcurrentPercentage": 100,
            "FailureTolerancePercentage": 100,
            "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE",
        },
    )["OperationId"]

    def over() -> bool:
        found = cloudformation.describe_stack_set_operation(StackSetName=STACK_SET, OperationId=operation)
        return str(found["StackSetOperation"]["Status"]) == "SUCCEEDED"

    wait_until(over, "every account has its roles", 120)
    time.sleep(1)  # the last events that nobody receives
    events.enable_rule(Name=name)
    return ids


def request(roll: Roll, account_id: str) -> dict[str, Any]:
    """A request to connect, older than its budget."""
    at = datetime.now(UTC)
    return {
        "schema": "connector-request/1",
        "message_id": str(uuid.uuid5(uuid.NAMESPACE_OID, account_id)),
        "correlation_id": f"account-{account_id}",
        "occurred_at": (at - timedelta(minutes=1)).isoformat(),
        "first_enqueued_at": (at - MONTHS_AGO).isoformat(),
        "attempt": 9,
        "delays": 9,
        "data": {
            "provider": "aws",
            "organization": roll.organization,
            "hierarchy_identifier": account_id,
            "name": f"account {account_id}",
            "action": "connect",
            "status": "deployed",
            "source": "a test",
        },
    }


def text_of(roll: Roll, kind: str, account_id: str) -> str:
    """A message of the poison queue as it lies there."""
    asked = request(roll, account_id)
    body = json.dumps(asked).encode()
    if kind in READABLE:
        reason, remedy = READABLE[kind]
        return encoded(ParkedRequest.of(body, reason=reason, remedy=remedy, at=datetime.now(UTC)).to_json().encode())
    if kind == "plain":
        return body.decode()
    if kind == "a field missing":
        del asked["data"]["organization"]
        body = json.dumps(asked).encode()
    if kind == "half, parked":
        reason, remedy = "not a connector-request/1", "Export it. Runbook: unreadable-message."
        parked = ParkedRequest.of(body[:40], reason=reason, remedy=remedy, at=datetime.now(UTC))
        return encoded(parked.to_json().encode())
    return {"no json": "<neither & nor", "no object": encoded(b"[1]")}.get(kind, encoded(body))


def encoded(body: bytes) -> str:
    """Base64, as the queue has it."""
    return base64.b64encode(body).decode()


def put(roll: Roll, texts: list[str]) -> None:
    """Puts them on the poison queue."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: roll.poison.send_message(text, time_to_live=-1), texts))


def put_apart(roll: Roll, account_id: str) -> str:
    """A parked request whose text is kept apart; the text."""
    body = json.dumps(request(roll, account_id)).encode()
    function_app = Identity(roll.sandbox, FUNCTIONS)
    bodies = TableParkedBodies(function_app, table_endpoint=roll.sandbox.azure.table_url)
    bodies.keep(hashlib.sha256(body).hexdigest(), body)
    parked = ParkedRequest.apart(body, reason="it is large", remedy="Ask somebody.", at=datetime.now(UTC))
    put(roll, [encoded(parked.to_json().encode())])
    return body.decode()
