"""EventBridge to SQS: the same rules and events asked of our overlay and of another emulator.

The other one refuses events whose source begins with `aws.`, as AWS does for everybody but its own services. So
for the comparison `aws.` reads `org.` in rules and events alike; nothing else is changed.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config

from sandbox.deployment import deploy
from tests.fakes.aws_world import aws_world
from tests.fakes.ministack import command, ministack
from tests.fixtures.read import FOLDER, loaded

ACCOUNT = "123456789012"
PARAMETERS = {
    "TenantId": "5f0d3b52-8a7e-4c43-9d3e-6d1c7f0e2a10",
    "ClientId": "0a1b2c3d-0000-4000-8000-000000000001",
    "QueueServiceUri": "https://localhost:1/devstoreaccount1",
}
EVENTS = sorted(each.name for each in (FOLDER / "events").glob("*.json"))
STACK_SET = "rollcall-member-roles"


@dataclass
class Emulator:
    """One AWS, through plain boto3."""

    name: str
    url: str

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]  # by name
            service,
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id=ACCOUNT,  # the other emulator takes a key of twelve digits for the account
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 0}),
        )

    def route(self, rule: str, pattern: dict[str, Any], **options: Any) -> str:
        """The URL of a new queue that the rule's events go to."""
        events, sqs = self.client("events"), self.client("sqs")
        arn = events.put_rule(Name=rule, EventPattern=json.dumps(pattern), **options)["RuleArn"]
        url = str(sqs.create_queue(QueueName=rule)["QueueUrl"])
        queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        assert events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": queue}])["FailedEntryCount"] == 0
        return url

    def put(self, events: list[dict[str, Any]]) -> None:
        entries = [
            {
                "Source": each["source"],
                "DetailType": each["detail-type"],
                "Detail": json.dumps(each["detail"]),
                "Resources": each["resources"],
            }
            for each in events
        ]
        for start in range(0, len(entries), 10):
            answer = self.client("events").put_events(Entries=entries[start : start + 10])
            assert answer["FailedEntryCount"] == 0, answer

    def received(self, url: str, *, seconds: float = 2.0) -> list[dict[str, Any]]:
        sqs, found = self.client("sqs"), []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            for each in messages:
                found.append(json.loads(each["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
            if not messages and (found or seconds <= 0.5):
                break
            time.sleep(0 if messages else 0.05)
        return found


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with aws_world(tmp_path_factory.mktemp("ours")) as world:
        world.cloud.prepare_organization()
        yield Emulator("moto with the overlay", world.cloud.url)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    if command() is None:
        pytest.skip("ministack is not installed: docs/fidelity.md says how (dependency group `agreement`)")
    with ministack(tmp_path_factory.mktemp("ministack"), ACCOUNT) as url:
        yield Emulator("ministack", url)


@pytest.fixture(scope="module")
def rules(ours: Emulator) -> dict[str, dict[str, Any]]:
    """The event patterns of infra/aws/template.yaml as a deployment leaves them."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    deploy(session, ours.url, policy=b"version: 1\n", parameters=PARAMETERS)
    found = ours.client("events").list_rules()["Rules"]
    return {
        name: next(json.loads(each["EventPattern"]) for each in found if each["Name"] == f"rollcall-{name}")
        for name in ("account-events", "stack-events")
    }


def neutral(value: Any) -> Any:
    """The same with `org.` for `aws.`, where a source is named."""
    if isinstance(value, dict):
        return {key: neutral(each) for key, each in value.items()}
    if isinstance(value, list):
        return [neutral(each) for each in value]
    return f"org.{value[4:]}" if isinstance(value, str) and value.startswith("aws.") else value


def samples(stack_set_arn: str) -> dict[str, dict[str, Any]]:
    """The fixtures, the stack instances once more for our own StackSet, and near misses of each."""
    found = {}
    for name in EVENTS:
        event = neutral(loaded(f"events/{name}"))
        found[name] = event
        if "stack-set-arn" in event["detail"]:
            own = copy.deepcopy(event)
            own["detail"]["stack-set-arn"] = stack_set_arn
            found[f"own {name}"] = own
        for part in ("source", "detail-type"):
            found[f"{name} with another {part}"] = event | {part: f"{event[part]}.x"}
            found[f"{name} with {part} in capitals"] = event | {part: event[part].upper()}
        found[f"{name} without detail"] = event | {"detail": {}}
        if "eventName" in event["detail"]:
            for changed in ("CreateAccount", "createAccountResult", None, ["CreateAccountResult"]):
                found[f"{name} named {changed}"] = event | {"detail": event["detail"] | {"eventName": changed}}
    return {name: event | {"resources": [f"sample:{index}"]} for index, (name, event) in enumerate(found.items())}


def delivered(emulator: Emulator, rule: str, pattern: dict[str, Any], events: dict[str, dict[str, Any]]) -> set[str]:
    """The names of the events that came through."""
    url = emulator.route(rule, pattern)
    emulator.put(list(events.values()))
    names = list(events)
    came = [names[int(each["resources"][0].partition(":")[2])] for each in emulator.received(url, seconds=30)]
    emulator.client("events").remove_targets(Rule=rule, Ids=["queue"])
    assert len(came) == len(set(came)), "delivered twice"
    return set(came)


EXPECTED = {
    "account-events": {
        "account_departed.cleaned.json",
        "account_departed.left.json",
        "account_departed.removed.json",
        "account_joined.created.json",
        "account_joined.invited.json",
        "close_account.json",
        "close_account_result.failed.json",
        "close_account_result.succeeded.json",
        "managed_account.created.json",
        "managed_account.failed.json",
        "managed_account.updated.json",
        "move_account.json",
        "remove_account.json",
        "tag_resource.account.json",
        "tag_resource.unit.json",
        "untag_resource.account.json",
        "create_account_result.failed.json",
        "create_account_result.succeeded.json",
        "create_account_result.without_account.json",
        "onboarding_requested.again.json",
        "onboarding_requested.json",
    },
    "stack-events": {
        "own stack_instance.deleted.json",
        "own stack_instance.failed.json",
        "own stack_instance.failed_import.json",
        "own stack_instance.failed_without_stack.json",
        "own stack_instance.skipped_suspended.json",
        "own stack_instance.skipped_suspended_without_stack.json",
        "own stack_instance.succeeded.json",
        "own stack_set_operation.failed.json",
        "own stack_set_operation.stopped.json",
    },
}


@pytest.mark.parametrize("rule", EXPECTED)
@pytest.mark.parametrize("emulator", ["ours", "theirs"])
def test_the_rules_of_the_template_let_the_same_events_through(
    rules: dict[str, dict[str, Any]], emulator: str, rule: str, request: pytest.FixtureRequest
) -> None:
    pattern = neutral(rules[rule])
    arn = rules["stack-events"]["detail"]["stack-set-arn"][0]
    events = samples(arn)
    assert len(events) > 80
    came = delivered(request.getfixturevalue(emulator), f"template-{rule}", pattern, events)
    tolerated = {each for each in came if each.startswith(tuple(EXPECTED[rule])) and "detail-type" in each}
    named_by_list = {each for each in came if "['CreateAccountResult']" in each}  # an array matches by any element
    own = {f"{each} without detail" for each in EXPECTED[rule] if each.startswith("onboarding")}
    if rule == "account-events":  # no detail-type in this rule, on purpose
        assert tolerated == {
            f"{each} with {form}"
            for each in EXPECTED[rule]
            for form in ("another detail-type", "detail-type in capitals")
        }
        assert named_by_list == {f"{each} named ['CreateAccountResult']" for each in EVENTS if _named(each)}
        assert came == EXPECTED[rule] | tolerated | named_by_list | own
    else:
        assert came == EXPECTED[rule]


def _named(name: str) -> bool:
    event = loaded(f"events/{name}")
    named = "eventName" in event["detail"] and event["source"] == "aws.organizations"
    return named and "errorCode" not in event["detail"]


PATTERNS: dict[str, dict[str, Any]] = {
    "one of several values": {"detail": {"state": ["A", "B"]}},
    "every field must match": {"source": ["x"], "detail": {"state": ["A"]}},
    "a number is no text": {"detail": {"number": [1]}},
    "a text is no number": {"detail": {"number": ["1"]}},
    "null": {"detail": {"empty": [None]}},
    "exists": {"detail": {"state": [{"exists": True}]}},
    "does not exist": {"detail": {"state": [{"exists": False}]}},
    "prefix": {"detail": {"state": [{"prefix": "A"}]}},
    "suffix": {"detail": {"state": [{"suffix": "B"}]}},
    "anything but": {"detail": {"state": [{"anything-but": ["A"]}]}},
    "numeric": {"detail": {"number": [{"numeric": [">", 0, "<=", 5]}]}},
    "or": {"$or": [{"source": ["x"]}, {"detail": {"state": ["B"]}}]},
    "or below detail": {"detail": {"$or": [{"state": ["B"]}, {"number": [1]}]}},
    "an array matches by any element": {"detail": {"list": ["b"]}},
    "nested": {"detail": {"outer": {"inner": ["deep"]}}},
}
DETAILS: list[dict[str, Any]] = [
    {},
    {"state": "A"},
    {"state": "B"},
    {"state": "AB"},
    {"state": "a"},
    {"state": None},
    {"state": ""},
    {"number": 1},
    {"number": "1"},
    {"number": 0},
    {"number": 5},
    {"number": 5.5},
    {"empty": None},
    {"empty": ""},
    {"list": ["a", "b"]},
    {"list": []},
    {"list": "b"},
    {"outer": {"inner": "deep"}},
    {"outer": "deep"},
    {"outer": {"inner": {"deep": "deep"}}},
]
# Where the two emulators differ, what the documentation of event patterns says, and who is wrong.
KNOWN_DIFFERENCES: dict[str, str] = {}


@pytest.mark.parametrize("name", PATTERNS)
def test_both_emulators_match_patterns_alike(ours: Emulator, theirs: Emulator, name: str) -> None:
    events = {
        f"{source}: {json.dumps(detail)}": {"source": source, "detail-type": "Sample", "detail": detail}
        for source in ("x", "y")
        for detail in DETAILS
    }
    numbered = {key: event | {"resources": [f"sample:{index}"]} for index, (key, event) in enumerate(events.items())}
    rule = f"pattern-{list(PATTERNS).index(name)}"
    first, second = (delivered(each, rule, PATTERNS[name], numbered) for each in (ours, theirs))
    assert first, "nothing came through: the pattern compares nothing"
    assert first == second, {"only ours": first - second, "only theirs": second - first}


def test_both_emulators_wrap_an_event_in_the_same_envelope(ours: Emulator, theirs: Emulator) -> None:
    envelopes = []
    for emulator in (ours, theirs):
        url = emulator.route("envelope", {"source": ["x"]})
        emulator.put([{"source": "x", "detail-type": "Sample", "detail": {"a": 1}, "resources": ["sample:0"]}])
        [event] = emulator.received(url)
        envelopes.append(event)
    first, second = envelopes
    assert set(first) == set(second)
    fixed = ("version", "detail-type", "source", "account", "region", "resources", "detail")
    assert {key: first[key] for key in fixed} == {key: second[key] for key in fixed}
    for event in envelopes:
        assert len(event["time"]) == len("2026-01-02T03:04:05Z")
        assert event["time"].endswith("Z")


def test_both_emulators_deliver_once_for_each_rule_and_not_at_all_for_a_disabled_one(
    ours: Emulator, theirs: Emulator
) -> None:
    for emulator in (ours, theirs):
        pattern = {"source": ["several"]}
        urls = [emulator.route(name, pattern) for name in ("first", "second")]
        off = emulator.route("off", pattern, State="DISABLED")
        emulator.put([{"source": "several", "detail-type": "Sample", "detail": {}, "resources": []}])
        assert [len(emulator.received(url)) for url in urls] == [1, 1], emulator.name
        assert emulator.received(off, seconds=0.5) == [], emulator.name


def test_both_emulators_move_a_message_that_nobody_deletes_to_the_dead_letters(
    ours: Emulator, theirs: Emulator
) -> None:
    stories = []
    for emulator in (ours, theirs):
        sqs = emulator.client("sqs")
        dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
        live = sqs.create_queue(QueueName="live", Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "0"})
        sqs.send_message(QueueUrl=live["QueueUrl"], MessageBody="poison")
        counts = []
        for _ in range(7):
            got = sqs.receive_message(QueueUrl=live["QueueUrl"], AttributeNames=["ApproximateReceiveCount"])
            counts += [each["Attributes"]["ApproximateReceiveCount"] for each in got.get("Messages", [])]
        letters = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=1).get("Messages", [])
        stories.append((counts, [each["Body"] for each in letters]))
    assert stories[0] == stories[1] == (["1", "2", "3", "4", "5"], ["poison"])


def test_a_message_comes_back_after_its_visibility_time_out_in_both_emulators(ours: Emulator, theirs: Emulator) -> None:
    for emulator in (ours, theirs):
        sqs = emulator.client("sqs")
        url = sqs.create_queue(QueueName="visible", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="text")
        [message] = sqs.receive_message(QueueUrl=url)["Messages"]
        assert "Messages" not in sqs.receive_message(QueueUrl=url), emulator.name
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        [again] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)["Messages"]
        assert again["MessageId"] == message["MessageId"], emulator.name
        sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
        assert "Messages" not in sqs.receive_message(QueueUrl=url), emulator.name


def test_the_other_emulator_is_reached_on_loopback_only(theirs: Emulator) -> None:
    assert theirs.url.startswith("http://127.0.0.1:")


def test_events_of_aws_itself_are_refused_from_others(theirs: Emulator) -> None:
    """Why `aws.` is replaced above: AWS refuses such events from customers; our overlay takes them for its tests."""
    entry = {"Source": "aws.organizations", "DetailType": "x", "Detail": "{}"}
    answer = theirs.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
