"""Arc machines of one account, as a sweep in memory sees them from day to day."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared.adapters.policy.problems import parse_policy
from shared.domain.placement import place
from shared.domain.policy import Deletions, Policy, decide
from shared.domain.sweep.machines import ArcMachine, InstanceState
from shared.domain.sweep.report import SweepReport
from tests.fakes.clock import NOON
from tests.fakes.sweep import SweepWorld
from tests.fixtures.read import account, fixture

ACCOUNT = "000000000001"
POLICY = parse_policy(fixture("policies/full.yaml").encode(), "full.yaml")
_DECISION = decide(POLICY, account(ACCOUNT))
_PLACE = place(POLICY, ACCOUNT, _DECISION.profile, _DECISION.target).connector_id
GROUP = f"/subscriptions/{_PLACE.subscription_id}/resourceGroups/{_PLACE.resource_group}/providers"
"""Where the account's connector stands, and the machines that Defender makes for it."""
TAGS = {"accountid": ACCOUNT, "cloud": "AWS", "instanceid": "", "mdfcsecurityconnector": "true"}
SILENT = [
    (InstanceState.GONE, "machine-orphaned", "is gone"),
    (InstanceState.STOPPED, "machine-disconnected", "is stopped"),
    (InstanceState.RUNNING, "machine-disconnected", "is running"),
    (InstanceState.UNKNOWN, "machine-disconnected", "could not be told"),
]
"""What is found of a silent machine, by the state of its instance, and how the finding says it."""
DAY = 86_000.0
"""Seconds from one daily sweep to the next, about."""


def deleting(policy: Policy = POLICY, **changes: Any) -> Policy:
    """A policy that lets the sweep delete."""
    return replace(policy, deletions=Deletions(**({"orphaned_machines": True, "machines_percent": 100} | changes)))


def instance_of(name: str) -> str:
    """The id of an instance that a test calls by a name."""
    return f"i-{hashlib.sha256(name.encode()).hexdigest()[:17]}"


def machine(name: str, *, days: float = 30, status: str = "Disconnected", **tags: str) -> ArcMachine:
    """A machine as Defender makes it: its name is its instance's id."""
    return ArcMachine(
        machine_id=f"{GROUP}/Microsoft.HybridCompute/machines/{instance_of(name)}",
        status=status,
        status_since=NOON - timedelta(days=days),
        tags=TAGS | {"instanceid": instance_of(name)} | tags,
    )


def world_with(*machines: ArcMachine, policy: Policy | None = None) -> SweepWorld:
    """An account with its connector, and these machines; their instances are gone unless a test says otherwise."""
    world = SweepWorld(policy or deleting())
    world.add(account(ACCOUNT, joined_at=NOON - timedelta(days=90)))
    world.tenant.everything = {each.machine_id: each for each in machines}
    return world


def swept(world: SweepWorld, *, seconds: float = DAY) -> SweepReport:
    """A sweep, and the time until the next."""
    report = world.sweep()
    assert report is not None
    world.clock.advance(seconds)
    return report
