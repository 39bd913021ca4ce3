"""The report's use case: what it reads, and what it makes of what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from shared.application.report import ReportPorts, make_report
from shared.application.sweep_store import SweepStore, list_summarized
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, State
from shared.domain.policy import Policy
from shared.domain.queues import QueueDepth
from shared.domain.sweeps import Sweep
from shared.errors import TransientError
from shared.messages.roll_report import SCHEMA, read_report, report_document, report_json
from tests.fakes.clock import NOON
from tests.fakes.ledger import FakeSweepLog, connected
from tests.fakes.roll import HOSTILE, roll
from tests.fakes.sweep import SweepWorld
from tests.unit.test_sweep import IDS, world

__all__ = ["world"]
DAY = 86_400.0


class Gauge:
    """Two queues, one of which gives no answer."""

    def measure(self) -> Sequence[QueueDepth]:
        """The depth of each."""
        return [QueueDepth(name="onboarding", waiting=1), QueueDepth(name="dead", problem="no answer", given_up=True)]


def ports(world: SweepWorld) -> ReportPorts:
    return ReportPorts(
        ledger=world.ledger,
        documents=world.documents,
        gauges=(Gauge(),),
        sweeps=FakeSweepLog(Sweep(name="sweep", at=NOON, seen=14, failed=0)),
        clock=world.clock,
    )


def in_the_ledger(world: SweepWorld, *accounts: str) -> None:
    for each in accounts:
        world.ledger.record(connected(AccountKey(provider=Provider.AWS, hierarchy_identifier=each), NOON))


def test_the_report_has_the_newest_sweep_and_a_month_of_days(world: SweepWorld) -> None:
    for number in range(40):
        in_the_ledger(world, f"{number:012d}")
        world.sweep()
        world.clock.advance(DAY)
    world.clock.advance(-DAY / 2)
    world.tenant.connectors.pop(0)
    last = world.sweep()
    assert last is not None
    made = make_report(ports(world))
    assert made.sweep is not None
    assert (made.sweep.run, made.sweep.complete) == (last.run, True)
    assert [(each.key, each.account) for each in made.open] == [("connector-missing", IDS[0])]
    assert [each.count(State.CONNECTED) for each in made.days] == [*range(12, 41), 40]
    assert [each.run for each in made.runs][0] == last.run
    assert len(made.runs) == 10
    assert all(each.complete for each in made.runs)
    assert made.unfinished == ()
    assert made.sweeps[0].seen == 14


def test_a_run_that_did_not_end_is_told(world: SweepWorld) -> None:
    world.sweep()
    world.clock.advance(DAY)
    facts = SweepStore(world.documents, "20261121T120000Z-00000000")
    found = SweepStore(world.documents, next(iter(list_summarized(world.documents)))).find_facts()
    assert found is not None
    facts.put_facts(replace(found, run=facts.run))
    assert make_report(ports(world)).unfinished == (facts.run,)


def test_runs_of_a_version_without_summaries_are_read_as_a_whole(world: SweepWorld) -> None:
    for _ in range(3):
        world.sweep()
        world.clock.advance(DAY)
    for name in [name for name in world.documents.kept if name.startswith("summaries/")]:
        world.documents.delete(name)
    made = make_report(ports(world))
    assert len(made.runs) == 3
    assert made.sweep == made.runs[0]
    assert [each.states for each in made.days if each.states] == []


def test_a_summary_of_a_newer_version_is_told_in_the_log_and_left_out(
    world: SweepWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.sweep()
    [name] = [name for name in world.documents.kept if name.startswith("summaries/")]
    world.documents.put(name, b'{"run": 7}')
    made = make_report(ports(world))
    assert len(made.runs) == 1  # from the report itself
    assert [line.message for line in caplog.records if line.levelname == "WARNING"] == ["summary_unreadable"]


def test_accounts_that_nobody_could_count_leave_a_gap_in_the_month(world: SweepWorld) -> None:
    in_the_ledger(world, IDS[0])
    world.ledger.failures.plan("list_records", *[None] * 2, TransientError("busy"))
    world.sweep()
    made = make_report(ports(world))
    assert made.runs[0].states is None
    assert [each.states for each in made.days if each.states] == []


def test_what_cannot_be_asked_is_told_and_the_rest_is_there(world: SweepWorld) -> None:
    world.sweep()
    log = FakeSweepLog()
    log.failures.plan("list_last", TransientError("the table does not answer"))
    made = make_report(replace(ports(world), sweeps=log))
    assert made.unread == ("the table does not answer", "dead: no answer")
    assert made.runs


def test_a_ledger_that_gives_no_answer_is_no_report(world: SweepWorld) -> None:
    world.ledger.failures.plan("list_records", TransientError("busy"))
    with pytest.raises(TransientError):
        make_report(ports(world))


def test_before_the_first_sweep_the_ledger_is_told(policy: Policy) -> None:
    world = SweepWorld(policy)
    in_the_ledger(world, IDS[0])
    made = make_report(ports(world))
    assert (made.sweep, made.runs, made.totals.connected) == (None, (), 1)


@pytest.mark.parametrize("accounts", [1, 40])
def test_the_typed_data_comes_back_as_it_was(accounts: int) -> None:
    made = roll(accounts, 60, names=HOSTILE)
    assert read_report(report_json(made).encode()) == made
    assert report_document(made)["schema"] == SCHEMA


def test_what_is_no_report_is_refused() -> None:
    for content in (b"[]", b"{}", b'{"schema": "roll-report/9"}', b"<html>", b'{"schema": "roll-report/1"}'):
        with pytest.raises(ValueError, match=r"."):
            read_report(content)
