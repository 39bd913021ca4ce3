"""Advice on the connectors of one slice: what their accounts lack for the plans that are on. It repairs nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from shared.application.sweep_ports import SweepPorts
from shared.domain.sweep.advice import (
    Assessed,
    Equipped,
    RunningInstances,
    instance_profile_advice,
    lacks_ssm,
    machine_advice,
    workload_advice,
)
from shared.domain.sweep.findings import Area, Gap, SweepFinding
from shared.domain.sweep.kinds import ARC_ASSESSMENT, SSM_ASSESSMENT
from shared.domain.sweep.slices import MOST_TIME
from shared.errors import RollcallError

logger = logging.getLogger(__name__)


def advice_on(
    subjects: Sequence[Equipped], ports: SweepPorts, hours: float, gaps: list[Gap], *, since: datetime
) -> Iterator[SweepFinding]:
    """What is advised. `hours` is the window of discovery, `since` when the slice began.

    Accounts that are asked for their instances and give no answer become `gaps`.
    Raises TransientError, PermanentError, ConfigurationError where Resource Graph cannot be read.
    """
    assessed, machines = _assessed(subjects, ports), _sql_machines(subjects, ports)
    asked: dict[str, RunningInstances | None] = {}
    for subject in subjects:
        account = subject.watched.account
        known = assessed.get(subject.watched.connector_id.lower(), {})
        is_first = account not in asked
        if lacks_ssm(subject, known) and is_first:
            asked[account] = _running(account, ports, gaps, since)
        running = asked.get(account)
        yield from machine_advice(subject, known, running)
        if running is not None and is_first:
            yield from instance_profile_advice(subject, running)
        yield from workload_advice(subject, machines.get(account, 0), hours, ports.clock.now())


def _assessed(subjects: Sequence[Equipped], ports: SweepPorts) -> Mapping[str, Mapping[str, Assessed]]:
    wanted = [subject.watched.connector_id for subject in subjects if subject.connects_machines]
    return ports.advice.assessed(wanted, (SSM_ASSESSMENT, ARC_ASSESSMENT)) if wanted else {}


def _sql_machines(subjects: Sequence[Equipped], ports: SweepPorts) -> Mapping[str, int]:
    wanted = sorted({subject.watched.account for subject in subjects if subject.profile.databases is not None})
    return ports.advice.sql_machines_of(wanted) if wanted else {}


def _running(account: str, ports: SweepPorts, gaps: list[Gap], since: datetime) -> RunningInstances | None:
    """The account's running instances; None, and a gap, where nobody could tell."""
    if ports.clock.now() - since > MOST_TIME:
        gaps.append(Gap(reason="the time of a slice was over", area=Area.ADVICE, account=account))
        return None
    try:
        running = ports.profiles.running_of(account, ports.policy.current().sweep.instance_regions)
    except RollcallError as error:
        logger.warning("profiles_unknown", extra={"hierarchy_identifier": account, "reason": error.reason})
        gaps.append(Gap(reason=error.reason, area=Area.ADVICE, account=account))
        return None
    if running.refused:  # its evidence says so; what was found there before is unseen
        refused = ", ".join(running.refused)
        gaps.append(Gap(reason=f"regions that refuse: {refused}", area=Area.ADVICE, account=account, told=True))
    return running
