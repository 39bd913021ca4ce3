"""In a day connectors of so many of a cloud go as `deletions.most_per_run` allows, and no more, whoever asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.application.accept_project_event import (
    ProjectEventPorts,
    ProjectMethod,
    ProjectSignal,
    accept_project_event,
)
from shared.application.onboard import onboard
from shared.application.outcome import Outcome
from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.connectors import to_create
from shared.domain.ledger import AccountKey, AccountRecord, Result, State
from shared.domain.matching import Matcher
from shared.domain.placement import place
from shared.domain.policy import Deletions, Policy
from shared.errors import TransientError
from shared.messages.connector_request import Action, ConnectorRequest
from tests.unit.conftest import AzureSide
from tests.unit.test_project_policy import STANDALONE, project

NUMBERS = [f"{number}" for number in range(300000000000, 300000000500)]
MANY = Deletions(excluded_accounts=True, departed_accounts=True, most_per_run=10)


class Organization(AzureSide):
    """Five hundred projects with their connectors, and the events about them."""

    def __init__(self, whole: Policy) -> None:
        projects = replace(STANDALONE, deletions=MANY, exclusions=Matcher(), content_hash=whole.content_hash)
        super().__init__(replace(whole, gcp=projects))
        for number in NUMBERS:
            self.google.of_projects.add(self.of(number))
            wanted = place(projects, number, projects.default_profile, projects.target, f"shop-{number}")
            self.connectors.plant(wanted.connector_id, to_create(wanted.desired))
        self.snapshot.refresh()
        self.intake = ProjectEventPorts(
            projects=self.google.of_projects, queue=self.queue, bodies=self.bodies, policy=self.source, clock=self.clock
        )

    def of(self, number: str, **changes: Any) -> Account:
        return project(number, **{"name": f"shop-{number}", **changes})

    def change(self, **changes: Any) -> None:
        assert self.source.policy.gcp is not None
        self.source.policy = replace(self.source.policy, gcp=replace(self.source.policy.gcp, **changes))

    def event(self, number: str, method: ProjectMethod) -> ConnectorRequest:
        """The request that an event of this moment makes of what the project is."""
        signal = ProjectSignal(
            project=number, number=number, method=method, insert_id=number, occurred_at=self.clock.now()
        )
        accepted = accept_project_event(signal, b"{}", self.intake)
        assert accepted.request is not None
        return accepted.request

    def delete(self, number: str) -> Outcome:
        """The project is deleted, and its event is worked on."""
        self.google.of_projects.add(self.of(number, state=AccountState.DELETE_REQUESTED))
        return onboard(self.event(number, ProjectMethod.DELETE), self.ports)

    def record(self, number: str) -> AccountRecord:
        found = self.ledger.find(AccountKey(provider=Provider.GCP, hierarchy_identifier=number))
        assert found is not None
        return found


@pytest.fixture
def organization(policy: Policy) -> Organization:
    return Organization(policy)


def test_of_five_hundred_deleted_projects_ten_lose_their_connectors_in_a_day(organization: Organization) -> None:
    outcomes = [organization.delete(number) for number in NUMBERS]
    assert [each.result for each in outcomes[:10]] == [Result.DELETED] * 10
    assert {each.result for each in outcomes[10:]} == {Result.SKIPPED}
    assert len(organization.connectors.deletes) == 10
    spared = organization.record(NUMBERS[-1])
    assert spared.state is State.DEPARTED
    assert spared.reason.endswith("nothing is deleted now: deletions.most_per_run is 10")
    assert f"`rollcall offboard {NUMBERS[-1]} --provider gcp --confirm`" in spared.remedy.replace(
        spared.name, NUMBERS[-1]
    )
    assert not spared.claimed_by_another("somebody", organization.clock.now())
    organization.clock.advance(86_400)
    assert organization.delete(NUMBERS[-1]).result is Result.DELETED


def test_a_policy_that_excludes_everybody_takes_ten_of_those_that_are_moved(organization: Organization) -> None:
    organization.change(exclusions=Matcher(ou_paths=("/",)))
    for number in NUMBERS[:100]:
        onboard(organization.event(number, ProjectMethod.MOVE), organization.ports)
    assert len(organization.connectors.deletes) == 10
    left = organization.record(NUMBERS[99])
    assert (left.state, "most_per_run" in left.reason, "rollcall offboard" in left.remedy) == (
        State.EXCLUDED,
        True,
        True,
    )


def test_departed_and_excluded_projects_share_the_day(organization: Organization) -> None:
    organization.change(deletions=replace(MANY, most_per_run=2))
    organization.delete(NUMBERS[0])
    organization.change(exclusions=Matcher(ou_paths=("/",)))
    for number in NUMBERS[1:4]:
        onboard(organization.event(number, ProjectMethod.MOVE), organization.ports)
    assert len(organization.connectors.deletes) == 2


def test_the_same_event_again_counts_once(organization: Organization) -> None:
    organization.change(deletions=replace(MANY, most_per_run=2))
    for _ in range(3):
        organization.delete(NUMBERS[0])
    assert organization.delete(NUMBERS[1]).result is Result.DELETED
    assert organization.delete(NUMBERS[2]).result is Result.SKIPPED


def test_ended_between_count_and_deletion_it_goes_on_with_the_same_project(organization: Organization) -> None:
    organization.change(deletions=replace(MANY, most_per_run=1))
    organization.connectors.failures.plan("delete", TransientError("the process is gone"))
    organization.google.of_projects.add(organization.of(NUMBERS[0], state=AccountState.DELETE_REQUESTED))
    gone = organization.event(NUMBERS[0], ProjectMethod.DELETE)
    assert onboard(gone, organization.ports).result is Result.DEFERRED
    assert organization.delete(NUMBERS[1]).result is Result.SKIPPED
    assert onboard(gone.next_attempt(failed=True), organization.ports).result is Result.DELETED


def test_a_project_without_a_connector_of_ours_counts_for_nothing(organization: Organization) -> None:
    organization.change(deletions=replace(MANY, most_per_run=1))
    stranger = "399999999999"
    assert organization.delete(stranger).result is Result.UNCHANGED
    assert organization.delete(NUMBERS[0]).result is Result.DELETED


def test_a_person_s_word_counts_like_any_other_and_waits_for_a_person_beyond(organization: Organization) -> None:
    organization.change(deletions=replace(MANY, most_per_run=1))
    organization.delete(NUMBERS[0])
    asked = organization.event(NUMBERS[1], ProjectMethod.MOVE)
    by_hand = asked.data.model_copy(update={"action": Action.DISCONNECT, "status": State.OFFBOARDED})
    outcome = onboard(asked.model_copy(update={"data": by_hand}), organization.ports)
    assert (outcome.result, outcome.key) == (Result.PARKED, "removals-used-up")
    assert organization.record(NUMBERS[1]).state is State.PARKED
    assert len(organization.connectors.deletes) == 1
    organization.change(deletions=replace(MANY, most_per_run=2))
    assert onboard(asked.model_copy(update={"data": by_hand}), organization.ports).result is Result.DELETED


def test_while_nobody_can_count_nothing_goes(organization: Organization) -> None:
    organization.removals.failures.plan("take", TransientError("the table is busy"))
    assert organization.delete(NUMBERS[0]).result is Result.DEFERRED
    assert organization.connectors.deletes == []
