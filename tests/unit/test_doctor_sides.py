"""Azure, the hub, the Lambda functions, Google and advice: what is broken is named, and what hides what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from shared.adapters.policy.problems import parse_policy
from shared.application.doctor.advice import AdvicePorts, advice_questions
from shared.application.doctor.azure import LookAtAzure, azure_menders, workspace_question
from shared.application.doctor.azure_ports import AzureSide, HubSide
from shared.application.doctor.examine import examine
from shared.application.doctor.google import access_question, intake_question
from shared.application.doctor.hub import LookThroughHub, spread
from shared.application.doctor.lambdas import LambdaSide, function_questions, own_verdicts
from shared.application.doctor.mend import mend
from shared.domain.accounts import Account
from shared.domain.doctor.azure import QUEUE_NAMES, TABLE_NAMES, RootSeen
from shared.domain.doctor.azure_checks import OF_THE_FUNCTION_APP
from shared.domain.doctor.gcp import PushSeen, PushWanted, SinkSeen
from shared.domain.doctor.lambda_checks import LAMBDA_CHECKS, TokenClaims
from shared.domain.doctor.policy_checks import Places, siem_verdict
from shared.domain.doctor.verdicts import State, Verdict
from shared.domain.identity_provider import EXISTING, audiences_of
from shared.domain.policy import OnMissingPlan, Policy, Prechecks
from shared.domain.prechecks import NEEDED_PLANS, Permission
from shared.domain.publication import PublishedPolicy
from shared.domain.roles import Role
from shared.domain.stack_sets import IDENTITY_PROVIDER
from shared.domain.subscription_plans import SubscriptionPlan
from shared.domain.sweep.identity import THUMBPRINT, IdentitySeen, ProviderSeen
from shared.domain.targets import Target
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError
from tests.fakes.aws import FakeAccountDirectory, FakeAccountListing, FakePolicySource
from tests.fakes.connectors import FakeConnectors, FakeSnapshot
from tests.fakes.failures import Failures
from tests.fakes.gcp import FakeGoogle, FakeProjects
from tests.fixtures.read import ACCOUNT_ID, FOLDER, account

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
WORKSPACE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/logs"
REFUSED = ConfigurationError("you may not", setting="a role")
NO_ANSWER = TransientError("no answer")


def told(found: Sequence[Verdict], *states: State) -> set[tuple[str, State]]:
    wanted = states or (State.WRONG, State.UNKNOWN)
    return {(each.check.key, each.state) for each in found if each.state in wanted}


@dataclass
class FakeAzure:
    """All that Azure's side is asked."""

    seen: RootSeen = RootSeen(readable=True, roles=(READER,))
    state: str = "Enabled"
    groups: bool = True
    registered: str = "Registered"
    permissions: tuple[Permission, ...] = (Permission(actions=("*",)),)
    plans: set[str] = field(default_factory=lambda: set(NEEDED_PLANS.values()))
    absent: set[str] = field(default_factory=set)
    solutions: tuple[str, ...] | None = ("Security",)
    failures: Failures = field(default_factory=Failures)
    account: str = "rollcallqueues"

    def root(self, tenant_id: str, object_id: str) -> RootSeen:
        return self.seen

    def subscription_state(self, subscription_id: str) -> str:
        self.failures.strike("subscription_state")
        return self.state

    def has_group(self, target: Target) -> bool:
        return self.groups

    def registration(self, subscription_id: str) -> str:
        return self.registered

    def register(self, subscription_id: str) -> None:
        self.registered = "Registered"

    def find_workspace(self, workspace: str) -> tuple[str, ...] | None:
        return self.solutions

    def list_permissions(self, scope: str) -> tuple[Permission, ...]:
        return self.permissions

    def list_plans(self, subscription_id: str) -> tuple[SubscriptionPlan, ...]:
        assert self.registered == "Registered", "asking would have it registered"
        return tuple(SubscriptionPlan(name=each, is_on=each in self.plans) for each in NEEDED_PLANS.values())

    def queues(self, names: Sequence[str]) -> Mapping[str, bool]:
        return {name: name not in self.absent for name in names}

    def tables(self, names: Sequence[str]) -> Mapping[str, bool]:
        return {name: name not in self.absent for name in names}

    def containers(self) -> Mapping[str, bool]:
        return {name: name not in self.absent for name in ("policy", "reports")}

    def make_queue(self, name: str) -> None:
        self.absent.discard(name)


