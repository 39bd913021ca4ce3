"""Every call of every adapter, answered by a proxy's page or by nothing for as long as it asks: never a dead end."""

from __future__ import annotations

import gc
import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from sandbox.faults import PROXY_CONTENT_TYPE, PROXY_PAGE, Fault, FaultKind
from shared.adapters.aws.event_bus import AwsEventBus
from shared.adapters.aws.policy_store import S3PolicyStore
from shared.adapters.aws.web_identity import web_identity_assertion
from shared.adapters.policy.source import CachedPolicySource
from shared.errors import TransientError
from tests.contract.test_ports_aws import SandboxOrganization, deployment
from tests.fakes.answering_azure import CALLS, AnsweringAzure
from tests.fakes.aws_world import AwsWorld, aws_world
from tests.fakes.clock import FakeClock
from tests.fixtures.read import fixture

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # see `left_open`
EMPTY = {"body": ""}
PAGE = {"body": PROXY_PAGE.decode(), "headers": {"Content-Type": PROXY_CONTENT_TYPE}}
AZURE = [call for call in CALLS if call != "command-line"]
PUTS = {"send", "park"}


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDKs do not sleep between their own retries."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.fixture
def left_open() -> Iterator[None]:
    """A download that is broken off leaves its connection to the collector, which must not say so to the next test."""
    yield
    gc.collect()


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 404, 409, 412, 429, 500])
@pytest.mark.parametrize("answer", [EMPTY, PAGE], ids=["empty", "page"])
@pytest.mark.parametrize("call", AZURE)
def test_azure_s_spoilt_answers_are_tried_again(
    answers: AnsweringAzure, call: str, answer: dict[str, Any], status: int, request: pytest.FixtureRequest
) -> None:
    if call == "policy":
        request.getfixturevalue("left_open")
    answers.plan(answer | {"status": status})
    if call in PUTS and status == 201:
        CALLS[call](answers)  # the service has taken it
        assert len(answers.asked) == 1
        return
    with pytest.raises(TransientError) as raised:
        CALLS[call](answers)
    assert raised.value.key
    assert raised.value.lasting(7 * 24 * 3600) is None


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("call", AZURE)
def test_a_success_that_is_no_object_is_tried_again(answers: AnsweringAzure, call: str) -> None:
    if call in PUTS or call == "policy":
        pytest.skip("no JSON is expected there")
    answers.plan({"status": 200, "body": "[1]"})
    with pytest.raises(TransientError):
        CALLS[call](answers)


@pytest.mark.usefixtures("left_open")
@pytest.mark.parametrize("answer", [EMPTY, PAGE], ids=["empty", "page"])
def test_a_part_of_a_blob_that_is_no_policy_is_tried_again(answers: AnsweringAzure, answer: dict[str, Any]) -> None:
    length = len(answer["body"])
    headers = answer.get("headers", {}) | {"Content-Range": f"bytes 0-{max(length - 1, 0)}/{length}", "ETag": '"1"'}
    answers.plan(answer | {"status": 206, "headers": headers})
    with pytest.raises(TransientError, match="instead of a policy") as raised:
        CALLS["policy"](answers)
    assert raised.value.key == "unreadable-answer"


class Aws(SandboxOrganization):
    """An organization with an account whose stack instance failed, and another to deploy to."""

    account_id: str = ""
    other_id: str = ""

    def forgetful(self) -> Aws:
        """The same with adapters that remember no earlier answer."""
        again = Aws(self.world)
        again.account_id, again.other_id = self.account_id, self.other_id
        return again


