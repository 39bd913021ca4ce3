"""What became of EC2 instances, asked in their own account. Source: EC2 API 2016-11-15, DescribeInstances.

An Arc machine does not say in which region its instance is, so all regions that the account has are asked. An instance
is gone only where every one of them has answered, and none has it but as terminated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from shared.adapters.aws.errors import translated
from shared.domain.sweep.machines import InstanceState

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client

_AT_ONCE = 4
_FILTER_VALUES = 200
_STATES = {
    "pending": InstanceState.RUNNING,
    "running": InstanceState.RUNNING,
    "stopping": InstanceState.STOPPED,
    "stopped": InstanceState.STOPPED,
    "shutting-down": InstanceState.UNKNOWN,
    "terminated": InstanceState.GONE,
}


class Ec2Instances:
    """Instances of member accounts."""

    def __init__(self, make_ec2: Callable[[str, str], EC2Client]) -> None:
        """`make_ec2` makes a client for an account id and a region; without a region, any will do."""
        self._make_ec2 = make_ec2

    def states_of(self, account_id: str, instance_ids: Sequence[str]) -> Mapping[str, InstanceState]:
        """What each is; raises where one region does not answer, since then nothing can be called gone."""
        with translated(f"list the regions of account {account_id}"):
            regions = [each["RegionName"] for each in self._make_ec2(account_id, "").describe_regions()["Regions"]]
        found: dict[str, InstanceState] = {}

        def ask(region: str) -> dict[str, InstanceState]:
            return dict(self._in_region(account_id, region, instance_ids))

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for states in pool.map(ask, regions):
                found |= {
                    instance: state
                    for instance, state in states.items()
                    if found.get(instance, InstanceState.GONE) is InstanceState.GONE
                }
        return {instance: found.get(instance, InstanceState.GONE) for instance in instance_ids}

    def _in_region(
        self, account_id: str, region: str, instance_ids: Sequence[str]
    ) -> Iterator[tuple[str, InstanceState]]:
        with translated(f"look for instances of account {account_id} in {region}"):
            ec2 = self._make_ec2(account_id, region)
            for first in range(0, len(instance_ids), _FILTER_VALUES):
                wanted = list(instance_ids[first : first + _FILTER_VALUES])
                pages = ec2.get_paginator("describe_instances").paginate(
                    Filters=[{"Name": "instance-id", "Values": wanted}]
                )
                for page in pages:
                    for reservation in page["Reservations"]:
                        for instance in reservation["Instances"]:
                            state = _STATES.get(instance["State"]["Name"], InstanceState.UNKNOWN)
                            yield instance["InstanceId"], state
