"""What advice is made of: one suite on the fakes, and on the simulated Resource Graph and EC2."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.azure.directory import FUNCTIONS
from sandbox.azure.seeding import AzureSeed, SeedAssessment, plant
from shared.adapters.aws.instance_profiles import Ec2Profiles
from shared.adapters.resource_graph.advice import GraphAdvice
from shared.adapters.resource_graph.query import ResourceGraph
from shared.adapters.resource_graph.swept import GraphHealth
from shared.application.sweep_ports import InstanceProfiles, SweptAdvice
from shared.domain.accounts import Provider
from shared.domain.sweep.advice import Assessed, RunningInstances
from shared.domain.sweep.kinds import ARC_ASSESSMENT, SSM_ASSESSMENT
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError
from tests.contract.conftest import FixedCredential
from tests.fakes.aws_world import AwsWorld, aws_world
from tests.fakes.azure_world import World
from tests.fakes.sweep_advice import FakeAdvice, FakeProfiles

KEYS = (SSM_ASSESSMENT, ARC_ASSESSMENT)
AMI = "ami-12c6146b"  # one that moto knows


class Place:
    """Advice behind the port, and how its makings are planted there."""

    def __init__(self, advice: SweptAdvice, world: World | None = None) -> None:
        self.advice, self._world = advice, world
        self._group = world.group if world is not None else "/subscriptions/s/resourceGroups/g"

    def connector(self, account_id: str) -> str:
        return f"{self._group}/providers/Microsoft.Security/securityConnectors/aws-{account_id}"

    def assess(self, account_id: str, key: str, **counts: int) -> None:
        """So many resources with each status."""
        connector = self.connector(account_id)
        if isinstance(self.advice, FakeAdvice):
            found = Assessed(unhealthy=counts.get("Unhealthy", 0), healthy=counts.get("Healthy", 0))
            self.advice.everything.setdefault(connector.lower(), {})[key] = found
        elif self._world is not None:
            planted = [
                {"connector": connector, "resource": f"ec2-instance-i-{status}{number}-us-east-1", "status": status}
                for status, count in counts.items()
                for number in range(count)
            ]
            more = {"resource_type": "ec2instance", "key": key}
            seeds = [SeedAssessment.model_validate(each | more) for each in planted]
            plant(self._world.azure, AzureSeed(assessments=seeds))

    def machine(self, account_id: str, name: str, discovered: str, provider: Provider = Provider.AWS) -> None:
        tag = "accountID" if provider is Provider.AWS else "ProjectNumber"
        if isinstance(self.advice, FakeAdvice):
            machines = self.advice.machines if provider is Provider.AWS else self.advice.project_machines
            if discovered.lower() == "true":
                machines[account_id] = machines.get(account_id, 0) + 1
        elif self._world is not None:
            body: dict[str, Any] = {
                "id": f"{self._group}/providers/Microsoft.HybridCompute/machines/{name}",
                "name": name,
                "type": "Microsoft.HybridCompute/machines",
                "location": "westeurope",
                "tags": {tag: account_id, "Cloud": provider.upper()},
                "properties": {"status": "Connected", "mssqlDiscovered": discovered},
            }
            plant(self._world.azure, AzureSeed(resources=[body]))


def graph_of(world: World, identity: str = FUNCTIONS) -> ResourceGraph:
    return ResourceGraph(FixedCredential(world, identity), arm_endpoint=world.azure.arm_url)


@pytest.fixture(params=["fake", "simulator"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "fake":
        return Place(FakeAdvice())
    world: World = request.getfixturevalue("azure_ports")
    return Place(GraphAdvice(graph_of(world)), world)


def test_assessments_are_counted_by_connector_recommendation_and_status(place: Place, account_id: str) -> None:
    other = f"{int(account_id) + 1}0"
    place.assess(account_id, SSM_ASSESSMENT, Unhealthy=2, Healthy=3, NotApplicable=4)
    place.assess(account_id, ARC_ASSESSMENT, Unhealthy=1)
    place.assess(account_id, "00000000-0000-4000-8000-00000000000a", Unhealthy=9)
    place.assess(other, SSM_ASSESSMENT, Unhealthy=7)
    connector = place.connector(account_id)
    assert place.advice.assessed([connector], KEYS) == {
        connector.lower(): {
            SSM_ASSESSMENT: Assessed(unhealthy=2, healthy=3),
            ARC_ASSESSMENT: Assessed(unhealthy=1),
        }
    }
    assert place.advice.assessed([place.connector("000000000000")], KEYS) == {}


def test_machines_of_projects_are_counted_by_number(place: Place, account_id: str) -> None:
    number = f"7{account_id}"
    place.machine(number, f"{number}-a", "true", Provider.GCP)
    place.machine(number, f"{number}-b", "true", Provider.AWS)
    place.machine(number, f"{number}-c", "true", Provider.GCP)
    assert place.advice.sql_machines_of([number], Provider.GCP) == {number: 2}
    assert place.advice.sql_machines_of([number], Provider.AWS) == {number: 1}


def test_machines_with_sql_server_are_counted_by_account(place: Place, account_id: str) -> None:
    for name, discovered in (("a", "true"), ("b", "false"), ("c", "True"), ("d", "")):
        place.machine(account_id, f"{account_id}-{name}", discovered)
    assert place.advice.sql_machines_of([account_id, "000000000000"]) == {account_id: 2}
    assert place.advice.sql_machines_of(["000000000000"]) == {}


@pytest.mark.parametrize("name", ["a'b", "a\\b", ""])
def test_a_name_that_could_end_its_string_is_in_no_query(azure_ports: World, name: str) -> None:
    advice = GraphAdvice(graph_of(azure_ports))
    with pytest.raises(PermanentError):
        advice.assessed([name], KEYS)
    with pytest.raises(PermanentError):
        advice.sql_machines_of([name])


def test_a_spent_quota_is_an_error_and_no_empty_answer(azure_ports: World) -> None:
    advice = GraphAdvice(graph_of(azure_ports))
    with pytest.raises(TransientError):
        for _ in range(20):
            advice.sql_machines_of(["000000000000"])


def test_what_a_seed_plants_is_counted_by_type_too(azure_ports: World, account_id: str) -> None:
    place = Place(GraphAdvice(graph_of(azure_ports)), azure_ports)
    place.assess(account_id, SSM_ASSESSMENT, Unhealthy=2)
    place.assess(account_id, ARC_ASSESSMENT, Unhealthy=2)
    connector = place.connector(account_id)
    found = GraphHealth(graph_of(azure_ports)).discovered_by([connector])
    assert found == {connector.lower(): {"ec2instance": 2}}


def test_a_planted_assessment_looks_as_a_recorded_one(azure_ports: World, account_id: str, evidence: Path) -> None:
    recording = json.loads((evidence / "reference/recordings/security-assessments-list-200.json").read_bytes())
    [recorded] = recording["response"]["body"]["value"]
    place = Place(GraphAdvice(graph_of(azure_ports)), azure_ports)
    place.assess(account_id, SSM_ASSESSMENT, Healthy=1)
    scope = place.connector(account_id)
    [planted] = azure_ports.azure.resources.of_type("Microsoft.Security/assessments", scope)
    properties, wanted = planted["properties"], recorded["properties"]
    assert planted.keys() == recorded.keys()
    assert properties.keys() - {"metadata"} == wanted.keys()  # which Resource Graph shows and Resource Manager does not
    assert properties["status"].keys() == wanted["status"].keys()
    assert wanted["resourceDetails"].keys() <= properties["resourceDetails"].keys()
    for each in (planted, recorded):
        assert each["type"] == "Microsoft.Security/assessments"
        resource = each["properties"]["resourceDetails"]["Id"]
        assert each["id"] == f"{resource}/providers/{each['type']}/{each['name']}"


class Machines:
    """Instances behind the port, and how one is launched there."""

    def __init__(self, profiles: InstanceProfiles, account_id: str, world: AwsWorld | None = None) -> None:
        self.profiles, self.account_id, self._world = profiles, account_id, world

    def launch(self, region: str, *, profile: bool = False, state: str = "running") -> None:
        if isinstance(self.profiles, FakeProfiles):
            was = self.profiles.running.get(self.account_id, RunningInstances(running=0))
            if state == "running":
                without = was.without_profile if profile else (*was.without_profile, datetime.now(UTC))
                self.profiles.running[self.account_id] = RunningInstances(
                    running=was.running + 1, without_profile=without
                )
            return
        ec2 = self.client(region)
        made = ec2.run_instances(ImageId=AMI, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        if profile:
            assert self._world is not None
            iam = self._world.member("iam", self.account_id)
            arn = iam.create_instance_profile(InstanceProfileName=f"p-{made}")["InstanceProfile"]["Arn"]
            ec2.associate_iam_instance_profile(IamInstanceProfile={"Arn": arn, "Name": f"p-{made}"}, InstanceId=made)
        if state == "stopped":
            ec2.stop_instances(InstanceIds=[made])

    def client(self, region: str) -> Any:
        assert self._world is not None
        return client_of(self._world, self.account_id, region)


def client_of(world: AwsWorld, account_id: str, region: str) -> Any:
    keys = world.cloud.credentials_for_role(f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole")
    return boto3.client(
        "ec2",
        region_name=region or "us-east-1",
        endpoint_url=world.cloud.url,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        aws_session_token=keys.session_token,
    )


@pytest.fixture(scope="module")
def _one_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsWorld]:
    with aws_world(tmp_path_factory.mktemp("aws")) as world:
        world.cloud.prepare_organization()
        yield world


@pytest.fixture(params=["fake", "simulator"])
def machines(request: pytest.FixtureRequest, account_id: str) -> Machines:
    if request.param == "fake":
        return Machines(FakeProfiles(), account_id)
    world: AwsWorld = request.getfixturevalue("_one_aws")
    profiles = Ec2Profiles(lambda account, region: client_of(world, account, region))
    return Machines(profiles, world.cloud.add_account(f"one-{account_id}"), world)


def test_an_account_without_instances_has_none(machines: Machines) -> None:
    assert machines.profiles.running_of(machines.account_id) == RunningInstances(running=0)


def test_running_instances_of_all_regions_are_counted_and_those_without_a_profile_dated(machines: Machines) -> None:
    machines.launch("us-east-1")
    machines.launch("eu-west-1")
    machines.launch("us-east-1", profile=True)
    machines.launch("eu-west-1", state="stopped")
    found = machines.profiles.running_of(machines.account_id)
    assert (found.running, len(found.without_profile), found.refused) == (3, 2, ())
    assert all(datetime.now(UTC) - each < timedelta(minutes=10) for each in found.without_profile)


class Regions:
    """EC2 of an account in which some regions answer otherwise."""

    def __init__(self, world: AwsWorld, account_id: str, errors: dict[str, RollcallError]) -> None:
        self.profiles = Ec2Profiles(self._client)
        self.account_id, self._world, self._errors = account_id, world, errors

    def _client(self, account_id: str, region: str) -> Any:
        if error := self._errors.get(region) or (self._errors.get("*") if region else None):
            raise error
        return client_of(self._world, account_id, region)


DENIED = ConfigurationError("denied", setting="a policy of the organization")


def test_a_region_that_refuses_is_named(_one_aws: AwsWorld, account_id: str) -> None:
    member = _one_aws.cloud.add_account(f"refusing-{account_id}")
    client_of(_one_aws, member, "us-east-1").run_instances(ImageId=AMI, MinCount=1, MaxCount=1)
    regions = Regions(_one_aws, member, {"eu-west-1": DENIED, "eu-west-2": DENIED})
    found = regions.profiles.running_of(member)
    assert (found.running, found.refused) == (1, ("eu-west-1", "eu-west-2"))


@pytest.mark.parametrize(
    "errors",
    [{"*": DENIED}, {"eu-west-1": TransientError("no answer")}, {"eu-west-1": PermanentError("strange")}, {"": DENIED}],
    ids=["every region refuses", "a region does not answer", "a region answers strangely", "regions are not told"],
)
def test_an_account_that_does_not_say_is_an_error(
    _one_aws: AwsWorld, account_id: str, errors: dict[str, RollcallError]
) -> None:
    regions = Regions(_one_aws, _one_aws.cloud.add_account(f"silent-{account_id}"), errors)
    with pytest.raises(RollcallError):
        regions.profiles.running_of(regions.account_id)
