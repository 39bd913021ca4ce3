"""Raw answers of the overlay against botocore's output shapes: what boto3 would silently drop fails here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

from tests.fakes.aws_world import ALL_AT_ONCE, AwsWorld, aws_world, wait_until

Call = Callable[[Any], Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsWorld]:
    with aws_world(tmp_path_factory.mktemp("aws")) as world:
        world.cloud.prepare_organization()
        account = world.cloud.add_account("member", tags={"team": "a"})
        bad = world.cloud.add_account("bad")
        world.cloud.fail_stack_instances(bad, "broken")
        world.stack_set(Description="roles of members", Tags=[{"Key": "k", "Value": "v"}])
        world.finished(world.deploy(account, bad, OperationId="job-1"))
        yield world


def raw(world: AwsWorld, service: str, call: Call) -> tuple[str, bytes]:
    """The operation's name and the very bytes of its answer."""
    client = world.client(service)
    bodies: list[bytes] = []
    send = client._endpoint.http_session.send

    def keep(request: Any) -> Any:
        answer = send(request)
        bodies.append(answer.content)
        return answer

    client._endpoint.http_session.send = keep
    operations: list[str] = []
    client.meta.events.register("before-call", lambda model, **_: operations.append(model.name))
    call(client)
    return operations[-1], bodies[-1]


def xml_faults(element: ElementTree.Element, shape: Shape, path: str) -> list[str]:
    if isinstance(shape, ListShape):
        return [
            fault
            for number, child in enumerate(element)
            for fault in xml_faults(child, shape.member, f"{path}[{number}]")
        ]
    if not isinstance(shape, StructureShape):
        return enum_faults(element.text or "", shape, path)
    known = {member.serialization.get("name", name): member for name, member in shape.members.items()}
    faults = []
    for child in element:
        name = child.tag.rpartition("}")[2]
        if name not in known:
            faults.append(f"{path}.{name} is unknown")
        else:
            faults += xml_faults(child, known[name], f"{path}.{name}")
    return faults


def json_faults(value: Any, shape: Shape, path: str) -> list[str]:
    if isinstance(shape, ListShape):
        return [fault for item in value for fault in json_faults(item, shape.member, f"{path}[]")]
    if not isinstance(shape, StructureShape):
        return enum_faults(value, shape, path)
    faults = []
    for name, item in value.items():
        if name not in shape.members:
            faults.append(f"{path}.{name} is unknown")
        elif item is not None:
            faults += json_faults(item, shape.members[name], f"{path}.{name}")
    return faults


def enum_faults(value: Any, shape: Shape, path: str) -> list[str]:
    allowed = getattr(shape, "enum", [])
    if shape.type_name == "timestamp":
        return [] if value else [f"{path} is empty"]
    return [f"{path} is {value!r}, not one of {allowed}"] if allowed and value not in allowed else []


def check(world: AwsWorld, service: str, call: Call) -> None:
    operation, body = raw(world, service, call)
    model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    shape = model.operation_model(operation).output_shape
    assert shape is not None
    if model.metadata["protocol"] == "json":
        assert json_faults(json.loads(body), shape, operation) == []
        return
    document = ElementTree.fromstring(body)  # noqa: S314 - our own answer
    wrapper = shape.serialization.get("resultWrapper")
    result = next((each for each in document if each.tag.endswith(f"}}{wrapper}")), None)
    if shape.members and (result is not None or wrapper):
        assert result is not None, body
        assert xml_faults(result, shape, operation) == []


MEMBER = {"StackInstanceRegion": "us-east-1"}
NAME = {"StackSetName": "roles"}


def member(client: Any) -> str:
    return str(client.list_stack_instances(**NAME)["Summaries"][0]["Account"])


