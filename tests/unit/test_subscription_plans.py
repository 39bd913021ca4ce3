"""Plans of a subscription and the export of alerts: what is written, and what the command refuses beforehand."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from shared.application.subscription_plans import SubscriptionPorts, enable_plans
from shared.domain.subscription_plans import AlertExport, SubscriptionPlan
from tests.fakes.clock import FakeClock
from tests.unit.test_policy_command import POLICIES, Shell, shell

__all__ = ["shell"]  # a fixture
OTHER = "00000000-0000-4000-8000-00000000ffff"
APP = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Logic/workflows/alerts"
EXPORT = AlertExport(
    resource_group_id="/subscriptions/s/resourceGroups/g",
    location="westeurope",
    scope="/subscriptions/s",
    logic_app_id=APP,
)


class Plans:
    """Every plan is off when it is looked at; remembers what was switched on."""

    def __init__(self) -> None:
        self.enabled: list[str] = []

    def list_plans(self, subscription_id: str) -> tuple[SubscriptionPlan, ...]:
        return ()

    def enable_plan(self, subscription_id: str, name: str) -> SubscriptionPlan:
        self.enabled.append(name)
        return SubscriptionPlan(name=name, is_on=True)


def test_a_plan_that_is_asked_for_twice_is_written_once() -> None:
    plans = Plans()
    ports = SubscriptionPorts(plans=plans, clock=FakeClock())
    done = list(enable_plans(["Containers", "VirtualMachines", "Containers"], "s", ports))
    assert plans.enabled == ["Containers", "VirtualMachines"]
    assert len(done) == 2


def changed(**rule: str) -> dict[str, Any]:
    body = deepcopy(EXPORT.body("https://secret"))
    body["properties"]["sources"][0]["ruleSets"][0]["rules"][0].update(rule)
    return body


def test_an_automation_says_the_same_in_any_case_of_the_names() -> None:
    assert EXPORT.is_said_by(changed())
    assert EXPORT.is_said_by(changed(operator="equals", propertyType="string", extra="x"))


@pytest.mark.parametrize(
    "rule", [{"expectedValue": "Low"}, {"operator": "NotEquals"}, {"propertyJPath": "Status"}], ids=str
)
def test_an_automation_with_other_rules_does_not_say_the_same(rule: dict[str, str]) -> None:
    assert not EXPORT.is_said_by(changed(**rule))


def test_an_automation_without_rules_or_with_more_does_not_say_the_same() -> None:
    body = changed()
    [source] = body["properties"]["sources"]
    others: list[Any] = [[], None, source["ruleSets"] * 2]
    for rule_sets in others:
        source["ruleSets"] = rule_sets
        assert not EXPORT.is_said_by(body)


@pytest.mark.parametrize("command", [("show",), ("enable", "--plans", "servers")])
def test_a_subscription_that_is_no_guid_is_wrong_usage(shell: Shell, command: tuple[str, ...]) -> None:
    said = shell.run("subscription", *command, "--subscription", "production")
    assert (said.code, said.out) == (2, "")
    assert "production is no subscription id; give the GUID" in said.err


def test_an_export_in_another_subscription_than_the_target_s_is_refused(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLCALL_POLICY", str(POLICIES / "smallest.yaml"))
    said = shell.run("subscription", "enable", "--export-to", APP, "--subscription", OTHER)
    assert (said.code, said.out) == (2, "")
    assert f"no resource group of subscription {OTHER} is known" in said.err
    assert "leave --subscription out" in said.err


@pytest.mark.parametrize(("gap", "warned"), [("9.5", True), ("10", False)])
def test_a_short_gap_is_allowed_with_a_warning(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gap: str, warned: bool
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no `az` there: it ends before anything is asked
    said = shell.run("subscription", "enable", "--plans", "servers", "--subscription", OTHER, "--gap", gap)
    assert said.code != 0
    assert ("warning: with less than 10 seconds" in said.err) is warned
