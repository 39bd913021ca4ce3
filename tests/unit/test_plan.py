"""What a policy would change, account by account, without changing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.application.plan import PlanPorts, Preview, plan
from shared.application.selection import Selection
from shared.domain.accounts import Account, AccountState
from shared.domain.connectors import (
    ConnectorId,
    connector_id_for,
    desired_body,
    merge,
    to_create,
)
from shared.domain.matching import Matcher
from shared.domain.placement import place
from shared.domain.policy import Deletions, Mode, OrganizationConnector, Policy, Rule, decide
from shared.domain.preview import Action, PlannedAccount
from shared.domain.profiles import Containers, Databases, DefenderCspm, Profile, Servers, SubPlan
from shared.domain.targets import Target
from shared.errors import ConfigurationError, RollcallError, TransientError
from tests.fakes.aws import FakeAccountDirectory, FakeAccountListing, FakePolicySource
from tests.fakes.clock import FakeClock
from tests.fakes.connectors import FakeConnectors, FakeSnapshot
from tests.fakes.ledger import FakeLedger
from tests.fakes.subscriptions import FakeSubscriptions
from tests.fixtures.profiles import EVERYTHING, FOUNDATIONAL, FULL
from tests.fixtures.read import ACCOUNT_ID, account

ORGANIZATION = "o-exampleorg1"
TARGET = Target(subscription_id="11111111-0000-4000-8000-000000000001", resource_group="rg", location="westeurope")
ELSEWHERE = replace(TARGET, resource_group="rg-elsewhere", location="northeurope")
POLICY = Policy(
    organization=ORGANIZATION,
    tenant_id="00000000-0000-4000-8000-0000000000f1",
    target=TARGET,
    default_profile=FOUNDATIONAL,
    content_hash="abc",
)
EVERYBODY = Selection()


@dataclass
class World:
    """An organization, a tenant and a policy."""

    policy: Policy = POLICY
    accounts: tuple[Account, ...] = (account(),)
    connectors: FakeConnectors = field(default_factory=FakeConnectors)
    subscriptions: FakeSubscriptions = field(default_factory=lambda: FakeSubscriptions(FakeClock()))
    ledger: FakeLedger | None = None
    may_assign_roles: bool | None = True

    def plan(self, selection: Selection = EVERYBODY, policy: Policy | None = None) -> Preview:
        return plan(selection, self.ports(policy), may_assign_roles=self.may_assign_roles)

    def ports(self, policy: Policy | None = None) -> PlanPorts:
        self.listing = FakeAccountListing(FakeAccountDirectory(*self.accounts))
        self.snapshot = FakeSnapshot(self.connectors)
        self.source = FakePolicySource(policy or self.policy)
        return PlanPorts(
            listing=self.listing,
            snapshot=self.snapshot,
            subscriptions=self.subscriptions,
            policy=self.source,
            ledger=self.ledger,
        )

    def only(self, policy: Policy | None = None) -> PlannedAccount:
        [planned] = self.plan(policy=policy).accounts
        return planned

    def connect(
        self,
        profile: Profile = FOUNDATIONAL,
        *,
        account_id: str = ACCOUNT_ID,
        organization: str = ORGANIZATION,
        at: ConnectorId | None = None,
        **properties: Any,
    ) -> ConnectorId:
        """Plants a connector of an account."""
        body = to_create(desired_body(account_id, profile, TARGET, organization))
        body["properties"] |= properties
        place_of = at or connector_id_for(account_id, TARGET)
        self.connectors.plant(place_of, body)
        return place_of

    def apply(self, preview: Preview, policy: Policy) -> None:
        """Does what was planned, by the domain's own words."""
        standing = {str(each.connector_id).lower(): each for each in self.connectors.everything()}
        for planned in preview.accounts:
            if planned.action in {Action.CREATE, Action.CHANGE}:
                assert planned.connector_id
                found = next(each for each in self.accounts if each.account_id == planned.hierarchy_identifier)
                decision = decide(policy, found)
                desired = place(policy, found.account_id, decision.profile, decision.target).desired
                actual = standing.get(str(planned.connector_id).lower())
                self.connectors.plant(
                    planned.connector_id, merge(actual.body, desired) if actual else to_create(desired)
                )


def changes_of(planned: PlannedAccount) -> dict[str, tuple[Any, Any]]:
    return {change.path: (change.now, change.wanted) for change in planned.changes}


def keys_of(preview: Preview) -> Mapping[str, tuple[str, ...]]:
    return {warning.note.key: warning.account_ids for warning in preview.warnings}


