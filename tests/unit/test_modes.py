"""A switch of mode: refused while connectors of the other mode are left, wherever it would begin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cli import bootstrap
from shared.application.onboard import onboard
from shared.application.refuse_mode_switch import find_mode_switch
from shared.domain.connectors import Connector, to_create
from shared.domain.ledger import HistoryEntry, Result, State
from shared.domain.matching import Matcher
from shared.domain.placement import place
from shared.domain.policy import Mode, Policy
from shared.domain.preview import Action
from shared.errors import ConfigurationError
from tests.fakes.connectors import FakeConnectors, FakeSnapshot
from tests.fixtures.profiles import FULL
from tests.fixtures.read import ACCOUNT_ID, account, fixture, request
from tests.unit.conftest import AzureSide
from tests.unit.test_onboard_checks import MANAGEMENT, OTHER_ID, PARENT, Case
from tests.unit.test_plan import World
from tests.unit.test_policy_command import Shell, shell

__all__ = ["shell"]  # a fixture

MODES = list(Mode)
REFUSED = {
    (Mode.STANDALONE, Mode.MEMBER),
    (Mode.STANDALONE, Mode.NATIVE),
    (Mode.MEMBER, Mode.STANDALONE),
    (Mode.NATIVE, Mode.STANDALONE),
}


@pytest.fixture
def case(azure: AzureSide) -> Case:
    return Case(azure, {"organization_connector": PARENT})


def stand(case: Case, mode: Mode, account_id: str = OTHER_ID, **changes: Any) -> Connector:
    """A connector of ours as `mode` has it."""
    wanted = place(replace(case.policy, mode=mode), account_id, FULL, case.policy.target)
    return case.plant(wanted.connector_id, to_create(wanted.desired) | changes)


@pytest.mark.parametrize("before", MODES)
@pytest.mark.parametrize("after", MODES)
def test_nothing_new_is_made_while_a_connector_of_another_mode_is_left(case: Case, before: Mode, after: Mode) -> None:
    left = stand(case, before)
    case.change(mode=after)
    if after is not Mode.STANDALONE:
        stand(case, after, MANAGEMENT)
    outcome = case.ask()
    refused = (before, after) in REFUSED
    assert (outcome.result is Result.PARKED, outcome.key == "mode-switch") == (refused, refused)
    if refused:
        assert case.azure.connectors.puts == []
        reason, remedy = case.only_parked()
        assert str(left.connector_id) in reason
        assert f"the policy's mode is {after}" in reason
        assert "Runbook: mode-switch." in remedy


@pytest.mark.parametrize("after", [Mode.MEMBER, Mode.NATIVE])
def test_the_account_s_own_connector_of_another_mode_is_named_first(case: Case, after: Mode) -> None:
    stand(case, Mode.STANDALONE, ACCOUNT_ID)
    case.change(mode=after)
    assert case.ask().key == "membership-change"
    assert case.azure.connectors.puts == []


def test_the_organization_connector_is_not_made_beside_standalone_ones(case: Case) -> None:
    stand(case, Mode.STANDALONE)
    case.change(mode=Mode.MEMBER)
    assert case.ask(MANAGEMENT).key == "mode-switch"


def test_an_organization_connector_is_named_before_its_members(case: Case) -> None:
    for number in range(5):
        stand(case, Mode.MEMBER, f"{number:012d}")
    parent = stand(case, Mode.MEMBER, MANAGEMENT)
    case.ask()
    reason, _ = case.only_parked()
    assert f"of another mode: {parent.connector_id}, " in reason
    assert reason.endswith(" and 3 more")


def test_a_connector_that_is_as_it_should_be_stays_and_is_changed_where_it_differs(case: Case) -> None:
    stand(case, Mode.STANDALONE)
    stand(case, Mode.MEMBER, MANAGEMENT)
    stand(case, Mode.MEMBER, ACCOUNT_ID)
    case.change(mode=Mode.MEMBER)
    assert case.ask().result is Result.UNCHANGED
    case.change(default_profile=replace(FULL, scan_interval_hours=12))
    assert case.ask().result is Result.UPDATED


@pytest.mark.parametrize(
    "changes",
    [
        {"tags": {}},
        {"tags": {"rollcall": "o-somebodyels"}},
        {"properties": {"environmentName": "GCP", "hierarchyIdentifier": OTHER_ID}},
    ],
    ids=["the portal's", "another organization's", "GCP's"],
)
def test_only_connectors_of_ours_count(case: Case, changes: dict[str, Any]) -> None:
    stand(case, Mode.MEMBER, **changes)
    assert case.ask().result is Result.CREATED


@pytest.mark.parametrize("how", ["by id", "by the organization connector", "by the ledger"])
def test_in_mode_member_an_excluded_account_may_have_a_connector_of_its_own(case: Case, how: str) -> None:
    stand(case, Mode.STANDALONE)
    case.change(mode=Mode.MEMBER)
    case.plant_parent()
    assert case.ask().key == "mode-switch"
    if how == "by the organization connector":
        case.plant_parent(OTHER_ID)
    if how == "by id":
        case.change(exclusions=Matcher(account_ids=frozenset({OTHER_ID})))
    if how == "by the ledger":
        entry = HistoryEntry(
            key=request(data={"hierarchy_identifier": OTHER_ID}).key,
            at=case.azure.clock.now(),
            step="note:excluded",
            result=Result.SKIPPED,
            message_id="m",
            attempt=0,
            correlation_id="c",
            state=State.EXCLUDED,
        )
        case.azure.ledger.record(entry)
    assert case.ask().result is Result.CREATED


def test_a_connector_that_is_gone_by_now_refuses_nobody(case: Case) -> None:
    left = stand(case, Mode.MEMBER)
    case.azure.connectors.delete(left.connector_id)
    assert case.ask().result is Result.CREATED
    assert case.azure.snapshot.find_by_hierarchy(OTHER_ID) == ()


def test_a_parked_account_follows_once_they_are_gone(case: Case) -> None:
    left = stand(case, Mode.STANDALONE)
    case.change(mode=Mode.MEMBER)
    stand(case, Mode.MEMBER, MANAGEMENT)
    case.ask()
    [parked] = case.azure.queue.parked
    case.azure.connectors.delete(left.connector_id)
    assert parked.original is not None
    assert onboard(request(), case.azure.ports).result is Result.CREATED


# Up front


def test_the_plan_says_so_of_everybody_who_would_get_something_new() -> None:
    world = World(accounts=(account(), account(OTHER_ID)))
    world.connect(account_id=OTHER_ID)
    member = replace(world.policy, mode=Mode.MEMBER, organization_connector=PARENT)
    new, standing = sorted(world.plan(policy=member).accounts, key=lambda each: each.key != "mode-switch")
    assert (new.action, new.key, new.hierarchy_identifier) == (Action.REFUSED, "mode-switch", ACCOUNT_ID)
    assert standing.action is Action.REFUSED
    native = replace(member, mode=Mode.NATIVE)
    assert {each.key for each in world.plan(policy=native).accounts} >= {"mode-switch", "membership-change"}
    left_out = replace(member, exclusions=Matcher(account_ids=frozenset({OTHER_ID})))
    assert "mode-switch" not in {each.key for each in world.plan(policy=left_out).accounts}
    by_unit = replace(member, exclusions=Matcher(names=("*",)))
    assert "mode-switch" not in {each.key for each in world.plan(policy=by_unit).accounts}


def test_the_plan_shows_who_is_put_on_the_organization_connector_s_list_and_who_is_taken_off() -> None:
    world = World(accounts=(account(), account(OTHER_ID, name="sandbox"), account(MANAGEMENT, is_management=True)))
    member = replace(world.policy, mode=Mode.MEMBER, organization_connector=PARENT, exclusions=Matcher())
    parent = place(member, MANAGEMENT, member.default_profile, member.target)
    body = to_create(parent.desired)
    body["properties"]["environmentData"]["organizationalData"]["excludedAccountIds"] = [ACCOUNT_ID]
    world.connectors.plant(parent.connector_id, body)
    planned = world.plan(policy=replace(member, exclusions=Matcher(names=("sand*",)))).accounts
    [change] = next(each.changes for each in planned if each.hierarchy_identifier == MANAGEMENT)
    assert change.path.endswith("organizationalData.excludedAccountIds")
    assert (change.now, change.wanted) == ([ACCOUNT_ID], [OTHER_ID])


def tenant(policy: Policy, mode: Mode) -> FakeSnapshot:
    connectors = FakeConnectors()
    wanted = place(replace(policy, mode=mode), OTHER_ID, FULL, policy.target)
    connectors.plant(wanted.connector_id, to_create(wanted.desired))
    return FakeSnapshot(connectors)


@pytest.mark.parametrize("before", MODES)
@pytest.mark.parametrize("after", MODES)
def test_a_policy_of_another_mode_is_found_before_it_is_published(case: Case, before: Mode, after: Mode) -> None:
    found = find_mode_switch(replace(case.policy, mode=after), tenant(case.policy, before))
    assert (found is not None) == ((before, after) in REFUSED)


def test_publishing_is_refused_and_says_how_to_migrate(
    shell: Shell, case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "policy.yaml").write_text(fixture("policies/smallest.yaml"))
    policy = replace(case.policy, organization="o-exampleorg1")
    monkeypatch.setattr(bootstrap, "snapshot", lambda: tenant(policy, Mode.MEMBER))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    refused = shell.run("policy", "publish", "policy.yaml", "--to", "s3://bucket/policy.yaml", "--json")
    assert refused.code == 1
    assert "of another mode" in refused.document["error"]["reason"]
    assert "Runbook: mode-switch." in refused.document["error"]["remedy"]


def test_where_the_connectors_cannot_be_read_it_is_said_that_nobody_looked(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "policy.yaml").write_text(fixture("policies/smallest.yaml"))
    snapshot = FakeSnapshot(FakeConnectors())
    snapshot.failures.plan("list_all", ConfigurationError("may not read", setting="Reader"))
    monkeypatch.setattr(bootstrap, "snapshot", lambda: snapshot)
    monkeypatch.setattr(bootstrap, "policy_destination", lambda _: pytest.fail("reached"))
    monkeypatch.setattr("cli.policy._destinations", lambda _: [])
    said = shell.run("policy", "publish", "policy.yaml", "--to", "s3://bucket/policy.yaml")
    assert said.code == 0
    assert "whether connectors of another mode than standalone exist was not looked at: may not read" in said.err
