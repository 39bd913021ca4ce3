"""The kill points, generated from the code: before and after the effect of everything the path does outside.

A point belongs to a method of a port that a use case names, or to a step of the hosts themselves. `EFFECTS`
says by which request a method takes effect, so where a process has to be stopped; a method that is neither
there nor in `EXCUSED` fails a test, so that a new step comes with its kill test.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Literal, get_type_hints

from sandbox.faults import Hold
from shared.application import ports
from shared.application.deploy_accounts import DeployPorts
from shared.application.onboard_ports import OnboardPorts
from shared.application.report_instance import ReportPorts

When = Literal["before", "after"]
AZURE = {"arm", "blob", "queue", "table"}
ACCOUNT_EVENTS, STACK_EVENTS, HOST = "lambda:rollcall-account-events", "lambda:rollcall-stack-events", "functions"
PROCESSES: dict[str, type] = {ACCOUNT_EVENTS: DeployPorts, STACK_EVENTS: ReportPorts, HOST: OnboardPorts}


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The request by which a step takes effect.

    `plot` is what has to be the case for the step to be reached at all, `cached` that only a process that was
    just started takes it, `nth` which of several equal requests is meant.
    """

    service: str
    operation: str
    resource: str = "*"
    nth: int = 1
    plot: Literal["", "throttled", "foreign", "oversized", "queued"] = ""
    cached: bool = False
    label: str = ""


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
_SEND = (Effect(service="queue", operation="PutMessage"),)

EFFECTS: dict[tuple[type, str], tuple[Effect, ...]] = {
    (DeployPorts, "AccountDirectory.find_account"): _READ_ACCOUNT,
    (DeployPorts, "StackSets.stack_set_id"): (
        Effect(service="cloudformation", operation="DescribeStackSet", cached=True),
    ),
    (DeployPorts, "StackSets.find_instance"): _READ_INSTANCE,
    (DeployPorts, "StackSets.deploy"): (Effect(service="cloudformation", operation="CreateStackInstances"),),
    (DeployPorts, "RequestSender.send"): _SEND,
    (DeployPorts, "PolicySource.current"): _READ_POLICY,
    (ReportPorts, "AccountDirectory.find_account"): _READ_ACCOUNT,
    (ReportPorts, "StackSets.find_instance"): _READ_INSTANCE,
    (ReportPorts, "RequestSender.send"): _SEND,
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
        Effect(service="table", operation="InsertOrReplaceEntity", resource="history", nth=2, label="history"),
        Effect(service="table", operation="UpdateEntity", resource="accounts", nth=2, label="row"),
    ),
    (OnboardPorts, "Connectors.find"): (Effect(service="arm", operation="GetSecurityConnector"),),
    (OnboardPorts, "Connectors.put"): (Effect(service="arm", operation="PutSecurityConnector"),),
    (OnboardPorts, "TenantSnapshot.find_by_hierarchy"): (
        Effect(service="arm", operation="QueryResources", cached=True),
    ),
    (OnboardPorts, "Pacer.reserve"): (
        Effect(service="table", operation="[IU]*Entity", resource="pacing", cached=True),
    ),
    (OnboardPorts, "PolicySource.current"): (Effect(service="blob", operation="GetBlob", cached=True),),
}
"""By port method; the requests are those of the process itself."""

HOST_STEPS: dict[str, dict[str, Effect]] = {
    ACCOUNT_EVENTS: {"batch answered": Effect(service="lambda-runtime", operation="InvocationResponse")},
    STACK_EVENTS: {"batch answered": Effect(service="lambda-runtime", operation="InvocationResponse")},
    HOST: {
        "message received": Effect(service="queue", operation="GetMessages", plot="queued"),
        "message deleted": Effect(service="queue", operation="DeleteMessage"),
    },
}
"""What the platform does around a use case."""

EXCUSED: dict[tuple[type | None, str], str] = {
    (None, "Clock.now"): "nothing outside the process is asked",
    (None, "Clock.sleep"): "nothing outside the process is asked",
    (OnboardPorts, "TenantSnapshot.remember"): "it changes the process's own memory only",
    (OnboardPorts, "ParkedBodies.find"): "not called by this use case",
    (OnboardPorts, "Ledger.list_records"): "not called by this use case",
    (OnboardPorts, "Ledger.history"): "not called by this use case",
    (ReportPorts, "StackSets.stack_set_id"): "not called by this use case",
    (ReportPorts, "StackSets.deploy"): "not called by this use case",
}
"""Methods that are no kill point, and why; None stands for every use case."""


def port_methods(use_case: type) -> Iterator[str]:
    """`Protocol.method` for everything that the ports of a use case name; values that are no port have none."""
    for name, kind in get_type_hints(use_case).items():
        assert name in {field.name for field in fields(use_case)}
        if inspect.isclass(kind) and kind.__module__ == ports.__name__:
            for method, _ in inspect.getmembers(kind, inspect.isfunction):
                if not method.startswith("_"):
                    yield f"{kind.__name__}.{method}"


def missing(use_cases: Iterable[type] = tuple(PROCESSES.values())) -> list[str]:
    """Port methods without an effect and without an excuse."""
    return [
        f"{use_case.__name__}: {method}"
        for use_case in use_cases
        for method in port_methods(use_case)
        if (use_case, method) not in EFFECTS and not {(use_case, method), (None, method)} & EXCUSED.keys()
    ]


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


def hold_of(point: KillPoint) -> Hold:
    """The hold that stops the point's process there, whichever host it is."""
    effect = point.effect
    function = point.process.removeprefix("lambda:")
    on_azure = effect.service in AZURE
    return Hold(
        service=effect.service,
        operation=effect.operation,
        identity=function if effect.service == "lambda-runtime" else "*" if on_azure else f"*:role/{function}",
        resource=effect.resource,
        client=f"*{function}*" if on_azure else "*",
        when=point.when,
        nth=effect.nth,
    )
