"""What the fault table strikes: the requests of the path, how often, and which cells do not end well yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.azure.directory import FUNCTIONS, QUEUE_SENDER
from sandbox.faults import FaultKind

ACCOUNT_EVENTS, STACK_EVENTS, HOST = "rollcall-account-events", "rollcall-stack-events", "functions-0"
SILENCE = "silence"
COLUMNS: tuple[str, ...] = (*FaultKind, SILENCE)
REPEATED = {FaultKind.THROTTLE, FaultKind.ERROR, FaultKind.TIMEOUT, FaultKind.RESET, FaultKind.REPLY_LOST}
"""The kinds that SDKs try again by themselves; what they cannot read they hand over at once."""
BEFORE_THE_EFFECT = {FaultKind.THROTTLE, FaultKind.ERROR, FaultKind.TIMEOUT, FaultKind.RESET}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One request of the path that is struck.

    `tries` is how often the SDK underneath sends it before Rollcall hears of a failure, `fresh` the process
    that must not have its answer cached, `polled` that it is sent all the time, so that it is struck only
    once there is something to receive, `silent` that the last column has a cell for it, `deferred` that Resource
    Manager refuses the first PUT, so that the Function puts a copy, `unready` that AWS has not readied the account at
    the first attempt, `project` that a project is on its way and not an account, `alike` that the client treats
    it as another row's request, so that only `make faults` strikes it, and `lost` how many requests a lost reply
    strikes where nobody asks again once the effect is there.
    """

    name: str
    service: str
    operation: str
    identity: str = "*"
    resource: str = "*"
    client: str = "*"
    fresh: str = ""
    tries: int = 1
    polled: str = ""
    silent: bool = False
    deferred: bool = False
    unready: bool = False
    project: bool = False
    alike: bool = False
    lost: int = 0
    seconds: float = 10.0

    def strikes(self, column: str) -> int:
        """How many requests in a row a cell strikes."""
        if column in {SILENCE, FaultKind.LATENCY}:
            return 1
        if self.lost and column not in BEFORE_THE_EFFECT:
            return self.lost if column == FaultKind.REPLY_LOST else 1
        return self.tries + 1 if column in REPEATED else 2


def _lambda(function: str) -> str:
    return f"*:role/{function}"