class BrokenPolicy:
    """Cannot be read."""

    def current(self) -> Policy:
        raise REFUSED


def azure(world: FakeAzure, policy: Policy, *, is_stand_in: bool = False) -> tuple[Verdict, ...]:
    side = AzureSide(
        foundations=world,
        rights=world,
        storage=world,
        policy=FakePolicySource(policy),
        object_id=lambda: "object-id",
        is_stand_in=is_stand_in,
    )
    return examine(LookAtAzure(side).questions("the Function App"))


def test_where_all_is_well_on_azure_every_check_says_so(policy: Policy) -> None:
    found = azure(FakeAzure(), policy)
    assert {each.check for each in found} == set(OF_THE_FUNCTION_APP)
    assert {each.state for each in found} == {State.OK}


def test_rights_that_a_person_lacks_are_no_fault_of_the_function_app(policy: Policy) -> None:
    world = FakeAzure(permissions=(), seen=RootSeen(readable=False, refusal="AuthorizationFailed"))
    keys = ("reader-at-root", "role-assignments")
    assert told(azure(world, policy)) == {(key, State.WRONG) for key in keys}
    found = azure(world, policy, is_stand_in=True)
    assert told(found) == {(key, State.UNKNOWN) for key in keys}
    assert all("ROLLCALL_REPORT__URL" in each.remedy for each in found if each.check.key in keys)


@pytest.mark.parametrize(
    ("key", "broken", "mended"),
    [
        ("reader-at-root", {"seen": RootSeen(readable=False, refusal="AuthorizationFailed")}, False),
        ("reader-at-root", {"seen": RootSeen(readable=True, roles=("39bc4728-0917-49c7-9d2c-d95423bc2eb4",))}, False),
        ("subscription-usable", {"state": "Disabled"}, False),
        ("role-assignments", {"permissions": (Permission(actions=("*/read",)),)}, False),
        ("subscription-plans", {"plans": set()}, False),
        ("storage-queues", {"absent": {"onboarding-poison"}}, True),
        ("storage-tables", {"absent": {"pacing"}}, False),
        ("storage-containers", {"absent": {"policy"}}, False),
    ],
)
def test_what_is_broken_on_azure_is_named_alone(
    policy: Policy, key: str, broken: Mapping[str, object], *, mended: bool
) -> None:
    world = FakeAzure(**broken)  # type: ignore[arg-type]  # by name
    found = azure(world, policy)
    assert told(found) == {(key, State.WRONG)}
    done = list(mend(found, azure_menders(world, world.make_queue)))
    assert bool(done) is mended
    assert told(azure(world, policy)) == (set() if mended else {(key, State.WRONG)})


def test_a_subscription_that_is_not_registered_is_not_asked_for_its_plans_until_it_is_mended(policy: Policy) -> None:
    world = FakeAzure(registered="NotRegistered")
    found = azure(world, policy)
    assert told(found) == {("provider-registered", State.WRONG), ("subscription-plans", State.UNKNOWN)}
    assert [each.done for each in mend(found, azure_menders(world, world.make_queue))]
    assert told(azure(world, policy)) == set()


def test_a_resource_group_that_is_not_there_hides_what_may_be_done_there(policy: Policy) -> None:
    found = azure(FakeAzure(groups=False), policy)
    assert told(found) == {("resource-group", State.WRONG), ("role-assignments", State.UNKNOWN)}


