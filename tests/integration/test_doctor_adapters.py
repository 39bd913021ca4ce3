"""The doctor's adapters where nothing is there or may be seen: absence is a value, a refusal an error of ours."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from shared.adapters.aws.deployed_parts import AwsParts, PartClients
from shared.adapters.aws.function_answers import LambdaFunctions
from shared.adapters.aws.lambda_identity import FederatedIdentity
from shared.adapters.aws.stack_set_settings import NamedStacks, StackSetDelegations, StackSetSettings
from shared.domain.doctor.lambda_checks import QUEUE
from shared.errors import PermanentError, RollcallError, TransientError
from shared.messages.doctor_findings import findings_document
from shared.messages.doctor_request import REQUEST
from tests.fakes.aws_world import AwsWorld, aws_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsWorld]:
    with aws_world(tmp_path_factory.mktemp("doctor")) as found:
        found.cloud.prepare_organization()
        yield found


def parts(world: AwsWorld) -> AwsParts:
    names = ("cloudformation", "events", "sqs", "scheduler", "s3", "iam")
    clients = {name: world.client(name) for name in names}
    return AwsParts(PartClients(lambda_=world.client("lambda"), **clients), stack_name="rollcall")


def test_what_is_not_there_is_none(world: AwsWorld) -> None:
    found = parts(world)
    assert found.find_rule("rollcall-account-events") is None
    assert found.find_schedule("rollcall", "rollcall-reconcile") is None
    assert found.find_event_source("rollcall-account-events") is None
    assert StackSetSettings(world.client("cloudformation")).find("rollcall-member-roles") is None
    assert NamedStacks(world.client("cloudformation")).find("rollcall") is None
    assert StackSetDelegations(world.client("organizations")).administrators() == []


def test_a_stack_that_is_not_there_has_no_outputs(world: AwsWorld) -> None:
    with pytest.raises(RollcallError):
        parts(world).outputs()


def test_federation_that_is_on_already_is_no_error(world: AwsWorld) -> None:
    parts(world).enable_federation()
    parts(world).enable_federation()


class Lambda:
    """Answers Invoke as it is told."""

    def __init__(self, content: bytes, fault: str = "") -> None:
        self._answer = {"Payload": io.BytesIO(content), **({"FunctionError": fault} if fault else {})}
        self.asked: list[tuple[str, Any]] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self.asked.append((FunctionName, json.loads(Payload)))
        return self._answer


def asked(client: Lambda) -> list[Any]:
    functions = LambdaFunctions(client)  # type: ignore[arg-type]  # as much of the client as is asked
    return list(functions.ask("rollcall-stack-events"))


def test_a_function_s_findings_are_read() -> None:
    client = Lambda(json.dumps(findings_document([QUEUE.ok("it takes messages")])).encode())
    assert [each.check for each in asked(client)] == [QUEUE]
    assert client.asked == [("rollcall-stack-events", REQUEST)]


@pytest.mark.parametrize(
    ("content", "fault", "said"),
    [
        (b'{"errorType": "KeyError", "errorMessage": "\'Records\'"}', "Unhandled", "'Records'"),
        (b"no json", "Unhandled", "no JSON"),
        (b"null", "", "cannot be read"),
        (b'{"batchItemFailures": []}', "", "cannot be read"),
    ],
)
def test_an_answer_that_is_none_is_an_error_of_ours(content: bytes, fault: str, said: str) -> None:
    with pytest.raises(PermanentError, match=said):
        asked(Lambda(content, fault))


class Credential:
    """Gives a token."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken("token", 2**33)


def test_the_claims_of_a_token_are_read_and_what_is_no_token_is_an_error_of_ours() -> None:
    token = "e30.eyJpc3MiOiJpIiwic3ViIjoicyIsImF1ZCI6WyJhIl19.x"  # noqa: S105 - nobody's: {"iss":"i","sub":"s","aud":["a"]}
    found = FederatedIdentity(lambda: token, Credential()).claims()
    assert (found.issuer, found.subject, found.audience) == ("i", "s", "a")
    with pytest.raises(TransientError):
        FederatedIdentity(lambda: "opaque", Credential()).claims()
    FederatedIdentity(lambda: token, Credential()).exchange()
