"""The events that AWS Organizations writes to CloudTrail, as EventBridge delivers them.

Source: AWS Organizations user guide, "Logging AWS Organizations API calls with AWS CloudTrail"; the fields of
the membership events are those of the API reference (CreateAccount, RemoveAccountFromOrganization).
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sandbox.aws.active import REGION
from sandbox.aws.events import iso_time

_HIDDEN = "****"  # names and addresses are masked by Organizations itself


def trail_time(moment: datetime) -> str:
    """A time inside a status object, e.g. `May 15, 2023 8:26:54 AM`."""
    moment = moment.astimezone(UTC)
    return f"{moment:%b} {moment.day}, {moment.year} {moment.hour % 12 or 12}:{moment:%M:%S} {moment:%p}"


def _event(detail_type: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {"detail-type": detail_type, "source": "aws.organizations", "resources": [], "detail": detail}


def _detail(account_id: str, name: str, **fields: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "eventTime": iso_time(),
        "eventSource": "organizations.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "requestParameters": None,
        "responseElements": None,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "managementEvent": True,
        "recipientAccountId": account_id,
        "eventCategory": "Management",
    } | fields


def _service_event(account_id: str, name: str, service_details: dict[str, Any]) -> dict[str, Any]:
    detail = _detail(
        account_id,
        name,
        userIdentity={"accountId": account_id, "invokedBy": "AWS Internal"},
        sourceIPAddress="AWS Internal",
        userAgent="AWS Internal",
        eventType="AwsServiceEvent",
        serviceEventDetails=service_details,
    )
    return _event("AWS Service Event via CloudTrail", detail)


def create_account_result(account_id: str, status: dict[str, Any]) -> dict[str, Any]:
    """CreateAccountResult; `status` has id, state, times and either accountId or failureReason."""
    details = {"createAccountStatus": status | {"accountName": _HIDDEN}}
    return _service_event(account_id, "CreateAccountResult", details)


def close_account_result(
    account_id: str, closed_id: str, *, requested: datetime, completed: datetime
) -> dict[str, Any]:
    """CloseAccountResult of an account that was closed."""
    status = {
        "accountId": closed_id,
        "state": "SUCCEEDED",
        "requestedTimestamp": trail_time(requested),
        "completedTimestamp": trail_time(completed),
    }
    return _service_event(account_id, "CloseAccountResult", {"closeAccountStatus": status})


def account_joined(account_id: str, joined_id: str, method: str) -> dict[str, Any]:
    """AccountJoinedOrganization; `method` is CREATED or INVITED."""
    details = {"accountId": joined_id, "joinedMethod": method, "joinedTime": iso_time()}
    return _service_event(account_id, "AccountJoinedOrganization", details)


def account_departed(account_id: str, departed_id: str, method: str) -> dict[str, Any]:
    """AccountDepartedOrganization; `method` is LEFT, REMOVED or CLEANED."""
    details = {"accountId": departed_id, "departureMethod": method, "departureTime": iso_time()}
    return _service_event(account_id, "AccountDepartedOrganization", details)


def api_call(
    account_id: str, name: str, caller_arn: str, parameters: dict[str, Any], response: dict[str, Any] | None
) -> dict[str, Any]:
    """A call of the Organizations API by `caller_arn`."""
    role = ":assumed-role/" in caller_arn or ":role/" in caller_arn
    identity = {
        "type": "AssumedRole" if role else "Root",
        "principalId": account_id,
        "arn": caller_arn,
        "accountId": account_id,
    }
    detail = _detail(
        account_id,
        name,
        userIdentity=identity,
        sourceIPAddress="192.0.2.0",
        userAgent="aws-sdk",
        requestParameters=parameters,
        responseElements=response,
        requestID=str(uuid.uuid4()),
        eventType="AwsApiCall",
    )
    return _event("AWS API Call via CloudTrail", detail)