@pytest.fixture(scope="module")
def organization(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with aws_world(tmp_path_factory.mktemp("aws"), stack_instance_seconds=0.05) as world:
        world.cloud.prepare_organization()
        world.stack_set()
        found = Aws(world)
        found.account_id, found.other_id = found.add("failed", "Unit"), found.add("other")
        found.fail(found.account_id, "no")
        found.stack_sets.deploy(deployment(found.account_id))
        found.finish(found.account_id)
        s3 = client(world, "s3")
        s3.create_bucket(Bucket="policies")
        s3.put_object(Bucket="policies", Key="policy.yaml", Body=fixture("policies/smallest.yaml"))
        yield found


def client(world: AwsWorld, service: str) -> Any:
    return world.client(service, s3={"addressing_style": "path"}) if service == "s3" else world.client(service)


def policy(world: AwsWorld) -> S3PolicyStore:
    return S3PolicyStore(client(world, "s3"), "s3://policies/policy.yaml")


def read_account(aws: Aws) -> object:
    return aws.directory.find_account(aws.account_id, with_tags=True)


def read_instance(aws: Aws) -> object:
    return aws.stack_sets.find_instance(aws.account_id)


def deploy(aws: Aws, *, update: bool = False) -> None:
    aws.stack_sets.deploy(deployment(aws.other_id, update=update))


AWS: dict[str, Callable[[Aws], object]] = {
    "organizations:DescribeAccount": read_account,
    "organizations:ListParents": read_account,
    "organizations:DescribeOrganizationalUnit": read_account,
    "organizations:ListTagsForResource": read_account,
    "organizations:ListRoots": deploy,
    "cloudformation:CreateStackInstances": deploy,
    "cloudformation:UpdateStackInstances": lambda aws: deploy(aws, update=True),
    "cloudformation:DescribeStackSet": lambda aws: aws.stack_sets.stack_set_id(),
    "cloudformation:DescribeStackInstance": read_instance,
    "cloudformation:DescribeStackSetOperation": read_instance,
    "s3:GetObject": lambda aws: policy(aws.world).fetch(None),
    "events:PutEvents": lambda aws: AwsEventBus(aws.world.client("events")).request_onboarding(aws.account_id),
    "sts:GetWebIdentityToken": lambda aws: web_identity_assertion(aws.world.client("sts"))(),
}
"""By the operation that is spoilt, the adapter's call that makes it."""


@pytest.mark.parametrize("kind", [FaultKind.EMPTY_BODY, FaultKind.WRONG_CONTENT_TYPE])
@pytest.mark.parametrize("operation", AWS)
def test_aws_s_spoilt_answers_are_tried_again(organization: Aws, operation: str, kind: FaultKind) -> None:
    service, _, name = operation.partition(":")
    faults = organization.world.cloud.faults
    faults.plant(Fault(service=service, operation=name, kind=kind, rate=1.0))
    try:
        with pytest.raises(TransientError) as raised:
            AWS[operation](organization.forgetful())
        assert raised.value.key == "aws-no-answer"
        assert faults.planted()[0]["struck"] > 0
    finally:
        faults.clear()


def test_a_policy_that_was_read_well_does_not_make_a_page_a_wrong_policy(organization: Aws) -> None:
    clock = FakeClock()
    source = CachedPolicySource(policy(organization.world), origin="s3", clock=clock)
    known, faults = source.current(), organization.world.cloud.faults
    client(organization.world, "s3").put_object(
        Bucket="policies", Key="policy.yaml", Body=fixture("policies/smallest.yaml") + "# newer\n"
    )
    clock.advance(61)
    faults.plant(Fault(service="s3", operation="GetObject", kind=FaultKind.WRONG_CONTENT_TYPE))
    with pytest.raises(TransientError):
        source.current()
    assert source.current().target == known.target


@pytest.mark.parametrize("body", [b"", PROXY_PAGE, b"\xef\xbb\xbf \n<html>"])
def test_an_object_without_checksum_that_is_no_policy_is_tried_again(organization: Aws, body: bytes) -> None:
    """The sandbox, as S3 itself, sends a checksum that gives a page away; older objects have none."""
    s3 = client(organization.world, "s3")
    with Stubber(s3) as stub:
        stub.add_response("get_object", {"Body": StreamingBody(io.BytesIO(body), len(body)), "ETag": "1"})
        with pytest.raises(TransientError, match="instead of a policy") as raised:
            S3PolicyStore(s3, "s3://policies/policy.yaml").fetch(None)
    assert raised.value.key == "aws-no-answer"


@pytest.mark.parametrize("body", ["", "<html><body>Sign in</body></html>", "<a><b/></a>", "words"])
def test_a_message_that_was_taken_is_put_once_whatever_the_rest_of_the_answer(
    answers: AnsweringAzure, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    answers.plan({"status": 201, "body": body, "headers": {"Content-Type": "application/xml"}})
    CALLS["send"](answers)
    assert answers.asked == ["POST /account/onboarding/messages"]
    assert [line.message for line in caplog.records if line.name.startswith("shared")] == ["answer_unreadable"]
