"""CreateAccount takes its time: IN_PROGRESS, then SUCCEEDED or FAILED, then the events.

Source: AWS Organizations API reference 2016-11-28, CreateAccount and DescribeCreateAccountStatus.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.organizations import utils
from moto.organizations.exceptions import AWSOrganizationsNotInUseException, OrganizationsClientError
from moto.organizations.models import FakeAccount, OrganizationsBackend, organizations_backends

from sandbox.aws import organization_events as shapes
from sandbox.aws.active import active
from sandbox.aws.events import emit


@dataclass
class CreateAccountRequest:
    """One CreateAccount call and how far it got."""

    id: str
    account_name: str
    email: str
    parameters: dict[str, Any]
    requested: datetime = field(default_factory=lambda: datetime.now(UTC))
    completed: datetime | None = None
    account_id: str | None = None
    failure_reason: str | None = None

    @property
    def state(self) -> str:
        """IN_PROGRESS, SUCCEEDED or FAILED."""
        if self.completed is None:
            return "IN_PROGRESS"
        return "FAILED" if self.failure_reason else "SUCCEEDED"

    def describe(self) -> dict[str, Any]:
        """The API's CreateAccountStatus."""
        status: dict[str, Any] = {
            "Id": self.id,
            "AccountName": self.account_name,
            "State": self.state,
            "RequestedTimestamp": self.requested.timestamp(),
        }
        if self.completed is not None:
            status["CompletedTimestamp"] = self.completed.timestamp()
        if self.account_id is not None:
            status["AccountId"] = self.account_id
        if self.failure_reason is not None:
            status["FailureReason"] = self.failure_reason
        return status

    def describe_in_trail(self) -> dict[str, Any]:
        """The status as CloudTrail writes it."""
        status = {"id": self.id, "state": self.state, "requestedTimestamp": shapes.trail_time(self.requested)}
        if self.completed is not None:
            status["completedTimestamp"] = shapes.trail_time(self.completed)
        if self.account_id is not None:
            status["accountId"] = self.account_id
        if self.failure_reason is not None:
            status["failureReason"] = self.failure_reason
        return status


def add_account(backend: OrganizationsBackend, parameters: dict[str, Any]) -> FakeAccount:
    """A new account directly under the root, with no event."""
    if backend.org is None:
        raise AWSOrganizationsNotInUseException
    account = FakeAccount(backend.org, **parameters)
    backend.accounts.append(account)
    for policy_id in (utils.DEFAULT_SCP_POLICY_ID, utils.DEFAULT_RCP_POLICY_ID):
        backend.attach_policy(PolicyId=policy_id, TargetId=account.id)
    organizations_backends.master_accounts[account.id] = (backend.account_id, backend.partition)
    return account


class AccountCreations:
    """The CreateAccount requests of one sandbox."""

    def __init__(self) -> None:
        self.requests: list[CreateAccountRequest] = []

    def begin(self, backend: OrganizationsBackend, parameters: dict[str, Any]) -> CreateAccountRequest:
        """Accepts a request; it completes after the configured time."""
        if backend.org is None:
            raise AWSOrganizationsNotInUseException
        request = CreateAccountRequest(
            utils.make_random_create_account_status_id(),
            parameters["AccountName"],
            parameters["Email"],
            parameters,
        )
        self.requests.append(request)
        seconds = active().settings.account_creation_seconds
        active().scheduler.after(seconds, lambda: self._complete(backend, request))
        return request

    def _complete(self, backend: OrganizationsBackend, request: CreateAccountRequest) -> None:
        if any(account.email.lower() == request.email.lower() for account in backend.accounts):
            request.failure_reason = "EMAIL_ALREADY_EXISTS"
        else:
            account = add_account(backend, request.parameters)
            request.account_id = account.id
        request.completed = datetime.now(UTC)
        management = backend.account_id
        emit_later(management, shapes.create_account_result(management, request.describe_in_trail()))
        if request.account_id is not None:
            emit_later(management, shapes.account_joined(management, request.account_id, "CREATED"))
            active().stack_sets.account_placed(backend, request.account_id)

    def find(self, request_id: str) -> CreateAccountRequest:
        """The request with this id."""
        for request in self.requests:
            if request.id == request_id:
                return request
        message = "You specified a CreateAccountRequestId that doesn't exist."
        raise OrganizationsClientError("CreateAccountStatusNotFoundException", message)


def emit_later(account_id: str, event: dict[str, Any]) -> None:
    """Puts an event on the account's default bus after CloudTrail's delay."""
    active().scheduler.after(active().settings.event_delay_seconds, lambda: emit(account_id, event))
