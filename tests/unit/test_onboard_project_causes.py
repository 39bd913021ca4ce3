"""Where Defender is refused by a project, Rollcall looks itself and says what a person has to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.application.onboard import onboard
from shared.application.outcome import Outcome
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, Result
from shared.domain.policy import Policy
from shared.domain.sweep.project_home import home_of, home_of_members
from shared.errors import PermanentError, RollcallError, TransientError
from tests.fixtures.profiles import FULL
from tests.unit.test_onboard_projects import Side, asked, copy, ours
from tests.unit.test_project_policy import ID, MANAGEMENT, MEMBER, NUMBER, STANDALONE, project

SAID = "There is a problem with authenticating to your GCP project."
REFUSED = TransientError(SAID, remedy="Check the pool. Runbook: gcp-authentication.", key="gcp-authentication")


@pytest.fixture
def member(policy: Policy) -> Side:
    """Mode `member`, all in place but for what Defender says."""
    side = Side(policy, MEMBER)
    side.with_parent()
    home = home_of_members(side.projects_policy)
    assert home is not None
    side.google.make(home)
    return side


def refused(side: Side, request: object = None) -> Outcome:
    side.connectors.failures.plan("put", REFUSED)
    return onboard(request or asked(), side.ports)  # type: ignore[arg-type]  # a request where one is given


def break_pool(side: Side) -> None:
    pools = side.google.of_identities.pools
    for key, pool in pools.items():
        pools[key] = replace(pool, usable=False, deleted=True)


def remedy_of(side: Side, number: str = NUMBER) -> str:
    record = side.ledger.find(AccountKey(provider=Provider.GCP, hierarchy_identifier=number))
    assert record is not None
    return record.remedy


def test_the_cause_is_told_after_defender_s_word_with_its_command(member: Side) -> None:
    break_pool(member)
    outcome = refused(member)
    assert (outcome.result, outcome.key) == (Result.DEFERRED, "gcp-pool-wrong")
    assert outcome.reason.startswith(f"{SAID}; workload identity pool ")
    assert "undelete" in remedy_of(member)
    assert remedy_of(member).endswith("Runbook: gcp-pool-wrong.")
    assert onboard(copy(), member.ports).result is Result.CREATED


def test_two_causes_are_told_each_with_its_remedy(member: Side) -> None:
    break_pool(member)
    [arc] = [each for each in member.google.of_identities.accounts if each.startswith("azure-arc-for-servers")]
    del member.google.of_identities.accounts[arc]
    outcome = refused(member)
    assert f"service account {arc} is not there" in outcome.reason
    assert "workload-identity-pools undelete" in remedy_of(member)
    assert "`arc` in the variable `parts`" in remedy_of(member)


def test_where_nothing_is_wrong_defender_s_word_stays_alone(member: Side) -> None:
    outcome = refused(member)
    assert (outcome.result, outcome.key, outcome.reason) == (Result.DEFERRED, "gcp-authentication", SAID)
    assert remedy_of(member) == REFUSED.remedy


def test_what_could_not_be_looked_at_is_said_so(member: Side) -> None:
    denied = TransientError("403 getIamPolicy", remedy="Grant a role.", key="gcp-permission-denied")
    member.google.of_rules.failures.plan("grants", denied)
    outcome = refused(member)
    assert outcome.key == "gcp-authentication"
    assert outcome.reason == f"{SAID}; could not tell about roles on organization 123456789012: 403 getIamPolicy"
    assert remedy_of(member) == f"{REFUSED.remedy} Grant a role."


@pytest.mark.parametrize("error", [TransientError("503", key="server-error"), PermanentError("no", key="bad-request")])
def test_another_refusal_is_not_looked_into(member: Side, error: RollcallError) -> None:
    member.connectors.failures.plan("put", error)
    assert onboard(asked(), member.ports).key == error.key
    assert member.google.of_identities.asked == []


def test_a_burst_of_refusals_costs_one_look_and_a_minute_later_another(member: Side) -> None:
    break_pool(member)
    numbers = [f"34567890{number}" for number in range(1000, 1005)]
    for number in numbers:
        member.google.of_projects.add(project(number, name=f"shop-{number}"))

    def looks() -> int:
        return member.google.of_identities.asked.count(f"pool of {MANAGEMENT}")

    for number in numbers[:4]:
        assert refused(member, asked(hierarchy_identifier=number)).key == "gcp-pool-wrong"
    assert looks() == 1
    member.clock.advance(61)
    assert refused(member, asked(hierarchy_identifier=numbers[4])).key == "gcp-pool-wrong"
    assert looks() == 2


def test_a_burst_of_refusals_while_google_has_troubles_costs_two_calls(member: Side) -> None:
    identities = member.google.of_identities
    identities.failures.plan("find_pool", *[TransientError("503", key="gcp-server-error")] * 40)
    identities.failures.plan("find_account", *[TransientError("503", key="gcp-server-error")] * 40)
    for number in ("345678901000", "345678901001", "345678901002"):
        member.google.of_projects.add(project(number, name=f"shop-{number}"))
        outcome = refused(member, asked(hierarchy_identifier=number))
        assert (outcome.key, "could not tell about workload identity pool" in outcome.reason) == (REFUSED.key, True)
    assert len(identities.asked) == 2


def test_the_management_project_is_looked_at_as_the_home_of_all(policy: Policy) -> None:
    side = Side(policy, MEMBER)
    home = home_of_members(side.projects_policy)
    assert home is not None
    side.google.make(home)
    break_pool(side)
    outcome = refused(side, asked(hierarchy_identifier=MANAGEMENT, name="mdc-mgmt-proj-123456789012"))
    assert outcome.key == "gcp-pool-wrong"
    assert outcome.reason.count("is deleted") == 1


def test_in_standalone_the_account_of_arc_holds_nothing_up_and_is_told_where_defender_refuses(policy: Policy) -> None:
    side = Side(policy, STANDALONE)
    side.google.make(home_of(project(), FULL, side.projects_policy))
    [arc] = [each for each in side.google.of_identities.accounts if each.startswith("azure-arc-for-servers")]
    accounts = side.google.of_identities.accounts
    accounts[arc] = replace(accounts[arc], token_creators=frozenset())
    outcome = refused(side, ours())
    assert (outcome.result, outcome.key) == (Result.DEFERRED, "gcp-token-creator-missing")
    assert f"add-iam-policy-binding azure-arc-for-servers-onboard@{ID}.iam.gserviceaccount.com" in remedy_of(side)
