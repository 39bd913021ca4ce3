"""The naive way, with plain SDKs: one StackSet operation per account, one worker, a GET before each PUT.

An event's handler asks for its account alone, and where another operation runs it waits and asks again. What is
deployed goes to one worker, which asks for the connector, writes it, and waits for it. No batches, no pacing.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests
from botocore.exceptions import ClientError

from sandbox.azure.directory import FUNCTIONS
from sandbox.variables import REGION
from tests.e2e.roll import CONNECTORS_API, Roll

STACK_SET = "one-by-one"
LIKE = "rollcall-member-roles"
HANDLERS = 4
ASK_AGAIN_SECONDS = 5.0
"""How long a handler waits where another operation runs, and between looks at its own; in real time."""
_TOO_MANY, _DONE = 429, {200, 201}


@dataclass(frozen=True, kw_only=True)
class Like:
    """What Rollcall made for one account: every other is to get the same."""

    account: str
    path: str
    body: dict[str, Any]


def make_stack_set(roll: Roll) -> None:
    """One with the template and the parameters of Rollcall's, which runs one operation at a time, the default."""
    cloudformation = roll.client("cloudformation")
    found = cloudformation.describe_stack_set(StackSetName=LIKE)["StackSet"]
    cloudformation.create_stack_set(
        StackSetName=STACK_SET,
        TemplateBody=found["TemplateBody"],
        Parameters=found["Parameters"],
        Capabilities=found["Capabilities"],
        PermissionModel="SERVICE_MANAGED",
        AutoDeployment={"Enabled": False},
    )


class OneByOne:
    """Connects accounts in the naive way; `slower` scales its waits as the clouds' times are scaled."""

    def __init__(self, roll: Roll, like: Like, *, slower: float) -> None:
        self._roll = roll
        self._like = like
        self._pause = ASK_AGAIN_SECONDS * slower
        self._waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._deployed: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._cloudformation = roll.client("cloudformation")
        instance = self._cloudformation.describe_stack_instance(
            StackSetName=LIKE, StackInstanceAccount=like.account, StackInstanceRegion=REGION
        )["StackInstance"]
        self._overrides = instance["ParameterOverrides"]
        self._root = roll.client("organizations").list_roots()["Roots"][0]["Id"]
        self._failures: list[BaseException] = []

    def connect(self, accounts: Sequence[str]) -> None:
        """Returns once all are connected. Raises what a handler failed with."""
        for each in accounts:
            self._waiting.put(each)
        handlers = [threading.Thread(target=self._handle, daemon=True) for _ in range(HANDLERS)]
        for handler in handlers:
            handler.start()
        with requests.Session() as session:
            for _ in accounts:
                self._connect(session, self._next())
        for handler in handlers:
            handler.join()

    def _next(self) -> str:
        while True:
            if self._failures:
                raise self._failures[0]
            try:
                return self._deployed.get(timeout=1)
            except queue.Empty:
                continue

    def _handle(self) -> None:
        try:
            while True:
                account = self._waiting.get_nowait()
                self._await(self._begin(account))
                self._deployed.put(account)
        except queue.Empty:
            return
        except Exception as error:  # noqa: BLE001 - the main thread raises it
            self._failures.append(error)

    def _begin(self, account: str) -> str:
        """The id of the operation that deploys to this account alone."""
        while True:
            try:
                answer = self._cloudformation.create_stack_instances(
                    StackSetName=STACK_SET,
                    DeploymentTargets={
                        "OrganizationalUnitIds": [self._root],
                        "Accounts": [account],
                        "AccountFilterType": "INTERSECTION",
                    },
                    Regions=[REGION],
                    ParameterOverrides=self._overrides,
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "OperationInProgressException":
                    raise
                time.sleep(self._pause)
            else:
                return str(answer["OperationId"])

    def _await(self, operation: str) -> None:
        while True:
            time.sleep(self._pause)
            answer = self._cloudformation.describe_stack_set_operation(StackSetName=STACK_SET, OperationId=operation)
            status = answer["StackSetOperation"]["Status"]
            if status == "SUCCEEDED":
                return
            if status not in {"QUEUED", "RUNNING"}:
                raise RuntimeError(f"operation {operation} ended as {status}")

    def _connect(self, session: requests.Session, account: str) -> None:
        path = self._like.path.replace(self._like.account, account)
        url = f"{self._roll.sandbox.azure.arm_url}{path}?api-version={CONNECTORS_API}"
        body = json.dumps(self._like.body).replace(self._like.account, account)
        if self._ask(session, "GET", url) != 404:
            raise RuntimeError(f"{account} has a connector already")
        self._ask(session, "PUT", url, body)

    def _ask(self, session: requests.Session, method: str, url: str, body: str | None = None) -> int:
        """The status, once the service does not say any more that there are too many requests."""
        token = self._roll.sandbox.azure.mint(FUNCTIONS, "https://management.azure.com")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        while True:
            answer = session.request(method, url, data=body, headers=headers, timeout=60)
            if answer.status_code != _TOO_MANY:
                break
            time.sleep(float(answer.headers["Retry-After"]))
        if method == "PUT" and answer.status_code not in _DONE:
            raise RuntimeError(f"PUT {answer.status_code}: {answer.text[:500]}")
        return answer.status_code
