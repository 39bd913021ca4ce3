"""Arc machines of one GCP project beside those of an account, as a sweep in memory sees them from day to day."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared.adapters.policy.problems import parse_policy
from shared.domain.accounts import Account, Provider
from shared.domain.placement import place
from shared.domain.policy import Policy, decide
from shared.domain.sweep.machines import ArcMachine
from tests.fakes.clock import NOON
from tests.fakes.sweep import SweepWorld
from tests.fakes.sweep_machines import deleting, world_with
from tests.fixtures.read import account

NUMBER, PROJECT_ID = "345678901230", "till-prod-7"
_SAMPLE = Path(__file__).parents[2] / "docs" / "samples" / "policy.two-clouds.yaml"
_PROJECTS = parse_policy(_SAMPLE.read_bytes(), "two-clouds").of(Provider.GCP)
assert _PROJECTS is not None
PROJECT = replace(
    account(NUMBER, name=PROJECT_ID, ou_path="/Shops", joined_at=NOON - timedelta(days=90)), provider=Provider.GCP
)
_DECISION = decide(_PROJECTS, PROJECT)
_PLACE = place(_PROJECTS, NUMBER, _DECISION.profile, _DECISION.target, PROJECT_ID).connector_id
GROUP = f"/subscriptions/{_PLACE.subscription_id}/resourceGroups/{_PLACE.resource_group}/providers"
"""Where the project's connector stands."""
TAGS = {
    "cloud": "GCP",
    "instancename": "",
    "machineid": "",
    "mdfcsecurityconnector": "true",
    "projectid": PROJECT_ID,
    "projectnumber": NUMBER,
}


def both_clouds(**changes: Any) -> Policy:
    """A policy for accounts and projects that lets the sweep delete."""
    policy = deleting(**changes)
    assert _PROJECTS is not None
    return replace(policy, gcp=replace(_PROJECTS, deletions=policy.deletions, content_hash=policy.content_hash))


def number_of(name: str) -> str:
    """The number of an instance that a test calls by a name."""
    return str(10**18 + int(hashlib.sha256(name.encode()).hexdigest()[:12], 16))


def project_machine(name: str, *, days: float = 30, status: str = "Disconnected", **tags: str) -> ArcMachine:
    """A machine with every tag of Defender's, called as its instance."""
    return ArcMachine(
        machine_id=f"{GROUP}/Microsoft.HybridCompute/machines/{name}",
        status=status,
        status_since=NOON - timedelta(days=days),
        tags=TAGS | {"instancename": name, "machineid": number_of(name)} | tags,
    )


def world_of_both(*machines: ArcMachine, policy: Policy | None = None) -> SweepWorld:
    """An account and a project with their connectors, and these machines; their instances are gone."""
    world = world_with(*machines, policy=policy or both_clouds())
    add_project(world, PROJECT)
    return world


def add_project(world: SweepWorld, project: Account) -> None:
    """A project with its connector, in which everything is as it should be."""
    world.google.of_projects.add(project)
    world.connect(project)