def test_an_account_without_a_connector_would_get_one() -> None:
    planned = World().only()
    assert (planned.action, planned.profile) == (Action.CREATE, "foundational")
    assert planned.connector_id == connector_id_for(ACCOUNT_ID, TARGET)
    assert planned.reason == "profile foundational (default profile)"
    assert (planned.name, planned.ou_path) == ("payments", "/Workloads/Prod")


def test_a_connector_as_the_policy_asks_would_stay_unchanged() -> None:
    world = World()
    world.connect()
    planned = world.only()
    assert (planned.action, planned.changes, planned.notes) == (Action.UNCHANGED, (), ())


def test_a_changed_profile_is_told_field_by_field() -> None:
    before = Profile(name="before", cspm=DefenderCspm(), containers=Containers())
    after = Profile(
        name="after",
        servers=Servers(sub_plan=SubPlan.P1),
        containers=Containers(audit_logs=False),
        scan_interval_hours=6,
    )
    world = World()
    world.connect(before)
    planned = world.only(replace(POLICY, default_profile=after))
    assert planned.action is Action.CHANGE
    changes = changes_of(planned)
    assert changes["properties.environmentData.scanInterval"] == (24, 6)
    containers = "properties.offerings[DefenderForContainersAws]"
    assert changes[f"{containers}.enableAuditLogsAutoProvisioning"] == (True, False)
    now, wanted = changes["properties.offerings[DefenderForServersAws]"]
    assert (now, wanted["subPlan"]) == (None, "P1")
    assert None not in wanted.values()
    now, wanted = changes["properties.offerings[DefenderCspmAws]"]
    assert (now["offeringType"], wanted) == ("DefenderCspmAws", None)
    assert len(changes) == 4


def test_what_a_change_costs_is_warned_of_once_for_all_accounts() -> None:
    ids = tuple(f"{number:012d}" for number in range(1, 4))
    world = World(accounts=tuple(account(each) for each in ids))
    for each in ids:
        world.connect(Profile(name="before", cspm=DefenderCspm(), containers=Containers()), account_id=each)
    after = Profile(name="after", servers=Servers(), containers=Containers(audit_logs=False))
    preview = world.plan(policy=replace(POLICY, default_profile=after))
    assert keys_of(preview) == {"audit-logs-off": ids, "plan-removed": ids, "agent-settings": ids}
    messages = {warning.note.key: warning.note.message for warning in preview.warnings}
    assert "control-plane threat detection is lost" in messages["audit-logs-off"]
    assert "DefenderCspmAws" in messages["plan-removed"]
    assert TARGET.subscription_id in messages["agent-settings"]


def test_agent_settings_are_warned_of_once_for_each_subscription() -> None:
    other = replace(TARGET, subscription_id="22222222-0000-4000-8000-000000000002")
    profile = Profile(name="servers", servers=Servers())
    rule = Rule(match=Matcher(account_ids=frozenset({"000000000002"})), profile=profile, target=other)
    world = World(accounts=tuple(account(f"{number:012d}") for number in (1, 2, 3)))
    preview = world.plan(policy=replace(POLICY, default_profile=profile, rules=(rule,)))
    told = [warning for warning in preview.warnings if warning.note.key == "agent-settings"]
    assert [warning.account_ids for warning in told] == [("000000000001", "000000000003"), ("000000000002",)]


def test_nothing_is_warned_of_where_nothing_changes() -> None:
    world = World(policy=replace(POLICY, default_profile=FULL))
    world.connect(FULL)
    assert world.plan().warnings == ()


def test_audit_logs_that_were_off_before_are_no_news() -> None:
    quiet = Profile(name="quiet", containers=Containers(audit_logs=False))
    world = World()
    world.connect(quiet)
    preview = world.plan(policy=replace(POLICY, default_profile=replace(quiet, scan_interval_hours=4)))
    assert preview.accounts[0].action is Action.CHANGE
    assert preview.warnings == ()


def test_an_excluded_account_is_told_with_its_reason() -> None:
    policy = replace(POLICY, exclusions=Matcher(ou_paths=("/Workloads",)))
    planned = World().only(policy)
    assert (planned.action, planned.profile, planned.connector_id) == (Action.EXCLUDED, "", None)
    assert planned.reason == "excluded by OU path /Workloads"


def test_an_account_that_is_not_active_yet_waits() -> None:
    planned = World(accounts=(account(state=AccountState.PENDING_ACTIVATION),)).only()
    assert (planned.action, planned.reason) == (Action.WAITS, "the account is not activated yet")


