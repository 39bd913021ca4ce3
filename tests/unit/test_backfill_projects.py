"""`rollcall backfill --provider gcp`: every project is asked for once, and a second run changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.application.backfill_projects import BackfillPorts, backfill_projects
from shared.application.onboard import onboard
from shared.application.reconcile import Looked, Reconciliation, Run
from shared.application.request_project import request_project
from shared.application.selection import Selection
from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.exclusions import Exclusions
from shared.domain.ledger import AccountKey, State
from shared.domain.policy import Deletions, Policy
from shared.domain.reconciliation import Signal
from shared.errors import ConfigurationError, TransientError
from shared.messages.connector_request import Action, ConnectorRequest
from tests.fakes.queues import FakeRequestQueue
from tests.unit.conftest import AzureSide
from tests.unit.test_project_policy import MANAGEMENT, MEMBER, project

RUN = Run(name="run-1", source="rollcall backfill")
FIRST, SECOND, CLOSED, SAND, EXEMPT = (f"{number:012d}" for number in range(101, 106))


class Google:
    """An organization of Google, and what was sent about it."""

    def __init__(self, policy: Policy) -> None:
        self.azure = AzureSide(replace(policy, gcp=replace(MEMBER, content_hash=policy.content_hash)))
        self.sender = FakeRequestQueue()
        self.ports = BackfillPorts(
            projects=self.azure.google.of_projects,
            sender=self.sender,
            policy=self.azure.source,
            clock=self.azure.clock,
        )

    def add(self, *projects: Account) -> None:
        for each in projects:
            self.azure.google.of_projects.add(each)

    def run(self, run: Run = RUN) -> Reconciliation:
        return backfill_projects(run, self.ports)

    def sent(self) -> list[tuple[str, Action, State | None]]:
        return [(each.data.hierarchy_identifier, each.data.action, each.data.status) for each in self.sender.requests]

    def work(self) -> list[str]:
        """What became of everything that was sent."""
        outcomes = []
        for asked in self.sender.requests:
            outcomes.append(str(onboard(asked, self.azure.ports).result))
            self.azure.snapshot.refresh()
        self.sender.sent.clear()
        return outcomes


def shop(number: str, **changes: object) -> Account:
    return project(number, **{"name": f"shop-{number[-3:]}", **changes})


@pytest.fixture
def google(policy: Policy) -> Google:
    found = Google(policy)
    found.add(
        shop(FIRST),
        shop(SECOND, ou_path="/Shops/North"),
        shop(CLOSED, state=AccountState.DELETE_REQUESTED),
        shop(SAND, ou_path="/Sandbox"),
        shop(EXEMPT, tags={"defender": "exempt"}),
        shop(MANAGEMENT, name="mdc-mgmt-proj-123456789012", ou_path="/"),
    )
    return found


def only(google: Google, number: str) -> ConnectorRequest:
    [found] = [each for each in google.sender.requests if each.data.hierarchy_identifier == number]
    return found


def test_every_project_is_asked_for_once_the_management_project_first(google: Google) -> None:
    found = google.run()
    assert google.sent() == [
        (MANAGEMENT, Action.CONNECT, State.DEPLOYED),
        (FIRST, Action.CONNECT, State.DEPLOYED),
        (SECOND, Action.CONNECT, State.DEPLOYED),
        (CLOSED, Action.NOTE, State.DEPARTED),
        (SAND, Action.NOTE, State.EXCLUDED),
        (EXEMPT, Action.NOTE, State.EXCLUDED),
    ]
    assert (found.left, found.failed) == (0, ())
    assert found.totals == {
        Signal.ACCOUNT_EVENT: 0,
        Signal.CONNECT_REQUEST: 3,
        Signal.NOTE: 3,
        Signal.WAITS: 0,
    }


def test_a_request_says_what_the_project_is(google: Google) -> None:
    google.run()
    asked = only(google, SECOND)
    assert asked.key == AccountKey(provider=Provider.GCP, hierarchy_identifier=SECOND)
    assert (asked.data.name, asked.data.ou_path) == ("shop-102", "/Shops/North")
    assert (asked.data.organization, asked.data.source) == (MEMBER.organization, "rollcall backfill")


def test_the_management_project_s_request_tells_whom_its_connector_has_to_leave_alone(google: Google) -> None:
    google.run()
    told = only(google, MANAGEMENT).data.told
    assert told == Exclusions(excluded=frozenset({SAND, EXEMPT}), included=frozenset({FIRST, SECOND}))


def test_a_folder_alone_is_asked_for_and_the_organization_connector_is_told_of_it(google: Google) -> None:
    found = google.run(replace(RUN, selection=Selection(ou_path="/Sandbox")))
    assert [each.account_id for each in found.accounts] == [SAND]
    assert google.sent() == [(MANAGEMENT, Action.NOTE, State.SEEN), (SAND, Action.NOTE, State.EXCLUDED)]
    told = only(google, MANAGEMENT).data.told
    assert told == Exclusions(excluded=frozenset({SAND}))


def test_a_dry_run_says_the_same_and_sends_nothing(google: Google) -> None:
    dry = google.run(replace(RUN, dry=True))
    assert google.sent() == []
    assert dry.accounts == google.run().accounts
    google.sender.sent.clear()
    google.run(replace(RUN, dry=True, selection=Selection(ou_path="/Sandbox")))
    assert google.sent() == []


def test_the_limit_counts_projects_without_a_connector(google: Google) -> None:
    found = google.run(replace(RUN, limit=1, connected=frozenset({MANAGEMENT})))
    assert [each.account_id for each in found.accounts] == [MANAGEMENT, FIRST]
    assert found.left == 4


def test_nothing_is_taken_away_whatever_the_policy_allows(google: Google) -> None:
    whole = google.azure.source.policy
    assert whole.gcp is not None
    may = Deletions(excluded_accounts=True, departed_accounts=True)
    google.azure.source.policy = replace(whole, gcp=replace(whole.gcp, deletions=may))
    google.run()
    assert Action.DISCONNECT not in {action for _, action, _ in google.sent()}


def test_a_project_in_a_state_that_nobody_knows_is_left_alone(google: Google) -> None:
    google.add(shop(FIRST, state=AccountState.UNKNOWN))
    found = google.run()
    looked = next(each for each in found.accounts if each.account_id == FIRST)
    assert looked.signal is Signal.WAITS
    assert FIRST not in {number for number, _, _ in google.sent()}


def test_a_project_that_fits_into_no_message_is_told_and_holds_nobody_up(google: Google) -> None:
    google.add(shop(FIRST, ou_path="/" + "x" * 10_000))
    found = google.run()
    assert [each.account_id for each in found.failed] == [FIRST]
    assert len(google.sent()) == 5


def test_a_project_that_came_back_since_the_listing_was_made_is_asked_for(google: Google) -> None:
    projects = google.azure.google.of_projects
    stale = list(projects.projects.values())
    google.add(shop(CLOSED))
    projects.list_projects = lambda: iter(stale)  # type: ignore[method-assign] # a search is behind
    google.run()
    assert (CLOSED, Action.CONNECT, State.DEPLOYED) in google.sent()


def test_a_project_that_takes_part_since_it_was_looked_at_is_neither_noted_nor_excluded_again(google: Google) -> None:
    google.run()
    google.work()
    projects, clock = google.azure.google.of_projects, google.azure.clock
    clock.advance(3600)
    really = projects.find

    def find(project: str) -> Account | None:
        """Looks; a minute after SAND was looked at it is moved, which its event tells at once."""
        found = really(project)
        clock.advance(60)
        if project == EXEMPT:
            moved = shop(SAND, ou_path="/Shops")
            google.add(moved)
            event = FakeRequestQueue()
            request_project(moved, replace(google.ports, sender=event))
            for asked in event.requests:
                onboard(asked, google.azure.ports)
                google.azure.snapshot.refresh()
            clock.advance(60)
        return found

    projects.find = find  # type: ignore[method-assign] # time passes while it looks
    google.run(replace(RUN, name="run-2"))
    projects.find = really  # type: ignore[method-assign]
    google.work()
    record = google.azure.ledger.find(AccountKey(provider=Provider.GCP, hierarchy_identifier=SAND))
    assert record is not None
    assert record.state is State.CONNECTED
    connectors = {each.hierarchy_identifier: each for each in google.azure.connectors.everything()}
    assert SAND in connectors
    assert SAND not in connectors[MANAGEMENT].excluded_accounts
    assert EXEMPT in connectors[MANAGEMENT].excluded_accounts


def test_what_its_number_or_id_excludes_is_noted_without_another_look(google: Google) -> None:
    [by_number, by_id] = ["345678901234", "000000000200"]
    google.add(shop(by_number), shop(by_id, name="sys-12345678901234567890123456"))
    for number in (by_number, by_id):
        google.azure.google.of_projects.failures.plan(f"find {number}", ConfigurationError("asked", setting="-"))
    google.run()
    assert {(by_number, Action.NOTE, State.EXCLUDED), (by_id, Action.NOTE, State.EXCLUDED)} <= set(google.sent())
    assert {by_number, by_id} <= only(google, MANAGEMENT).data.told.excluded


def test_after_a_look_that_is_throttled_there_is_none_and_the_others_are_asked_for(google: Google) -> None:
    failures = google.azure.google.of_projects.failures
    failures.plan(f"find {SAND}", TransientError("quota"))
    failures.plan(f"find {EXEMPT}", ConfigurationError("asked", setting="-"))
    found = google.run()
    assert {each.account_id: each.reason for each in found.failed} == dict.fromkeys(
        (SAND, EXEMPT), "it could not be looked at again: quota"
    )
    assert [number for number, _, _ in google.sent()] == [MANAGEMENT, FIRST, SECOND, CLOSED]
    assert only(google, MANAGEMENT).data.told == Exclusions(included=frozenset({FIRST, SECOND}))


def test_where_the_management_project_cannot_be_looked_at_again_a_note_tells_whom_to_leave_alone(
    google: Google,
) -> None:
    google.add(shop(MANAGEMENT, state=AccountState.DELETE_REQUESTED))
    google.azure.google.of_projects.failures.plan(f"find {MANAGEMENT}", TransientError("quota"))
    assert MANAGEMENT in {each.account_id for each in google.run().failed}
    assert only(google, MANAGEMENT).data.status is State.SEEN
    assert only(google, MANAGEMENT).data.told == Exclusions(included=frozenset({FIRST, SECOND}))


def test_a_listing_that_fails_sends_nothing(google: Google) -> None:
    google.azure.google.of_projects.failures.plan("list_projects", TransientError("quota"))
    with pytest.raises(TransientError):
        google.run()
    assert google.sent() == []


def test_a_policy_without_projects_refuses(google: Google) -> None:
    google.azure.source.policy = replace(google.azure.source.policy, gcp=None)
    with pytest.raises(ConfigurationError, match="says nothing about projects"):
        google.run()


def test_whoever_looks_on_is_told_of_each_project(google: Google) -> None:
    seen: list[tuple[Looked, int]] = []
    found = backfill_projects(RUN, google.ports, tell=lambda looked, total: seen.append((looked, total)))
    assert seen == [(each, 6) for each in found.accounts]


def test_two_hundred_projects_are_connected_and_the_second_run_writes_nothing(google: Google) -> None:
    google.add(*(shop(f"{number:012d}", name=f"many-{number}") for number in range(1000, 1197)))
    assert google.run().totals[Signal.CONNECT_REQUEST] == 200
    assert google.work().count("created") == 200
    puts = len(google.azure.connectors.puts)
    google.azure.clock.advance(60)
    assert google.run(replace(RUN, name="run-2")).totals[Signal.CONNECT_REQUEST] == 200
    outcomes = google.work()
    assert outcomes.count("unchanged") == 200
    assert "created" not in outcomes
    assert (len(google.azure.connectors.puts), google.azure.queue.parked) == (puts, [])