CLOUDFORMATION: list[Call] = [
    lambda c: c.describe_stack_set(**NAME),
    lambda c: c.list_stack_sets(),
    lambda c: c.list_stack_instances(**NAME),
    lambda c: c.describe_stack_instance(**NAME, **MEMBER, StackInstanceAccount=member(c)),
    lambda c: c.list_stack_set_operations(**NAME),
    lambda c: c.describe_stack_set_operation(**NAME, OperationId="job-1"),
    lambda c: c.list_stack_set_operation_results(**NAME, OperationId="job-1"),
    lambda c: c.activate_organizations_access(),
    lambda c: c.describe_organizations_access(),
    lambda c: c.create_stack_set(StackSetName="other", TemplateBody="Resources: {A: {Type: 'AWS::SQS::Queue'}}"),
    lambda c: c.update_stack_set(StackSetName="other", Description="changed", UsePreviousTemplate=True),
    lambda c: c.create_stack_instances(StackSetName="other", Accounts=["111111111111"], Regions=["eu-west-1"]),
    lambda c: c.create_stack_instances(
        **NAME,
        DeploymentTargets={"OrganizationalUnitIds": ["ou-abcd-12345678"]},
        Regions=["us-east-1"],
        OperationPreferences=ALL_AT_ONCE,
    ),
    lambda c: c.delete_stack_instances(
        **NAME,
        DeploymentTargets={"OrganizationalUnitIds": ["ou-abcd-12345678"]},
        Regions=["us-east-1"],
        RetainStacks=True,
    ),
    lambda c: c.deactivate_organizations_access(),
]
ORGANIZATIONS: list[Call] = [
    lambda c: c.create_account(AccountName="new", Email="new@example.com"),
    lambda c: c.list_create_account_status(),
    lambda c: c.describe_create_account_status(
        CreateAccountRequestId=c.list_create_account_status()["CreateAccountStatuses"][0]["Id"]
    ),
    lambda c: c.list_accounts(),
    lambda c: c.describe_account(AccountId=c.list_accounts()["Accounts"][1]["Id"]),
    lambda c: c.list_roots(),
    lambda c: c.create_organizational_unit(ParentId=c.list_roots()["Roots"][0]["Id"], Name="unit"),
    lambda c: c.list_organizational_units_for_parent(ParentId=c.list_roots()["Roots"][0]["Id"]),
    lambda c: c.list_accounts_for_parent(ParentId=c.list_roots()["Roots"][0]["Id"]),
    lambda c: c.list_parents(ChildId=c.list_accounts()["Accounts"][1]["Id"]),
    lambda c: c.list_tags_for_resource(ResourceId=c.list_accounts()["Accounts"][1]["Id"]),
]


@pytest.mark.parametrize("number", range(len(CLOUDFORMATION)))
def test_stack_set_answers_have_the_shape_that_botocore_knows(world: AwsWorld, number: int) -> None:
    check(world, "cloudformation", CLOUDFORMATION[number])


@pytest.mark.parametrize("number", range(len(ORGANIZATIONS)))
def test_organizations_answers_have_the_shape_that_botocore_knows(world: AwsWorld, number: int) -> None:
    check(world, "organizations", ORGANIZATIONS[number])


def test_identity_token_answers_have_the_shape_that_botocore_knows(world: AwsWorld) -> None:
    check(world, "sts", lambda c: c.get_web_identity_token(Audience=["a"], SigningAlgorithm="ES384"))
    check(world, "iam", lambda c: c.get_outbound_web_identity_federation_info())


def test_events_have_the_keys_of_the_published_samples(world: AwsWorld, evidence: Path, tmp_path: Path) -> None:
    """Key structure only: the values of the samples are invented."""
    url = world.queue_of({"source": ["aws.organizations", "aws.cloudformation"]}, "evidence")
    organizations = world.client("organizations")
    root = organizations.list_roots()["Roots"][0]["Id"]
    unit = organizations.create_organizational_unit(ParentId=root, Name="target")["OrganizationalUnit"]["Id"]
    account = world.cloud.add_account("evidence")
    organizations.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit)
    world.client("cloudformation").activate_organizations_access()
    world.finished(world.deploy(account))
    organizations.create_account(AccountName="evidence 2", Email="evidence2@example.com")
    organizations.close_account(AccountId=account)
    found: dict[str, dict[str, Any]] = {}

    def look() -> bool:
        for event in world.received(url):
            status = event["detail"].get("status-details", {})
            name = event["detail"].get("eventName") or status.get("detailed-status") or status["status"]
            found[name + ("" if "stack-set-operation-id" not in event["detail"] else "-op")] = event
        return {"CloseAccountResult", "AccountJoinedOrganization"} <= set(found)

    wait_until(look)
    samples = {
        "AccountJoinedOrganization": "AccountJoinedOrganization.CREATED.CONSTRUCTED.json",
        "CreateAccount": "CreateAccount.api.json",
        "CreateAccountResult": "CreateAccountResult.SUCCEEDED.json",
        "MoveAccount": "MoveAccount.api.json",
        "CloseAccountResult": "CloseAccountResult.SUCCEEDED.json",
        "SUCCEEDED": "StackInstance.SUCCEEDED.json",
        "SUCCEEDED-op": "StackSetOperation.SUCCEEDED.json",
    }
    for name, file in samples.items():
        sample = json.loads((evidence / "reference" / "events" / file).read_text(encoding="utf-8"))
        assert keys(found[name], ignore="userIdentity") == keys(sample, ignore="userIdentity")


def keys(value: Any, *, ignore: str, path: str = "") -> set[str]:
    if not isinstance(value, dict) or path.endswith(ignore):
        return {path}
    return {key for name, item in value.items() for key in keys(item, ignore=ignore, path=f"{path}/{name}")}