@pytest.mark.parametrize(
    ("changes", "deletions", "action"),
    [
        ({}, Deletions(), Action.STAYS),
        ({}, Deletions(departed_accounts=True), Action.STAYS),
        ({}, Deletions(excluded_accounts=True), Action.REMOVE),
        ({"state": AccountState.SUSPENDED}, Deletions(excluded_accounts=True), Action.STAYS),
        ({"state": AccountState.SUSPENDED}, Deletions(departed_accounts=True), Action.REMOVE),
        ({"is_management": True}, Deletions(excluded_accounts=True, departed_accounts=True), Action.STAYS),
    ],
)
def test_a_connector_of_an_account_that_is_left_out_now_stays_unless_the_policy_says_otherwise(
    changes: dict[str, Any], deletions: Deletions, action: Action
) -> None:
    world = World(accounts=(account(**changes),))
    standing = world.connect()
    planned = world.only(replace(POLICY, exclusions=Matcher(names=("*",)), deletions=deletions))
    assert (planned.action, planned.connector_id) == (action, standing)
    said = "would be removed" if action is Action.REMOVE else "would stay: nothing is deleted without opt-in"
    assert said in planned.reason


def test_anothers_connector_of_an_excluded_account_is_none_of_our_business() -> None:
    world = World()
    world.connect(organization="o-somebodyels")
    planned = world.only(replace(POLICY, exclusions=Matcher(names=("*",)), deletions=Deletions(excluded_accounts=True)))
    assert (planned.action, planned.connector_id) == (Action.EXCLUDED, None)


def test_anothers_connector_is_refused_with_its_id() -> None:
    world = World()
    theirs = world.connect(
        organization="o-somebodyels",
        at=ConnectorId(subscription_id="other", resource_group="theirs", name="by-hand"),
    )
    planned = world.only()
    assert (planned.action, planned.connector_id) == (Action.REFUSED, theirs)
    assert str(theirs) in planned.reason


@pytest.mark.parametrize(("may", "action"), [(False, Action.DEPARTED), (True, Action.REMOVE)])
def test_a_connector_of_an_account_that_left_is_told(may: bool, action: Action) -> None:
    world = World(accounts=())
    standing = world.connect()
    world.connect(account_id="111111111111", organization="o-somebodyels")
    planned = world.only(replace(POLICY, deletions=Deletions(departed_accounts=may)))
    assert (planned.hierarchy_identifier, planned.action, planned.connector_id) == (ACCOUNT_ID, action, standing)
    assert "does not list the account" in planned.reason


def test_connectors_of_another_cloud_are_left_alone() -> None:
    world = World()
    world.connect(environmentName="GCP")
    world.connect(account_id="111111111111", environmentName="GCP")
    assert world.only().action is Action.CREATE


def test_a_connector_that_stands_elsewhere_is_changed_where_it_stands() -> None:
    world = World()
    standing = world.connect()
    preview = world.plan(policy=replace(POLICY, target=ELSEWHERE, default_profile=EVERYTHING))
    [planned] = preview.accounts
    assert (planned.action, planned.connector_id) == (Action.CHANGE, standing)
    assert {"not-moved", "location-kept"} <= keys_of(preview).keys()


def test_a_new_target_that_moves_nothing_is_warned_of_although_nothing_changes() -> None:
    world = World()
    world.connect()
    preview = world.plan(policy=replace(POLICY, target=ELSEWHERE))
    assert preview.accounts[0].action is Action.UNCHANGED
    assert keys_of(preview).keys() == {"not-moved", "location-kept"}


PARENT = OrganizationConnector(name="org", management_account="111111111111", stack_set_name="s")
MANAGEMENT = account(PARENT.management_account, is_management=True)
MEMBERS = replace(POLICY, mode=Mode.MEMBER, organization_connector=PARENT)


def test_in_mode_native_nothing_is_made() -> None:
    world = World(policy=replace(MEMBERS, mode=Mode.NATIVE))
    assert world.only().action is Action.WAITS
    name = ConnectorId(subscription_id="s", resource_group="rg", name=f"org_{ACCOUNT_ID}")
    world.connectors.plant(name, to_create(place(world.policy, ACCOUNT_ID, FULL, TARGET).desired) | {"tags": {}})
    assert (world.only().action, world.only().connector_id) == (Action.UNCHANGED, name)
    assert world.subscriptions.reads == 0