# lambdas/bootstrap.py; retry_total=3 of shared/adapters/azure, ledger, queue and policy; shared/adapters/gcp/client.py
BOTO, AZURE, GOOGLE = 3, 4, 3
_ACCOUNT, _STACK = _lambda(ACCOUNT_EVENTS), _lambda(STACK_EVENTS)
_FRESH_ACCOUNT, _FRESH_STACK = f"lambda:{ACCOUNT_EVENTS}", f"lambda:{STACK_EVENTS}"
_TABLE: dict[str, Any] = {"service": "table", "identity": FUNCTIONS, "tries": AZURE}
_GOOGLE: dict[str, Any] = {"service": "gcp", "identity": "rollcall@*", "project": True}
_GOOGLE_READ = _GOOGLE | {"tries": GOOGLE, "alike": True}
_BY_STACK: dict[str, Any] = {"identity": QUEUE_SENDER, "client": f"*{STACK_EVENTS}*"}
ROWS = (
    Row(name="events", service="events", operation="PutEvents", tries=5),
    Row(
        name="events to queue", service="events", operation="DeliverToTarget", identity="*:rule/rollcall-account-events"
    ),
    Row(
        name="sqs receive",
        service="sqs",
        operation="ReceiveMessage",
        identity=_ACCOUNT,
        tries=2,
        polled="account events",
    ),
    Row(lost=2, name="sqs delete", service="sqs", operation="DeleteMessageBatch", identity=_ACCOUNT, tries=2),
    Row(
        lost=BOTO + 1,
        name="sqs send",
        service="sqs",
        operation="SendMessage",
        identity=_STACK,
        tries=BOTO,
        unready=True,
    ),
    Row(
        lost=1, name="lambda runtime", service="lambda-runtime", operation="InvocationResponse", identity=ACCOUNT_EVENTS
    ),
    Row(
        name="s3", service="s3", operation="GetObject", identity=_ACCOUNT, fresh=_FRESH_ACCOUNT, tries=BOTO, silent=True
    ),
    Row(name="organizations", service="organizations", operation="DescribeAccount", identity=_ACCOUNT, tries=BOTO),
    Row(
        lost=3,
        name="cloudformation",
        service="cloudformation",
        operation="CreateStackInstances",
        identity=_ACCOUNT,
        tries=BOTO,
        silent=True,
    ),
    Row(name="sts", service="sts", operation="GetWebIdentityToken", identity=_STACK, fresh=_FRESH_STACK, tries=BOTO),
    Row(name="oidc issuer", service="oidc-issuer", operation="*", fresh=_FRESH_STACK),
    Row(name="entra", service="entra", operation="GetToken", fresh=_FRESH_STACK, tries=AZURE, **_BY_STACK),
    Row(
        name="managed identity",
        service="managed-identity",
        operation="GetToken",
        identity=FUNCTIONS,
        fresh=HOST,
        tries=AZURE,
    ),
    Row(
        lost=AZURE + 1,
        name="queue put",
        service="queue",
        operation="PutMessage",
        tries=AZURE,
        silent=True,
        seconds=25,
        **_BY_STACK,
    ),
    Row(
        name="queue put by host",
        service="queue",
        operation="PutMessage",
        identity=FUNCTIONS,
        resource="onboarding",
        tries=AZURE,
        deferred=True,
        seconds=25,
    ),
    Row(
        name="queue get",
        service="queue",
        operation="GetMessages",
        identity=FUNCTIONS,
        tries=AZURE,
        polled="onboarding",
    ),
    Row(lost=4, name="queue delete", service="queue", operation="DeleteMessage", identity=FUNCTIONS, tries=AZURE),
    Row(name="table get", operation="GetEntity", resource="accounts", silent=True, **_TABLE),
    Row(lost=1, name="table insert", operation="InsertEntity", resource="accounts", **_TABLE),
    Row(name="table update", operation="UpdateEntity", resource="accounts", **_TABLE),
    Row(name="table history", operation="InsertOrReplaceEntity", resource="history", **_TABLE),
    Row(name="table pacing", operation="*", resource="pacing", fresh=HOST, **_TABLE),
    Row(name="blob", service="blob", operation="GetBlob", identity=FUNCTIONS, fresh=HOST, tries=AZURE, seconds=25),
    Row(name="arm get", service="arm", operation="GetSecurityConnector", identity=FUNCTIONS, silent=True),
    Row(name="arm plans", service="arm", operation="ListPricings", identity=FUNCTIONS, fresh=HOST),
    Row(name="arm classic", service="arm", operation="ListClassicConnectors", identity=FUNCTIONS, fresh=HOST),
    Row(lost=1, name="arm put", service="arm", operation="PutSecurityConnector", identity=FUNCTIONS),
    Row(name="resource graph", service="arm", operation="QueryResources", identity=FUNCTIONS, fresh=HOST),
    Row(lost=1, name="google push", service="functions", operation="CallFunction", project=True),
    Row(name="google sts", service="gcp", operation="sts.token", fresh=HOST, tries=GOOGLE, project=True),
    Row(
        name="google credentials",
        service="gcp",
        operation="iamcredentials.*",
        fresh=HOST,
        tries=GOOGLE,
        project=True,
        alike=True,
    ),
    Row(name="google project", operation="cloudresourcemanager.projects.get", tries=GOOGLE, **_GOOGLE),
    Row(name="google folder", operation="cloudresourcemanager.folders.get", fresh=HOST, **_GOOGLE_READ),
    Row(name="google services", operation="serviceusage.services.batchGet", **_GOOGLE_READ),
    Row(lost=1, name="google enable", operation="serviceusage.services.batchEnable", silent=True, **_GOOGLE),
    # All tries of the client: then the request comes again, sees that the APIs are on and asks for no operation.
    Row(name="google operation", operation="serviceusage.operations.get", **(_GOOGLE_READ | {"tries": GOOGLE - 1})),
    Row(name="google metadata get", operation="compute.projects.get", **_GOOGLE_READ),
    Row(lost=1, name="google metadata set", operation="compute.projects.setCommonInstanceMetadata", **_GOOGLE),
)
