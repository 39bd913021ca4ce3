"""Organizations, EventBridge, STS and IAM of the sandbox, through plain boto3."""

from __future__ import annotations

import json
import re
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from botocore.exceptions import ClientError
from moto.sqs.models import sqs_backends

from tests.fakes.aws_world import TEMPLATES, AwsWorld, aws_world, wait_until

AUDIENCE = "api://AzureADTokenExchange"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AwsWorld]:
    with aws_world(tmp_path) as world:
        world.cloud.prepare_organization()
        yield world


def create_account(world: AwsWorld, name: str, email: str) -> dict[str, Any]:
    organizations = world.client("organizations")
    request = organizations.create_account(AccountName=name, Email=email)["CreateAccountStatus"]
    assert request["State"] == "IN_PROGRESS"

    def look() -> Any:
        status = organizations.describe_create_account_status(CreateAccountRequestId=request["Id"])
        status = status["CreateAccountStatus"]
        return status if status["State"] != "IN_PROGRESS" else None

    return dict(wait_until(look))


def events_of(world: AwsWorld, url: str, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found.extend(world.received(url))
        return len(found) >= count

    wait_until(look)
    assert len(found) == count
    return found


def functions_stack(world: AwsWorld) -> str:
    cloudformation = world.client("cloudformation")
    cloudformation.create_stack(
        StackName="functions",
        TemplateBody=(TEMPLATES / "functions.yaml").read_text(encoding="utf-8"),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    stack = cloudformation.describe_stacks(StackName="functions")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return str(stack["Outputs"][0]["OutputValue"])


@pytest.mark.parametrize(
    ("operation", "key"),
    [
        ("list_accounts", "Accounts"),
        ("list_accounts_for_parent", "Accounts"),
        ("list_organizational_units_for_parent", "OrganizationalUnits"),
    ],
)
def test_organizations_gives_twenty_entries_at_most(world: AwsWorld, operation: str, key: str) -> None:
    organizations, root = world.client("organizations"), world.root()
    for number in range(23):
        world.cloud.add_account(f"account-{number}")
        organizations.create_organizational_unit(ParentId=root, Name=f"unit-{number}")
    given = {} if operation == "list_accounts" else {"ParentId": root}
    first = getattr(organizations, operation)(**given)
    rest = getattr(organizations, operation)(**given, NextToken=first["NextToken"])
    assert len(first[key]) == 20
    assert "NextToken" not in rest
    assert len({entry["Id"] for entry in [*first[key], *rest[key]]}) == 20 + len(rest[key])
    assert len(rest[key]) == 3 + (key == "Accounts")  # the management account, too
    for wrong in ({"MaxResults": 21}, {"NextToken": "made up"}):
        with pytest.raises(ClientError, match="InvalidInputException"):
            getattr(organizations, operation)(**given, **wrong)


def test_a_new_account_is_announced_by_whole_events(world: AwsWorld) -> None:
    url = world.queue_of({"source": ["aws.organizations"], "detail": {"eventName": ["CreateAccountResult"]}})

    status = create_account(world, "new", "new@example.com")

    (event,) = events_of(world, url, 1)
    detail = event["detail"]
    created = detail["serviceEventDetails"]["createAccountStatus"]
    assert status["State"] == "SUCCEEDED"
    assert list(event) == [
        "version",
        "id",
        "detail-type",
        "source",
        "account",
        "time",
        "region",
        "resources",
        "detail",
    ]
    assert event["account"] == world.cloud.management_account_id
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"])
    assert (detail["eventName"], detail["eventType"]) == ("CreateAccountResult", "AwsServiceEvent")
    assert created["accountId"] == status["AccountId"]
    assert (created["state"], created["accountName"]) == ("SUCCEEDED", "****")
    assert re.fullmatch(r"[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M", created["completedTimestamp"])


def test_a_joined_account_is_announced_too(world: AwsWorld) -> None:
    url = world.queue_of({"detail": {"eventName": ["AccountJoinedOrganization"]}})

    status = create_account(world, "new", "new@example.com")

    (event,) = events_of(world, url, 1)
    assert event["detail"]["serviceEventDetails"]["accountId"] == status["AccountId"]
    assert event["detail"]["serviceEventDetails"]["joinedMethod"] == "CREATED"


def test_a_used_address_fails_the_creation_and_names_no_account(world: AwsWorld) -> None:
    url = world.queue_of({"detail": {"eventName": ["CreateAccountResult"]}})
    world.cloud.add_account("old", email="Same@example.com")

    status = create_account(world, "new", "same@example.com")

    (event,) = events_of(world, url, 1)
    created = event["detail"]["serviceEventDetails"]["createAccountStatus"]
    assert (status["State"], status["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
    assert (created["state"], created["failureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
    assert "accountId" not in created


def test_an_account_that_moves_and_closes_says_so(world: AwsWorld) -> None:
    url = world.queue_of({"detail": {"eventName": ["MoveAccount", "CloseAccountResult"]}})
    organizations = world.client("organizations")
    root = organizations.list_roots()["Roots"][0]["Id"]
    outer = organizations.create_organizational_unit(ParentId=root, Name="outer")["OrganizationalUnit"]["Id"]
    inner = organizations.create_organizational_unit(ParentId=outer, Name="inner")["OrganizationalUnit"]["Id"]
    account = world.cloud.add_account("moving", tags={"team": "a"})

    organizations.move_account(AccountId=account, SourceParentId=root, DestinationParentId=inner)
    (moved,) = events_of(world, url, 1)
    organizations.close_account(AccountId=account)
    (closed,) = events_of(world, url, 1)

    described = organizations.describe_account(AccountId=account)["Account"]
    org = organizations.describe_organization()["Organization"]["Id"]
    assert moved["detail"]["requestParameters"] == {
        "accountId": account,
        "sourceParentId": root,
        "destinationParentId": inner,
    }
    assert closed["detail"]["serviceEventDetails"]["closeAccountStatus"]["accountId"] == account
    assert described["State"] == described["Status"] == "SUSPENDED"
    assert described["Paths"] == [f"{org}/{root}/{outer}/{inner}/{account}/"]
    assert organizations.list_tags_for_resource(ResourceId=account)["Tags"] == [{"Key": "team", "Value": "a"}]


def test_an_account_that_leaves_or_is_removed_says_so(world: AwsWorld) -> None:
    names = ["AccountDepartedOrganization", "RemoveAccountFromOrganization", "LeaveOrganization"]
    url = world.queue_of({"detail": {"eventName": names}})
    leaving, removed = world.cloud.add_account("leaving"), world.cloud.add_account("removed")

    world.member("organizations", leaving).leave_organization()
    world.client("organizations").remove_account_from_organization(AccountId=removed)

    found = {}
    for event in events_of(world, url, 3):  # the call of the one that left is in its own trail
        detail = event["detail"]
        told = detail.get("serviceEventDetails") or detail["requestParameters"]
        found[detail["eventName"], told["accountId"]] = told.get("departureMethod")
    assert found == {
        ("AccountDepartedOrganization", leaving): "LEFT",
        ("AccountDepartedOrganization", removed): "REMOVED",
        ("RemoveAccountFromOrganization", removed): None,
    }
    for account in (leaving, removed):
        with pytest.raises(ClientError, match="AccountNotFoundException"):
            world.client("organizations").describe_account(AccountId=account)


def test_the_management_account_cannot_leave(world: AwsWorld) -> None:
    with pytest.raises(ClientError, match="MasterCannotLeaveOrganizationException"):
        world.client("organizations").leave_organization()


def test_tags_that_come_and_go_say_so(world: AwsWorld) -> None:
    url = world.queue_of({"detail": {"eventName": ["TagResource", "UntagResource"]}})
    organizations, account = world.client("organizations"), world.cloud.add_account("tagged")

    organizations.tag_resource(ResourceId=account, Tags=[{"Key": "team", "Value": "a"}])
    organizations.untag_resource(ResourceId=account, TagKeys=["team"])

    found = {event["detail"]["eventName"]: event["detail"] for event in events_of(world, url, 2)}
    assert found["TagResource"]["requestParameters"] == {
        "resourceId": account,
        "tags": [{"key": "team", "value": "a"}],
    }
    assert found["UntagResource"]["requestParameters"] == {"resourceId": account, "tagKeys": ["team"]}
    assert organizations.list_tags_for_resource(ResourceId=account)["Tags"] == []


def test_a_move_from_a_place_where_the_account_is_not_is_refused(world: AwsWorld) -> None:
    organizations = world.client("organizations")
    root = organizations.list_roots()["Roots"][0]["Id"]
    unit = organizations.create_organizational_unit(ParentId=root, Name="u")["OrganizationalUnit"]["Id"]
    account = world.cloud.add_account("still")

    with pytest.raises(ClientError, match="SourceParentNotFoundException"):
        organizations.move_account(AccountId=account, SourceParentId=unit, DestinationParentId=root)


def test_a_member_may_not_list_the_accounts(world: AwsWorld) -> None:
    account = world.cloud.add_account("member")

    with pytest.raises(ClientError, match="AccessDeniedException"):
        world.member("organizations", account).list_accounts()


def test_who_looks_from_outside_sees_the_accounts_of_the_management_account_s_organization(world: AwsWorld) -> None:
    member, gone = world.cloud.add_account("member"), world.cloud.add_account("gone", state="SUSPENDED")
    management = world.cloud.management_account_id
    seen = {each.id: each.state for each in world.cloud.organization_accounts(management)}
    assert seen == {management: "ACTIVE", member: "ACTIVE", gone: "SUSPENDED"}
    assert world.cloud.organization_accounts(member) == []


def test_events_of_any_source_can_be_put_and_carry_the_account(world: AwsWorld) -> None:
    url = world.queue_of({"source": ["aws.organizations"]})

    entry = {"Source": "aws.organizations", "DetailType": "t", "Detail": '{"a": "<detail>"}'}
    assert world.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    (event,) = world.received(url)
    assert event["account"] == world.cloud.management_account_id
    assert event["detail"] == {"a": "<detail>"}


def test_an_input_transformer_is_applied(world: AwsWorld) -> None:
    url = world.queue_of({"source": ["mine"]})
    events = world.client("events")
    target = events.list_targets_by_rule(Rule="watch")["Targets"][0]
    transformer = {"InputPathsMap": {"who": "$.detail.who"}, "InputTemplate": '{"name": "<who>"}'}
    events.put_targets(Rule="watch", Targets=[target | {"InputTransformer": transformer}])

    events.put_events(Entries=[{"Source": "mine", "DetailType": "t", "Detail": '{"who": "me"}'}])

    assert world.received(url) == [{"name": "me"}]


def test_a_queue_refuses_a_rule_that_its_policy_does_not_name(world: AwsWorld) -> None:
    other = "arn:aws:events:us-east-1:123456789012:rule/other"
    url = world.queue_of({"source": ["mine"]}, source_arn=other)

    world.client("events").put_events(Entries=[{"Source": "mine", "DetailType": "t", "Detail": "{}"}])

    (delivery,) = world.journal.entries(operation="events:DeliverToTarget")
    assert world.received(url) == []
    assert delivery.status == 403
    assert "does not allow" in delivery.detail["reason"]


def test_a_disabled_rule_delivers_nothing(world: AwsWorld) -> None:
    url = world.queue_of({"source": ["mine"]})
    events = world.client("events")
    events.disable_rule(Name="watch")

    events.put_events(Entries=[{"Source": "mine", "DetailType": "t", "Detail": "{}"}])

    assert world.received(url) == []


def test_a_busy_queue_gives_every_message_to_one_receiver(world: AwsWorld) -> None:
    url = world.client("sqs").create_queue(QueueName="busy")["QueueUrl"]
    got: list[str] = []

    def send(sender: int) -> None:
        sqs = world.client("sqs")
        for number in range(40):
            sqs.send_message(QueueUrl=url, MessageBody=f"{sender}/{number}")

    def receive(_: int) -> None:
        sqs = world.client("sqs")
        while messages := sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"):
            got.append(messages[0]["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=messages[0]["ReceiptHandle"])

    with ThreadPoolExecutor(8) as pool:
        senders, receivers = pool.map(send, range(4)), pool.map(receive, range(4))
        assert [*senders, *receivers] == [None] * 8

    assert sorted(got) == sorted(f"{sender}/{number}" for sender in range(4) for number in range(40))


def test_a_message_is_given_out_for_as_long_as_its_queue_keeps_it(world: AwsWorld) -> None:
    url = world.client("sqs").create_queue(QueueName="brief", Attributes={"MessageRetentionPeriod": "60"})["QueueUrl"]
    for body in ("old", "young"):
        world.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps({"text": body}))
    kept = sqs_backends[url.split("/")[3]]["us-east-1"].get_queue("brief")._messages

    vars(kept[0])["sent_timestamp"] -= 61_000
    assert world.received(url) == []

    kept.pop(0)
    assert world.received(url) == [{"text": "young"}]


def test_a_stack_wires_rule_policy_and_queue(world: AwsWorld) -> None:
    functions_stack(world)

    create_account(world, "new", "new@example.com")

    url = world.client("sqs").get_queue_url(QueueName="events")["QueueUrl"]
    names: set[str] = set()

    def look() -> bool:
        names.update(event["detail"]["eventName"] for event in world.received(url))
        return len(names) == 3

    wait_until(look)
    assert names == {"CreateAccount", "CreateAccountResult", "AccountJoinedOrganization"}


def test_a_role_of_a_stack_may_do_what_its_policy_says_and_nothing_else(world: AwsWorld) -> None:
    role_arn = functions_stack(world)
    session = world.cloud.credentials_for_role(role_arn)
    sqs, sts = world.client("sqs", session), world.client("sts", session)
    url = world.client("sqs").get_queue_url(QueueName="events")["QueueUrl"]
    other = world.client("sqs").create_queue(QueueName="other")["QueueUrl"]
    account = world.cloud.add_account("seen")

    sqs.receive_message(QueueUrl=url)
    world.client("organizations", session).describe_account(AccountId=account)
    sts.get_web_identity_token(Audience=[AUDIENCE], SigningAlgorithm="RS256", DurationSeconds=900)
    refused: list[Callable[[], Any]] = [
        lambda: sqs.send_message(QueueUrl=url, MessageBody="no"),
        lambda: sqs.receive_message(QueueUrl=other),
        lambda: world.client("organizations", session).list_accounts(),
        lambda: world.client("s3", session).get_object(Bucket="b", Key="k"),
        lambda: world.client("lambda", session).list_functions(),
        lambda: sts.get_web_identity_token(Audience=["other"], SigningAlgorithm="RS256"),
        lambda: sts.get_web_identity_token(Audience=[AUDIENCE], SigningAlgorithm="RS256", DurationSeconds=3600),
    ]
    for call in refused:
        with pytest.raises(ClientError) as denied:
            call()
        assert denied.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}
        assert "is not authorized to perform" in denied.value.response["Error"]["Message"]

    entry = world.journal.entries(operation="sqs:ReceiveMessage")[-1]
    assert (entry.identity, entry.authentication, entry.status) == (role_arn, "sigv4", 403)


def test_a_token_for_another_cloud_verifies_against_the_issuers_keys(world: AwsWorld) -> None:
    role_arn = functions_stack(world)
    sts = world.client("sts", world.cloud.credentials_for_role(role_arn))

    answer = sts.get_web_identity_token(Audience=[AUDIENCE], SigningAlgorithm="RS256")

    issuer = world.client("iam").get_outbound_web_identity_federation_info()["IssuerIdentifier"]
    trust = world.certificates.client_context()
    configuration = read_json(f"{issuer}/.well-known/openid-configuration", trust)
    keys = jwt.PyJWKSet.from_dict(read_json(configuration["jwks_uri"], trust))
    kid = jwt.get_unverified_header(answer["WebIdentityToken"])["kid"]
    claims = jwt.decode(
        answer["WebIdentityToken"], keys[kid].key, algorithms=["RS256"], audience=AUDIENCE, issuer=issuer
    )
    assert issuer == configuration["issuer"] == world.cloud.issuer_url
    assert claims["sub"] == role_arn
    assert claims["exp"] - claims["iat"] == 300
    assert claims["https://sts.amazonaws.com/"]["aws_account"] == world.cloud.management_account_id
    assert claims["https://sts.amazonaws.com/"]["org_id"].startswith("o-")


def read_json(url: str, trust: ssl.SSLContext) -> Any:
    with urllib.request.urlopen(url, context=trust) as answer:
        return json.load(answer)


def test_no_token_where_federation_is_off(world: AwsWorld) -> None:
    iam = world.client("iam")
    iam.disable_outbound_web_identity_federation()

    with pytest.raises(ClientError, match="OutboundWebIdentityFederationDisabledException"):
        world.client("sts").get_web_identity_token(Audience=[AUDIENCE], SigningAlgorithm="RS256")
    with pytest.raises(ClientError, match="FeatureDisabled"):
        iam.get_outbound_web_identity_federation_info()

    assert iam.enable_outbound_web_identity_federation()["IssuerIdentifier"] == world.cloud.issuer_url