def test_a_policy_that_cannot_be_read_is_wrong_and_hides_what_needs_it(policy: Policy) -> None:
    world = FakeAzure()
    side = AzureSide(
        foundations=world, rights=world, storage=world, policy=BrokenPolicy(), object_id=lambda: "object-id"
    )
    found = examine(LookAtAzure(side).questions(""))
    assert told(found, State.WRONG) == {("functions-policy", State.WRONG)}
    assert {key for key, _ in told(found, State.OK)} == {"storage-queues", "storage-tables", "storage-containers"}


def test_plans_that_the_policy_can_do_without_are_advice(policy: Policy) -> None:
    warned = replace(policy, prechecks=Prechecks(subscription_plans=OnMissingPlan.WARN))
    assert told(azure(FakeAzure(plans=set()), warned), State.ADVICE) == {("subscription-plans", State.ADVICE)}


def test_no_answer_about_a_subscription_is_not_told(policy: Policy) -> None:
    world = FakeAzure()
    world.failures.plan("subscription_state", NO_ANSWER)
    assert told(azure(world, policy)) == {("subscription-usable", State.UNKNOWN)}


@pytest.mark.parametrize(
    ("workspace", "solutions", "state"),
    [
        ("", None, State.OK),
        (WORKSPACE, ("SecurityInsights",), State.OK),
        (WORKSPACE, (), State.WRONG),
        (WORKSPACE, None, State.WRONG),
    ],
)
def test_a_workspace_that_is_used_needs_a_security_solution(
    workspace: str, solutions: tuple[str, ...] | None, state: State
) -> None:
    [found] = examine([workspace_question(FakeAzure(solutions=solutions), workspace, "an operator")])
    assert found.state is state
    assert state is State.OK or solutions is None or "--workspace logs" in found.command


# The hub


@dataclass
class FakeHub:
    """The way into AWS, and the accounts behind it."""

    refused: dict[str, RollcallError] = field(default_factory=dict)
    parameters: dict[str, dict[str, str]] = field(default_factory=dict)
    provider: ProviderSeen | None = None

    def enter(self) -> None:
        if "" in self.refused:
            raise self.refused[""]

    def look_into(self, account_id: str) -> None:
        if account_id in self.refused:
            raise self.refused[account_id]

    def parameters_of(self, account_id: str) -> Mapping[str, str] | None:
        return self.parameters.get(account_id)

    def inspect(self, account_id: str, roles: Sequence[str]) -> IdentitySeen:
        return IdentitySeen(provider=self.provider)

    def side(self, policy: Policy, *accounts: Account) -> HubSide:
        return HubSide(
            hub=self,
            listing=FakeAccountListing(FakeAccountDirectory(*accounts)),
            identities=self,
            instances=self,
            policy=FakePolicySource(policy),
            role_arn="arn:aws:iam::123456789012:role/rollcall-reader-hub",
        )


def through(hub: FakeHub, policy: Policy) -> tuple[Verdict, ...]:
    management = account("123456789012", is_management=True)
    excluded = account("111111111111", ou_path="/Sandbox")
    return examine(LookThroughHub(hub.side(policy, account(), management, excluded)).questions("the Function App"))


def test_the_hub_is_proved_by_becoming_it_and_the_readers_by_becoming_them(policy: Policy) -> None:
    found = through(FakeHub(), policy)
    assert {each.state for each in found} == {State.OK}
    assert "1 of 1 account(s)" in next(each.reason for each in found if each.check.key == "reader-roles")


def test_a_hub_that_cannot_be_had_hides_what_is_behind_it(policy: Policy) -> None:
    assert told(through(FakeHub(refused={"": REFUSED}), policy)) == {
        ("hub-role", State.WRONG),
        ("reader-roles", State.UNKNOWN),
        ("sentinel-first", State.UNKNOWN),
    }
    assert ("hub-role", State.UNKNOWN) in told(through(FakeHub(refused={"": NO_ANSWER}), policy))


def test_an_account_without_the_reader_is_named(policy: Policy) -> None:
    found = through(FakeHub(refused={ACCOUNT_ID: REFUSED}), policy)
    assert told(found) == {("reader-roles", State.WRONG)}
    assert {each.subject for each in found if each.state is State.WRONG} == {ACCOUNT_ID}


