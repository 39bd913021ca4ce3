"""A plan says what onboarding then does: prechecks, modes, standards and governance rules included."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.application.onboard import onboard
from shared.application.plan import plan
from shared.domain.connectors import ConnectorId, desired_body, to_create
from shared.domain.ledger import AccountRecord, Result
from shared.domain.matching import Matcher
from shared.domain.placement import place
from shared.domain.policy import Mode, OnMissingOwner, OnMissingPlan, Policy, Prechecks, Rule
from shared.domain.prechecks import NEEDED_PLANS
from shared.domain.preview import Action, PlannedAccount
from shared.domain.preview_notes import AFTERCARE_DUE
from shared.domain.profiles import DefenderCspm, Profile, Servers
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError
from tests.fakes.subscriptions import CONTRIBUTOR, OWNER, FakeCompliance
from tests.fixtures.profiles import FULL
from tests.fixtures.read import ACCOUNT_ID, account, request
from tests.unit.conftest import AzureSide
from tests.unit.test_aftercare import PROFILE
from tests.unit.test_plan import (
    ELSEWHERE,
    EVERYBODY,
    MANAGEMENT,
    MEMBERS,
    ORGANIZATION,
    PARENT,
    POLICY,
    TARGET,
    World,
    keys_of,
    profiles,
)

STRICT = Prechecks()
LENIENT = Prechecks(subscription_plans=OnMissingPlan.WARN, owner_features=OnMissingOwner.DOWNGRADE)
WHOLE = replace(POLICY, default_profile=FULL)
CLASSIC = {ACCOUNT_ID: "/subscriptions/s/classic"}


class AskedCompliance(FakeCompliance):
    """Counts who asks for standards."""

    asked = 0

    def list_standards(self, connector_id: ConnectorId) -> Any:
        self.asked += 1
        return super().list_standards(connector_id)


@dataclass
class Both:
    """Planning and onboarding on the same clouds, with the same ledger."""

    policy: Policy = WHOLE
    account_id: str = ACCOUNT_ID
    may_assign_roles: bool | None = None
    compliance: AskedCompliance = field(default_factory=AskedCompliance)
    asked: int = 0

    def __post_init__(self) -> None:
        self.azure = AzureSide(self.policy)
        self.azure.ports = replace(self.azure.ports, compliance=self.compliance)

    def lacks(self, **lack: Any) -> None:
        self.azure.clock.advance(301)
        self.azure.subscriptions.present |= lack

    def onboard(self) -> Any:
        self.azure.source.policy = self.policy
        self.azure.snapshot.refresh()
        self.azure.clock.advance(60)
        asked = {"organization": ORGANIZATION, "hierarchy_identifier": self.account_id}
        self.asked += 1  # a message that came to its end is not sent again
        return onboard(request(data=asked, message_id=str(uuid.UUID(int=self.asked))), self.azure.ports)

    def plan(self) -> PlannedAccount:
        is_management = self.account_id == PARENT.management_account
        world = World(
            policy=self.policy,
            accounts=(MANAGEMENT if is_management else account(self.account_id),),
            connectors=self.azure.connectors,
            subscriptions=self.azure.subscriptions,
            ledger=self.azure.ledger,
            may_assign_roles=self.may_assign_roles,
        )
        return next(each for each in world.plan().accounts if each.hierarchy_identifier == self.account_id)

    def record(self) -> AccountRecord | None:
        return self.azure.ledger.find(request(data={"hierarchy_identifier": self.account_id}).key)

    def plant(self, kind: str, profile: Profile) -> None:
        """Connectors of the account; see `KINDS`."""
        elsewhere = [ConnectorId(subscription_id="s", resource_group="r", name=name) for name in ("x", "y")]
        usual = place(self.policy, self.account_id, profile, TARGET)
        member = place(MEMBERS, self.account_id, profile, TARGET)
        tags = {"theirs": {"owner": "secops"}, "defender's": {}}.get(kind, {"rollcall": ORGANIZATION})
        places = {"none": [], "ours": [usual.connector_id], "defender's": [member.connector_id], "two": elsewhere}
        for where in places.get(kind, elsewhere[:1]):
            body = member.desired if kind == "defender's" else usual.desired
            self.azure.connectors.plant(where, to_create(body) | {"tags": tags})


def messages(planned: PlannedAccount) -> dict[str, str]:
    return {note.key: note.message for note in planned.notes}


# Prechecks


@pytest.mark.parametrize(
    ("lack", "key"),
    [
        ({"state": "Disabled"}, "subscription-not-enabled"),
        ({"classic_connectors": CLASSIC}, "classic-connector"),
        ({"plans": frozenset()}, "subscription-plan-off"),
    ],
)
def test_what_a_precheck_refuses_is_refused_in_the_words_of_onboarding(lack: dict[str, Any], key: str) -> None:
    both = Both()
    both.lacks(**lack)
    planned = both.plan()
    assert (planned.action, planned.key, planned.connector_id) == (Action.REFUSED, key, None)
    assert both.onboard().key == key
    [parked] = both.azure.queue.parked
    assert (planned.reason, planned.remedy) == (parked.reason, parked.remedy)


def test_a_connector_as_the_policy_asks_stays_unchanged_whatever_the_subscription_lacks() -> None:
    both = Both()
    both.onboard()
    both.lacks(state="Disabled")
    assert both.plan().action is Action.UNCHANGED
    assert both.onboard().result is Result.UNCHANGED


def test_a_connector_that_the_ledger_does_not_know_is_checked() -> None:
    both = Both()
    both.plant("ours", FULL)
    both.lacks(state="Disabled")
    assert both.plan().action is Action.REFUSED
    assert both.onboard().result is Result.PARKED


def test_a_downgraded_account_that_is_as_it_should_be_is_unchanged_and_told_so() -> None:
    both = Both(policy=replace(WHOLE, prechecks=LENIENT))
    both.lacks(permissions=(CONTRIBUTOR,))
    assert both.onboard().result is Result.CREATED
    planned = both.plan()  # the ledger says what onboarding found
    assert (planned.action, planned.changes) == (Action.UNCHANGED, ())
    assert "Arc provisioning, full Defender CSPM: left out" in messages(planned)["owner-missing"]
    both.may_assign_roles = True
    assert both.plan().action is Action.CHANGE


def test_an_account_that_was_parked_for_want_of_an_owner_is_refused_until_somebody_says_otherwise() -> None:
    both = Both()
    both.lacks(permissions=(CONTRIBUTOR,))
    assert both.onboard().key == "owner-missing"
    assert (both.plan().action, both.plan().key) == (Action.REFUSED, "owner-missing")
    both.may_assign_roles = True
    assert both.plan().action is Action.CREATE


def test_what_the_planning_person_may_do_says_nothing_about_the_identity_that_onboards() -> None:
    both = Both()
    both.lacks(permissions=(CONTRIBUTOR,))
    planned = both.plan()
    assert planned.action is Action.CREATE
    assert (
        f"planned as if the Function App's identity may assign roles in subscription {TARGET.subscription_id}"
        in (messages(planned)["owner-assumed"])
    )
    both.lacks(permissions=(OWNER,))
    both.may_assign_roles = False
    assert (both.plan().action, both.plan().key) == (Action.REFUSED, "owner-missing")
    both.policy = POLICY
    both.may_assign_roles = None
    assert messages(both.plan()) == {}  # nothing of it needs an Owner


def test_what_the_subscription_lacks_under_a_lenient_policy_is_a_note() -> None:
    both = Both(policy=replace(WHOLE, prechecks=LENIENT), may_assign_roles=True)
    both.lacks(plans=frozenset())
    planned = both.plan()
    assert planned.action is Action.CREATE
    assert "has these plans off: CloudPosture" in messages(planned)["subscription-plan-off"]
    both.onboard()
    record = both.record()
    assert record is not None
    assert messages(planned)["subscription-plan-off"] == record.reason


def test_each_target_is_inspected_once_and_only_for_accounts_that_get_a_connector() -> None:
    ids = [f"{number:012d}" for number in range(1, 9)]
    rule = Rule(match=Matcher(account_ids=frozenset(ids[:4])), profile=FULL, target=ELSEWHERE)
    world = World(policy=replace(WHOLE, rules=(rule,)), accounts=tuple(account(each) for each in ids))
    world.plan()
    assert world.subscriptions.reads == 2
    world = World(policy=replace(WHOLE, exclusions=Matcher(names=("*",))))
    world.plan()
    assert world.subscriptions.reads == 0


@pytest.mark.parametrize("error", [TransientError("no answer"), ConfigurationError("no", setting="x")])
@pytest.mark.parametrize("failing", ["inspect", "list_records"])
def test_what_cannot_be_read_plans_nothing(failing: str, error: RollcallError) -> None:
    both = Both()
    world = World(ledger=both.azure.ledger)
    for failures in (world.subscriptions.failures, both.azure.ledger.failures):
        failures.plan(failing, error)
    with pytest.raises(type(error)):
        plan(EVERYBODY, world.ports())


def test_a_target_that_is_not_there_refuses_its_own_accounts_only() -> None:
    there, away = "000000000001", "000000000002"
    rule = Rule(match=Matcher(account_ids=frozenset({away})), profile=FULL, target=ELSEWHERE)
    world = World(policy=replace(POLICY, rules=(rule,)), accounts=(account(there), account(away)))
    inspect = world.subscriptions.inspect

    def missing(target: Any, **age: float) -> Any:
        if target == ELSEWHERE:
            raise PermanentError("there is no such subscription", remedy="see", key="resource-missing")
        return inspect(target, **age)

    world.subscriptions.inspect = missing  # type: ignore[method-assign]  # of one fake only
    first, second = world.plan().accounts
    assert first.action is Action.CREATE
    assert (second.action, second.key, second.remedy) == (Action.REFUSED, "resource-missing", "see")


# Standards and governance rules; several connectors


def test_standards_that_were_not_seen_to_are_noted_until_they_were() -> None:
    both = Both(may_assign_roles=True)
    both.onboard()
    both.policy = replace(WHOLE, default_profile=replace(FULL, standards=PROFILE.standards))
    planned = both.plan()
    assert (planned.action, planned.notes) == (Action.UNCHANGED, (AFTERCARE_DUE,))
    both.onboard()
    assert both.compliance.writes
    assert both.plan().notes == ()
    for connector in both.azure.connectors.everything():
        both.azure.connectors.delete(connector.connector_id)
    assert both.plan().action is Action.CREATE
    assert AFTERCARE_DUE in both.plan().notes


def test_without_a_ledger_nothing_is_said_about_standards() -> None:
    world = World(policy=replace(POLICY, default_profile=PROFILE))
    assert AFTERCARE_DUE not in world.only().notes
    world.ledger = AzureSide(POLICY).ledger
    assert AFTERCARE_DUE in world.only().notes


def test_several_connectors_of_ours_are_all_named() -> None:
    world = World(policy=WHOLE)
    for group in ("a", "b"):
        at = ConnectorId(subscription_id="s", resource_group=group, name="x")
        world.connectors.plant(at, to_create(desired_body(ACCOUNT_ID, FULL, TARGET, ORGANIZATION)))
    planned = world.only()
    assert planned.action is Action.UNCHANGED
    for connector in world.connectors.everything():
        assert str(connector.connector_id) in messages(planned)["several-connectors"]
    left_out = world.plan(policy=replace(WHOLE, exclusions=Matcher(names=("*",))))
    assert keys_of(left_out) == {"several-connectors": (ACCOUNT_ID,)}


# Agreement

RESULTS = {
    Action.CREATE: {Result.CREATED},
    Action.CHANGE: {Result.UPDATED},
    Action.UNCHANGED: {Result.UNCHANGED},
    Action.EXCLUDED: {Result.SKIPPED},
    Action.STAYS: {Result.SKIPPED},
    Action.REFUSED: {Result.PARKED},
    Action.WAITS: {Result.DEFERRED},
}
KINDS = ("none", "ours", "elsewhere", "theirs", "defender's", "two", "onboarded", "deleted by hand")
demanding = st.builds(
    replace,
    profiles | st.just(FULL) | st.just(Profile(name="paid", cspm=DefenderCspm(), servers=Servers())),
    standards=st.sampled_from([(), PROFILE.standards]),
)
lacks = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["Enabled", "Enabled", "Enabled", "Disabled"]),
        "plans": st.sampled_from([frozenset(NEEDED_PLANS.values()), frozenset({"CloudPosture"})]),
        "permissions": st.sampled_from([(OWNER,), (CONTRIBUTOR,)]),
        "classic_connectors": st.sampled_from([{}, {}, {}, CLASSIC]),
    }
)


@settings(max_examples=120, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    before=demanding,
    after=demanding,
    same=st.booleans(),
    mode=st.sampled_from(Mode),
    prechecks=st.sampled_from([STRICT, LENIENT]),
    lack=lacks,
    parent=st.booleans(),
    manages=st.booleans(),
    excluded=st.integers(0, 9).map(lambda number: number == 0),
)
def test_onboarding_then_does_what_was_planned(
    *,
    kind: str,
    before: Profile,
    after: Profile,
    same: bool,
    mode: Mode,
    prechecks: Prechecks,
    lack: dict[str, Any],
    parent: bool,
    manages: bool,
    excluded: bool,
) -> None:
    policy = replace(MEMBERS, mode=mode, default_profile=before, prechecks=prechecks)
    account_id = PARENT.management_account if manages and mode is Mode.MEMBER else ACCOUNT_ID
    both = Both(policy=policy, account_id=account_id)
    if parent and account_id == ACCOUNT_ID:
        organization = place(MEMBERS, PARENT.management_account, before, TARGET)
        both.azure.connectors.plant(organization.connector_id, to_create(organization.desired))
    if kind in {"onboarded", "deleted by hand"}:
        made = both.onboard().connector_id
        if made and kind == "deleted by hand":
            both.azure.connectors.delete(ConnectorId.parse(made))
    else:
        both.plant(kind, before)
    both.lacks(**lack)
    both.may_assign_roles = lack["permissions"] == (OWNER,)
    exclusions = Matcher(names=("*",)) if excluded else Matcher()
    both.policy = replace(policy, default_profile=before if same else after, exclusions=exclusions)
    agrees(both)


def agrees(both: Both) -> None:
    planned, asked, parked = both.plan(), both.compliance.asked, len(both.azure.queue.parked)
    outcome = both.onboard()
    assert outcome.result in RESULTS[planned.action]
    assert (AFTERCARE_DUE in planned.notes) is (both.compliance.asked > asked)
    record = both.record()
    assert record is not None
    if planned.action is Action.REFUSED:
        [told] = both.azure.queue.parked[parked:]
        assert (planned.key, planned.reason, planned.remedy) == (outcome.key, told.reason, told.remedy)
    elif planned.action is Action.WAITS and both.policy.mode is Mode.MEMBER:
        assert (planned.key, planned.reason, planned.remedy) == (outcome.key, outcome.reason, record.remedy)
    elif planned.action in {Action.CREATE, Action.CHANGE, Action.UNCHANGED}:
        assert ConnectorId.parse(outcome.connector_id).same_as(planned.connector_id)  # type: ignore[arg-type]  # there
        checks = ("subscription-plan-off", "owner-missing")
        assert record.reason == "; ".join(note.message for note in planned.notes if note.key in checks)
        again = both.plan()
        assert (again.action, again.changes) == (Action.UNCHANGED, ())
