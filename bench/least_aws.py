"""The least of AWS that the first event of a function asks for: one account whose stack instance is worked on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs

ACCOUNT = "111122223333"
_MANAGEMENT = "999988887777"
_ORGANIZATION = "o-exampleorgid"
_LISTED = {
    "Id": ACCOUNT,
    "Arn": f"arn:aws:organizations::{_MANAGEMENT}:account/{_ORGANIZATION}/{ACCOUNT}",
    "Name": "first",
    "Email": "first@accounts.example",
    "State": "ACTIVE",
    "Status": "ACTIVE",
    "JoinedTimestamp": 1_760_000_000,
    "JoinedMethod": "CREATED",
}
_MANAGEMENT_LISTED = _LISTED | {
    "Id": _MANAGEMENT,
    "Arn": f"arn:aws:organizations::{_MANAGEMENT}:account/{_ORGANIZATION}/{_MANAGEMENT}",
    "Paths": [f"{_ORGANIZATION}/r-root/{_MANAGEMENT}/"],
}
_BY_TARGET = {
    "DescribeAccount": {"Account": _LISTED},
    "ListTagsForResource": {"Tags": []},
    "ListParents": {"Parents": [{"Id": "r-root", "Type": "ROOT"}]},
    "ListAccounts": {"Accounts": [_MANAGEMENT_LISTED]},
    "ListOrganizationalUnitsForParent": {"OrganizationalUnits": []},
}
_INSTANCE = (
    '<DescribeStackInstanceResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">'
    f"<DescribeStackInstanceResult><StackInstance><Account>{ACCOUNT}</Account><Region>us-east-1</Region>"
    "<Status>OUTDATED</Status><StackInstanceStatus><DetailedStatus>RUNNING</DetailedStatus></StackInstanceStatus>"
    "</StackInstance></DescribeStackInstanceResult></DescribeStackInstanceResponse>"
)
_STACK_SET = (
    '<DescribeStackSetResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">'
    "<DescribeStackSetResult><StackSet><StackSetName>rollcall-member-roles</StackSetName>"
    "<StackSetId>rollcall-member-roles:1</StackSetId><Parameters/></StackSet>"
    "</DescribeStackSetResult></DescribeStackSetResponse>"
)
_NO_INSTANCES = (
    '<ListStackInstancesResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">'
    "<ListStackInstancesResult><Summaries/></ListStackInstancesResult></ListStackInstancesResponse>"
)
_BY_ACTION = {
    "DescribeStackInstance": _INSTANCE,
    "DescribeStackSet": _STACK_SET,
    "ListStackInstances": _NO_INSTANCES,
}


class LeastAws:
    """What was asked so far, and the address. `policy` is the object in S3."""

    def __init__(self, policy: bytes) -> None:
        self.policy = policy
        self.asked: list[str] = []
        self.url = ""

    def answer(self, target: str, body: str) -> tuple[int, bytes]:
        """By the header of the JSON protocols, or by the query protocol's action. Raises LookupError for others."""
        operation = target.rpartition(".")[2] or parse_qs(body).get("Action", ["GetObject"])[0]
        self.asked.append(operation)
        if operation == "GetObject":
            return 200, self.policy
        if (text := _BY_ACTION.get(operation)) is not None:
            return 200, text.encode()
        return 200, json.dumps(_BY_TARGET[operation]).encode()


@contextmanager
def least_aws(policy: bytes) -> Iterator[LeastAws]:
    """Serves on loopback until the end."""
    aws = LeastAws(policy)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # noqa: N802 - the base class's name
            self._answer("")

        def do_POST(self) -> None:  # noqa: N802 - the base class's name
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

        def _answer(self, body: str) -> None:
            status, content = aws.answer(self.headers.get("X-Amz-Target", ""), body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", '"1"')
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    aws.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield aws
    finally:
        server.shutdown()
        server.server_close()