def test_a_provider_of_sentinel_s_needs_the_client_ids_of_the_profile(policy: Policy) -> None:
    hub = FakeHub(parameters={ACCOUNT_ID: {IDENTITY_PROVIDER: EXISTING}})
    assert told(through(hub, policy)) == {("sentinel-first", State.WRONG)}
    hub.provider = ProviderSeen(client_ids=frozenset({"api://sentinel"}), thumbprints=frozenset({THUMBPRINT}))
    [wrong] = [each for each in through(hub, policy) if each.state is State.WRONG]
    assert "add-client-id-to-open-id-connect-provider" in wrong.command
    wanted = {each for profile in policy.used_profiles for each in audiences_of(profile)}
    hub.provider = ProviderSeen(client_ids=frozenset(wanted), thumbprints=frozenset({THUMBPRINT}))
    assert told(through(hub, policy)) == set()


def test_so_many_accounts_are_spread_over_all() -> None:
    assert spread(["a", "b"], 3) == ["a", "b"]
    assert spread([str(number) for number in range(100)], 4) == ["0", "25", "50", "75"]


# The Lambda functions


CLAIMS = TokenClaims(issuer="https://issuer", subject="arn:aws:iam::1:role/r", audience="api://AzureADTokenExchange")


@dataclass
class FakeFunction:
    """One function's way to Azure."""

    failures: Failures = field(default_factory=Failures)
    probes: list[str] = field(default_factory=list)

    def claims(self) -> TokenClaims:
        self.failures.strike("claims")
        return CLAIMS

    def exchange(self) -> None:
        self.failures.strike("exchange")

    def probe(self, sender: str) -> None:
        self.failures.strike("probe")
        self.probes.append(sender)

    def verdicts(self, policy: Policy | None) -> list[Verdict]:
        source = FakePolicySource(policy) if policy is not None else BrokenPolicy()
        return list(own_verdicts(LambdaSide(function="rollcall-f", identity=self, queue=self, policy=source)))


def test_a_function_whose_way_is_free_says_so_as_its_role(policy: Policy) -> None:
    function = FakeFunction()
    found = function.verdicts(policy)
    assert {each.state for each in found} == {State.OK}
    assert {each.checked_as for each in found} == {CLAIMS.subject}
    assert function.probes == ["rollcall-f"]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (
            "claims",
            {
                ("lambda-token", State.WRONG),
                ("entra-federated-credential", State.UNKNOWN),
                ("lambda-queue", State.UNKNOWN),
            },
        ),
        ("exchange", {("entra-federated-credential", State.WRONG), ("lambda-queue", State.UNKNOWN)}),
        ("probe", {("lambda-queue", State.WRONG)}),
    ],
)
def test_a_step_that_is_refused_is_wrong_and_those_behind_it_are_not_told(
    policy: Policy, step: str, expected: set[tuple[str, State]]
) -> None:
    function = FakeFunction()
    function.failures.plan(step, REFUSED)
    found = function.verdicts(policy)
    assert told(found) == expected
    command = next((each.command for each in found if each.check.key == "entra-federated-credential"), "")
    assert step != "exchange" or f"--issuer {CLAIMS.issuer} --subject {CLAIMS.subject}" in command


def test_entra_that_does_not_answer_says_nothing_of_the_credential(policy: Policy) -> None:
    function = FakeFunction()
    function.failures.plan("exchange", NO_ANSWER)
    assert ("entra-federated-credential", State.UNKNOWN) in told(function.verdicts(policy))


def test_a_policy_that_the_function_cannot_read_is_wrong() -> None:
    assert told(FakeFunction().verdicts(None)) == {("lambda-policy", State.WRONG)}


def test_a_function_that_may_not_be_invoked_is_not_told_and_neither_is_what_only_it_knows(policy: Policy) -> None:
    class Functions:
        def ask(self, function: str) -> Sequence[Verdict]:
            if function == "b":
                raise PermanentError("AccessDenied")
            return FakeFunction().verdicts(policy)

    found = examine(function_questions(Functions(), ["a", "b"], "an operator"))
    assert told(found) == {(check.key, State.UNKNOWN) for check in LAMBDA_CHECKS}
    assert {each.subject for each in found if each.state is State.UNKNOWN} == {"b"}


