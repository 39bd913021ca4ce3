"""The kill points, generated from the code: before and after the effect of everything the path does outside.

A point belongs to a method of a port that a use case names, or to a step of the hosts themselves. `EFFECTS`
says by which request a method takes effect, so where a process has to be stopped; a method that is neither
there nor in `EXCUSED` fails a test, so that a new step comes with its kill test. What an adapter asks besides is
seen in the journal: `unmapped` finds every request of the product that is no kill point and not excused.
"""

from __future__ import annotations

import collections.abc
import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from fnmatch import fnmatchcase
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from sandbox.azure.directory import FUNCTIONS, QUEUE_SENDER
from sandbox.faults import Hold
from sandbox.journal import JournalEntry
from shared import application
from shared.application.accept_project_event import ProjectEventPorts
from shared.application.account_batch import DeployPorts
from shared.application.onboard_ports import OnboardPorts
from shared.application.report_instance import ReportPorts

When = Literal["before", "after"]
Plot = Literal[
    "",
    "throttled",
    "foreign",
    "oversized",
    "queued",
    "moved",
    "unregistered",
    "undecodable",
    "regulated",
    "leaving",
    "closed",
    "pending",
    "unready",
    "existing",
    "project",
]
BY_CLIENT = {"arm", "blob", "entra", "gcp", "managed-identity", "queue", "table"}
"""Services whose requests name their process in the User-Agent; on AWS the role does."""
ACCOUNT_EVENTS, STACK_EVENTS, HOST = "lambda:rollcall-account-events", "lambda:rollcall-stack-events", "functions"
INTAKE = "functions-0"
"""The host to which entries of Google's audit log are pushed; it works on the queue, too."""
PROCESSES: dict[str, type] = {
    ACCOUNT_EVENTS: DeployPorts,
    STACK_EVENTS: ReportPorts,
    HOST: OnboardPorts,
    INTAKE: ProjectEventPorts,
}
_BY_HAND = "a command of a person, who runs it again; what it asks of the path is killed there"
EXCUSED_PORTS = {
    "WaitPorts": "the command line only reads the ledger",
    "PlanPorts": "the command line only reads",
    "AdoptPorts": _BY_HAND,
    "BackfillPorts": _BY_HAND,
    "OffboardPorts": _BY_HAND,
    "RolePorts": _BY_HAND,
    "RewrapPorts": "a timer runs it beside the path; tests/unit/test_rewrap.py ends it between both steps",
    "ReplayPorts": "a person runs it; tests/e2e/test_replay.py kills it between both queues",
    "ReportPorts": "a person asks; it only reads",
    "ReconcilePorts": "no step of the path: it asks for its steps, which are killed there, and begins again at its "
    "cursor; tests/e2e/test_backfill.py kills it while it sends",
    "SweepPorts": "beside the path; tests/e2e/test_sweep.py kills it while it looks and while it reports",
    "NotifyPorts": "beside the path; tests/unit/test_notify_again.py ends it after it has sent, before it remembers",
    "SubscriptionPorts": _BY_HAND,
    "TemplatePorts": _BY_HAND,
}
"""Use cases that no process of the path runs, by the name of their ports."""
IDENTITIES: dict[str, tuple[str, ...]] = {
    "*:role/rollcall-account-events": (ACCOUNT_EVENTS,),
    "*:role/rollcall-stack-events": (STACK_EVENTS,),
    "rollcall-account-events": (ACCOUNT_EVENTS,),
    "rollcall-stack-events": (STACK_EVENTS,),
    QUEUE_SENDER: (ACCOUNT_EVENTS, STACK_EVENTS),
    FUNCTIONS: (HOST, INTAKE),
    "rollcall@*.iam.gserviceaccount.com": (HOST, INTAKE),
}
"""Who the journal says that the processes are."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The request by which a step takes effect.

    `plot` is what has to be the case for the step to be reached at all, `cached` that only a process that was
    just started takes it, `nth` which of several equal requests about one account is meant, `path` what the request's
    path has to look like.
    """

    service: str
    operation: str
    resource: str = "*"
    nth: int = 1
    plot: Plot = ""
    cached: bool = False
    label: str = ""
    path: str = "*"


@dataclass(frozen=True, kw_only=True)
class KillPoint:
    """Where a process is stopped and killed."""

    process: str
    step: str
    effect: Effect
    when: When

    def __str__(self) -> str:
        part = f"[{self.effect.label}]" if self.effect.label else ""
        return f"{self.process.removeprefix('lambda:rollcall-')}-{self.step}{part}-{self.when}"


