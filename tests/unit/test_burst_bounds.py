"""The bounds of bursts, from tiny journals made by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from bench.bounds import burst as burst_bound
from bench.bounds import naive as naive_bound
from bench.bursts import Burst, Plan
from bench.measures.burst import AFTERWARDS, LARGE, MAIN, ONE, THREE, result_of
from bench.measures.naive import SMALL
from bench.measures.naive import result_of as side_by_side
from bench.processor import FUNCTIONS, LAMBDAS, SIMULATORS
from bench.result import Result

FIRST, SECOND = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
SETTINGS: dict[str, Any] = {
    "writes_size": 2,
    "writes_per_second": 0.5,
    "stack_instance_seconds": 30.0,
    "profiles": {f"{number:012d}": ("basic" if number < 3 else "full") for number in range(6)},
}


def line(second: float, operation: str, status: int = 200, **more: Any) -> dict[str, Any]:
    moment = f"2026-11-26T12:{int(second) // 60:02d}:{second % 60:09.6f}+00:00"
    service = operation.partition(":")[0]
    blank = {
        "service": service,
        "operation": operation,
        "path": "/",
        "status": status,
        "duration_ms": 0.0,
        "detail": {},
    }
    return blank | {"time": moment} | more


def write(second: float, number: int, status: int = 201, subscription: str = FIRST) -> dict[str, Any]:
    path = (
        f"/subscriptions/{subscription}/resourceGroups/g/providers/Microsoft.Security/securityConnectors/aws-{number}"
    )
    return line(second, "arm:PutSecurityConnector", status, path=path)


def operation(second: float, *numbers: int, status: int = 200) -> dict[str, Any]:
    accounts = [f"{number:012d}" for number in numbers]
    return line(second, "cloudformation:CreateStackInstances", status, detail={"accounts": accounts})


def told(second: float, duration_ms: float = 0.0) -> dict[str, Any]:
    return line(second, "events:PutEvents", duration_ms=duration_ms)


def burst_of(*lines: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return burst_bound.bound(SETTINGS | settings, iter(lines))


SIX = (told(1.0, 1000.0), told(2.0), *(write(40 + number, number) for number in range(6)))


def test_the_bound_is_one_instance_and_what_the_bucket_has_to_regain() -> None:
    found = burst_of(*SIX)
    assert found["bound_seconds"] == 30 + (6 - 2) / 0.5
    assert found["seconds"] == 45.0  # from the moment at which the first event was sent
    assert (found["accepted"], found["puts"], found["throttled"]) == (6, 6, 0)


def test_a_burst_that_fits_into_the_bucket_waits_for_its_instance_only() -> None:
    assert burst_of(*SIX, writes_size=6)["bound_seconds"] == 30
    assert burst_of(*SIX, writes_size=60)["bound_seconds"] == 30


def test_each_subscription_has_a_bucket_and_the_fullest_one_counts() -> None:
    halves = [write(40 + number, number, subscription=FIRST if number < 4 else SECOND) for number in range(7)]
    found = burst_of(told(0), *halves)
    assert found["bound_seconds"] == 30 + (4 - 2) / 0.5
    assert found["accepted_by_subscription"] == {FIRST: 4, SECOND: 3}
    assert found["paced_writes"] == 2 + 1


def test_what_was_refused_is_counted_and_takes_nothing_from_the_bound() -> None:
    found = burst_of(*SIX, write(50, 5, status=429), write(60, 5, status=500))
    assert (found["puts"], found["throttled"], found["accepted"]) == (8, 1, 6)
    assert (found["seconds"], found["bound_seconds"]) == (45.0, 38.0)


def test_a_connector_that_is_written_again_takes_time_and_gives_no_bound() -> None:
    found = burst_of(*SIX, write(60, 5), write(70, 4))
    assert (found["accepted"], found["seconds"], found["bound_seconds"]) == (8, 70.0, 38.0)


def test_operations_are_counted_by_profile_and_refused_ones_apart() -> None:
    found = burst_of(*SIX, operation(3, 0, 1, 2), operation(4, 3, 4), operation(5, 4, 5), operation(6, 5, status=409))
    assert found["operations"] == {"basic": 1, "full": 2}
    assert (found["targets"], found["accounts_deployed"], found["refused"]) == (7, 6, 1)


def test_functions_that_failed_are_counted_whether_whole_or_in_part() -> None:
    calls = [{"failures": 0}, {"failures": 2}, {"failures": 0, "error": "x"}]
    lines = [line(5, "lambda:Invoke", detail=each, duration_ms=2500.0) for each in calls]
    found = burst_of(*SIX, *lines)
    assert (found["invocations"], found["failed_invocations"], found["longest_invocation_seconds"]) == (3, 2, 2.5)


@pytest.mark.parametrize("lines", [SIX[:2], SIX[2:], (told(0), write(1, 1, status=429))])
def test_a_journal_that_shows_no_burst_has_no_bound(lines: Iterable[dict[str, Any]]) -> None:
    with pytest.raises(SystemExit):
        burst_of(*lines)


def test_the_naive_way_is_timed_from_its_first_operation_to_its_last_connector() -> None:
    lines = [
        operation(10, 0),
        operation(11, 1, status=409),
        line(12, "cloudformation:DescribeStackSetOperation"),
        line(13, "arm:GetSecurityConnector", 404),
        write(14, 0),
        operation(20, 1),
        write(30, 1, status=429),
        write(31, 1),
        line(50, "arm:GetSecurityConnector"),
    ]
    found = naive_bound.bound({}, iter(lines))
    assert found["seconds"] == 21.0
    assert (found["operations"], found["refused"], found["stack_set_calls"]) == (2, 1, 4)
    assert (found["puts"], found["throttled"], found["accepted"], found["manager_calls"]) == (3, 1, 2, 5)


BURST = Burst(
    plan=Plan(name=MAIN, accounts=1000, slower=2.0),
    found={
        "seconds": 200.0,
        "bound_seconds": 190.0,
        "writing_seconds": 100.0,
        "paced_writes": 500,
        "puts": 1005,
        "throttled": 5,
        "operations": {"basic": 10, "full": 12},
        "invocations": 100,
        "longest_invocation_seconds": 1.0,
    },
    processor={FUNCTIONS: 30.0, LAMBDAS: 10.0, SIMULATORS: 99.0},
    requests={"queue": 4000},
    connected=1000,
    dead_letters=0,
    hosts_at_work=2,
)


def unmet(result: Result) -> set[str]:
    return {target.what for target in result.targets if not target.is_met}


def with_found(burst: Burst, **found: Any) -> Burst:
    return replace(burst, found={**burst.found, **found})


def test_a_good_burst_meets_every_target_and_a_spoilt_one_misses_its_own() -> None:
    assert unmet(result_of([BURST])) == set()
    spoilt = {
        "bound ÷ time": with_found(BURST, seconds=212.0),
        "429": with_found(BURST, throttled=11),
        "accounts lost": replace(BURST, connected=999),
        "StackSet operations": with_found(BURST, operations={"basic": 16}),
    }
    for what, burst in spoilt.items():
        assert unmet(result_of([burst])) == {f"{MAIN}: {what}"}
    assert unmet(result_of([replace(BURST, dead_letters=1)])) == {f"{MAIN}: accounts lost"}


def test_growth_and_further_subscriptions_have_targets_of_their_own() -> None:
    processor = {name: 10 * seconds for name, seconds in BURST.processor.items()}
    large = replace(BURST, plan=replace(BURST.plan, name=LARGE, accounts=10_000), processor=processor, connected=10_000)
    large = with_found(large, operations={"basic": 100, "full": 101}, puts=10_000)
    assert unmet(result_of([BURST, large])) == set()
    slow = replace(large, processor={FUNCTIONS: 450.0})
    assert unmet(result_of([BURST, slow])) == {f"{LARGE} against {MAIN}: our CPU per account"}
    afterwards = replace(BURST, plan=replace(BURST.plan, name=AFTERWARDS), processor={FUNCTIONS: 60.0})
    assert unmet(result_of([BURST, slow, afterwards])) == set()
    one = replace(BURST, plan=replace(BURST.plan, name=ONE))
    three = with_found(replace(BURST, plan=replace(BURST.plan, name=THREE)), paced_writes=1500)
    assert unmet(result_of([one, three])) == set()
    assert unmet(result_of([one, with_found(three, writing_seconds=120.0)])) == {"three subscriptions: speed, paced"}


def test_a_plan_sets_pacing_as_a_user_would_and_slows_the_clouds_alone() -> None:
    settings = Plan(name="x", accounts=1, slower=2.0, hosts=4).settings()
    assert (settings["pacing_writes_per_second"], settings["pacing_burst"]) == (5.0, 180)
    assert (settings["stack_instance_seconds"], settings["sqs_batch_window_scale"]) == (60.0, 2.0)


OURS = {
    "seconds": 10.0,
    "operations": {"basic": 1, "full": 1},
    "refused": 0,
    "stack_set_calls": 20,
    "manager_calls": 40,
}
OURS |= {"puts": 20, "throttled": 0, "accepted": 20}
THEIRS = OURS | {"seconds": 40.0, "operations": 20, "refused": 99}


def test_the_naive_way_is_set_beside_ours_and_extrapolated_by_name_only() -> None:
    result = side_by_side(SMALL, OURS, THEIRS)
    [table] = result.tables
    assert [row[:4] for row in table.rows] == [("Rollcall", 10.0, 2, 0), ("naive", 40.0, 20, 99)]
    assert unmet(result) == set()
    [note] = result.notes
    assert note.startswith("Extrapolated, not measured: ")
    assert "needs 40 s per account" in note  # 40 s for 20 accounts, twenty times as fast as real
    assert unmet(side_by_side(SMALL, OURS, THEIRS | {"seconds": 19.0})) == {"naive ÷ Rollcall, time"}
    many = OURS | {"operations": {"basic": 20}}
    assert unmet(side_by_side(SMALL, many, THEIRS)) == {"Rollcall: StackSet operations"}
