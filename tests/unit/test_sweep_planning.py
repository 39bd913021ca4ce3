"""A sweep is planned once, by one planner, and what never came to its end is told."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.application.plan_sweep import ask_for_sweep, plan_sweep
from shared.application.sweep_ports import Document
from shared.application.sweep_slice import sweep_slice
from shared.application.sweep_store import SweepStore, find_latest
from shared.domain.policy import Policy
from shared.domain.sweep.report import Standing, SweepReport
from shared.errors import ConfigurationError, TransientError
from tests.fakes.sweep import SweepWorld
from tests.fakes.sweep_machines import machine
from tests.fixtures.read import account
from tests.unit.test_sweep import IDS, OLD, found, world

__all__ = ["world"]


def whole(world: SweepWorld) -> SweepReport:
    """A sweep that comes to its end."""
    report = world.sweep()
    assert report is not None
    return report


@pytest.mark.parametrize(
    ("what", "method"),
    [
        ("listing", "list_accounts"),
        ("tenant", "list_connectors"),
        ("tenant", "list_machines"),
        ("stacks", "list_states"),
    ],
)
def test_what_cannot_be_listed_makes_the_sweep_incomplete_and_resolves_nothing(
    world: SweepWorld, what: str, method: str
) -> None:
    world.tenant.connectors.pop(0)
    del world.stacks.states[IDS[1]]
    first = found(world.sweep())
    getattr(world, what).failures.plan(method, ConfigurationError("denied", setting="the role"))
    report = world.sweep()
    assert report is not None
    assert not report.complete
    assert ("sweep-incomplete", "") in found(report)
    assert found(report, Standing.RESOLVED) == Counter()
    assert found(report, Standing.UNSEEN, Standing.STILL) == first
    assert world.log.last is not None
    assert world.log.last.failed == 1


def test_accounts_stack_instances_and_machines_are_listed_side_by_side(
    world: SweepWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(3)

    def beside(listing: Callable[[], Any]) -> Callable[[], Any]:
        def listed() -> Any:
            together.wait(10)  # which ends with an error where one listing waits for another
            return listing()

        return listed

    monkeypatch.setattr(world.listing, "list_accounts", beside(world.listing.list_accounts))
    monkeypatch.setattr(world.stacks, "list_states", beside(world.stacks.list_states))
    monkeypatch.setattr(world.tenant, "list_machines", beside(world.tenant.list_machines))
    assert whole(world).complete


def test_slices_of_machines_are_sent_before_those_of_accounts(world: SweepWorld) -> None:
    world.tenant.everything = {each.machine_id: each for each in (machine("one"), machine("two"))}
    message = ask_for_sweep(world.queue, world.clock)
    sweep_slice(message, world.ports)
    store = SweepStore(world.documents, message.run)
    facts = store.find_facts()
    assert facts is not None
    parts = [store.find_slice(each.slice, facts.plan) for each in world.queue.messages if each.slice]
    assert len(parts) == facts.slices
    kinds = ["machines" if part.machines else "accounts" for part in parts if part and (part.machines or part.accounts)]
    assert kinds == sorted(kinds, reverse=True)
    assert set(kinds) == {"machines", "accounts"}


def test_a_sweep_that_never_ended_is_told_by_the_next(world: SweepWorld) -> None:
    world.sweep()
    message = ask_for_sweep(world.queue, world.clock)
    sweep_slice(message, world.ports)
    world.queue.messages.clear()  # the rest went to the poison queue
    world.clock.advance(86_400)
    report = world.sweep()
    assert [each.finding.key for each in report.open] == ["sweep-unfinished"] if report else False
    assert report is not None
    assert message.run in report.open[0].finding.reason


def test_days_without_a_sweep_are_told(world: SweepWorld) -> None:
    world.sweep()
    world.clock.advance(3 * 86_400)
    report = world.sweep()
    assert report is not None
    assert [each.finding.key for each in report.open] == ["sweep-missed"]
    assert world.sweep() is not None


def test_a_thousand_accounts_are_ten_slices(policy: Policy) -> None:
    world = SweepWorld(policy)
    for number in range(1000):
        world.add(account(f"{number:012d}", joined_at=OLD))
    message = ask_for_sweep(world.queue, world.clock)
    sweep_slice(message, world.ports)
    facts = SweepStore(world.documents, message.run).find_facts()
    assert facts is not None
    assert facts.slices == 10 + 1  # and the one of what the deployment needs
    report = world.work()
    assert report is not None
    assert report.looked["accounts"] == 1000


def test_a_sweep_that_cannot_be_planned_says_so(world: SweepWorld) -> None:
    message = ask_for_sweep(world.queue, world.clock)
    world.documents.failures.plan("put", TransientError("busy"))
    with pytest.raises(TransientError):
        sweep_slice(message, world.ports)
    report = sweep_slice(message, world.ports, tries_left=0)
    assert report is not None
    assert (report.complete, report.slices) == (False, 0)
    assert "could not be planned" in report.gaps[0].reason


def test_of_two_planners_only_one_is_heard(world: SweepWorld) -> None:
    """The second lists less: nothing of what it writes is looked at."""
    message = ask_for_sweep(world.queue, world.clock)
    world.queue.messages.clear()
    facts = f"runs/{message.run}/facts.json"
    plan_sweep(message, world.ports, tries_left=4)
    first = world.documents.kept.pop(facts)  # the second begins before the first has ended
    listed = world.listing.list_accounts()
    world.listing.list_accounts = lambda: listed[:2]  # type: ignore[method-assign]
    put = world.documents.put

    def too_late(name: str, content: bytes, *, over: str | None = None) -> bool:
        if name == facts:
            world.documents.kept[facts] = first
        return put(name, content, over=over)

    world.documents.put = too_late  # type: ignore[method-assign]
    plan_sweep(message, world.ports, tries_left=4)
    report = world.work()
    assert report is not None
    assert report.looked["accounts"] == len(IDS)
    assert report.complete


def test_a_sweep_that_only_lacks_its_report_gets_it_from_the_next(world: SweepWorld) -> None:
    message = ask_for_sweep(world.queue, world.clock)
    sweep_slice(message, world.ports)
    [part, needs] = [each for each in world.queue.messages if each.slice]
    world.queue.messages.clear()
    sweep_slice(needs, world.ports)
    world.documents.failures.plan("put", None, None, TransientError("busy"))  # its result, its claim, its report
    with pytest.raises(TransientError):
        sweep_slice(part, world.ports)
    world.clock.advance(86_400)
    report = world.sweep()
    assert report is not None
    assert [each.finding.subject for each in report.open] == [f"sweep/{message.run}"]
    late = SweepStore(world.documents, message.run).find_report()
    assert late is not None
    assert late.ended_at > late.started_at + timedelta(hours=23)
    world.clock.advance(86_400)
    assert [each.standing for each in whole(world).findings] == [Standing.RESOLVED]


@pytest.mark.parametrize("document", ["results/", "facts.json", "reporter.json"])
def test_a_dead_run_that_cannot_be_read_keeps_no_other_from_its_end(world: SweepWorld, document: str) -> None:
    message = ask_for_sweep(world.queue, world.clock)
    sweep_slice(message, world.ports)
    for part in [each for each in world.queue.messages if each.slice]:
        sweep_slice(part, world.ports)
    world.queue.messages.clear()
    for name in ("latest.json", f"reports/{message.run}.json", f"runs/{message.run}/reporter.json"):
        world.documents.kept.pop(name)
    begins = f"runs/{message.run}/{document}"
    spoilt = next((name for name in world.documents.kept if name.startswith(begins)), begins)
    world.documents.kept[spoilt] = Document(content=b"{", version="1")
    for _ in range(2):
        world.clock.advance(86_400)
        report = whole(world)
        assert report.complete
        assert [each.finding.subject for each in report.open] == [f"sweep/{message.run}"]


def test_a_listing_that_may_pass_by_itself_is_tried_again(world: SweepWorld) -> None:
    world.listing.failures.plan("list_accounts", *[TransientError("the organization changed meanwhile")] * 3)
    assert whole(world).complete
    world.listing.failures.plan("list_accounts", *[TransientError("it does not answer")] * 4)
    report = whole(world)
    assert not report.complete
    assert [gap.reason for gap in report.gaps] == ["it does not answer"]


def test_a_newest_report_that_nobody_can_read_is_replaced(world: SweepWorld) -> None:
    whole(world)
    world.documents.put("latest.json", b'{"from": "a version to come"}')
    assert whole(world).complete
    assert find_latest(world.documents)[0] is not None


def test_a_sweep_that_still_runs_is_not_called_unfinished_and_a_dead_one_is_told_for_a_week(world: SweepWorld) -> None:
    dead = ask_for_sweep(world.queue, world.clock)
    sweep_slice(dead, world.ports)
    world.queue.messages.clear()
    world.clock.advance(3600)
    assert found(world.sweep()) == Counter()
    for day in range(1, 10):
        world.clock.advance(86_400 if day > 1 else 7200)
        report = world.sweep()
        told = [key for key, _ in found(report)]
        assert told == (["sweep-unfinished"] if day < 8 else []), day