_READ_ACCOUNT = (Effect(service="organizations", operation="DescribeAccount"),)
_READ_INSTANCE = (Effect(service="cloudformation", operation="DescribeStackInstance"),)
_READ_POLICY = (Effect(service="s3", operation="GetObject", cached=True),)
_SEND = (
    Effect(service="queue", operation="PutMessage"),
    Effect(service="sts", operation="GetWebIdentityToken", cached=True, label="assertion"),
    Effect(service="entra", operation="GetToken", cached=True, label="token"),
)

EFFECTS: dict[tuple[type, str], tuple[Effect, ...]] = {
    (DeployPorts, "AccountDirectory.find_account"): _READ_ACCOUNT,
    (DeployPorts, "StackSets.stack_set_id"): (
        Effect(service="cloudformation", operation="DescribeStackSet", cached=True),
    ),
    (DeployPorts, "StackSets.declared_parameters"): (
        Effect(service="cloudformation", operation="DescribeStackSet", cached=True),
    ),
    (DeployPorts, "StackSets.find_instance"): _READ_INSTANCE,
    (DeployPorts, "StackSets.deploy"): (
        Effect(service="cloudformation", operation="CreateStackInstances"),
        Effect(service="cloudformation", operation="UpdateStackInstances", plot="moved", label="update"),
    ),
    (DeployPorts, "StackSets.remove"): (
        Effect(service="cloudformation", operation="DeleteStackInstances", plot="closed"),
    ),
    (DeployPorts, "RequestSender.send"): _SEND,
    (DeployPorts, "AccountRetries.ask_again"): (Effect(service="sqs", operation="SendMessage", plot="pending"),),
    (DeployPorts, "PolicySource.current"): _READ_POLICY,
    (ReportPorts, "AccountDirectory.find_account"): _READ_ACCOUNT,
    (ReportPorts, "StackSets.find_instance"): _READ_INSTANCE,
    (ReportPorts, "StackSets.declared_parameters"): (
        Effect(service="cloudformation", operation="DescribeStackSet", plot="existing", cached=True),
    ),
    (ReportPorts, "RequestSender.send"): _SEND,
    (ReportPorts, "AccountRetries.ask_again"): (Effect(service="sqs", operation="SendMessage", plot="unready"),),
    (ReportPorts, "PolicySource.current"): _READ_POLICY,
    (OnboardPorts, "RequestQueue.send"): (
        Effect(service="queue", operation="PutMessage", resource="onboarding", plot="throttled"),
    ),
    (OnboardPorts, "RequestQueue.park"): (
        Effect(service="queue", operation="PutMessage", resource="onboarding-poison", plot="foreign"),
    ),
    (OnboardPorts, "ParkedBodies.keep"): (
        Effect(service="table", operation="InsertOrReplaceEntity", resource="parked", plot="oversized"),
    ),
    # The note about the deployment comes first, so that the second of everything is the connector request's.
    (OnboardPorts, "Ledger.find"): (Effect(service="table", operation="GetEntity", resource="accounts", nth=2),),
    (OnboardPorts, "Ledger.claim"): (Effect(service="table", operation="UpdateEntity", resource="accounts"),),
    (OnboardPorts, "Ledger.record"): (
        Effect(service="table", operation="InsertEntity", resource="accounts", label="first"),
        Effect(service="table", operation="InsertOrReplaceEntity", resource="history", nth=2, label="history"),
        Effect(service="table", operation="UpdateEntity", resource="accounts", nth=2, label="row"),
    ),
    (OnboardPorts, "Connectors.find"): (Effect(service="arm", operation="GetSecurityConnector"),),
    (OnboardPorts, "Connectors.put"): (
        Effect(service="arm", operation="PutSecurityConnector"),
        Effect(service="arm", operation="RegisterProvider", plot="unregistered", cached=True, label="register"),
        Effect(service="arm", operation="PutSecurityConnector", plot="project", label="project", path="*/gcp-*"),
    ),
    (OnboardPorts, "Google.setup"): (
        Effect(service="gcp", operation="serviceusage.services.batchEnable", plot="project", label="services"),
        Effect(service="gcp", operation="compute.projects.setCommonInstanceMetadata", plot="project", label="metadata"),
    ),
    (OnboardPorts, "Connectors.delete"): (Effect(service="arm", operation="DeleteSecurityConnector", plot="leaving"),),
    (OnboardPorts, "Subscriptions.inspect"): tuple(
        Effect(service="arm", operation=operation, cached=True, label=label)
        for operation, label in (
            ("GetSubscription", "state"),
            ("ListPricings", "plans"),
            ("ListPermissions", "permissions"),
            ("ListClassicConnectors", "classic"),
        )
    ),
    (OnboardPorts, "Compliance.list_standards"): (
        Effect(service="arm", operation="ListSecurityStandards", plot="regulated"),
    ),
    (OnboardPorts, "Compliance.list_assigned"): (
        Effect(service="arm", operation="ListStandardAssignments", plot="regulated"),
    ),
    (OnboardPorts, "Compliance.assign"): (Effect(service="arm", operation="PutStandardAssignment", plot="regulated"),),
    (OnboardPorts, "Compliance.find_rule"): (Effect(service="arm", operation="GetGovernanceRule", plot="regulated"),),
    (OnboardPorts, "Compliance.put_rule"): (Effect(service="arm", operation="PutGovernanceRule", plot="regulated"),),
    (OnboardPorts, "TenantSnapshot.find_by_hierarchy"): (
        Effect(service="arm", operation="QueryResources", cached=True),
    ),
    (OnboardPorts, "Pacer.reserve"): (
        Effect(service="table", operation="[IU]*Entity", resource="pacing", cached=True),
    ),
    (OnboardPorts, "PolicySource.current"): (Effect(service="blob", operation="GetBlob", cached=True),),
    # In mode `member` a note for the Organization connector goes before the request: killed between both.
    (ProjectEventPorts, "RequestQueue.send"): (
        Effect(service="queue", operation="PutMessage", resource="onboarding", plot="project", nth=2),
    ),
}
"""By port method; the requests are those of the process itself."""

