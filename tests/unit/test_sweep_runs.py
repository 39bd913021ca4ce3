"""How a sweep goes: every one comes to its end, whatever is repeated, lost, killed or cannot be looked at."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from shared.application.plan_sweep import ask_for_sweep
from shared.application.sweep_ports import Document
from shared.application.sweep_slice import sweep_slice
from shared.application.sweep_store import SweepStore, find_latest
from shared.domain.policy import Policy
from shared.domain.sweep.kinds import SWEEP_KINDS
from shared.domain.sweep.report import Standing
from shared.domain.sweeps import Sweep
from shared.errors import TransientError
from tests.fakes.clock import NOON
from tests.fakes.sweep import SweepWorld
from tests.fakes.sweep_machines import machine
from tests.fixtures.read import account
from tests.unit.test_sweep import IDS, OLD, found, world

__all__ = ["world"]


def test_a_finding_keeps_its_identity_from_day_to_day(world: SweepWorld) -> None:
    connector = world.tenant.connectors[0]
    world.tenant.connectors.remove(connector)
    first = world.sweep()
    world.clock.advance(86_000)
    second = world.sweep()
    world.tenant.connectors.append(connector)
    world.clock.advance(86_000)
    third = world.sweep()
    world.clock.advance(86_000)
    fourth = world.sweep()
    assert first is not None
    assert second is not None
    assert third is not None
    assert fourth is not None
    [one], [two], [three] = first.findings, second.findings, third.findings
    assert (one.standing, two.standing, three.standing) == (Standing.NEW, Standing.STILL, Standing.RESOLVED)
    assert one.finding.identity == two.finding.identity == three.finding.identity
    assert one.first_seen == two.first_seen == three.first_seen == NOON
    assert two.last_seen == three.last_seen > NOON
    assert fourth.findings == ()


def test_a_slice_that_fails_for_good_ends_as_a_gap(world: SweepWorld) -> None:
    world.tenant.connectors.pop(0)
    first = found(world.sweep())
    world.tenant.failures.plan("connectors_of", *[TransientError("busy")] * 5)
    report = world.sweep()
    assert report is not None
    assert {gap.account for gap in report.gaps} == set(IDS)
    assert found(report, Standing.UNSEEN) == first
    assert world.sweep() is not None


def test_a_slice_is_tried_again(world: SweepWorld) -> None:
    world.health.failures.plan("reports_of", *[TransientError("busy")] * 3)
    report = world.sweep()
    assert report is not None
    assert report.complete


def test_everything_twice_and_out_of_order_is_one_report(world: SweepWorld) -> None:
    world.tenant.connectors.pop(0)
    world.sweep()
    world.sender.sent.clear()
    message = ask_for_sweep(world.queue, world.clock)
    sweep_slice(message, world.ports)
    sweep_slice(message, world.ports)  # the planning again
    messages = [each for each in world.queue.messages if each.slice]
    reports = [sweep_slice(each, world.ports) for each in reversed(messages * 2)]
    made = {each.run for each in reports if each is not None}
    assert made == {message.run}
    latest, _ = find_latest(world.documents)
    assert latest is not None
    assert found(latest, Standing.STILL) == Counter([("connector-missing", IDS[0])])
    assert SweepStore(world.documents, message.run).find_report() == latest
    assert len(world.sender.requests) == 1


@pytest.mark.parametrize("nth", range(1, 12))
def test_a_crash_at_any_write_loses_and_doubles_nothing(world: SweepWorld, nth: int) -> None:
    """The process dies before the nth write of a document; the queue gives its message out again."""
    world.tenant.connectors.pop(0)
    world.documents.failures.plan("put", *[None] * (nth - 1), TransientError("killed"))
    report = world.sweep()
    assert report is not None
    assert found(report) == Counter([("connector-missing", IDS[0])])
    assert found(world.sweep(), Standing.STILL) == found(report)


def test_old_runs_are_forgotten(world: SweepWorld) -> None:
    world.sweep()
    first = set(world.documents.kept)
    world.clock.advance(91 * 86_400)
    world.sweep()
    assert not (first - {"latest.json"}) & set(world.documents.kept)


def peak_of_a_slice(policy: Policy, accounts: int) -> int:
    """The most that the second slice of so many accounts takes at once, in bytes."""
    world = SweepWorld(policy)
    for number in range(accounts):
        world.add(account(f"{number:012d}", joined_at=OLD))
    sweep_slice(ask_for_sweep(world.queue, world.clock), world.ports)
    [second] = [each for each in world.queue.messages if each.slice == 2]
    tracemalloc.start()
    try:
        sweep_slice(second, world.ports)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_memory_of_a_slice_does_not_depend_on_how_many_there_are(policy: Policy) -> None:
    assert peak_of_a_slice(policy, 2000) < 1.5 * peak_of_a_slice(policy, 200)


def test_a_slice_that_is_killed_every_time_ends_as_a_gap(world: SweepWorld) -> None:
    """A kill leaves no error: the fifth try does no more of the work."""
    killed = ask_for_sweep(world.queue, world.clock)
    sweep_slice(killed, world.ports)
    [message, needs] = [each for each in world.queue.messages if each.slice]
    world.queue.messages.clear()
    sweep_slice(needs, world.ports)

    def kill(_: Sequence[str]) -> Any:
        raise ZeroDivisionError

    world.tenant.connectors_of = kill  # type: ignore[method-assign, assignment]
    for _ in range(4):
        with pytest.raises(ZeroDivisionError):
            sweep_slice(message, world.ports)
    report = sweep_slice(message, world.ports, tries_left=0)
    assert report is not None
    assert {gap.account for gap in report.gaps} == set(IDS)
    assert "slice 1 was given up" in report.gaps[0].reason


def test_a_slice_whose_document_cannot_be_read_ends_as_a_gap(world: SweepWorld) -> None:
    message = ask_for_sweep(world.queue, world.clock)
    sweep_slice(message, world.ports)
    [slice_message, needs] = [each for each in world.queue.messages if each.slice]
    sweep_slice(needs, world.ports)
    [name] = [each for each in world.documents.kept if "/slices/" in each and each.endswith("/1.json")]
    world.documents.kept[name] = Document(content=b"{", version="9")
    with pytest.raises(ValueError, match="JSON"):
        sweep_slice(slice_message, world.ports)
    report = sweep_slice(slice_message, world.ports, tries_left=0)
    assert report is not None
    assert not report.complete


def test_what_is_told_before_it_is_the_newest_is_told_again_after_a_crash(world: SweepWorld) -> None:
    put, record = world.documents.put, world.log.record
    told: list[Sweep] = []

    def killed(name: str, content: bytes, *, over: str | None = None) -> bool:
        if name == "latest.json" and len(told) == 1:
            raise TransientError("killed")
        return put(name, content, over=over)

    def counted(sweep: Sweep) -> None:
        told.append(sweep)
        record(sweep)

    world.documents.put, world.log.record = killed, counted  # type: ignore[method-assign]
    assert world.sweep() is not None
    assert len(told) == 2


def test_each_kind_has_its_figures_in_the_log_even_where_there_are_none(
    world: SweepWorld, caplog: pytest.LogCaptureFixture
) -> None:
    lost = world.tenant.connectors.pop()
    with caplog.at_level("INFO"):
        world.sweep()
        world.tenant.connectors.append(lost)
        world.sweep()
    lines = [vars(record) for record in caplog.records if record.message == "sweep_findings"]
    assert [line["key"] for line in lines] == [kind.key for kind in SWEEP_KINDS] * 2
    of_missing = [line for line in lines if line["key"] == "connector-missing"]
    assert [(line["new"], line["still"], line["resolved"]) for line in of_missing] == [(1, 0, 0), (0, 0, 1)]
    assert not any(line[each] for line in lines if line["key"] == "machine-orphaned" for each in Standing)


def test_a_slice_asks_accounts_for_as_long_as_it_has_time(world: SweepWorld) -> None:
    machines = [machine(f"m{number}", accountid=IDS[number]) for number in range(5)]
    world.tenant.everything = {each.machine_id: each for each in machines}
    states_of = world.instances.states_of

    def slow(account_id: str, instance_ids: Sequence[str], regions: Sequence[str] = ()) -> Any:
        world.clock.advance(100)
        return states_of(account_id, instance_ids, regions)

    world.instances.states_of = slow  # type: ignore[method-assign]
    report = world.sweep()
    assert report is not None
    assert world.instances.asked == IDS[:3]
    assert [gap.account for gap in report.gaps] == IDS[3:5]
