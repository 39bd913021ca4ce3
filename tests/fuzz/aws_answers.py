"""Odd answers of AWS to the real adapters: below botocore's parsers and retries, in the place of its connection."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any
from xml.sax.saxutils import escape

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from shared.adapters.aws.account_identity import IamIdentities
from shared.adapters.aws.account_listing import AwsAccountListing
from shared.adapters.aws.account_retries import SqsAccountRetries
from shared.adapters.aws.event_bus import AwsEventBus
from shared.adapters.aws.management_account import AwsManagementAccount
from shared.adapters.aws.management_stack import CloudFormationManagementStack
from shared.adapters.aws.organization import AwsOrganization
from shared.adapters.aws.policy_store import S3PolicyStore
from shared.adapters.aws.stack_sets import CloudFormationStackSets
from shared.adapters.aws.web_identity import web_identity_assertion
from shared.domain.readiness import Attempt, Retry
from shared.domain.stack_sets import Deployment, Removal
from tests.fakes.clock import NOON, FakeClock
from tests.fixtures.read import ACCOUNT_ID
from tests.fuzz.answers import FOLDER, HEADERS, STATUSES
from tests.fuzz.campaign import Base, Case
from tests.fuzz.watch import Watch

_CONFIG = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=3, read_timeout=10)
SERVICES = ("organizations", "cloudformation", "iam", "sts", "events", "sqs", "s3")
RETRY = Retry(attempt=Attempt(number=1, first_at=NOON), due_at=NOON + timedelta(seconds=60), since=NOON)
DEPLOYMENT = Deployment(account_ids=(ACCOUNT_ID,), parameters={"TenantId": "t"}, operation_id="o", update=False)


class _Body(io.BytesIO):
    """What urllib3 streams."""

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self.read()


class _Aws:
    """The clients, whose requests come to `answer`, and the adapters on them."""

    def __init__(self, answer: Callable[[str], tuple[int, Mapping[str, str], bytes]]) -> None:
        self.answer = answer
        self.clock = FakeClock()
        self.clients = {name: self._client(name) for name in SERVICES}
        named: dict[str, Any] = self.clients
        self.listing = AwsAccountListing(named["organizations"], self.clock)
        self.bus, self.identities = AwsEventBus(named["events"]), IamIdentities(lambda _: named["iam"])
        self.stack = CloudFormationManagementStack(named["cloudformation"], name="roles")
        self.retries = SqsAccountRetries(named["sqs"], self.clock, queue_url="https://sqs.example/q")
        self.caller = AwsManagementAccount(named["sts"], named["iam"], named["organizations"], named["cloudformation"])
        self.policy = S3PolicyStore(named["s3"], "s3://policies/policy.yaml")

    def sets(self) -> CloudFormationStackSets:
        """One that remembers nothing yet."""
        named = self.clients
        return CloudFormationStackSets(
            named["cloudformation"], named["organizations"], name="roles", region="us-east-1"
        )

    def organization(self) -> AwsOrganization:
        """One that remembers nothing yet."""
        return AwsOrganization(self.clients["organizations"], self.clock)

    def _client(self, name: str) -> Any:
        client: Any = boto3.client(  # type: ignore[call-overload] # the service's name is a variable here
            name,
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="key",
            config=_CONFIG,
        )
        client.meta.events.register("before-send", self._send)
        return client

    def _send(self, request: Any, event_name: str = "", **_: Any) -> AWSResponse:
        service, operation = event_name.split(".")[1:]
        status, headers, body = self.answer(f"{service}.{operation}")
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(dict(headers)), _Body(body))


CALLS: Mapping[str, Callable[[_Aws], object]] = {
    "account": lambda on: on.organization().find_account(ACCOUNT_ID, with_tags=True),
    "accounts": lambda on: on.listing.list_accounts(),
    "tags": lambda on: on.listing.tags_of(ACCOUNT_ID),
    "stack set": lambda on: on.sets().declared_parameters(),
    "instance": lambda on: on.sets().find_instance(ACCOUNT_ID),
    "instances": lambda on: on.sets().list_states(),
    "deploy": lambda on: on.sets().deploy(DEPLOYMENT),
    "remove": lambda on: on.sets().remove(Removal(account_ids=(ACCOUNT_ID,), operation_id="o", retain_stacks=True)),
    "stack": lambda on: on.stack.find(),
    "identity": lambda on: on.identities.inspect(ACCOUNT_ID, ["r"]),
    "token": lambda on: web_identity_assertion(on.clients["sts"])(),
    "caller": lambda on: on.caller.inspect(),
    "ask": lambda on: on.bus.request_onboarding(ACCOUNT_ID),
    "again": lambda on: on.retries.ask_again(ACCOUNT_ID, RETRY),
    "policy": lambda on: on.policy.fetch(None),
}
NAMES = tuple(CALLS)
_OF: Mapping[str, Sequence[str]] = {
    "organizations.DescribeAccount": ("account",),
    "organizations.DescribeOrganizationalUnit": ("account",),
    "organizations.ListParents": ("account",),
    "organizations.ListTagsForResource": ("account", "tags"),
    "organizations.ListRoots": ("deploy",),
    "organizations.ListAccounts": ("accounts",),
    "organizations.ListOrganizationalUnitsForParent": ("accounts",),
    "organizations.ListAccountsForParent": ("accounts",),
    "organizations.DescribeOrganization": ("caller",),
    "events.PutEvents": ("ask",),
    "sqs.SendMessage": ("again",),
    "cloudformation.DescribeStackSet": ("stack set",),
    "cloudformation.DescribeStackInstance": ("instance",),
    "cloudformation.DescribeStackSetOperation": ("instance",),
    "cloudformation.ListStackInstances": ("instances",),
    "cloudformation.CreateStackInstances": ("deploy",),
    "cloudformation.DeleteStackInstances": ("remove",),
    "cloudformation.DescribeStacks": ("stack",),
    "cloudformation.DescribeOrganizationsAccess": ("caller",),
    "iam.GetOpenIDConnectProvider": ("identity",),
    "iam.GetRole": ("identity",),
    "sts.GetWebIdentityToken": ("token",),
    "sts.GetCallerIdentity": ("caller",),
    "s3.GetObject": ("policy",),
}


class AwsAnswers:
    """Surface: what AWS answers. An answer comes to the operation that it is made of, a refusal to any."""

    name = "aws-answers"

    def __init__(self) -> None:
        kinds = json.loads((FOLDER / "aws.json").read_text(encoding="utf-8"))
        self._valid = {name: json.dumps(body).encode() for name, body in kinds["json"].items()}
        self._valid |= {name: _xml(body).encode() for name, body in kinds["xml"].items()}
        self._valid |= {name: text.encode() for name, text in kinds["text"].items()}
        self._trees = {name: json.dumps(body).encode() for name, body in kinds["xml"].items()}
        self._odd: tuple[int, Mapping[str, str], bytes] = (200, {}, b"")
        self._operation = ""
        self._aws = _Aws(self._answer)

    @cached_property
    def bases(self) -> Sequence[Base]:
        """Every answer; those in XML as a tree, of which XML is written, and as text."""
        trees = [Base(f"{name}+tree", tree, tree) for name, tree in self._trees.items()]
        texts = [
            Base(name, body, None if name in self._trees else _json_only(body)) for name, body in self._valid.items()
        ]
        return trees + texts

    def take(self, case: Case, watch: Watch) -> str:
        """One call of an adapter."""
        name, _, form = case.base.partition("+")
        body = case.content
        if form:
            try:
                body = _xml(json.loads(body)).encode("utf-8", "surrogatepass")
            except (ValueError, RecursionError):
                body = case.content
        status = STATUSES[case.choice % len(STATUSES)]
        kind = "text/xml" if name in self._trees else "application/x-amz-json-1.1"
        headers = {**HEADERS[case.choice // len(STATUSES) % len(HEADERS)], "Content-Type": kind, "ETag": '"1"'}
        self._odd = (status, headers, body)
        mine = _OF.get(name, ())
        self._operation = name if mine and case.choice % 8 != 7 else ""
        call = mine[case.choice // 31 % len(mine)] if self._operation else NAMES[case.choice // 31 % len(NAMES)]
        CALLS[call](self._aws)
        return "read"

    def _answer(self, operation: str) -> tuple[int, Mapping[str, str], bytes]:
        if not self._operation or operation == self._operation:
            self._operation = self._operation or "answered"  # the rest of this input is answered well
            return self._odd
        return 200, {"Content-Type": "application/json", "ETag": '"1"'}, self._valid.get(operation, b"{}")


def _json_only(body: bytes) -> bytes | None:
    return body if body[:1] == b"{" else None


def _xml(tree: Any, name: str = "") -> str:
    """XML as the query protocol has it: lists have members."""
    if isinstance(tree, dict):
        inner = "".join(_xml(each, str(key)) for key, each in tree.items())
    elif isinstance(tree, list):
        inner = "".join(_xml(each, "member") for each in tree)
    else:
        inner = escape("" if tree is None else str(tree).lower() if isinstance(tree, bool) else str(tree))
    return f"<{name}>{inner}</{name}>" if name else inner
