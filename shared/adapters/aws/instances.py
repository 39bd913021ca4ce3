"""What became of EC2 instances, asked in their own account. Source: EC2 API 2016-11-15, DescribeInstances.

An Arc machine does not say in which region its instance is, so all regions that the account has are asked, or those
that the policy names. An instance is gone only where every one of them has answered, and none has it but as terminated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from shared.adapters.aws.errors import translated
from shared.domain.sweep.machines import InstanceState
from shared.errors import ConfigurationError, PermanentError

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


def regions_of(account_id: str, make_ec2: Callable[[str, str], EC2Client], wanted: Sequence[str]) -> list[str]:
    """The regions that the account has, of those that are wanted; without any wanted, all. Raises where there is none.

    Nobody would be asked then, and everything called gone.
    """
    has = _enabled(account_id, make_ec2, wanted)
    asked = [each for each in has if not wanted or each in wanted]
    if not asked:
        raise PermanentError(
            f"account {account_id} has none of the regions where instances may be",
            remedy="look at `sweep.instance_regions` in the policy",
        )
    return asked


def _enabled(account_id: str, make_ec2: Callable[[str, str], EC2Client], wanted: Sequence[str]) -> list[str]:
    """Asked in any region; where a policy of the organization denies that one, in those where instances may be."""
    refusals: list[ConfigurationError] = []
    for place in ("", *wanted):
        try:
            with translated(f"list the regions of account {account_id}"):
                return [each["RegionName"] for each in make_ec2(account_id, place).describe_regions()["Regions"]]
        except ConfigurationError as refusal:
            refusals.append(refusal)
    raise refusals[0]


class Ec2Instances:
    """Instances of member accounts."""

    def __init__(self, make_ec2: Callable[[str, str], EC2Client]) -> None:
        """`make_ec2` makes a client for an account id and a region; without a region, any will do."""
        self._make_ec2 = make_ec2

    def states_of(
        self, account_id: str, instance_ids: Sequence[str], regions: Sequence[str] = ()
    ) -> Mapping[str, InstanceState]:
        """What each is; raises where one region does not answer, since then nothing can be called gone.

        `regions` are where instances may be; without them every region that the account has is asked.
        """
        asked = regions_of(account_id, self._make_ec2, regions)
        found: dict[str, InstanceState] = {}

        def ask(region: str) -> dict[str, InstanceState]:
            return dict(self._in_region(account_id, region, instance_ids))

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for states in pool.map(ask, asked):
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
