"""Whatever keeps Defender out of projects is told apart with its remedy: on the fakes, and on the sandbox."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

from sandbox.config import SandboxSettings
from shared.application.look_at_google import LookAtGoogle
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.project_home import Home, home_of, home_of_members
from shared.domain.sweep.project_kinds import PROJECT_KINDS
from tests.fakes.gcp_causes import Causes, FakeCauses, SandboxCauses, break_all
from tests.fakes.gcp_world import GcpWorld, gcp_world
from tests.fixtures.profiles import FULL
from tests.fixtures.read import account, fixture
from tests.unit.test_project_policy import MEMBER, STANDALONE

TENANT, ORGANIZATION = SandboxSettings().tenant_id, SandboxSettings().gcp_organization
CASES: list[dict[str, Any]] = yaml.safe_load(fixture("gcp/causes.yaml"))
BOTH = ["member", "standalone"]
_numbers = itertools.count(10)


def home_in(mode: str, number: str, project_id: str) -> Home:
    """The management project in mode `member`, else a project of its own."""
    policy = replace(MEMBER if mode == "member" else STANDALONE, tenant_id=TENANT, organization=ORGANIZATION)
    if mode == "standalone":
        return home_of(account(number, name=project_id), FULL, policy)
    assert policy.organization_connector is not None
    parent = replace(policy.organization_connector, management_account=number, management_id=project_id)
    found = home_of_members(replace(policy, organization_connector=parent, default_profile=FULL, rules=()))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpWorld]:
    with gcp_world(tmp_path_factory.mktemp("causes")) as found:
        yield found


@pytest.fixture(params=["fake", "sandbox"])
def place(request: pytest.FixtureRequest) -> Callable[[str], tuple[Home, Causes]]:
    """Where everything is in place, in the given mode; each time in a project of its own."""

    def in_memory(mode: str) -> tuple[Home, Causes]:
        home = home_in(mode, "210987654321", "till-prod-7")
        return home, FakeCauses(home)

    def in_sandbox(mode: str) -> tuple[Home, Causes]:
        world: GcpWorld = request.getfixturevalue("world")
        project = world.cloud.add_project(f"till-prod-{next(_numbers)}")
        home = home_in(mode, project.number, project.project_id)
        return home, SandboxCauses(world, project, home)

    return in_memory if request.param == "fake" else in_sandbox


EVERY = [(case, mode) for case in CASES for mode in case.get("modes", BOTH)]


@pytest.mark.parametrize(("case", "mode"), EVERY, ids=[f"{case['name']}, {mode}" for case, mode in EVERY])
def test_a_cause_is_found_and_nothing_else(
    place: Callable[[str], tuple[Home, Causes]], case: dict[str, Any], mode: str
) -> None:
    home, causes = place(mode)
    break_all(causes, case.get("break", []))
    look = LookAtGoogle(causes.google(), home)
    found = list(look.at_everything())
    assert [each.key for each in found] == case["found"], [each.reason for each in found]
    check_words(case, mode, home, found)
    untold = "; ".join(each.reason for each in look.untold)
    for text in case.get("untold", []):
        assert _filled(text, home) in untold
    assert bool(look.untold) is ("untold" in case), untold
    assert all(each.told for each in look.untold) is (case.get("told", False) or not look.untold)


def check_words(case: dict[str, Any], mode: str, home: Home, found: list[SweepFinding]) -> None:
    remedies = " ".join(each.remedy for each in found)
    said = case.get("owner", case.get("do", [])) if mode == "standalone" else case.get("do", [])
    for text in said:
        assert _filled(text, home) in remedies
    assert "reason" not in case or case["reason"] in " ".join(each.reason for each in found)
    for each in found:
        assert (each.account, each.subject.partition("#")[0]) == (home.number, home.number)
        assert each.remedy.endswith(f"Runbook: {each.key}.")
    if not home.shared:
        assert "terraform" not in remedies


def _filled(text: str, home: Home) -> str:
    for name, value in (("{pool}", home.pool), ("{home}", home.project_id), ("{number}", home.number)):
        text = text.replace(name, value)
    return text


def test_every_kind_has_a_case() -> None:
    assert {key for case in CASES for key in case["found"]} == {kind.key for kind in PROJECT_KINDS}