def test_in_mode_member_the_organization_connector_comes_first_and_members_wait_for_it() -> None:
    world = World(policy=MEMBERS, accounts=(account(), MANAGEMENT))
    member, management = world.plan().accounts
    assert (member.action, member.key) == (Action.WAITS, "organization-connector-missing")
    assert f"`rollcall onboard {MANAGEMENT.account_id}`" in member.remedy
    assert management.action is Action.CREATE
    assert management.connector_id is not None
    assert member.reason == f"there is no Organization connector {management.connector_id}"
    assert management.connector_id.name == "org"
    world.apply(world.plan(), MEMBERS)
    member, management = world.plan().accounts
    assert (member.action, management.action) == (Action.CREATE, Action.UNCHANGED)
    assert member.connector_id is not None
    assert member.connector_id.name == f"org_{ACCOUNT_ID}"
    preview = world.plan(policy=replace(MEMBERS, default_profile=FULL))
    assert [each.action for each in preview.accounts] == [Action.CREATE, Action.CHANGE]


def test_a_member_that_defender_made_is_ours_in_every_action() -> None:
    world = World(policy=MEMBERS)
    parent = place(MEMBERS, PARENT.management_account, FOUNDATIONAL, TARGET)
    wanted = place(MEMBERS, ACCOUNT_ID, FOUNDATIONAL, TARGET)
    world.connectors.plant(parent.connector_id, to_create(parent.desired))
    world.connectors.plant(wanted.connector_id, to_create(wanted.desired) | {"tags": {}})

    def only(policy: Policy | None = None) -> PlannedAccount:
        [planned] = world.plan(Selection(account_ids=frozenset({ACCOUNT_ID})), policy).accounts
        return planned

    assert (only().action, only().connector_id) == (Action.CHANGE, wanted.connector_id)
    excluded = only(replace(MEMBERS, exclusions=Matcher(names=("*",))))
    assert (excluded.action, excluded.connector_id) == (Action.STAYS, wanted.connector_id)
    world.accounts = ()
    assert only().action is Action.DEPARTED
    world.accounts = (account(),)
    refused = only(POLICY)
    assert refused.action is Action.REFUSED
    assert "or use mode member" in refused.remedy


def test_a_selection_asks_for_accounts_and_units() -> None:
    world = World(
        accounts=(
            account("000000000001", ou_path="/Workloads/Prod/EU"),
            account("000000000002", ou_path="/Workloads/Dev"),
            account("000000000003", ou_path="/"),
        )
    )
    world.connect(account_id="000000000009")

    def ids(**selection: Any) -> list[str]:
        return [each.hierarchy_identifier for each in world.plan(Selection(**selection)).accounts]

    assert ids() == ["000000000001", "000000000002", "000000000003", "000000000009"]
    assert ids(ou_path="/Workloads") == ["000000000001", "000000000002"]
    assert ids(ou_path="/Workloads/Prod") == ["000000000001"]
    assert ids(account_ids=frozenset({"000000000003", "000000000009"})) == ["000000000003", "000000000009"]
    assert ids(account_ids=frozenset({"000000000003"}), ou_path="/Workloads") == []


def test_tags_are_read_only_where_the_policy_asks_and_they_can_matter() -> None:
    gold = account("000000000001", tags={"tier": "gold"})
    plain, closed = account("000000000002"), account("000000000003", state=AccountState.CLOSED)
    world = World(accounts=(gold, plain, closed))
    world.plan()
    assert world.listing.tags_read == []
    rule = Rule(match=Matcher(tags={"tier": ("gold",)}), profile=FULL)
    preview = world.plan(policy=replace(POLICY, rules=(rule,)))
    assert world.listing.tags_read == ["000000000001", "000000000002"]
    assert [each.profile for each in preview.accounts] == [FULL.name, FOUNDATIONAL.name, ""]
    world.plan(Selection(account_ids=frozenset({"000000000002"})), replace(POLICY, rules=(rule,)))
    assert world.listing.tags_read == ["000000000002"]


@pytest.mark.parametrize("failing", ["list_accounts", "tags_of", "list_all", "current"])
@pytest.mark.parametrize("error", [TransientError("no answer"), ConfigurationError("no", setting="x")])
def test_an_incomplete_listing_plans_nothing(failing: str, error: RollcallError) -> None:
    world = World()
    ports = world.ports(replace(POLICY, exclusions=Matcher(tags={"a": ("b",)})))
    for failures in (world.listing.failures, world.snapshot.failures, world.source.failures):
        failures.plan(failing, error)
    with pytest.raises(type(error)):
        plan(EVERYBODY, ports)


def test_totals_name_every_action() -> None:
    preview = World(accounts=(account("000000000001"), account("000000000002", state=AccountState.CLOSED))).plan()
    assert preview.totals == dict.fromkeys(Action, 0) | {Action.CREATE: 1, Action.EXCLUDED: 1}
    assert preview.policy_hash == "abc"


