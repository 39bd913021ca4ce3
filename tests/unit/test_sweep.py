"""The daily sweep on fakes: what it finds, what becomes of it, and that it always comes to its end."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.application.plan_sweep import ask_for_sweep
from shared.application.sweep_slice import sweep_slice
from shared.application.sweep_store import SweepStore, find_latest
from shared.domain.accounts import AccountState
from shared.domain.ledger import AccountKey, HistoryEntry, Result, State
from shared.domain.policy import Policy, Repairs
from shared.domain.roles import AUDIENCE_OF
from shared.domain.stack_sets import InstanceState as StackState
from shared.domain.sweep.findings import Area
from shared.domain.sweep.health import HealthIssue, HealthReport
from shared.domain.sweep.identity import THUMBPRINT, ProviderSeen, RoleSeen
from shared.domain.sweep.report import Standing, SweepReport
from shared.domain.sweeps import Sweep
from shared.errors import ConfigurationError, TransientError
from tests.fakes.clock import NOON
from tests.fakes.sweep import SweepWorld
from tests.fixtures.read import account

IDS = [f"{number:012d}" for number in range(1, 8)]
OLD = NOON - timedelta(days=30)


@pytest.fixture
def world(policy: Policy) -> SweepWorld:
    made = SweepWorld(policy)
    for account_id in IDS:
        made.add(account(account_id, joined_at=OLD))
    return made


def found(report: SweepReport | None, *standings: Standing) -> Counter[tuple[str, str]]:
    assert report is not None
    wanted = standings or (Standing.NEW, Standing.STILL)
    return Counter((each.finding.key, each.finding.account) for each in report.findings if each.standing in wanted)


def test_an_organization_in_order_has_no_findings(world: SweepWorld) -> None:
    report = world.sweep()
    assert report is not None
    assert (report.complete, report.open, report.asked) == (True, (), ())
    assert report.looked == {"accounts": 7, "connectors": 7}
    assert world.log.last == Sweep(name="sweep", at=NOON, seen=14, failed=0)
    assert find_latest(world.documents)[0] == report


def test_every_kind_about_accounts(world: SweepWorld) -> None:
    connectors = {each.hierarchy_identifier: each for each in world.tenant.connectors}
    world.tenant.connectors.remove(connectors[IDS[0]])
    world.replace_body(connectors[IDS[1]], offerings=[])
    world.directory.add(account(IDS[2], joined_at=OLD, state=AccountState.SUSPENDED))
    del world.directory.accounts[IDS[3]]
    world.tenant.connectors.append(
        replace(connectors[IDS[4]], connector_id=replace(connectors[IDS[4]].connector_id, name="copy"))
    )
    del world.stacks.states[IDS[5]]
    stranger = connectors[IDS[6]]
    world.tenant.connectors.remove(stranger)
    world.tenant.connectors.append(replace(stranger, body={**stranger.body, "tags": {"owner": "them"}}))
    report = world.sweep()
    assert report is not None
    assert report.complete
    health = {"health-unknown", "nothing-discovered"}
    assert {pair for pair in found(report) if pair[0] not in health} == {
        ("connector-missing", IDS[0]),
        ("connector-drifted", IDS[1]),
        ("connector-orphaned", IDS[2]),
        ("connector-orphaned", IDS[3]),
        ("connector-duplicate", IDS[4]),
        ("stack-instance-missing", IDS[5]),
        ("connector-refused", IDS[6]),
    }
    assert sorted(report.asked) == IDS[:2]
    assert sorted(each.data.hierarchy_identifier for each in world.sender.requests) == IDS[:2]


def test_a_connector_elsewhere_is_told_and_left(world: SweepWorld) -> None:
    connector = world.tenant.connectors[0]
    moved = replace(connector, connector_id=replace(connector.connector_id, resource_group="rg-elsewhere"))
    world.tenant.connectors[0] = moved
    known = str(moved.connector_id).lower()
    world.health.reports[known] = (HealthReport(connector_id=known, code="Healthy"),)
    world.health.discovered[known] = {"ec2": 1}
    assert found(world.sweep()) == Counter([("connector-misplaced", IDS[0])])
    assert world.sender.sent == []


def test_what_is_missing_or_drifted_is_asked_for_only_where_the_policy_says_so(policy: Policy) -> None:
    for repairs, expected in (
        (Repairs(), IDS[:2]),
        (Repairs(missing_connectors=False), IDS[1:2]),
        (Repairs(drifted_connectors=False), IDS[:1]),
        (Repairs(missing_connectors=False, drifted_connectors=False), []),
    ):
        world = SweepWorld(replace(policy, repairs=repairs))
        world.add(account(IDS[0], joined_at=OLD), connected=False)
        world.add(account(IDS[1], joined_at=OLD))
        world.replace_body(world.tenant.connectors[0], offerings=[])
        report = world.sweep()
        assert report is not None
        assert sorted(report.asked) == expected
        assert sorted(each.data.hierarchy_identifier for each in world.sender.requests) == expected


def test_nothing_is_asked_for_where_the_roles_are_not_there(policy: Policy) -> None:
    world = SweepWorld(policy)
    world.add(account(IDS[0], joined_at=OLD), connected=False)
    world.stacks.states[IDS[0]] = StackState.OUTDATED
    assert found(world.sweep()) == Counter([("connector-missing", IDS[0]), ("stack-instance-missing", IDS[0])])
    assert world.sender.sent == []


def test_a_new_account_is_not_missed_for_an_hour(policy: Policy) -> None:
    world = SweepWorld(policy)
    world.add(account(IDS[0], joined_at=NOON - timedelta(minutes=59)), connected=False)
    assert found(world.sweep()) == Counter()
    world.clock.advance(120)
    assert found(world.sweep()) == Counter([("connector-missing", IDS[0])])


def test_a_missing_connector_says_what_the_ledger_knows(policy: Policy) -> None:
    world = SweepWorld(policy)
    asked = account(IDS[0], joined_at=OLD)
    world.add(asked, connected=False)
    key = AccountKey(provider=asked.provider, hierarchy_identifier=IDS[0])
    world.ledger.record(
        HistoryEntry(
            key=key,
            at=NOON,
            step="connect:deployed",
            result=Result.PARKED,
            message_id="m",
            attempt=0,
            correlation_id="c",
            state=State.PARKED,
            reason="a lock",
            remedy="Remove the lock.",
        )
    )
    report = world.sweep()
    assert report is not None
    [tracked] = report.open
    assert tracked.finding.evidence["reason"] == "a lock"
    assert tracked.finding.remedy.startswith("Remove the lock.")


def test_each_issue_of_an_unhealthy_connector_is_a_finding(world: SweepWorld) -> None:
    connector = str(world.tenant.connectors[0].connector_id).lower()
    issues = (
        HealthIssue(key="a", name="no StackSet", steps="<ol><li>Compare <b>the names</b>.</li></ol>"),
        HealthIssue(key="b", name="no role"),
    )
    world.health.reports[connector] = (HealthReport(connector_id=connector, code="NotHealthy", issues=issues),)
    report = world.sweep()
    assert report is not None
    assert [each.finding.reason for each in report.open] == [
        "Defender calls it unhealthy: no StackSet",
        "Defender calls it unhealthy: no role",
    ]
    assert report.open[0].finding.remedy == "Compare the names . Runbook: connector-unhealthy."


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ("2026-11-26T00:00:00.0000000Z", True),
        ("2026-11-27T11:59:00Z", True),
        ("2026-11-27T12:01:00Z", False),
        ("2026-11-19T00:00:00Z", False),
        ("", False),
        (None, False),
        (7, False),
    ],
)
def test_a_trial_that_ends_within_a_week_is_told(world: SweepWorld, ends: object, told: bool) -> None:
    world.replace_body(world.tenant.connectors[0], hierarchyIdentifierTrialEndDate=ends)
    expected = Counter([("trial-ends", IDS[0])]) if told else Counter()
    assert found(world.sweep()) == expected


def test_messages_that_were_given_up_are_told_until_they_are_gone(world: SweepWorld) -> None:
    world.gauge.depth = replace(world.gauge.depth, waiting=3, oldest_at=OLD)
    report = world.sweep()
    assert found(report) == Counter([("messages-given-up", "")])
    world.gauge.depth = replace(world.gauge.depth, waiting=None, problem="no right to look")
    unread = world.sweep()
    assert unread is not None
    assert not unread.complete
    assert found(unread, Standing.UNSEEN) == found(report)
    world.gauge.depth = replace(world.gauge.depth, waiting=0, problem="")
    assert found(world.sweep(), Standing.RESOLVED) == Counter([("messages-given-up", ""), ("sweep-incomplete", "")])


def unhealthy(world: SweepWorld, number: int) -> str:
    """Makes Defender call that account's connector unhealthy; the account's id."""
    connector = world.tenant.connectors[number]
    known = str(connector.connector_id).lower()
    report = HealthReport(connector_id=known, code="NotHealthy", issues=(HealthIssue(key="a", name="no access"),))
    world.health.reports[known] = (report,)
    return connector.hierarchy_identifier


SESSION = "MicrosoftDefenderForClouds_"


@pytest.mark.parametrize(
    ("changed", "key", "told"),
    [
        ({"provider": None}, "provider-wrong", "is not there"),
        (
            {"provider": ProviderSeen(client_ids=frozenset(), thumbprints=frozenset({THUMBPRINT}))},
            "provider-wrong",
            "lacks the client ids api://",
        ),
        (
            {"provider": ProviderSeen(client_ids=frozenset(AUDIENCE_OF.values()), thumbprints=frozenset())},
            "provider-wrong",
            "lacks the thumbprint",
        ),
        ({"CspmMonitorAws": None}, "role-wrong", "CspmMonitorAws: it is not there"),
        ({"CspmMonitorAws": RoleSeen()}, "role-wrong", "audience"),
        (
            {
                "CspmMonitorAws": RoleSeen(
                    audiences=frozenset(AUDIENCE_OF.values()), session_names=frozenset({f"{SESSION}another"})
                )
            },
            "role-wrong",
            "RoleSessionName",
        ),
    ],
)
def test_an_unhealthy_account_is_looked_into(world: SweepWorld, changed: dict[str, Any], key: str, told: str) -> None:
    account_id = unhealthy(world, 0)
    world.identities.changes[account_id] = changed
    report = world.sweep()
    assert report is not None
    assert found(report) == Counter([("connector-unhealthy", account_id), (key, account_id)])
    assert told in next(each.finding.reason for each in report.open if each.finding.key == key)
    assert world.identities.asked == [account_id]  # the healthy ones are left alone


def test_an_unhealthy_account_that_gives_no_answer_is_a_gap(world: SweepWorld) -> None:
    account_id = unhealthy(world, 0)
    world.identities.unreachable.add(account_id)
    report = world.sweep()
    assert report is not None
    assert [(gap.area, gap.account) for gap in report.gaps] == [(Area.HEALTH, account_id)]


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


def test_old_runs_are_forgotten(world: SweepWorld) -> None:
    world.sweep()
    first = set(world.documents.kept)
    world.clock.advance(91 * 86_400)
    world.sweep()
    assert not (first - {"latest.json"}) & set(world.documents.kept)


def test_a_thousand_accounts_are_ten_slices(policy: Policy) -> None:
    world = SweepWorld(policy)
    for number in range(1000):
        world.add(account(f"{number:012d}", joined_at=OLD))
    message = ask_for_sweep(world.queue, world.clock)
    sweep_slice(message, world.ports)
    facts = SweepStore(world.documents, message.run).find_facts()
    assert facts is not None
    assert facts.slices == 10
    report = world.work()
    assert report is not None
    assert report.looked["accounts"] == 1000


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