HOST_STEPS: dict[str, dict[str, Effect]] = {
    ACCOUNT_EVENTS: {"batch answered": Effect(service="lambda-runtime", operation="InvocationResponse")},
    STACK_EVENTS: {"batch answered": Effect(service="lambda-runtime", operation="InvocationResponse")},
    HOST: {
        "message received": Effect(service="queue", operation="GetMessages", plot="queued"),
        "message deleted": Effect(service="queue", operation="DeleteMessage"),
        "token asked": Effect(service="managed-identity", operation="GetToken", cached=True),
        "poison copied": Effect(
            service="queue", operation="PutMessage", resource="onboarding-poison", plot="undecodable"
        ),
        "poisonous deleted": Effect(
            service="queue", operation="DeleteMessage", resource="onboarding", plot="undecodable"
        ),
    },
    INTAKE: {},
}
"""What the platform does around a use case; what was not answered over HTTP is pushed again by Google."""

_PUSHED_AGAIN = "what was not answered is pushed again, as at RequestQueue.send; it is parked twice at most"
EXCUSED: dict[tuple[type | None, str], str] = {
    (None, "Clock.now"): "nothing outside the process is asked",
    (None, "Clock.sleep"): "nothing outside the process is asked",
    (OnboardPorts, "TenantSnapshot.remember"): "it changes the process's own memory only",
    (OnboardPorts, "TenantSnapshot.forget"): "it changes the process's own memory only",
    (
        OnboardPorts,
        "TenantSnapshot.list_organizational",
    ): "what the process remembers of one query, the same as TenantSnapshot.find_by_hierarchy just before it",
    (
        OnboardPorts,
        "TenantSnapshot.list_all",
    ): "only where an Organization connector is to be deleted or the mode may have changed, and only read: "
    "killed there, the message comes again as at Connectors.find beside it",
    **{
        (
            OnboardPorts,
            f"Google.{opens}",
        ): "only read: killed there, the message comes again as at Google.setup beside it"
        for opens in ("projects", "identities", "instances", "rules")
    },
    (OnboardPorts, "SharedLooks.look"): "it only reads, after Defender's refusal, and remembers in the process's own "
    "memory: killed there, the message comes again as at Connectors.put before it",
    (OnboardPorts, "Removals.take"): "each account is counted once however often it is asked: "
    "tests/unit/test_project_removals.py ends it between count and deletion",
    (ProjectEventPorts, "Projects.find"): "only read, before the request is put, where it is killed",
    (ProjectEventPorts, "Projects.list_projects"): "not called by this use case",
    (ProjectEventPorts, "Projects.is_elsewhere"): "not called by this use case",
    (ProjectEventPorts, "PolicySource.current"): "only read, before the request is put, where it is killed",
    (ProjectEventPorts, "RequestQueue.park"): _PUSHED_AGAIN,
    (ProjectEventPorts, "ParkedBodies.keep"): _PUSHED_AGAIN,
    (ProjectEventPorts, "ParkedBodies.find"): "not called by this use case",
    (OnboardPorts, "Connectors.tag"): "not called by this use case",
    (OnboardPorts, "ParkedBodies.find"): "not called by this use case",
    (OnboardPorts, "Ledger.list_records"): "not called by this use case",
    (OnboardPorts, "Ledger.history"): "not called by this use case",
    (ReportPorts, "StackSets.stack_set_id"): "not called by this use case",
    (ReportPorts, "StackSets.deploy"): "not called by this use case",
    (ReportPorts, "StackSets.remove"): "not called by this use case",
}
"""Methods that are no kill point, and why; None stands for every use case."""


