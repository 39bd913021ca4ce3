"""Every kind of account event: whom it names, whether it says that the account has left, and what breaks it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.adapters.aws.account_events import read_account_event
from shared.adapters.aws.events import Ignored
from shared.application.account_batch import AccountSignal
from shared.errors import PermanentError
from tests.fixtures.read import ACCOUNT_ID, loaded

STAYING = [
    "account_joined.created",
    "account_joined.invited",
    "close_account",
    "close_account_result.succeeded",
    "create_account_result.succeeded",
    "managed_account.created",
    "managed_account.updated",
    "move_account",
    "onboarding_requested",
    "tag_resource.account",
    "untag_resource.account",
]
LEAVING = {
    "account_departed.left": "it left the organization by itself",
    "account_departed.removed": "it was removed from the organization",
    "account_departed.cleaned": "AWS removed it for good after it was closed",
    "remove_account": "it was removed from the organization",
}
API_CALLS = ["close_account", "move_account", "remove_account", "tag_resource.account", "untag_resource.account"]


def read(name: str, **changes: Any) -> AccountSignal | Ignored:
    """A fixture with changed fields; those of the detail are given as `detail={…}`."""
    event = loaded(f"events/{name}.json")
    detail = event["detail"] | changes.pop("detail", {})
    return read_account_event(json.dumps(event | changes | {"detail": detail}))


def signal(name: str, **changes: Any) -> AccountSignal:
    found = read(name, **changes)
    assert isinstance(found, AccountSignal), found
    return found


@pytest.mark.parametrize("name", STAYING)
def test_an_event_names_its_account(name: str) -> None:
    found = signal(name)
    assert (found.account_id, found.departed) == (ACCOUNT_ID, "")
    assert found.cause.event_id == loaded(f"events/{name}.json")["id"]


@pytest.mark.parametrize(("name", "departed"), LEAVING.items())
def test_a_departure_says_how_the_account_left(name: str, departed: str) -> None:
    found = signal(name)
    assert (found.account_id, found.departed) == (ACCOUNT_ID, departed)


@pytest.mark.parametrize("name", [*STAYING, *LEAVING])
def test_the_detail_type_of_aws_s_events_does_not_matter(name: str) -> None:
    if name == "onboarding_requested":
        assert isinstance(read(name, **{"detail-type": "Another"}), Ignored)
        return
    for detail_type in ("AWS API Call via CloudTrail", "AWS Service Event via CloudTrail", "Something new"):
        assert signal(name, **{"detail-type": detail_type}).account_id == ACCOUNT_ID


def shouted(value: Any) -> Any:
    """The same with every name in capitals."""
    if isinstance(value, dict):
        return {key.upper(): shouted(each) for key, each in value.items()}
    return [shouted(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", [each for each in (*STAYING, *LEAVING) if each != "onboarding_requested"])
def test_names_are_read_in_any_case(name: str) -> None:
    event = loaded(f"events/{name}.json")
    parts = {part: shouted(event["detail"].get(part)) for part in ("serviceEventDetails", "requestParameters")}
    event_name = event["detail"]["eventName"].lower()
    assert signal(name, detail=parts | {"eventName": event_name}) == signal(name)


@pytest.mark.parametrize("state", ["SUCCEEDED", "Succeeded", "succeeded"])
def test_success_is_read_in_any_case(state: str) -> None:
    status = {"closeAccountStatus": {"accountId": ACCOUNT_ID, "state": state}}
    assert signal("close_account_result.succeeded", detail={"serviceEventDetails": status}).account_id == ACCOUNT_ID


@pytest.mark.parametrize(
    "details",
    [
        {"accountId": ACCOUNT_ID},
        {"accountId": ACCOUNT_ID, "departureMethod": None},
        {"accountId": ACCOUNT_ID, "departureMethod": "EVAPORATED"},
    ],
)
def test_an_account_that_left_in_an_unknown_way_has_left(details: dict[str, Any]) -> None:
    assert signal("account_departed.left", detail={"serviceEventDetails": details}).departed == (
        "it left the organization"
    )


@pytest.mark.parametrize("word", ["departureMethod", "departedMethod", "DepartureMethod"])
@pytest.mark.parametrize("method", ["LEFT", "Left", "left"])
def test_both_spellings_of_the_way_of_leaving_are_read(word: str, method: str) -> None:
    details = {"accountId": ACCOUNT_ID, word: method}
    found = signal("account_departed.left", detail={"serviceEventDetails": details})
    assert found.departed == LEAVING["account_departed.left"]


@pytest.mark.parametrize(
    "detail",
    [
        {"serviceEventDetails": {"accountDepartedStatus": {"accountId": ACCOUNT_ID, "departureMethod": "REMOVED"}}},
        {"serviceEventDetails": None, "requestParameters": {"accountId": ACCOUNT_ID, "departureMethod": "REMOVED"}},
        {"serviceEventDetails": None, "accountId": ACCOUNT_ID, "departureMethod": "REMOVED"},
    ],
)
def test_a_membership_event_may_have_its_account_in_several_places(detail: dict[str, Any]) -> None:
    found = signal("account_departed.left", detail=detail)
    assert (found.account_id, found.departed) == (ACCOUNT_ID, LEAVING["account_departed.removed"])


def test_the_account_that_wrote_the_event_is_not_taken_for_the_one_that_it_is_about() -> None:
    with pytest.raises(PermanentError, match="names no account"):
        read("account_departed.left", detail={"serviceEventDetails": {"departureMethod": "LEFT"}})


@pytest.mark.parametrize("name", ["managed_account.created", "managed_account.updated"])
@pytest.mark.parametrize("key", ["createManagedAccountStatus", "updateManagedAccountStatus"])
def test_control_tower_s_status_has_either_name(name: str, key: str) -> None:
    status = {key: {"account": {"accountId": ACCOUNT_ID}, "state": "SUCCEEDED"}}
    assert signal(name, detail={"serviceEventDetails": status}).account_id == ACCOUNT_ID


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("create_account_result.failed", "the account was not created: EMAIL_ALREADY_EXISTS"),
        ("close_account_result.failed", "the account was not closed: CLOSE_ACCOUNT_QUOTA_EXCEEDED"),
        (
            "managed_account.failed",
            f"Control Tower did not finish with the account {ACCOUNT_ID}: its state is FAILED, no reason given",
        ),
        ("move_account.refused", "MoveAccount was refused and changed nothing: AccessDenied"),
    ],
)
def test_what_failed_is_ignored_with_the_reason(name: str, reason: str) -> None:
    assert read(name) == Ignored(reason=reason, failed=True)


@pytest.mark.parametrize("name", API_CALLS)
def test_a_call_that_aws_refused_is_ignored(name: str) -> None:
    found = read(name, detail={"errorCode": "AccessDenied", "requestParameters": None})
    assert isinstance(found, Ignored)
    assert "AccessDenied" in found.reason


@pytest.mark.parametrize("resource", ["ou-ab12-cdefghij", "r-ab12", "p-ab12cdef", "arn:aws:organizations::1:x"])
def test_tags_of_anything_but_an_account_are_ignored(resource: str) -> None:
    found = read("tag_resource.account", detail={"requestParameters": {"resourceId": resource}})
    assert isinstance(found, Ignored)
    assert not found.failed
    assert resource in found.reason


@pytest.mark.parametrize("name", [*STAYING, *LEAVING])
@pytest.mark.parametrize("broken", [None, {}, [], "text", {"accountId": "12"}, {"resourceId": 12}, {"resourceId": ""}])
def test_an_event_without_its_account_is_broken_and_says_what_to_do(name: str, broken: Any) -> None:
    event = loaded(f"events/{name}.json")
    if name == "onboarding_requested":
        event["detail"] = broken if isinstance(broken, dict) else {}
    else:
        event["detail"] |= {"serviceEventDetails": broken, "requestParameters": broken}
    with pytest.raises(PermanentError) as refused:
        read_account_event(json.dumps(event))
    assert refused.value.remedy


@pytest.mark.parametrize("name", [*STAYING, *LEAVING])
def test_the_same_words_from_anybody_else_are_ignored(name: str) -> None:
    found = read(name, source="somebody.else")
    assert isinstance(found, Ignored)
    assert not found.failed


@pytest.mark.parametrize("name", [None, 7, ["MoveAccount"], "CreateOrganizationalUnit"])
def test_an_event_of_no_known_name_is_ignored(name: Any) -> None:
    assert isinstance(read("move_account", detail={"eventName": name}), Ignored)
