"""One suite for the organization and its StackSet: the fakes, and the sandbox's AWS."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.aws.account_listing import AwsAccountListing
from shared.adapters.aws.organization import AwsOrganization
from shared.adapters.aws.stack_sets import CloudFormationStackSets
from shared.adapters.clock import SystemClock
from shared.application.ports import AccountDirectory, AccountListing, StackInstances, StackSets
from shared.domain.accounts import Account, AccountState
from shared.domain.readiness import Attempt
from shared.domain.stack_sets import (
    Deployment,
    InstanceState,
    Removal,
    StackInstance,
    Step,
    declared_only,
    next_step,
    operation_id,
)
from shared.errors import ConfigurationError, PermanentError, TransientError
from tests.fakes.aws import FakeAccountDirectory, FakeAccountListing, FakeStackSets
from tests.fakes.aws_world import AwsWorld, wait_until

EXTENDED = {"Extended": "true"}
PLAIN = {"Extended": "false"}
DECLARED = frozenset({"TenantId", "Extended"})
WITHOUT_PARAMETERS = """Resources:
  Monitor:
    Type: AWS::IAM::Role
    Properties:
      RoleName: Monitor
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: logs.amazonaws.com}, Action: "sts:AssumeRole"}]
"""


@dataclass
class FakeOrganization:
    """The fakes, and how a test changes what they show."""

    directory: FakeAccountDirectory = field(default_factory=FakeAccountDirectory)
    stack_sets: FakeStackSets = field(default_factory=lambda: FakeStackSets(DECLARED))
    failing: dict[str, str] = field(default_factory=dict)

    @property
    def listing(self) -> FakeAccountListing:
        return FakeAccountListing(self.directory)

    def add(self, name: str, *units: str, state: str = "ACTIVE", tags: Mapping[str, str] | None = None) -> str:
        account_id = f"{len(self.directory.accounts) + 1:012d}"
        path = "/" + "/".join(unit.replace("/", "%2F") for unit in units)
        self.directory.add(
            Account(
                account_id=account_id,
                name=name,
                state=AccountState(state),
                ou_path=path,
                joined_at=datetime.now(UTC),
                tags=dict(tags or {}),
            )
        )
        return account_id

    def fail(self, account_id: str, reason: str) -> None:
        self.failing[account_id] = reason

    def drop_parameters(self) -> None:
        self.stack_sets.declared = frozenset()

    def finish(self, *account_ids: str) -> None:
        for account_id in account_ids:
            reason = self.failing.get(account_id, "")
            self.stack_sets.finish(account_id, InstanceState.FAILED if reason else InstanceState.CURRENT, reason)


class SandboxOrganization:
    """The adapters on the sandbox's AWS, and how a test changes what they show."""

    def __init__(self, world: AwsWorld) -> None:
        self.world = world
        organizations = world.client("organizations")
        self.directory = AwsOrganization(organizations, SystemClock())
        self.listing = AwsAccountListing(organizations, SystemClock())
        self.seconds = 0.0
        self.stack_sets = CloudFormationStackSets(
            world.client("cloudformation"),
            organizations,
            name="roles",
            region="us-east-1",
            seconds=lambda: self.seconds,
        )

    def add(self, name: str, *units: str, state: str = "ACTIVE", tags: Mapping[str, str] | None = None) -> str:
        organizations = self.world.client("organizations")
        parent = organizations.list_roots()["Roots"][0]["Id"]
        for unit in units:
            there = organizations.list_organizational_units_for_parent(ParentId=parent)["OrganizationalUnits"]
            if unit not in {each["Name"] for each in there}:
                there.append(organizations.create_organizational_unit(ParentId=parent, Name=unit)["OrganizationalUnit"])
            parent = next(each["Id"] for each in there if each["Name"] == unit)
        return self.world.cloud.add_account(name, parent_id=parent, state=state, tags=tags)

    def fail(self, account_id: str, reason: str) -> None:
        self.world.cloud.fail_stack_instances(account_id, reason)

    def drop_parameters(self) -> None:
        self.change_template()
        self.seconds += 60

    def change_template(self) -> None:
        answer = self.world.client("cloudformation").update_stack_set(
            StackSetName="roles", TemplateBody=WITHOUT_PARAMETERS, Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        self.world.finished(answer["OperationId"])

    def finish(self, *account_ids: str) -> None:
        def ended() -> bool:
            found = [self.stack_sets.find_instance(account_id) for account_id in account_ids]
            return all(one is not None and one.state is not InstanceState.IN_PROGRESS for one in found)

        wait_until(ended)


@pytest.fixture(params=["fake", "sandbox"])
def organization(request: pytest.FixtureRequest) -> FakeOrganization | SandboxOrganization:
    if request.param == "fake":
        return FakeOrganization()
    return SandboxOrganization(request.getfixturevalue("aws_ports"))


def deployment(*account_ids: str, parameters: Mapping[str, str] = EXTENDED, **changes: Any) -> Deployment:
    given: dict[str, Any] = {"operation_id": str(uuid.uuid4()), "update": False} | changes
    return Deployment(account_ids=account_ids, parameters=parameters, **given)


def instance(stack_sets: StackSets, account_id: str) -> StackInstance:
    found = stack_sets.find_instance(account_id)
    assert found is not None
    return found


Organization = FakeOrganization | SandboxOrganization


def test_an_account_is_found_with_its_path_from_the_root(organization: Organization) -> None:
    nested = organization.add("payments", "Workloads", "Prod/EU", "Team")
    top = organization.add("top")
    directory: AccountDirectory = organization.directory
    found = directory.find_account(nested, with_tags=False)
    assert found is not None
    assert (found.account_id, found.name, found.state) == (nested, "payments", AccountState.ACTIVE)
    assert found.ou_path == "/Workloads/Prod%2FEU/Team"
    assert found.joined_at is not None
    assert abs(datetime.now(UTC) - found.joined_at) < timedelta(days=1)
    assert not found.is_management
    at_the_root = directory.find_account(top, with_tags=False)
    assert at_the_root is not None
    assert at_the_root.ou_path == "/"


def test_an_account_of_nobody_is_none(organization: Organization) -> None:
    assert organization.directory.find_account("999999999999", with_tags=True) is None


def test_tags_come_only_when_they_are_asked_for(organization: Organization) -> None:
    tagged = organization.add("tagged", tags={"team": "payments", "rollcall": "exclude"})
    with_tags = organization.directory.find_account(tagged, with_tags=True)
    without = organization.directory.find_account(tagged, with_tags=False)
    assert with_tags is not None
    assert without is not None
    assert (with_tags.tags, without.tags) == ({"team": "payments", "rollcall": "exclude"}, {})


@pytest.mark.parametrize("state", ["SUSPENDED", "PENDING_CLOSURE", "PENDING_ACTIVATION"])
def test_the_state_of_an_account_is_told(organization: Organization, state: str) -> None:
    found = organization.directory.find_account(organization.add("closing", state=state), with_tags=False)
    assert found is not None
    assert found.state is AccountState(state)


def listed(listing: AccountListing) -> dict[str, Account]:
    """The members of the organization by id, every one once."""
    found = [account for account in listing.list_accounts() if not account.is_management]
    assert len({account.account_id for account in found}) == len(found)
    return {account.account_id: account for account in found}


def test_the_listing_has_every_account_as_the_directory_finds_it(organization: Organization) -> None:
    added = [organization.add(f"payments-{number}", "Workloads", "Prod/EU", "Team") for number in range(22)]
    added += [organization.add(f"dev-{number}", "Workloads", "Dev") for number in range(3)]
    added += [organization.add("top"), organization.add("closing", state="SUSPENDED"), organization.add("a", "Empty")]
    found = listed(organization.listing)
    assert found.keys() == set(added)
    for account_id in added:
        assert found[account_id] == organization.directory.find_account(account_id, with_tags=False)
    assert found[added[0]].ou_path == "/Workloads/Prod%2FEU/Team"


def test_tags_are_read_apart_from_the_listing(organization: Organization) -> None:
    tagged, plain = organization.add("tagged", tags={"team": "payments"}), organization.add("plain")
    assert listed(organization.listing)[tagged].tags == {}
    assert organization.listing.tags_of(tagged) == {"team": "payments"}
    assert organization.listing.tags_of(plain) == {}


def counted(world: AwsWorld, before: int) -> list[str]:
    return [entry.operation.partition(":")[2] for entry in world.journal.entries(since=before)]


def test_a_listing_takes_a_page_for_twenty_accounts_and_a_request_for_each_unit_with_units(
    aws_ports: AwsWorld,
) -> None:
    organization = SandboxOrganization(aws_ports)
    for number in range(41):
        organization.add(f"one-{number}", "Workloads", "Prod")
    before = len(aws_ports.journal)
    assert len(listed(organization.listing)) == 41
    assert counted(aws_ports, before) == ["ListAccounts"] * 3 + ["ListOrganizationalUnitsForParent"] * 2


def strip_paths(client: Any, operation: str = "ListAccounts") -> None:
    """Lets a client see answers as they were before 2026."""

    def strip(parsed: dict[str, Any], **_: Any) -> None:
        for account in [*parsed.get("Accounts", ()), parsed.get("Account", {})]:
            account.pop("Paths", None)

    client.meta.events.register(f"after-call.organizations.{operation}", strip)


def test_an_account_in_a_known_unit_is_found_by_one_request(aws_ports: AwsWorld) -> None:
    organization = SandboxOrganization(aws_ports)
    one, two = organization.add("one", "Workloads", "Prod/EU"), organization.add("two", "Workloads", "Prod/EU")
    first = organization.directory.find_account(one, with_tags=False)
    before = len(aws_ports.journal)
    second = organization.directory.find_account(two, with_tags=False)
    assert counted(aws_ports, before) == ["DescribeAccount"]
    assert first is not None
    assert second is not None
    assert first.ou_path == second.ou_path == "/Workloads/Prod%2FEU"


def test_without_paths_an_accounts_parents_are_asked_for(aws_ports: AwsWorld) -> None:
    organization = SandboxOrganization(aws_ports)
    one = organization.add("one", "Workloads", "Prod/EU")
    client = aws_ports.client("organizations")
    strip_paths(client, "DescribeAccount")
    before = len(aws_ports.journal)
    assert AwsOrganization(client, SystemClock()).find_account(one, with_tags=False) == (
        organization.directory.find_account(one, with_tags=False)
    )
    assert "ListParents" in counted(aws_ports, before)


def test_without_paths_every_unit_is_asked_for_its_accounts(aws_ports: AwsWorld) -> None:
    organization = SandboxOrganization(aws_ports)
    added = [organization.add(f"one-{number}", "Workloads", "Prod/EU") for number in range(21)]
    added += [organization.add("top"), organization.add("dev", "Workloads")]
    told = listed(organization.listing)
    client = aws_ports.client("organizations")
    strip_paths(client)
    assert listed(AwsAccountListing(client, SystemClock())) == told
    assert told.keys() == set(added)


def test_paths_that_know_no_unit_are_not_believed(aws_ports: AwsWorld) -> None:
    organization = SandboxOrganization(aws_ports)
    nested = organization.add("one", "Workloads", "Prod")
    client, root = aws_ports.client("organizations"), aws_ports.root()

    def flatten(parsed: dict[str, Any], **_: Any) -> None:
        for account in parsed["Accounts"]:
            account["Paths"] = [f"o-exampleorg1/{root}/{account['Id']}/"]

    client.meta.events.register("after-call.organizations.ListAccounts", flatten)
    assert listed(AwsAccountListing(client, SystemClock()))[nested].ou_path == "/Workloads/Prod"


def test_an_account_that_moves_out_of_sight_while_it_is_listed_makes_the_listing_fail(aws_ports: AwsWorld) -> None:
    organization = SandboxOrganization(aws_ports)
    organization.add("one", "Workloads")
    client = aws_ports.client("organizations")
    strip_paths(client)

    def lose(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Accounts"] = []

    client.meta.events.register("after-call.organizations.ListAccountsForParent", lose)
    with pytest.raises(TransientError, match="changed while it was listed"):
        AwsAccountListing(client, SystemClock()).list_accounts()


def test_a_state_that_aws_adds_is_the_trouble_of_its_account_alone(aws_ports: AwsWorld) -> None:
    organization = SandboxOrganization(aws_ports)
    strange, usual = organization.add("strange", state="HIBERNATING"), organization.add("usual")
    found = listed(organization.listing)
    assert (found[strange].state, found[usual].state) == (AccountState.UNKNOWN, AccountState.ACTIVE)


def test_an_account_without_an_instance_has_none(organization: Organization) -> None:
    assert organization.stack_sets.find_instance(organization.add("new")) is None


def test_all_instances_are_listed_with_the_states_that_they_are_found_in(organization: Organization) -> None:
    bad, good, without = organization.add("bad"), organization.add("good"), organization.add("without")
    assert dict(organization.stack_sets.list_states()) == {}
    organization.fail(bad, "no")
    organization.stack_sets.deploy(deployment(bad, good))
    organization.finish(bad, good)
    instances: StackInstances = organization.stack_sets
    assert dict(instances.list_states()) == {bad: InstanceState.FAILED, good: InstanceState.CURRENT}
    assert instances.find_instance(without) is None


def test_the_stack_set_has_one_id(organization: Organization) -> None:
    first = organization.stack_sets.stack_set_id()
    assert first == organization.stack_sets.stack_set_id()
    assert ":" in first


def test_the_stack_set_tells_which_parameters_it_declares(organization: Organization) -> None:
    assert organization.stack_sets.declared_parameters() == DECLARED
    organization.drop_parameters()
    instances: StackInstances = organization.stack_sets
    assert instances.declared_parameters() == frozenset()


def test_overrides_that_the_template_no_longer_declares_ask_for_nothing(organization: Organization) -> None:
    one, two = organization.add("one"), organization.add("two")
    stack_sets: StackSets = organization.stack_sets
    stack_sets.deploy(deployment(one))
    organization.finish(one)
    organization.drop_parameters()
    declared = stack_sets.declared_parameters()
    wanted = declared_only(EXTENDED, declared)
    stack_sets.deploy(deployment(two, parameters=wanted))
    organization.finish(two)
    for account_id in (one, two):
        known = instance(stack_sets, account_id).as_declared(declared)
        assert (known.state, next_step(known, wanted, datetime.now(UTC))) == (InstanceState.CURRENT, Step.NOTHING)
    stack_sets.deploy(deployment(one, parameters=wanted, update=True))
    wait_until(lambda: not instance(stack_sets, one).parameters)


def test_a_template_that_changes_between_look_and_deployment_is_a_reason_to_look_again(aws_ports: AwsWorld) -> None:
    organization = SandboxOrganization(aws_ports)
    account_id = organization.add("one")
    before = len(aws_ports.journal)
    assert organization.stack_sets.declared_parameters() == DECLARED
    organization.change_template()
    organization.seconds += 59
    assert organization.stack_sets.declared_parameters() == DECLARED
    asked = [entry for entry in aws_ports.journal.entries(since=before) if entry.operation.endswith("DescribeStackSet")]
    assert len(asked) == 1
    with pytest.raises(TransientError, match="was changed meanwhile"):
        organization.stack_sets.deploy(deployment(account_id))
    assert organization.stack_sets.declared_parameters() == frozenset()
    assert organization.stack_sets.find_instance(account_id) is None


def test_a_deployment_gives_exactly_its_accounts_their_instances(organization: Organization) -> None:
    one, two, other = (organization.add(name, f"unit of {name}") for name in ("one", "two", "other"))
    stack_sets: StackSets = organization.stack_sets
    stack_sets.deploy(deployment(one, two))
    started = stack_sets.find_instance(one)  # none yet while AWS has not taken the operation up
    assert started is None or next_step(started, EXTENDED, datetime.now(UTC)) is Step.WAIT
    organization.finish(one, two)
    for account_id in (one, two):
        found = instance(stack_sets, account_id)
        assert (found.state, dict(found.parameters)) == (InstanceState.CURRENT, EXTENDED)
        assert next_step(found, EXTENDED, datetime.now(UTC)) is Step.NOTHING
    assert stack_sets.find_instance(other) is None


@pytest.mark.parametrize("retain", [True, False])
def test_a_removed_instance_is_gone_and_removing_it_again_does_no_harm(
    organization: Organization, retain: bool
) -> None:
    account_id = organization.add("leaving", state="SUSPENDED" if retain else "ACTIVE")
    stack_sets: StackSets = organization.stack_sets
    stack_sets.deploy(deployment(account_id))
    wait_until(lambda: stack_sets.find_instance(account_id) is not None)
    if not retain:
        organization.finish(account_id)
    for name in (str(uuid.uuid4()), str(uuid.uuid4())):
        removal = Removal(operation_id=name, account_ids=(account_id,), retain_stacks=retain)
        stack_sets.remove(removal)
        stack_sets.remove(removal)
        wait_until(lambda: stack_sets.find_instance(account_id) is None)


def test_many_instances_are_removed_by_one_operation(organization: Organization) -> None:
    leaving = tuple(organization.add(f"leaving-{number}", f"unit {number}") for number in range(3))
    staying = organization.add("staying")
    organization.stack_sets.deploy(deployment(*leaving, staying))
    organization.finish(*leaving, staying)
    organization.stack_sets.remove(Removal(operation_id=str(uuid.uuid4()), account_ids=leaving))
    wait_until(lambda: organization.stack_sets.list_states().keys() == {staying})


def test_an_update_changes_the_parameters(organization: Organization) -> None:
    account_id = organization.add("changing")
    organization.stack_sets.deploy(deployment(account_id))
    organization.finish(account_id)
    assert next_step(instance(organization.stack_sets, account_id), PLAIN, datetime.now(UTC)) is Step.UPDATE
    organization.stack_sets.deploy(deployment(account_id, parameters=PLAIN, update=True))
    organization.finish(account_id)
    assert dict(instance(organization.stack_sets, account_id).parameters) == PLAIN


def test_an_operation_that_is_asked_for_twice_runs_once(organization: Organization) -> None:
    account_id = organization.add("repeated")
    wanted = deployment(account_id)
    organization.stack_sets.deploy(wanted)
    organization.stack_sets.deploy(wanted)
    organization.finish(account_id)
    assert instance(organization.stack_sets, account_id).state is InstanceState.CURRENT


def test_an_instance_that_failed_says_why_and_leaves_the_others_alone(organization: Organization) -> None:
    bad, good = organization.add("bad"), organization.add("good")
    organization.fail(bad, "the role exists already")
    organization.stack_sets.deploy(deployment(bad, good))
    organization.finish(bad, good)
    found = instance(organization.stack_sets, bad)
    assert found.state is InstanceState.FAILED
    assert "the role exists already" in found.reason
    assert instance(organization.stack_sets, good).state is InstanceState.CURRENT


def test_a_failed_instance_knows_when_it_was_tried(aws_ports: AwsWorld) -> None:
    organization = SandboxOrganization(aws_ports)
    account_id = organization.add("bad")
    organization.fail(account_id, "no")
    before = datetime.now(UTC) - timedelta(seconds=2)
    organization.stack_sets.deploy(deployment(account_id))
    organization.finish(account_id)
    failed = instance(organization.stack_sets, account_id)
    assert failed.tried_at is not None
    assert before <= failed.tried_at <= datetime.now(UTC)
    assert failed.attempt == Attempt(number=1, first_at=failed.tried_at)
    assert next_step(failed, EXTENDED, before) is Step.GIVE_UP
    assert next_step(failed, EXTENDED, datetime.now(UTC) + timedelta(seconds=2)) is Step.CREATE


def test_a_failed_instance_knows_which_attempt_it_was(aws_ports: AwsWorld) -> None:
    organization = SandboxOrganization(aws_ports)
    account_id = organization.add("bad")
    organization.fail(account_id, "no")
    attempt = Attempt(number=7, first_at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
    named = operation_id(organization.stack_sets.stack_set_id(), [(account_id, "e")], update=False, attempt=attempt)
    organization.stack_sets.deploy(replace(deployment(account_id), operation_id=named))
    organization.finish(account_id)
    assert instance(organization.stack_sets, account_id).attempt == attempt


def test_the_management_account_is_recognised(aws_ports: AwsWorld) -> None:
    organization = SandboxOrganization(aws_ports)
    found = organization.directory.find_account(aws_ports.cloud.management_account_id, with_tags=False)
    assert found is not None
    assert found.is_management


def test_an_account_that_moved_is_found_in_its_new_place(aws_ports: AwsWorld) -> None:
    organization = SandboxOrganization(aws_ports)
    moving = organization.add("moving", "Old")
    organization.add("there already", "New")
    client = aws_ports.client("organizations")
    root = client.list_roots()["Roots"][0]["Id"]
    units = {
        unit["Name"]: unit["Id"]
        for unit in client.list_organizational_units_for_parent(ParentId=root)["OrganizationalUnits"]
    }
    assert organization.directory.find_account(moving, with_tags=False).ou_path == "/Old"  # type: ignore[union-attr]
    client.move_account(AccountId=moving, SourceParentId=units["Old"], DestinationParentId=units["New"])
    assert organization.directory.find_account(moving, with_tags=False).ou_path == "/New"  # type: ignore[union-attr]


def test_a_stack_set_that_does_not_exist_is_a_wrong_deployment(aws_ports: AwsWorld) -> None:
    stack_sets = CloudFormationStackSets(
        aws_ports.client("cloudformation"), aws_ports.client("organizations"), name="nowhere", region="us-east-1"
    )
    with pytest.raises(ConfigurationError, match="StackSetNotFoundException"):
        stack_sets.stack_set_id()
    with pytest.raises(ConfigurationError, match="StackSetNotFoundException"):
        stack_sets.find_instance("999999999999")


def test_what_cloudformation_refuses_is_permanent(aws_ports: AwsWorld) -> None:
    organization = SandboxOrganization(aws_ports)
    with pytest.raises(PermanentError):
        organization.stack_sets.deploy(deployment(organization.add("x"), parameters={"Unknown": "x"}))


def test_a_member_account_may_not_read_the_organization(aws_ports: AwsWorld) -> None:
    member = aws_ports.cloud.add_account("member")
    directory = AwsOrganization(aws_ports.member("organizations", member), SystemClock())
    with pytest.raises(ConfigurationError, match="AccessDenied"):
        directory.find_account(member, with_tags=False)
    with pytest.raises(ConfigurationError, match="AccessDenied"):
        AwsAccountListing(aws_ports.member("organizations", member), SystemClock()).list_accounts()