_READ = "a read beside a kill point: killed there, the message comes again as it does there"
_POLLER = "Lambda's poller asks, not the function's process"
_TIMER = "the host itself remembers when a timer ran"
_TIMER_OPERATIONS = (
    "CreateContainer",
    "GetBlob",
    "GetBlobProperties",
    "GetContainerProperties",
    "LeaseBlob",
    "PutBlob",
)
_GOOGLE_READS = (
    "*.get",
    "*.list",
    "*.search",
    "*.batchGet",
    "*.aggregatedList",
    "*.testIamPermissions",
    "*.getIamPolicy",
    "*.getEffectivePolicy",
)
_ASKED = "an operator's question to `doctor`, which only reads: whoever asked asks again"
EXCUSED_REQUESTS: dict[tuple[str, str, str], str] = {
    ("sqs", "ReceiveMessage", "*"): _POLLER,
    ("sqs", "DeleteMessageBatch", "*"): _POLLER,
    ("lambda-runtime", "NextInvocation", "*"): "the function has nothing in its hands",
    ("monitor", "Track", "*"): "what is told of the work is no part of it",
    ("lambda-runtime", "InvocationError", "*"): "the whole batch goes back, as after a kill",
    ("organizations", "ListParents", "*"): _READ,
    ("organizations", "ListTagsForResource", "*"): _READ,
    ("organizations", "DescribeOrganizationalUnit", "*"): _READ,
    ("organizations", "ListRoots", "*"): _READ,
    ("cloudformation", "DescribeStackSetOperation", "*"): _READ,
    ("table", "GetEntity", "pacing"): _READ,
    ("*", "*", "sweep*"): "the daily sweep, beside the path: tests/e2e/test_sweep.py",
    ("sts", "AssumeRole*", "*"): "the sweep's way into AWS, which only reads",
    ("ec2", "Describe*", "*"): _READ,
    ("arm", "GetMachine", "*"): _READ,
    ("arm", "DeleteMachine", "*"): "beside the path: tests/unit/test_machine_deletion.py ends it before and after",
    ("queue", "GetQueueMetadata", "*"): _READ,
    ("queue", "PeekMessages", "*"): _READ,
    ("iam", "Get*", "*"): _READ,
    ("cloudformation", "ListStackInstances", "*"): _READ,
    ("organizations", "ListOrganizationalUnitsForParent", "*"): _READ,
    ("organizations", "ListAccounts", "*"): _READ,
    ("table", "QueryEntities", "accounts"): _READ,
    ("table", "InsertOrReplaceEntity", "sweeps"): "the timer's last word, told again the next day",
    ("table", "QueryEntities", "history"): "an operator's question over HTTP: whoever asked asks again",
    ("arm", "ListRoleAssignments", "*"): _ASKED,
    ("arm", "GetResourceGroup", "*"): _ASKED,
    ("arm", "GetProvider", "*"): _ASKED,
    ("blob", "GetContainerProperties", "*"): _ASKED,
    ("table", "QueryEntities", "*"): _ASKED,
    ("queue", "UpdateMessage", "onboarding"): "hides a message longer or gives it back: killed, it comes back later",
    ("queue", "UpdateMessage", "onboarding-poison"): "gives a message back that was looked at: killed, it comes back",
    **{("gcp", operation, "*"): _READ for operation in _GOOGLE_READS},
    **{("blob", operation, "azure-webjobs-hosts"): _TIMER for operation in _TIMER_OPERATIONS},
    ("blob", "PutBlob", "policy"): "the sandbox's deployment publishes the policy as the Function App",
}
"""Requests of the product (service, operation, resource) that are no kill point, and why."""

_PLAIN = {str, int, float, bool, bytes, datetime, timedelta, NoneType}
_COLLECTIONS = {tuple, list, dict, set, frozenset, collections.abc.Sequence, collections.abc.Mapping}


class UnclassifiedError(Exception):
    """A field of a use case's ports of which nobody can say whether it reaches outside."""


