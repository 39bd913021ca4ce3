"""Raw answers of the overlay against botocore's output shapes: what boto3 would silently drop fails here."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

from tests.fakes.aws_world import ALL_AT_ONCE, AwsWorld, aws_world, wait_until

Call = Callable[[Any], Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsWorld]:
    with aws_world(tmp_path_factory.mktemp("aws"), stack_instance_seconds=1.0) as world:
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
        return [f"{path} has elements in it"] if len(element) else scalar_faults(element.text or "", shape, path)
    if (element.text or "").strip():
        return [f"{path} is a text, not a structure"]
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
    if type(value) not in JSON_TYPES[shape.type_name]:
        return [f"{path} is {value!r}, no {shape.type_name}"]
    if isinstance(shape, ListShape):
        return [fault for item in value for fault in json_faults(item, shape.member, f"{path}[]")]
    if not isinstance(shape, StructureShape):
        return scalar_faults(str(value), shape, path)
    faults = []
    for name, item in value.items():
        if name not in shape.members:
            faults.append(f"{path}.{name} is unknown")
        elif item is not None:
            faults += json_faults(item, shape.members[name], f"{path}.{name}")
    return faults


JSON_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "list": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "timestamp": (int, float),  # AWS JSON 1.1: seconds since 1970
}
SCALARS = {
    "boolean": re.compile("true|false|True|False"),  # JSON's comes as Python writes it
    "integer": re.compile(r"-?\d+"),
    "long": re.compile(r"-?\d+"),
    "timestamp": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|\d+(\.\d+)?"),
    "string": re.compile(".*", re.DOTALL),
}


def scalar_faults(text: str, shape: Shape, path: str) -> list[str]:
    """What is wrong with a scalar: its form, its length, its pattern, or that it is no word of an enumeration."""
    if not SCALARS[shape.type_name].fullmatch(text):
        return [f"{path} is {text!r}, no {shape.type_name}"]
    allowed = getattr(shape, "enum", [])
    faults = [f"{path} is {text!r}, not one of {allowed}"] if allowed and text not in allowed else []
    if shape.type_name == "string":
        least, most = shape.metadata.get("min", 0), shape.metadata.get("max", len(text))
        faults += [] if least <= len(text) <= most else [f"{path} has {len(text)} characters, not {least} to {most}"]
        faults += [] if matches(shape.metadata.get("pattern"), text) else [f"{path} is {text!r}, not of the pattern"]
    return faults


def matches(pattern: str | None, text: str) -> bool:
    """Whether a text is of a model's pattern; one that Python's `re` does not read counts as met."""
    try:
        return pattern is None or re.search(pattern, text) is not None
    except re.error:
        return True


def check(world: AwsWorld, service: str, call: Call) -> None:
    operation, body = raw(world, service, call)
    model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    shape = model.operation_model(operation).output_shape
    if shape is None:
        assert body in {b"", b"{}"}
        return
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


def only_member(client: Any) -> dict[str, Any]:
    summary = client.list_stack_instances(**NAME)["Summaries"][0]
    targets = {"OrganizationalUnitIds": [summary["OrganizationalUnitId"]], "Accounts": [summary["Account"]]}
    return {"DeploymentTargets": targets | {"AccountFilterType": "INTERSECTION"}, "Regions": ["us-east-1"]}


def empty(client: Any) -> str:
    """A StackSet that was just made."""
    client.create_stack_set(StackSetName="short-lived", TemplateBody="Resources: {A: {Type: 'AWS::SQS::Queue'}}")
    return "short-lived"


def running(client: Any) -> str:
    """An operation that was just started."""
    return str(client.update_stack_instances(**NAME, **only_member(client))["OperationId"])


CLOUDFORMATION: list[Call] = [
    lambda c: c.detect_stack_set_drift(**NAME),
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
    lambda c: c.update_stack_instances(**NAME, **only_member(c)),
    lambda c: c.delete_stack_instances(**NAME, **only_member(c), RetainStacks=True),
    lambda c: c.stop_stack_set_operation(**NAME, OperationId=running(c)),
    lambda c: c.delete_stack_set(StackSetName=empty(c)),
    lambda c: c.deactivate_organizations_access(),
]


def root(client: Any) -> str:
    return str(client.list_roots()["Roots"][0]["Id"])


def unit(client: Any) -> str:
    return str(client.list_organizational_units_for_parent(ParentId=root(client))["OrganizationalUnits"][0]["Id"])


def newest(client: Any) -> str:
    return str(client.list_accounts()["Accounts"][-1]["Id"])


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
    lambda c: c.describe_organization(),
    lambda c: c.describe_organizational_unit(OrganizationalUnitId=unit(c)),
    lambda c: c.move_account(AccountId=newest(c), SourceParentId=root(c), DestinationParentId=unit(c)),
    lambda c: c.tag_resource(ResourceId=newest(c), Tags=[{"Key": "team", "Value": "a"}]),
    lambda c: c.untag_resource(ResourceId=newest(c), TagKeys=["team"]),
    lambda c: c.remove_account_from_organization(AccountId=newest(c)),
    lambda c: c.close_account(AccountId=newest(c)),
]


@pytest.mark.parametrize("number", range(len(CLOUDFORMATION)))
def test_stack_set_answers_have_the_shape_that_botocore_knows(world: AwsWorld, number: int) -> None:
    check(world, "cloudformation", CLOUDFORMATION[number])


@pytest.mark.parametrize("number", range(len(ORGANIZATIONS)))
def test_organizations_answers_have_the_shape_that_botocore_knows(world: AwsWorld, number: int) -> None:
    check(world, "organizations", ORGANIZATIONS[number])


SPOILT_JSON: list[tuple[str, dict[str, Any]]] = [
    ("DescribeAccount", {"Account": {"Id": 123456789012}}),
    ("DescribeAccount", {"Account": {"Id": "12345"}}),
    ("DescribeAccount", {"Account": {"Arn": ["arn:aws:organizations::123456789012:account/o-a/1"]}}),
    ("DescribeAccount", {"Account": {"JoinedTimestamp": "yesterday"}}),
    ("DescribeAccount", {"Account": {"Status": "SLEEPING"}}),
    ("DescribeAccount", {"Account": {"Surprise": "x"}}),
    ("DescribeAccount", {"Account": "123456789012"}),
    ("ListAccounts", {"Accounts": {"Id": "123456789012"}}),
]
SPOILT_XML: list[tuple[str, str]] = [
    ("<StackSet><StackSetARN><member>arn</member></StackSetARN></StackSet>", "elements"),
    ("<StackSet><AutoDeployment><Enabled>perhaps</Enabled></AutoDeployment></StackSet>", "no boolean"),
    ("<StackSet><Status>ASLEEP</Status></StackSet>", "not one of"),
    ("<StackSet><Surprise/></StackSet>", "unknown"),
    ("<StackSet>words</StackSet>", "a text"),
    (
        "<StackSet><StackSetDriftDetectionDetails><LastDriftCheckTimestamp>yesterday</LastDriftCheckTimestamp>"
        "</StackSetDriftDetectionDetails></StackSet>",
        "no timestamp",
    ),
    (
        "<StackSet><StackSetDriftDetectionDetails><TotalStackInstancesCount>many</TotalStackInstancesCount>"
        "</StackSetDriftDetectionDetails></StackSet>",
        "no integer",
    ),
]


def output_of(service: str, operation: str) -> Shape:
    model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    shape = model.operation_model(operation).output_shape
    assert shape is not None
    return shape


@pytest.mark.parametrize(("operation", "answer"), SPOILT_JSON, ids=str)
def test_a_json_answer_of_a_wrong_shape_does_not_pass(operation: str, answer: dict[str, Any]) -> None:
    assert len(json_faults(answer, output_of("organizations", operation), operation)) == 1


@pytest.mark.parametrize(("answer", "expected"), SPOILT_XML, ids=str)
def test_an_xml_answer_of_a_wrong_shape_does_not_pass(answer: str, expected: str) -> None:
    document = ElementTree.fromstring(f"<Result>{answer}</Result>")
    [fault] = xml_faults(document, output_of("cloudformation", "DescribeStackSet"), "DescribeStackSet")
    assert expected in fault


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
    organizations.remove_account_from_organization(AccountId=world.cloud.add_account("removed"))
    found: dict[str, dict[str, Any]] = {}

    def look() -> bool:
        for event in world.received(url):
            status = event["detail"].get("status-details", {})
            name = event["detail"].get("eventName") or status.get("detailed-status") or status["status"]
            found[name + ("" if "stack-set-operation-id" not in event["detail"] else "-op")] = event
        return {"CloseAccountResult", "AccountJoinedOrganization", "AccountDepartedOrganization"} <= set(found)

    wait_until(look)
    samples = {
        "AccountJoinedOrganization": "AccountJoinedOrganization.CREATED.CONSTRUCTED.json",
        "AccountDepartedOrganization": "AccountDepartedOrganization.REMOVED.CONSTRUCTED.json",
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


ROLE_STACK = (
    "Parameters: {Name: {Type: String}}\nResources: {A: {Type: 'AWS::SQS::Queue', Properties: {QueueName: !Ref Name}}}"
)
OTHER_STACK = ROLE_STACK.replace("A: {", "B: {", 1)


def stack_of(client: Any, name: str) -> str:
    given = [{"ParameterKey": "Name", "ParameterValue": name}]
    client.create_stack(StackName=name, TemplateBody=ROLE_STACK, Parameters=given)
    return name


PUBLISHING: list[tuple[str, Call]] = [
    ("cloudformation", lambda c: stack_of(c, "made")),
    ("cloudformation", lambda c: c.describe_stacks(StackName=stack_of(c, "described"))),
    (
        "cloudformation",
        lambda c: c.update_stack(
            StackName=stack_of(c, "updated"),
            TemplateBody=OTHER_STACK,
            Parameters=[{"ParameterKey": "Name", "UsePreviousValue": True}],
        ),
    ),
    ("cloudformation", lambda c: c.get_template(StackName=stack_of(c, "read"), TemplateStage="Original")),
    (
        "organizations",
        lambda c: c.list_delegated_administrators(ServicePrincipal="member.org.stacksets.cloudformation.amazonaws.com"),
    ),
    ("organizations", lambda c: c.describe_organization()),
    ("sts", lambda c: c.get_caller_identity()),
]


@pytest.mark.parametrize("number", range(len(PUBLISHING)))
def test_answers_to_who_publishes_a_template_have_the_shape_that_botocore_knows(world: AwsWorld, number: int) -> None:
    check(world, *PUBLISHING[number])


TLS_ONLY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::templates/*"},
    }
)


@pytest.fixture(scope="module")
def bucket(world: AwsWorld) -> str:
    """A bucket as publishing finds one, with an object; `bare` has neither versions nor policy."""
    s3 = s3_of(world)
    for name in ("templates", "bare"):
        s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket="templates", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="templates", Key="roles.yaml", Body=b"Resources: {}")
    s3.put_bucket_policy(Bucket="templates", Policy=TLS_ONLY.replace("s3:*", "s3:DeleteBucket"))
    return "templates"


def s3_of(world: AwsWorld) -> Any:
    return world.client("s3", s3={"addressing_style": "path"})


def rest_faults(answer: Any, shape: StructureShape) -> list[str]:
    """What is wrong with an answer of a service whose results stand in headers and body. `answer` is botocore's."""
    path, payload = shape.name, shape.serialization.get("payload")
    body_members = {
        name: member for name, member in shape.members.items() if member.serialization.get("location") is None
    }
    faults = [
        fault
        for name, member in shape.members.items()
        if member.serialization.get("location") == "header"
        and (text := answer.headers.get(member.serialization["name"])) is not None
        for fault in header_faults(text, member, f"{path}.{name}")
    ]
    if payload is not None and not isinstance(shape.members[payload], StructureShape):
        return faults + ([] if answer.content else [f"{path}.{payload} is empty"])
    if not body_members or not answer.content:
        return faults + ([f"{path} has a body"] if answer.content else [])
    document = ElementTree.fromstring(answer.content)  # noqa: S314 - our own answer
    return faults + xml_faults(document, shape, path)