profiles = st.builds(
    Profile,
    name=st.just("some"),
    cspm=st.none() | st.builds(DefenderCspm, sensitive_data=st.booleans(), kubernetes_discovery=st.booleans()),
    servers=st.none() | st.builds(Servers, sub_plan=st.sampled_from(SubPlan), endpoint_protection=st.booleans()),
    containers=st.none() | st.builds(Containers, audit_logs=st.booleans(), audit_retention_days=st.integers(1, 90)),
    databases=st.none() | st.builds(Databases, rds_threat_protection=st.booleans()),
    scan_interval_hours=st.integers(1, 24),
    regions=st.lists(st.sampled_from(["eu-west-1", "eu-north-1"]), unique=True).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["none", "ours", "elsewhere", "theirs"]), max_size=5),
    st.randoms(use_true_random=False),
    profiles,
    profiles,
    st.sampled_from([Mode.STANDALONE, Mode.MEMBER]),
)
def test_applying_a_plan_leaves_nothing_to_plan_in_any_order(
    kinds: list[str], random: Any, before: Profile, after: Profile, mode: Mode
) -> None:
    policy = replace(MEMBERS, default_profile=after, mode=mode)
    world = World(policy=policy, accounts=tuple(account(f"{number:012d}") for number in range(len(kinds))))
    parent = place(MEMBERS, PARENT.management_account, before, TARGET)
    if mode is Mode.MEMBER:
        world.connectors.plant(parent.connector_id, to_create(parent.desired))
    for number, kind in enumerate(kinds):
        theirs = {"organization": "o-somebodyels"} if kind == "theirs" else {}
        at = ConnectorId(subscription_id="s", resource_group="r", name="x" * (number + 1)) if kind != "ours" else None
        if kind != "none":
            world.connect(before, account_id=f"{number:012d}", at=at, **theirs)
    first = world.plan()
    shuffled = list(world.accounts)
    random.shuffle(shuffled)
    world.accounts = tuple(shuffled)
    assert world.plan() == first
    world.apply(first, policy)
    again = world.plan()
    for planned in again.accounts:
        if planned.action is Action.DEPARTED:
            continue  # the Organization connector: nobody listed its account
        kind = kinds[int(planned.hierarchy_identifier)]  # a standalone one of ours cannot become a member in place,
        switch = mode is Mode.MEMBER and {"ours", "elsewhere"} & set(kinds)  # and keeps all others from it
        refused = kind == "theirs" or switch
        assert planned.action is (Action.REFUSED if refused else Action.UNCHANGED)
        assert planned.changes == ()


def test_a_connector_of_another_mode_is_refused() -> None:
    world = World(policy=MEMBERS)
    world.connect()
    assert (world.only().action, world.only().key) == (Action.REFUSED, "membership-change")


def test_what_is_checked_is_the_subscription_where_the_connector_stands() -> None:
    world = World(policy=replace(POLICY, default_profile=FULL))
    world.connect(at=ConnectorId(subscription_id="s", resource_group="r", name="x"))
    asked: list[Any] = []
    inspect = world.subscriptions.inspect

    def noting(target: Any, **age: float) -> Any:
        asked.append(target)
        return inspect(target, **age)

    world.subscriptions.inspect = noting  # type: ignore[method-assign]  # of one fake only
    assert world.only().action is Action.CHANGE
    assert [(target.subscription_id, target.resource_group) for target in asked] == [("s", "r")]


def test_the_plan_writes_nothing() -> None:
    world = World(policy=replace(POLICY, default_profile=FULL))
    world.connect()
    before = world.connectors.everything()
    assert world.only().action is Action.CHANGE
    assert (world.connectors.puts, world.connectors.everything()) == ([], before)


@dataclass
class OwnOrganization:
    """What this shell's credentials are of."""

    organization: str

    def organization_id(self) -> str:
        return self.organization


def test_a_policy_of_another_organization_is_told_as_that_and_nothing_is_planned() -> None:
    """Else each of our connectors would look like somebody else's, with the advice to adopt it."""
    ports = World().ports()
    assert plan(EVERYBODY, replace(ports, own=OwnOrganization(ORGANIZATION))).accounts
    with pytest.raises(ConfigurationError, match=f"of organization {ORGANIZATION}, and .* of o-another12") as refused:
        plan(EVERYBODY, replace(ports, own=OwnOrganization("o-another12")))
    assert refused.value.setting == "organization"