def port_methods(use_case: type) -> Iterator[str]:
    """`Protocol.method` for everything that the ports of a use case name; values that are no port have none.

    Raises UnclassifiedError.
    """
    for name, kind in get_type_hints(use_case).items():
        yield from _methods_of(kind, f"{use_case.__name__}.{name}")


def _methods_of(kind: Any, where: str) -> Iterator[str]:
    origin = get_origin(kind)
    if kind in _PLAIN or origin is Literal or (inspect.isclass(kind) and issubclass(kind, Enum)):
        return
    if origin in {Union, UnionType} or origin in _COLLECTIONS:
        for part in get_args(kind):
            if part is not Ellipsis:
                yield from _methods_of(part, where)
    elif getattr(kind, "_is_protocol", False):
        for method, _ in inspect.getmembers(kind, inspect.isfunction):
            if not method.startswith("_"):
                yield f"{kind.__name__}.{method}"
    elif inspect.isclass(kind) and is_dataclass(kind):
        for name, part in get_type_hints(kind).items():
            yield from _methods_of(part, f"{where}.{name}")
    else:
        raise UnclassifiedError(f"{where} is {kind}: neither a value, nor a Protocol, nor made of these")


def use_cases() -> list[type]:
    """Every `…Ports` dataclass of `shared/application`."""
    modules = [
        importlib.import_module(f"{application.__name__}.{found.name}")
        for found in pkgutil.iter_modules(application.__path__)
    ]
    return [
        kind
        for module in modules
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if name.endswith("Ports") and kind.__module__ == module.__name__
    ]


def missing(found: Iterable[type] | None = None) -> list[str]:
    """Use cases that no process runs, and port methods without an effect, each without an excuse."""
    problems = []
    for use_case in use_cases() if found is None else found:
        if use_case.__name__ in EXCUSED_PORTS:
            continue
        if use_case not in PROCESSES.values():
            problems.append(f"{use_case.__name__}: no process of the path runs it")
        for method in port_methods(use_case):
            if (use_case, method) not in EFFECTS and not {(use_case, method), (None, method)} & EXCUSED.keys():
                problems.append(f"{use_case.__name__}: {method}")
    return problems


def unmapped(entries: Iterable[JournalEntry]) -> list[str]:
    """What the product's identities requested that is neither a kill point of theirs nor excused."""
    strange = set()
    for entry in entries:
        processes = {each for name, them in IDENTITIES.items() if fnmatchcase(entry.identity, name) for each in them}
        operation, resource = entry.operation.partition(":")[2], str(entry.detail.get("resource") or "")
        asked = (entry.service, operation, resource)
        if processes and not any(_meant(asked, known) for known in _known(processes)):
            strange.add(f"{entry.identity}: {entry.operation} {resource}".rstrip())
    return sorted(strange)


def _meant(asked: tuple[str, str, str], known: tuple[str, str, str]) -> bool:
    return all(fnmatchcase(value, pattern) for value, pattern in zip(asked, known, strict=True))


def _known(processes: set[str]) -> Iterator[tuple[str, str, str]]:
    yield from EXCUSED_REQUESTS
    for process in processes:
        effects = [each for (use_case, _), them in EFFECTS.items() if use_case is PROCESSES[process] for each in them]
        for effect in [*effects, *HOST_STEPS[process].values()]:
            yield effect.service, effect.operation, effect.resource


def kill_points() -> list[KillPoint]:
    """All of them, along the path."""
    steps = []
    for process, use_case in PROCESSES.items():
        for method in port_methods(use_case):
            steps += [(process, method, effect) for effect in EFFECTS.get((use_case, method), ())]
        steps += [(process, step, effect) for step, effect in HOST_STEPS[process].items()]
    whens: tuple[When, When] = ("before", "after")
    return [
        KillPoint(process=process, step=step, effect=effect, when=when)
        for process, step, effect in steps
        for when in whens
    ]


def hold_of(point: KillPoint, account_id: str = "") -> Hold:
    """The hold that stops the point's process there, whichever host it is.

    Where a later one of several rows is meant, only those whose path names the account are counted; a message does
    not name its account, so that a plot has to see to there being no other.
    """
    effect = point.effect
    function = point.process.removeprefix("lambda:")
    by_client = effect.service in BY_CLIENT
    return Hold(
        service=effect.service,
        operation=effect.operation,
        identity=function if effect.service == "lambda-runtime" else "*" if by_client else f"*:role/{function}",
        resource=effect.resource,
        client=f"*{function}*" if by_client else "*",
        path=f"*{account_id}*" if effect.nth > 1 and effect.service == "table" else effect.path,
        when=point.when,
        nth=effect.nth,
    )