def header_faults(text: str, shape: Shape, path: str) -> list[str]:
    """As `scalar_faults`; the times of headers are written as HTTP writes them."""
    if shape.type_name == "timestamp":
        try:
            parsedate_to_datetime(text)
        except ValueError:
            return [f"{path} is {text!r}, no time"]
        return []
    return scalar_faults(text, shape, path)


def rest_answer(client: Any, call: Call) -> tuple[str, Any]:
    """The operation's name and the answer itself; an error is an answer, too."""
    answers: list[Any] = []
    operations: list[str] = []
    send = client._endpoint.http_session.send

    def keep(request: Any) -> Any:
        answers.append(send(request))
        return answers[-1]

    client._endpoint.http_session.send = keep
    client.meta.events.register("before-call", lambda model, **_: operations.append(model.name))
    with suppress(ClientError):
        call(client)
    return operations[-1], answers[-1]


SHA256_OF_X = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
BUCKET: list[tuple[str, Call]] = [
    ("versioned", lambda c: c.get_bucket_versioning(Bucket="templates")),
    ("never versioned", lambda c: c.get_bucket_versioning(Bucket="bare")),
    ("policy", lambda c: c.get_bucket_policy(Bucket="templates")),
    ("object", lambda c: c.get_object(Bucket="templates", Key="roles.yaml")),
    ("head", lambda c: c.head_object(Bucket="templates", Key="roles.yaml")),
    ("put", lambda c: c.put_object(Bucket="templates", Key="new.yaml", Body=b"x", ChecksumSHA256=SHA256_OF_X)),
]


