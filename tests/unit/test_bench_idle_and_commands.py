"""The bounds of the idle way and of the command line, on journals made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bench.bounds import commands, idle

START = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
APP, ROLE = "rollcall-functions", "rollcall-account-events"
SETTINGS: dict[str, Any] = {
    "accounts": ["012345678901"],
    "function_app": APP,
    "roles": [ROLE],
    "gap_seconds": 1.0,
}
PUT = "/subscriptions/s/securityConnectors/aws-012345678901?api-version=1"


def entry(operation: str, begun: float, ended: float, **fields: Any) -> dict[str, Any]:
    """A request that took from `begun` to `ended`, in seconds after the start."""
    known = {"operation": operation, "service": operation.partition(":")[0], "identity": "", "status": 200, "path": ""}
    times = {"time": (START + timedelta(seconds=ended)).isoformat(), "duration_ms": (ended - begun) * 1000}
    return known | times | fields


def way(*more: dict[str, Any], gap_seconds: float = 1.0) -> dict[str, Any]:
    """An account that took ten seconds, of which ours are 0.5 in a Lambda function and 0.9 in the Function App."""
    journal = [
        entry("organizations:CreateAccount", 0.0, 0.1),
        entry("lambda:Invoke", 2.0, 2.5),
        entry("organizations:DescribeAccount", 2.1, 2.2, identity=f"arn:aws:iam::1:role/{ROLE}"),
        entry("queue:GetMessages", 8.0, 8.1, identity=APP),
        entry("queue:GetMessages", 9.0, 9.1, identity=APP),
        entry("table:GetEntity", 9.3, 9.4, identity=APP),
        entry("arm:PutSecurityConnector", 9.7, 10.0, identity=APP, path=PUT, status=201),
        *more,
    ]
    [found] = idle.bound(SETTINGS | {"gap_seconds": gap_seconds}, iter(journal))["accounts"]
    assert isinstance(found, dict)
    return found


def test_ours_is_the_time_in_which_our_functions_worked() -> None:
    assert way()["elapsed"] == pytest.approx(10.0)
    assert way()["ours"] == pytest.approx(0.5 + 0.9)


def test_answers_to_our_requests_can_be_taken_off_it() -> None:
    assert way()["without_answers"] == pytest.approx(0.5 + 0.9 - 0.1 - 0.1 - 0.3)
    assert way()["requests"] == 3


def test_two_functions_at_work_at_once_count_once() -> None:
    assert way(entry("lambda:Invoke", 2.2, 2.7))["ours"] == pytest.approx(0.7 + 0.9)


def test_a_message_that_waits_for_its_turn_is_not_work() -> None:
    early = entry("table:GetEntity", 5.0, 5.1, identity=APP)
    assert way(early)["ours"] == pytest.approx(0.5 + 0.1 + (10.0 - 9.3))
    assert way(early, gap_seconds=5.0)["ours"] > 5


def test_what_others_do_meanwhile_and_what_comes_after_is_not_ours() -> None:
    others = entry("arm:QueryResources", 4.0, 4.9, identity="operator")
    after = entry("table:UpdateEntity", 10.1, 10.4, identity=APP)
    assert way(others, after) == way()


def test_an_account_without_a_connector_has_no_way() -> None:
    with pytest.raises(LookupError):
        idle.bound(SETTINGS, iter([entry("organizations:CreateAccount", 0.0, 0.1)]))


def counted(made: int, needs: dict[str, dict[str, int]]) -> dict[str, Any]:
    """`made` requests for rows."""
    return commands.bound({"needs": needs}, iter([entry("table:QueryEntities", 0, 1)] * made))


@pytest.mark.parametrize(("items", "fewest"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (50_000, 50)])
def test_a_list_takes_as_many_requests_as_it_has_pages_and_at_least_one(items: int, fewest: int) -> None:
    assert counted(1, {"table:QueryEntities": {"items": items, "page": 1000}})["bound"] == fewest


def test_requests_that_a_command_does_not_need_have_a_bound_of_nothing() -> None:
    found = counted(7, {"blob:GetBlob": {"items": 1, "page": 1}})
    assert (found["calls"], found["bound"]) == (7, 1)
    assert found["operations"]["table:QueryEntities"] == {"calls": 7, "bound": 0}
    assert found["operations"]["blob:GetBlob"] == {"calls": 0, "bound": 1}


def test_an_empty_answer_at_the_end_is_one_more() -> None:
    assert counted(3, {"table:QueryEntities": {"items": 64, "page": 32, "more": 1}})["bound"] == 3
