"""Which running EC2 instances have no instance profile. Source: EC2 API 2016-11-15, DescribeInstances.

All regions that the account has are asked, or those that the policy names. One that refuses, as a policy of the
organization may make it, is named; where every region refuses, or one does not answer, the account has given no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from shared.adapters.aws.errors import translated
from shared.adapters.aws.instances import regions_of
from shared.domain.sweep.advice import RunningInstances
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client

_AT_ONCE = 4


class Ec2Profiles:
    """Instances of member accounts."""

    def __init__(self, make_ec2: Callable[[str, str], EC2Client]) -> None:
        """`make_ec2` makes a client for an account id and a region; without a region, any will do."""
        self._make_ec2 = make_ec2

    def running_of(self, account_id: str, regions: Sequence[str] = ()) -> RunningInstances:
        """Those of these regions together, or of all."""
        asked = regions_of(account_id, self._make_ec2, regions)

        def ask(region: str) -> RunningInstances | ConfigurationError:
            try:
                return self._in_region(account_id, region)
            except ConfigurationError as refusal:
                return refusal

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = dict(zip(asked, pool.map(ask, asked), strict=True))
        refused = {region: each for region, each in answers.items() if isinstance(each, ConfigurationError)}
        if refused and len(refused) == len(asked):
            raise next(iter(refused.values()))
        found = [each for each in answers.values() if isinstance(each, RunningInstances)]
        return RunningInstances(
            running=sum(each.running for each in found),
            without_profile=tuple(launched for each in found for launched in each.without_profile),
            refused=tuple(sorted(refused)),
        )

    def _in_region(self, account_id: str, region: str) -> RunningInstances:
        running, without = 0, []
        with translated(f"look for running instances of account {account_id} in {region}"):
            pages = (
                self._make_ec2(account_id, region)
                .get_paginator("describe_instances")
                .paginate(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
            )
            for page in pages:
                for reservation in page["Reservations"]:
                    for instance in reservation["Instances"]:
                        running += 1
                        if not instance.get("IamInstanceProfile"):
                            without.append(instance["LaunchTime"])
        return RunningInstances(running=running, without_profile=tuple(without))