# Google


@pytest.fixture
def projects() -> Policy:
    text = (FOLDER.parents[1] / "docs" / "samples" / "policy.two-clouds.yaml").read_bytes()
    return parse_policy(text, "policy.two-clouds.yaml")


SINK = SinkSeen(
    destination="",
    filter="CreateProject|UndeleteProject|MoveProject|DeleteProject",
    include_children=True,
    disabled=False,
)
PUSH = PushSeen(
    topic="",
    endpoint="https://app/api/gcp/project-events",
    audience="audience",
    service_account="push@p.iam.gserviceaccount.com",
    dead_letter_topic="dead",
)


@dataclass
class FakeIntake:
    """Sink and subscription."""

    sink: SinkSeen | None
    push: PushSeen | None
    failures: Failures = field(default_factory=Failures)

    def find_sink(self, organization: str) -> SinkSeen | None:
        self.failures.strike("find_sink")
        return self.sink

    def find_subscription(self, project_id: str) -> PushSeen | None:
        return self.push


def well(projects: Policy) -> FakeIntake:
    assert projects.gcp is not None
    assert projects.gcp.organization_connector is not None
    home = f"projects/{projects.gcp.organization_connector.management_id}"
    topic = f"{home}/topics/rollcall-project-events"
    sink = replace(SINK, destination=f"pubsub.googleapis.com/{topic}")
    return FakeIntake(sink=sink, push=replace(PUSH, topic=topic))


WANTED = PushWanted(audience=PUSH.audience, service_account=PUSH.service_account, url="https://app")


def taken_in(intake: FakeIntake, projects: Policy) -> tuple[Verdict, ...]:
    return examine([intake_question(intake, FakePolicySource(projects), WANTED, "an operator")])


def test_an_intake_that_is_as_it_has_to_be_is_ok(projects: Policy) -> None:
    assert {each.state for each in taken_in(well(projects), projects)} == {State.OK}


@pytest.mark.parametrize(
    "changes",
    [
        {"disabled": True},
        {"include_children": False},
        {"filter": "CreateProject"},
        {"filter": f"{SINK.filter} AND operation.last=true"},
        {"destination": "pubsub.googleapis.com/projects/elsewhere/topics/t"},
    ],
)
def test_a_sink_that_loses_entries_is_wrong(projects: Policy, changes: dict[str, object]) -> None:
    intake = well(projects)
    assert intake.sink is not None
    intake.sink = replace(intake.sink, **changes)  # type: ignore[arg-type]  # by name
    assert told(taken_in(intake, projects)) == {("gcp-sink", State.WRONG)}


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": ""},
        {"endpoint": "https://elsewhere/api/gcp/project-events"},
        {"audience": ""},
        {"audience": "another"},
        {"service_account": "another@p.iam.gserviceaccount.com"},
        {"state": "RESOURCE_ERROR"},
        {"topic": "projects/elsewhere/topics/t"},
        {"dead_letter_topic": ""},
    ],
)
def test_a_subscription_whose_pushes_are_refused_or_lost_is_wrong(projects: Policy, changes: dict[str, object]) -> None:
    intake = well(projects)
    assert intake.push is not None
    intake.push = replace(intake.push, **changes)  # type: ignore[arg-type]  # by name
    assert told(taken_in(intake, projects)) == {("gcp-push", State.WRONG)}


def test_an_intake_that_is_not_there_is_wrong_and_one_that_may_not_be_seen_hides_no_other(projects: Policy) -> None:
    assert told(taken_in(FakeIntake(None, None), projects)) == {("gcp-sink", State.WRONG), ("gcp-push", State.WRONG)}
    intake = well(projects)
    intake.failures.plan("find_sink", REFUSED)
    assert told(taken_in(intake, projects)) == {("gcp-sink", State.UNKNOWN)}


