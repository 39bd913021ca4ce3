"""Every step that a use case takes outside has a kill point, or a reason why it cannot have one."""

from __future__ import annotations

import importlib
import inspect
import re
from dataclasses import dataclass

import pytest

from shared.application import ports
from shared.application.deploy_accounts import DeployPorts
from shared.application.onboard_ports import OnboardPorts
from shared.application.report_instance import ReportPorts
from tests.e2e.kill_points import EFFECTS, EXCUSED, HOST_STEPS, PROCESSES, hold_of, kill_points, missing, port_methods

SOURCES = {
    DeployPorts: ("deploy_accounts",),
    ReportPorts: ("report_instance",),
    OnboardPorts: ("onboard", "settlement", "parking"),
}


def calls(use_case: type, method: str) -> bool:
    protocol, _, name = method.partition(".")
    modules = [importlib.import_module(f"shared.application.{source}") for source in SOURCES[use_case]]
    port = r"\.?bodies" if protocol == "ParkedBodies" else r""  # `find` is a method of several ports
    return any(re.search(rf"{port}\.{name}\(", inspect.getsource(module)) for module in modules)


def test_every_port_method_is_a_kill_point_or_excused() -> None:
    assert missing() == []


def test_a_new_port_method_is_noticed() -> None:
    @dataclass(frozen=True, kw_only=True)
    class NewPorts:
        sender: ports.RequestSender
        clock: ports.Clock
        limit: int = 1

    NewPorts.__annotations__ = {"sender": ports.RequestSender, "clock": ports.Clock, "limit": int}
    assert missing([NewPorts]) == ["NewPorts: RequestSender.send"]


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
        hold = hold_of(point)
        name = point.process.removeprefix("lambda:")
        assert name in hold.identity + hold.client
        assert hold.when == point.when
