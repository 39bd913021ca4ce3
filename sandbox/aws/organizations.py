"""AWS Organizations as it behaves: slow account creation, events, paths, and no answers to members.

Source: AWS Organizations API reference 2016-11-28.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from moto.organizations.exceptions import AWSOrganizationsNotInUseException, OrganizationsClientError
from moto.organizations.models import (
    FakeAccount,
    FakeOrganizationalUnit,
    OrganizationsBackend,
    organizations_backends,
)
from moto.organizations.responses import OrganizationsResponse

from sandbox.aws import organization_events as shapes
from sandbox.aws.account_creation import emit_later
from sandbox.aws.active import PARTITION, active
from sandbox.aws.callers import caller_of
from sandbox.aws.patching import Patch

_moto_describe_account = FakeAccount.describe
_moto_describe_unit = FakeOrganizationalUnit.describe
_moto_move_account = OrganizationsResponse.move_account
_moto_remove_account = OrganizationsResponse.remove_account_from_organization

_moto_tag_resource = OrganizationsResponse.tag_resource
_moto_untag_resource = OrganizationsResponse.untag_resource

_Listed = TypeVar("_Listed")
_MOST_PER_PAGE = 20
# Everything but DescribeOrganization, which members may call.
_MANAGEMENT_ONLY = (
    "describe_account",
    "describe_organizational_unit",
    "list_children",
    "list_parents",
    "list_roots",
    "list_tags_for_resource",
)


def unit_path(backend: OrganizationsBackend, parent_id: str | None) -> str:
    """The path from the organization to a parent: `o-…/r-…/ou-…/`."""
    units = {unit.id: unit for unit in backend.ou}
    parts: list[str] = []
    while parent_id in units:
        parts.insert(0, parent_id)
        parent_id = units[parent_id].parent_id
    return "/".join([backend.org.id if backend.org else "", *parts, ""])


def _describe_account(self: FakeAccount) -> dict[str, Any]:
    backend = organizations_backends[self.master_account_id][PARTITION]
    path = f"{unit_path(backend, self.parent_id)}{self.id}/"
    return _moto_describe_account(self) | {"Paths": [path]}


def _describe_unit(self: FakeOrganizationalUnit) -> dict[str, dict[str, Any]]:
    backend = organizations_backends[self.master_account_id][PARTITION]
    described = _moto_describe_unit(self)
    return {"OrganizationalUnit": described["OrganizationalUnit"] | {"Path": unit_path(backend, self.id)}}


def _emit_call(
    response: OrganizationsResponse, name: str, parameters: dict[str, Any], answer: dict[str, Any] | None = None
) -> None:
    management = response.organizations_backend.account_id
    caller = caller_of(response.get_access_key())
    emit_later(management, shapes.api_call(management, name, caller.arn, parameters, answer))


def _refuse_members(response: OrganizationsResponse) -> None:
    if response.organizations_backend.org is not None:
        return
    account_id = response.current_account
    if account_id not in organizations_backends.master_accounts:
        raise AWSOrganizationsNotInUseException
    message = "You don't have permissions to access this resource."
    raise OrganizationsClientError("AccessDeniedException", message)


def _create_account(self: OrganizationsResponse) -> str:
    _refuse_members(self)
    request = active().account_creations.begin(self.organizations_backend, self.request_params)
    masked = {"tags": [], "email": "****", "accountName": "****"}
    status = request.describe_in_trail() | {"accountName": "****"}
    _emit_call(self, "CreateAccount", masked, {"createAccountStatus": status})
    return json.dumps({"CreateAccountStatus": request.describe()})


def _describe_create_account_status(self: OrganizationsResponse) -> str:
    request = active().account_creations.find(self._get_param("CreateAccountRequestId"))
    return json.dumps({"CreateAccountStatus": request.describe()})


def _list_create_account_status(self: OrganizationsResponse) -> str:
    states = self._get_param("States") or ["IN_PROGRESS", "SUCCEEDED", "FAILED"]
    requests = active().account_creations.requests
    found = [request.describe() for request in requests if request.state in states]
    start = int(self._get_param("NextToken") or 0)
    end = start + int(self._get_param("MaxResults") or 20)
    more = {"NextToken": str(end)} if end < len(found) else {}
    return json.dumps({"CreateAccountStatuses": found[start:end]} | more)


def _close_account(self: OrganizationsResponse) -> str:
    _refuse_members(self)
    backend = self.organizations_backend
    account = backend.get_account_by_id(self._get_param("AccountId"))
    if account.state != "ACTIVE":
        message = "The provided account is already closed."
        raise OrganizationsClientError("AccountAlreadyClosedException", message)
    account.state = account.status = "PENDING_CLOSURE"
    _emit_call(self, "CloseAccount", {"accountId": account.id})
    requested = datetime.now(UTC)

    def close() -> None:
        account.state = account.status = "SUSPENDED"
        event = shapes.close_account_result(
            backend.account_id, account.id, requested=requested, completed=datetime.now(UTC)
        )
        emit_later(backend.account_id, event)

    active().scheduler.after(active().settings.event_delay_seconds, close)
    return "{}"


def _move_account(self: OrganizationsResponse) -> str:
    _refuse_members(self)
    backend = self.organizations_backend
    parameters = self.request_params
    account = backend.get_account_by_id(parameters["AccountId"])
    units = {unit.id for unit in backend.ou}
    if parameters["DestinationParentId"] not in units:
        message = "We can't find the destination container (a root or OU) that you specified."
        raise OrganizationsClientError("DestinationParentNotFoundException", message)
    if parameters["SourceParentId"] != account.parent_id:
        message = "We can't find a source root or OU with the ParentId that you specified."
        raise OrganizationsClientError("SourceParentNotFoundException", message)
    if parameters["DestinationParentId"] == account.parent_id:
        message = "That account is already present in the specified destination."
        raise OrganizationsClientError("DuplicateAccountException", message)
    answer = _moto_move_account(self)
    trail = {key[0].lower() + key[1:]: value for key, value in parameters.items()}
    _emit_call(self, "MoveAccount", trail)
    active().stack_sets.account_placed(backend, account.id)
    return answer


def _remove_account(self: OrganizationsResponse) -> str:
    _refuse_members(self)
    removed = self._get_param("AccountId")
    management = self.organizations_backend.account_id
    answer = _moto_remove_account(self)
    _emit_call(self, "RemoveAccountFromOrganization", {"accountId": removed})
    emit_later(management, shapes.account_departed(management, removed, "REMOVED"))
    return answer


def _leave_organization(self: OrganizationsResponse) -> str:
    """A member goes by itself. Its own trail has the call, which nobody in the management account sees."""
    leaving = self.current_account
    management, _ = organizations_backends.master_accounts.get(leaving, ("", ""))
    if not management:
        if self.organizations_backend.org is None:
            raise AWSOrganizationsNotInUseException
        message = "You can't remove the management account from the organization."
        raise OrganizationsClientError("MasterCannotLeaveOrganizationException", message)
    organizations_backends[management][PARTITION].remove_account_from_organization(AccountId=leaving)
    emit_later(leaving, shapes.api_call(leaving, "LeaveOrganization", caller_of(self.get_access_key()).arn, {}, None))
    emit_later(management, shapes.account_departed(management, leaving, "LEFT"))
    return "{}"


def _tag_resource(self: OrganizationsResponse) -> str:
    _refuse_members(self)
    answer = _moto_tag_resource(self)
    tags = [{"key": tag["Key"], "value": tag["Value"]} for tag in self._get_param("Tags")]
    _emit_call(self, "TagResource", {"resourceId": self._get_param("ResourceId"), "tags": tags})
    return answer


def _untag_resource(self: OrganizationsResponse) -> str:
    _refuse_members(self)
    answer = _moto_untag_resource(self)
    parameters = {"resourceId": self._get_param("ResourceId"), "tagKeys": list(self._get_param("TagKeys"))}
    _emit_call(self, "UntagResource", parameters)
    return answer


def _page(
    response: OrganizationsResponse, key: str, found: Sequence[_Listed], describe: Callable[[_Listed], dict[str, Any]]
) -> str:
    """One page of a list: 20 entries at most, as AWS has it, where moto gives as many as are asked for."""
    size, token = int(response._get_param("MaxResults") or _MOST_PER_PAGE), response._get_param("NextToken")
    start = _token_position(token)
    if not 1 <= size <= _MOST_PER_PAGE or start is None or start > len(found):
        raise OrganizationsClientError("InvalidInputException", "You specified an invalid value.")
    more = {"NextToken": base64.b64encode(str(start + size).encode()).decode()} if start + size < len(found) else {}
    return json.dumps({key: [describe(each) for each in found[start : start + size]]} | more)


def _token_position(token: str | None) -> int | None:
    try:
        return int(base64.b64decode(token, validate=True)) if token else 0
    except ValueError:
        return None


def _list_accounts(self: OrganizationsResponse) -> str:
    _refuse_members(self)
    return _page(self, "Accounts", self.organizations_backend.accounts, FakeAccount.describe)


def _list_accounts_for_parent(self: OrganizationsResponse) -> str:
    _refuse_members(self)
    backend = self.organizations_backend
    parent = backend.validate_parent_id(self._get_param("ParentId"))
    inside = [each for each in backend.accounts if each.parent_id == parent]
    return _page(self, "Accounts", inside, FakeAccount.describe)


def _list_units_for_parent(self: OrganizationsResponse) -> str:
    _refuse_members(self)
    backend = self.organizations_backend
    parent = backend.validate_parent_id(self._get_param("ParentId"))
    units = [unit for unit in backend.ou if unit.parent_id == parent]
    return _page(self, "OrganizationalUnits", units, lambda unit: unit.describe()["OrganizationalUnit"])


def _for_management(name: str) -> Patch:
    original: Callable[[OrganizationsResponse], str] = getattr(OrganizationsResponse, name)

    def guarded(self: OrganizationsResponse) -> str:
        _refuse_members(self)
        return original(self)

    return Patch(OrganizationsResponse, name, guarded)


_guards = [_for_management(name) for name in _MANAGEMENT_ONLY]


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    yield Patch(FakeAccount, "describe", _describe_account)
    yield Patch(FakeOrganizationalUnit, "describe", _describe_unit)
    yield Patch(OrganizationsResponse, "create_account", _create_account)
    yield Patch(OrganizationsResponse, "describe_create_account_status", _describe_create_account_status)
    yield Patch(OrganizationsResponse, "list_create_account_status", _list_create_account_status)
    yield Patch(OrganizationsResponse, "close_account", _close_account)
    yield Patch(OrganizationsResponse, "move_account", _move_account)
    yield Patch(OrganizationsResponse, "remove_account_from_organization", _remove_account)
    yield Patch(OrganizationsResponse, "leave_organization", _leave_organization)
    yield Patch(OrganizationsResponse, "tag_resource", _tag_resource)
    yield Patch(OrganizationsResponse, "untag_resource", _untag_resource)
    yield Patch(OrganizationsResponse, "list_accounts", _list_accounts)
    yield Patch(OrganizationsResponse, "list_accounts_for_parent", _list_accounts_for_parent)
    yield Patch(OrganizationsResponse, "list_organizational_units_for_parent", _list_units_for_parent)
    yield from _guards