def test_where_the_policy_says_nothing_of_projects_google_is_not_asked(policy: Policy) -> None:
    found = taken_in(FakeIntake(None, None), policy)
    found += examine([access_question(FakeGoogle(), FakePolicySource(policy), "the Function App")])
    assert {each.state for each in found} == {State.OK}


def test_google_that_lets_nobody_in_is_wrong_and_hides_defender_s_identities(projects: Policy) -> None:
    class Closed(FakeGoogle):
        def projects(self) -> FakeProjects:
            raise REFUSED

    found = examine([access_question(Closed(), FakePolicySource(projects), "the Function App")])
    assert told(found) == {("gcp-access", State.WRONG), ("gcp-identities", State.UNKNOWN)}


def test_what_defender_lacks_in_the_management_project_is_named_with_its_remedy(projects: Policy) -> None:
    found = examine([access_question(FakeGoogle(), FakePolicySource(projects), "the Function App")])
    assert told(found) == {("gcp-identities", State.WRONG)}
    assert all(each.remedy for each in found if each.state is State.WRONG)


# Advice


@dataclass
class Place:
    """Where a policy lies."""

    url: str
    content_hash: str

    def find(self) -> PublishedPolicy | None:
        return PublishedPolicy(content_hash=self.content_hash, version="1") if self.content_hash else None

    def put(self, content: bytes, *, over: PublishedPolicy | None) -> None:
        raise AssertionError("nothing is published here")


def advised(policy: Policy, *places: Place, role: str = Role.CSPM_MONITOR) -> dict[str, Verdict]:
    ports = AdvicePorts(
        policy=FakePolicySource(policy),
        snapshot=FakeSnapshot(FakeConnectors()),
        published=places or (Place("s3://b/policy.yaml", "aa"), Place("https://b/policy.yaml", "aa")),
        scan_role=lambda: role,
        places=Places(queues="https://q.queue.core.windows.net", tables="https://q.table.core.windows.net"),
    )
    return {each.check.key: each for each in examine(advice_questions(ports, "an operator"))}


@pytest.mark.parametrize(
    ("places", "state"),
    [
        ((Place("s3://b/p", "aa"), Place("https://b/p", "aa")), State.OK),
        ((Place("s3://b/p", "aa"), Place("https://b/p", "bb")), State.WRONG),
        ((Place("s3://b/p", ""), Place("https://b/p", "bb")), State.WRONG),
        ((Place("s3://b/p", "aa"),), State.UNKNOWN),
    ],
)
def test_both_clouds_have_to_have_the_same_policy(policy: Policy, places: tuple[Place, ...], state: State) -> None:
    assert advised(policy, *places)["policy-skew"].state is state


def test_other_teams_are_told_the_values_of_this_deployment(policy: Policy, projects: Policy) -> None:
    found = advised(projects)
    assert found["cluster-egress"].state is State.ADVICE
    assert found["cluster-egress"].evidence["api_servers_admit"] == "172.212.245.192/28, 48.209.1.192/28"
    assert "q.queue.core.windows.net" in found["rollcall-egress"].evidence["lambda_functions"]
    assert "sts.googleapis.com" in found["rollcall-egress"].evidence["function_app"]
    assert "googleapis" not in advised(policy)["rollcall-egress"].reason
    assert '"CspmMonitorAws"' in found["siem-filter"].evidence["cloudtrail"]
    assert advised(policy)["cluster-egress"].state is State.OK


def test_the_filter_names_the_role_of_the_template_and_none_where_it_has_none() -> None:
    assert "connectors name CspmMonitorAws" in siem_verdict("OtherName").reason
    assert siem_verdict("").state is State.UNKNOWN


def test_names_of_queues_and_tables_are_those_that_the_functions_use() -> None:
    assert QUEUE_NAMES == ("onboarding", "onboarding-poison", "sweep", "sweep-poison")
    assert TABLE_NAMES == ("accounts", "history", "pacing", "parked", "sweeps")