@pytest.mark.parametrize(("name", "call"), BUCKET, ids=[name for name, _ in BUCKET])
def test_a_bucket_s_answers_have_the_shape_that_botocore_knows(
    world: AwsWorld, bucket: str, name: str, call: Call
) -> None:
    operation, answer = rest_answer(s3_of(world), call)
    shape = output_of("s3", operation)
    assert isinstance(shape, StructureShape)
    assert answer.status_code == 200
    assert rest_faults(answer, shape) == []


BUCKET_ERRORS: list[tuple[int, str, Call]] = [
    (404, "NoSuchBucket", lambda c: c.get_bucket_versioning(Bucket="nobody-s")),
    (404, "NoSuchBucketPolicy", lambda c: c.get_bucket_policy(Bucket="bare")),
    (404, "NoSuchKey", lambda c: c.get_object(Bucket="templates", Key="nothing")),
    (404, "", lambda c: c.head_object(Bucket="templates", Key="nothing")),
]


@pytest.mark.parametrize(("status", "code", "call"), BUCKET_ERRORS, ids=[code for _, code, _ in BUCKET_ERRORS])
def test_a_bucket_s_refusals_are_of_s3_s_form(world: AwsWorld, bucket: str, status: int, code: str, call: Call) -> None:
    """Source: S3 API reference, "REST error responses": the root is Error, without a namespace; HEAD has no body."""
    _, answer = rest_answer(s3_of(world), call)
    assert answer.status_code == status
    if not code:
        assert answer.content == b""
        return
    document = ElementTree.fromstring(answer.content)  # noqa: S314 - our own answer
    assert (document.tag, document.findtext("Code")) == ("Error", code)
    assert document.findtext("Message")
    assert {each.tag for each in document} <= {
        "Code",
        "Message",
        "BucketName",
        "Key",
        "Resource",
        "RequestId",
        "HostId",
    }


SPOILT_REST: list[tuple[str, dict[str, str], bytes, str]] = [
    ("GetBucketVersioning", {}, b"<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", "not one"),
    ("GetBucketVersioning", {}, b"<VersioningConfiguration><Mode>x</Mode></VersioningConfiguration>", "unknown"),
    ("GetObject", {"Last-Modified": "yesterday"}, b"x", "no time"),
    ("GetObject", {"Content-Length": "many"}, b"x", "no long"),
    ("GetBucketPolicy", {}, b"", "empty"),
    ("PutObject", {}, b"<Surprise/>", "a body"),
]


@pytest.mark.parametrize(("operation", "headers", "body", "expected"), SPOILT_REST, ids=str)
def test_a_bucket_s_answer_of_a_wrong_shape_does_not_pass(
    operation: str, headers: dict[str, str], body: bytes, expected: str
) -> None:
    shape = output_of("s3", operation)
    assert isinstance(shape, StructureShape)
    [fault] = rest_faults(SimpleNamespace(headers=headers, content=body), shape)
    assert expected in fault
