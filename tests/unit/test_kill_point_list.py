"""Every step that a use case takes outside has a kill point, or a reason why it cannot have one."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import pytest

from sandbox.journal import JournalEntry
from shared.application import ports
from shared.application.accept_project_event import ProjectEventPorts
from shared.application.account_batch import DeployPorts
from shared.application.onboard_ports import OnboardPorts
from shared.application.report_instance import ReportPorts
from shared.domain.retry import RetrySchedule
from tests.e2e.kill_points import (
    EFFECTS,
    EXCUSED,
    EXCUSED_PORTS,
    EXCUSED_REQUESTS,
    HOST_STEPS,
    PROCESSES,
    UnclassifiedError,
    hold_of,
    kill_points,
    missing,
    port_methods,
    unmapped,
    use_cases,
)

SOURCES = {
    DeployPorts: ("deploy_accounts", "let_go", "account_batch", "waiting"),
    ReportPorts: ("report_instance", "waiting"),
    ProjectEventPorts: ("accept_project_event", "parking"),
    OnboardPorts: (
        "onboard",
        "connect",
        "explain_refusal",
        "look_at_google",
        "account_facts",
        "ready_project",
        "disconnect",
        "exclusions",
        "write_turn",
        "aftercare",
        "settlement",
        "parking",
    ),
}


def calls(use_case: type, method: str) -> bool:
    protocol, _, name = method.partition(".")
    modules = [importlib.import_module(f"shared.application.{source}") for source in SOURCES[use_case]]
    port = r"\.?bodies" if protocol == "ParkedBodies" else r""  # `find` is a method of several ports
    return any(re.search(rf"{port}\.{name}\(", inspect.getsource(module)) for module in modules)


def test_every_port_method_is_a_kill_point_or_excused() -> None:
    assert missing() == []


class Elsewhere(Protocol):
    """A Protocol that does not live in ports.py."""

    def shout(self) -> None: ...


def made(**annotations: Any) -> type:
    """The ports of a made-up use case."""
    return dataclass(frozen=True, kw_only=True)(type("NewPorts", (), {"__annotations__": annotations}))


def test_every_use_case_of_the_application_is_looked_at() -> None:
    names = {use_case.__name__ for use_case in use_cases()}
    assert {use_case.__name__ for use_case in PROCESSES.values()} | EXCUSED_PORTS.keys() <= names


def test_a_new_use_case_and_its_port_methods_are_noticed() -> None:
    new = made(sender=ports.RequestSender, clock=ports.Clock, limit=int)
    assert missing([new]) == ["NewPorts: no process of the path runs it", "NewPorts: RequestSender.send"]


@pytest.mark.parametrize(
    "annotation",
    [
        ports.RequestSender | None,
        tuple[ports.RequestSender, ...],
        dict[str, ports.RequestSender],
        made(inner=ports.RequestSender),
    ],
    ids=str,
)
def test_a_port_is_found_wherever_it_hides(annotation: Any) -> None:
    assert list(port_methods(made(field=annotation))) == ["RequestSender.send"]


def test_a_protocol_outside_the_ports_is_a_port() -> None:
    assert list(port_methods(made(field=Elsewhere))) == ["Elsewhere.shout"]


@pytest.mark.parametrize("annotation", [str, int | None, datetime, Literal["a"], RetrySchedule, list[str]], ids=str)
def test_a_value_is_no_port(annotation: Any) -> None:
    assert list(port_methods(made(field=annotation))) == []


@pytest.mark.parametrize("annotation", [Any, object, Callable[[], str], JournalEntry, re.Pattern], ids=str)
def test_what_cannot_be_told_from_a_port_is_refused(annotation: Any) -> None:
    with pytest.raises(UnclassifiedError, match="NewPorts.field"):
        list(port_methods(made(field=annotation)))


def asked(identity: str, operation: str, resource: str = "") -> JournalEntry:
    return JournalEntry(
        service=operation.partition(":")[0],
        operation=operation,
        identity=identity,
        authentication="none",
        method="GET",
        path="/",
        status=200,
        duration_ms=1.0,
        detail={"resource": resource} if resource else {},
    )


GOOGLE = "rollcall@mdc-mgmt-proj-200000000001.iam.gserviceaccount.com"
ACCOUNT_ROLE = "arn:aws:iam::123456789012:role/rollcall-account-events"


@pytest.mark.parametrize(
    "entry",
    [
        asked("rollcall-functions", "arm:PutSecurityConnector"),
        asked("rollcall-functions", "table:GetEntity", "pacing"),
        asked(ACCOUNT_ROLE, "cloudformation:UpdateStackInstances"),
        asked("operator", "arm:DeleteSecurityConnector"),
        asked(GOOGLE, "gcp:compute.projects.setCommonInstanceMetadata", "100000000042"),
        asked(GOOGLE, "gcp:cloudresourcemanager.folders.get"),
    ],
    ids=lambda entry: str(entry.operation),
)
def test_a_request_that_is_a_kill_point_or_excused_or_not_ours_passes(entry: JournalEntry) -> None:
    assert unmapped([entry]) == []


@pytest.mark.parametrize(
    "entry",
    [
        asked("rollcall-functions", "arm:DeleteResourceGroup"),
        asked("rollcall-functions", "table:InsertEntity", "another"),
        asked(ACCOUNT_ROLE, "cloudformation:DeleteStackSet"),
        asked(ACCOUNT_ROLE, "table:GetEntity", "accounts"),
        asked("rollcall-lambda-queue-sender", "queue:DeleteMessage", "onboarding"),
        asked(GOOGLE, "gcp:cloudresourcemanager.projects.delete", "100000000042"),
    ],
    ids=lambda entry: str(entry.operation),
)
def test_a_request_that_nobody_kills_a_process_at_is_found(entry: JournalEntry) -> None:
    [found] = unmapped([entry])
    assert entry.operation in found


def test_an_excused_request_has_a_reason_and_is_no_kill_point() -> None:
    effects = [effect for them in EFFECTS.values() for effect in them]
    effects += [effect for steps in HOST_STEPS.values() for effect in steps.values()]
    killed = {(effect.service, effect.operation, effect.resource) for effect in effects}
    assert all(EXCUSED_REQUESTS.values())
    assert not killed & EXCUSED_REQUESTS.keys()


@pytest.mark.parametrize(("use_case", "method"), EFFECTS, ids=str)
def test_a_mapped_method_is_one_that_its_use_case_calls(use_case: type, method: str) -> None:
    assert method in port_methods(use_case)
    assert calls(use_case, method)


@pytest.mark.parametrize("entry", [entry for entry in EXCUSED.items() if "not called" in entry[1]], ids=str)
def test_a_method_excused_as_not_called_is_not_called(entry: tuple[tuple[type, str], str]) -> None:
    (use_case, method), _ = entry
    assert method in port_methods(use_case)
    assert not calls(use_case, method)


def test_each_step_is_killed_before_and_after_under_a_name_of_its_own() -> None:
    points = kill_points()
    steps = sum(map(len, EFFECTS.values())) + sum(map(len, HOST_STEPS.values()))
    assert len(points) == 2 * steps
    assert len({str(point) for point in points}) == len(points)
    assert {point.process for point in points} == set(PROCESSES)


def test_a_hold_names_the_process_that_is_to_be_killed() -> None:
    for point in kill_points():
        hold = hold_of(point, "012345678901")
        name = point.process.removeprefix("lambda:")
        assert name in hold.identity + hold.client
        assert hold.when == point.when


def test_a_later_one_of_several_rows_is_counted_for_one_account_only() -> None:
    counted = [point for point in kill_points() if point.effect.nth > 1 and point.effect.service == "table"]
    assert counted
    for point in counted:
        assert hold_of(point, "012345678901").path == "*012345678901*"
